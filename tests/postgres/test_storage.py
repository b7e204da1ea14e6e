"""Both stores do the same: a folder, and S3 as moto plays it over HTTP."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.aws import serve_aws
from tests.postgres.servers import AWS, SCRIPTS, Completed, find_free_port

BUCKET = "aware-backups"
SECRET_KEY = "hidden-access-key"
ARCHIVE = os.urandom(300_000)
PREFIXES = ("", "some/where")


def format_id(age: timedelta) -> str:
    return (datetime.now(UTC) - age).strftime("%Y%m%dT%H%M%SZ")


@dataclass
class Store:
    """A store, and the folder of a pod that speaks to it."""

    script: str
    work: Path
    environment: dict[str, str]

    def call(self, *arguments: str, **environment: str) -> Completed:
        return subprocess.run(
            ["bash", str(SCRIPTS / self.script), *arguments],
            env={**self.environment, "WORK_DIR": str(self.work), **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def run(self, *arguments: str, exit_code: int = 0, **environment: str) -> Completed:
        done = self.call(*arguments, **environment)
        assert done.returncode == exit_code, done.stdout + done.stderr
        return done

    def prepare(self, backup: str, archive: bytes = ARCHIVE) -> str:
        """Leave what a dump leaves."""
        folder = self.work / backup
        folder.mkdir(parents=True)
        (folder / "database.dump").write_bytes(archive)
        (folder / "manifest.tsv").write_text("table\tpublic.t\t1\t2\n")
        summing = "sha256sum database.dump manifest.tsv >SHA256SUMS"
        subprocess.run(["sh", "-c", summing], cwd=folder, check=True)
        sha256 = (folder / "SHA256SUMS").read_text().split()[0]
        (folder / "backup.json").write_text(json.dumps({"id": backup, "sha256": sha256}) + "\n")
        (self.work / "backup-id").write_text(f"{backup}\n")
        return backup

    def put(self, age: timedelta = timedelta(), **environment: str) -> str:
        backup = self.prepare(format_id(age))
        self.run("put", **environment)
        return backup

    def seed(self, *ages: timedelta, is_complete: bool = True) -> list[str]:
        """Let the store have backups of these ages."""
        folder = self.work / "seed"
        backups = [format_id(age) for age in ages]
        for backup in backups:
            (folder / backup).mkdir(parents=True)
            (folder / backup / "database.dump").write_bytes(b"archive")
            if is_complete:
                (folder / backup / "complete.json").write_text(json.dumps({"id": backup}) + "\n")
        if "BACKUP_DIR" in self.environment:
            shutil.copytree(folder, self.environment["BACKUP_DIR"], dirs_exist_ok=True)
        else:
            target = f"s3://{BUCKET}/{self.environment['S3_PREFIX']}/"
            command = [AWS / "aws", "s3", "cp", "--recursive", folder, target]
            subprocess.run(command, env=self.environment, check=True, capture_output=True)
        shutil.rmtree(folder)
        return backups

    def list(self) -> dict[str, str]:
        lines = self.run("list").stdout.splitlines()
        return {item["id"]: item["state"] for item in map(json.loads, lines)}


def build_environment(folder: Path, **variables: str) -> dict[str, str]:
    return {"PATH": f"{AWS}:/usr/bin:/bin", "HOME": str(folder), **variables}


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An S3 server on loopback, with the bucket."""
    with serve_aws() as endpoint:
        folder = tmp_path_factory.mktemp("aws")
        command = [AWS / "aws", "s3api", "create-bucket", "--bucket", BUCKET]
        subprocess.run(
            command, env=build_s3_environment(folder, endpoint, ""), check=True, capture_output=True
        )
        yield endpoint


def build_s3_environment(folder: Path, endpoint: str, prefix: str) -> dict[str, str]:
    """Return what the chart gives a container that speaks to S3 with a Secret."""
    credentials = folder / "credentials"
    credentials.write_text(
        f"[default]\naws_access_key_id = key\naws_secret_access_key = {SECRET_KEY}\n"
    )
    return build_environment(
        folder,
        S3_BUCKET=BUCKET,
        S3_PREFIX=prefix,
        AWS_REGION="us-east-1",
        AWS_ENDPOINT_URL=endpoint,
        AWS_SHARED_CREDENTIALS_FILE=str(credentials),
        AWS_EC2_METADATA_DISABLED="true",
    )


@pytest.fixture(params=["volume", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Each of the stores, empty."""
    if request.param == "volume":
        (tmp_path / "backups").mkdir()
        environment = build_environment(tmp_path, BACKUP_DIR=str(tmp_path / "backups"))
        return Store("storage-volume.sh", tmp_path / "work", environment)
    endpoint = request.getfixturevalue("s3")
    environment = build_s3_environment(tmp_path, endpoint, f"backups/{tmp_path.name}")
    return Store("storage-s3.sh", tmp_path / "work", environment)


@pytest.fixture
def bucket(s3: str, tmp_path: Path) -> Store:
    """The store in S3."""
    return Store(
        "storage-s3.sh", tmp_path / "work", build_s3_environment(tmp_path, s3, tmp_path.name)
    )


def list_keys(store: Store) -> list[str]:
    command = [
        AWS / "aws",
        "s3",
        "ls",
        "--recursive",
        f"s3://{BUCKET}/{store.environment['S3_PREFIX']}/",
    ]
    done = subprocess.run(
        command, env=store.environment, capture_output=True, text=True, check=False
    )
    return [line.split()[-1] for line in done.stdout.splitlines()]


def test_a_new_store_is_empty(store: Store) -> None:
    assert store.list() == {}
    assert store.run("prune").stderr == ""


def test_what_is_put_is_listed_and_comes_back(store: Store) -> None:
    backup = store.prepare(format_id(timedelta()))
    told = json.loads(store.run("put").stdout)
    assert told["id"] == backup
    assert set(told) == {"id", "sha256", "storedAt"}
    assert store.list() == {backup: "complete"}

    shutil.rmtree(store.work)
    store.work.mkdir()
    store.run("get", backup)
    assert (store.work / backup / "database.dump").read_bytes() == ARCHIVE


def test_a_get_without_an_id_is_nothing(store: Store) -> None:
    assert store.run("get", "").stderr == ""


@pytest.mark.parametrize("backup", ["../../etc/passwd", "20260101", "*"])
def test_what_is_no_id_is_refused(store: Store, backup: str) -> None:
    assert "is no backup's ID." in store.run("get", backup, exit_code=1).stderr


def test_what_is_not_there_is_told(store: Store) -> None:
    said = store.run("get", "20260101T000000Z", exit_code=1).stderr
    assert "There is no complete backup 20260101T000000Z in the store." in said


def test_nothing_to_put_is_told(store: Store) -> None:
    store.work.mkdir()
    assert "There is no backup to store." in store.run("put", exit_code=1).stderr


def test_old_backups_go_but_never_below_what_must_stay(store: Store) -> None:
    ages = [timedelta(days=days) for days in (36, 34, 32, 1)]
    backups = store.seed(*ages)
    store.run("prune", KEEP_DAYS="30", KEEP_AT_LEAST="2")
    assert list(store.list()) == backups[2:]

    store.run("prune", KEEP_DAYS="30", KEEP_AT_LEAST="0")
    assert list(store.list()) == backups[3:]


def test_a_put_prunes(store: Store) -> None:
    store.seed(timedelta(days=36))
    backup = store.put(KEEP_DAYS="30", KEEP_AT_LEAST="1")
    assert store.list() == {backup: "complete"}


def test_old_incomplete_backups_go_and_young_ones_stay(store: Store) -> None:
    ages = (timedelta(hours=30), timedelta(hours=1))
    _, young = store.seed(*ages, is_complete=False)
    store.run("prune")

    assert store.list() == {young: "incomplete"}


@pytest.mark.parametrize("prefix", PREFIXES)
def test_any_folder_of_the_bucket_will_do(s3: str, tmp_path: Path, prefix: str) -> None:
    store = Store("storage-s3.sh", tmp_path / "work", build_s3_environment(tmp_path, s3, prefix))
    backup = store.put()

    assert store.list()[backup] == "complete"
    store.run("get", backup)


# S3 when it does not do as it should.


@contextmanager
def cutting(endpoint: str, limit: int) -> Iterator[str]:
    """Give an address that passes so many bytes on to the server, on each connection."""
    host, port = endpoint.removeprefix("http://").split(":")
    listener = socket.create_server(("127.0.0.1", 0))
    has_ended = threading.Event()

    def pass_on(source: socket.socket, target: socket.socket, left: int) -> None:
        with suppress(OSError):
            while left > 0 and (chunk := source.recv(min(65536, left))):
                target.sendall(chunk)
                left -= len(chunk)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def serve() -> None:
        while not has_ended.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            upstream = socket.create_connection((host, int(port)))
            ends = [
                threading.Thread(target=pass_on, args=(client, upstream, limit)),
                threading.Thread(target=pass_on, args=(upstream, client, 1 << 40)),
            ]
            for thread in ends:
                thread.start()
            for thread in ends:
                thread.join()
            client.close()
            upstream.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        has_ended.set()
        # accept() goes on after a close: it is woken up.
        with suppress(OSError):
            socket.create_connection(listener.getsockname(), 1).close()
        thread.join()
        listener.close()


def test_an_upload_that_is_cut_off_is_no_backup(bucket: Store, s3: str) -> None:
    backup = bucket.prepare(format_id(timedelta()))
    with cutting(s3, 100_000) as endpoint:
        said = bucket.run("put", exit_code=1, AWS_ENDPOINT_URL=endpoint, AWS_MAX_ATTEMPTS="1")
    assert "The store does not take the backup" in said.stderr
    assert bucket.list() in ({}, {backup: "incomplete"})

    bucket.run("put")
    assert bucket.list() == {backup: "complete"}


def test_a_store_that_is_not_there_is_no_backup(bucket: Store) -> None:
    bucket.prepare(format_id(timedelta()))
    nowhere = f"http://127.0.0.1:{find_free_port()}"
    said = bucket.run("put", exit_code=1, AWS_ENDPOINT_URL=nowhere, AWS_MAX_ATTEMPTS="1")

    assert "The store does not take the backup" in said.stderr
    assert SECRET_KEY not in said.stdout + said.stderr


def test_a_bucket_that_is_not_there_is_told(bucket: Store) -> None:
    said = bucket.run("list", exit_code=1, S3_BUCKET="another-bucket")

    assert "The store cannot be read." in said.stderr
    assert "NoSuchBucket" in said.stderr


def test_without_credentials_nothing_is_written(bucket: Store, tmp_path: Path) -> None:
    backup = bucket.prepare(format_id(timedelta()))
    missing = str(tmp_path / "missing")
    said = bucket.run("put", exit_code=1, AWS_SHARED_CREDENTIALS_FILE=missing)

    assert "Unable to locate credentials" in said.stderr
    assert list_keys(bucket) == []
    assert backup not in bucket.list()


def test_the_marker_is_written_last(bucket: Store, tmp_path: Path) -> None:
    backup = bucket.prepare(format_id(timedelta()))
    log = tmp_path / "calls"
    shim = tmp_path / "bin"
    shim.mkdir()
    (shim / "aws").write_text(f'#!/bin/sh\necho "$*" >>{log}\nexec {AWS}/aws "$@"\n')
    (shim / "aws").chmod(0o755)
    bucket.run("put", PATH=f"{shim}:{bucket.environment['PATH']}")

    calls = [line for line in log.read_text().splitlines() if backup in line]
    assert ["--recursive" in line for line in calls] == [True, False, False, False]
    assert [line.endswith(" -") for line in calls] == [False, True, True, False]
    assert calls[-1].endswith(f"{backup}/complete.json")


def test_what_does_not_come_back_as_it_was_is_not_complete(bucket: Store, tmp_path: Path) -> None:
    backup = bucket.prepare(format_id(timedelta()))
    shim = tmp_path / "bin"
    shim.mkdir()
    # A store that loses the last byte of what it gives.
    (shim / "aws").write_text(
        f'#!/bin/bash\ncase "$*" in *" -") {AWS}/aws "$@" | head -c -1 ;;\n'
        f'*) exec {AWS}/aws "$@" ;;\nesac\n'
    )
    (shim / "aws").chmod(0o755)
    said = bucket.run("put", exit_code=1, PATH=f"{shim}:{bucket.environment['PATH']}")

    assert "does not give database.dump back as it was" in said.stderr
    assert bucket.list() == {backup: "incomplete"}


def test_nothing_is_pruned_after_a_put_that_failed(bucket: Store, s3: str) -> None:
    (old,) = bucket.seed(timedelta(days=99))
    bucket.prepare(format_id(timedelta()))
    with cutting(s3, 100_000) as endpoint:
        limits = {"KEEP_DAYS": "1", "KEEP_AT_LEAST": "0", "AWS_MAX_ATTEMPTS": "1"}
        bucket.run("put", exit_code=1, AWS_ENDPOINT_URL=endpoint, **limits)

    assert bucket.list()[old] == "complete"


def test_no_credential_is_said(bucket: Store) -> None:
    backup = bucket.prepare(format_id(timedelta()))
    said = [bucket.run("put"), bucket.run("list"), bucket.run("get", backup)]

    assert [each for each in said if SECRET_KEY in each.stdout + each.stderr] == []
