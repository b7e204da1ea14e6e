"""Dump, damage, restore, verify: the scripts of charts/platform on a real PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.postgres.servers import (
    ADMIN_PASSWORD,
    PASSWORD,
    USER,
    Pod,
    Root,
    Server,
    build_environment,
    end,
    read_line,
    wait_for,
)

DATA = (Path(__file__).parent / "data.sql").read_text()
SMALL = "CREATE TABLE t (id integer PRIMARY KEY, name text); INSERT INTO t VALUES (1, 'one')"
# Enough that a dump and a restore take a while: what cannot be compressed.
LARGE = (
    "CREATE TABLE big AS SELECT n AS id, gen_random_uuid() AS a, gen_random_uuid() AS b "
    "FROM generate_series(1, 200000) AS n"
)


# A transaction that a snapshot sees whole or not at all.
WRITE = "psql -qc 'INSERT INTO log DEFAULT VALUES; UPDATE big SET a = b WHERE id = 1' $DATABASE"


def name_restored(backup: str) -> str:
    return f"aware_{backup.lower()}"


def name_unfinished(backup: str) -> str:
    return f"restoring_{backup.lower()}"


IN_FRONT = f"/data:{build_environment()['PATH']}"


def put_in_front(pod: Pod, folder: Path, program: str, script: str) -> None:
    """Let the pod find a program of the test's own, but not for its version, unless it is FAKE."""
    tools = folder / "tools"
    tools.mkdir()
    real = f"/usr/lib/postgresql/15/bin/{program}"
    is_asked = f'[ "$1" = --version ] && [ -z "${{FAKE-}}" ] && exec {real} --version'
    (tools / program).write_text(f"#!/bin/sh\n{is_asked}\n{script}\n")
    (tools / program).chmod(0o755)
    pod.mounts["data"] = tools


def flip_byte(path: Path, offset: int = -2000) -> None:
    with path.open("r+b") as file:
        file.seek(offset, os.SEEK_END)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 0xFF]))


# All that is well.


def test_everything_a_database_may_hold_comes_back(pod: Pod, server: Server) -> None:
    server.sql(DATA)
    backup = pod.back_up()
    before = server.sql("SELECT md5(string_agg(c::text, ',' ORDER BY id)) FROM shop.customers AS c")
    server.sql(
        "DROP SCHEMA shop CASCADE", 'DELETE FROM "Überall"."Küche"', "SELECT lo_unlink(42001)"
    )

    restored = read_line(pod.restore(backup))
    new = name_restored(backup)
    assert (restored["backup"], restored["database"]) == (backup, new)
    assert (restored["tables"], restored["rows"]) == (6, 65)
    digest = "SELECT md5(string_agg(c::text, ',' ORDER BY id)) FROM shop.customers AS c"
    assert server.sql(digest, database=new) == before
    assert server.sql("SELECT nextval('shop.numbers')", database=new) == ["17"]
    assert server.sql("SELECT length(lo_get(42001))", database=new) == ["60000"]
    assert server.sql("SELECT sum(n) FROM shop.totals", database=new) == ["50"]


def test_the_restored_database_belongs_to_the_api(pod: Pod, server: Server) -> None:
    server.sql("SET ROLE aware", SMALL)
    backup = pod.back_up()
    pod.restore(backup)
    new = name_restored(backup)

    assert server.sql("INSERT INTO t VALUES (2, 'two')", database=new, role="aware") == []
    owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
    assert server.sql(owner, database=new) == ["aware"]


def test_a_name_of_ones_own_is_taken(pod: Pod, server: Server) -> None:
    server.sql(SMALL)
    backup = pod.back_up()

    assert read_line(pod.restore(backup, RESTORE_INTO="again"))["database"] == "again"
    assert server.sql("SELECT name FROM t", database="again") == ["one"]


def test_an_empty_database_is_a_backup_too(pod: Pod, server: Server) -> None:
    assert read_line(pod.restore(pod.back_up()))["tables"] == 0


def test_a_role_without_a_superuser_can_do_it_too(
    root: Root, server: Server, tmp_path: Path
) -> None:
    server.sql("ALTER ROLE aware CREATEDB", database="postgres")
    pod = Pod(root, tmp_path, server.url(), is_admin=False)
    server.sql(SMALL, "CREATE EXTENSION pg_trgm", role="aware")
    backup = pod.back_up()
    pod.restore(backup)

    assert server.sql("SELECT name FROM t", database=name_restored(backup)) == ["one"]


def test_a_snapshot_is_one_moment_while_others_write(pod: Pod, server: Server) -> None:
    server.sql(LARGE, "CREATE TABLE log (id serial, at timestamptz DEFAULT clock_timestamp())")
    writer = subprocess.Popen(
        server.root.build_command(["bash", "-c", f"while {WRITE}; do :; done"], {}),
        env=build_environment(DATABASE=server.url(role="postgres", password=ADMIN_PASSWORD)),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: server.sql("SELECT count(*) FROM log") != ["0"], "the writer")
        backup = pod.back_up()
    finally:
        os.killpg(writer.pid, 9)
        writer.wait()

    restored = read_line(pod.restore(backup))
    now = int(server.sql("SELECT count(*) FROM log")[0])
    assert 200_000 < restored["rows"] < 200_000 + now


def test_two_backups_are_never_made_at_once(
    pod: Pod, root: Root, server: Server, tmp_path: Path
) -> None:
    server.sql(LARGE)
    first = pod.start("dump.sh")
    wait_for(lambda: list(pod.work.glob("*/database.dump")), "the first dump")
    said = Pod(root, tmp_path / "other", server.url()).run("dump.sh", exit_code=75)

    assert said.stderr == "Another backup of aware is being made.\n"
    assert first.wait() == 0
    first.communicate()


# What is never a complete backup.


def test_a_dump_that_is_killed_is_no_backup(pod: Pod, server: Server) -> None:
    server.sql(LARGE)
    process = pod.start("dump.sh")
    wait_for(lambda: list(pod.work.glob("*/database.dump")), "the dump")
    end(process)

    said = pod.run("storage-volume.sh", "put", exit_code=1)
    assert "There is no backup to store." in said.stderr
    assert pod.list() == {}
    assert pod.list() == {} and pod.back_up()


@pytest.mark.parametrize("program", ["pg_dump", "pg_restore"])
def test_a_program_that_is_killed_ends_the_backup(
    pod: Pod, server: Server, tmp_path: Path, program: str
) -> None:
    server.sql(SMALL)
    real = f"/usr/lib/postgresql/15/bin/{program}"
    put_in_front(pod, tmp_path, program, f'{real} "$@" >/dev/null 2>&1; kill -9 $$')
    said = pod.run("dump.sh", exit_code=1, PATH=IN_FRONT)

    assert "No backup was made." in said.stderr
    assert not (pod.work / "backup-id").exists()


def test_a_server_that_dies_half_way_ends_the_backup(pod: Pod, server: Server) -> None:
    server.sql(LARGE)
    process = pod.start("dump.sh")
    wait_for(lambda: list(pod.work.glob("*/database.dump")), "the dump")
    server.kill()
    process.communicate()

    assert process.returncode == 1
    assert not (pod.work / "backup-id").exists()


def test_a_put_that_is_killed_leaves_an_incomplete_backup(pod: Pod, server: Server) -> None:
    server.sql(LARGE)
    pod.run("dump.sh")
    process = pod.start("storage-volume.sh", "put")
    wait_for(lambda: list(pod.backups.glob("*/database.dump*")), "the copy")
    end(process)
    (backup,) = [path.name for path in pod.backups.iterdir()]
    if (pod.backups / backup / "complete.json").exists():
        pytest.skip("the copy was over before it could be killed")

    assert pod.list() == {backup: "incomplete"}
    said = pod.run("storage-volume.sh", "get", backup, exit_code=1)
    assert f"There is no complete backup {backup} in the store." in said.stderr


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size=2m,uid={USER}", "tmpfs", folder], check=True
    )
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("place", ["work", "backups"])
def test_a_full_disk_is_no_backup(
    root: Root, server: Server, tmp_path: Path, small_disk: Path, place: str
) -> None:
    server.sql(LARGE)
    pod = Pod(root, tmp_path / "pod", server.url(), mounts={place: small_disk})
    if place == "work":
        said = pod.run("dump.sh", exit_code=1)
        assert "No space left on device" in said.stderr
    else:
        pod.run("dump.sh")
        said = pod.run("storage-volume.sh", "put", exit_code=1)
        assert "The store does not take the backup" in said.stderr
        assert set(pod.list().values()) == {"incomplete"}


def test_a_wrong_password_is_one_sentence_without_it(
    root: Root, server: Server, tmp_path: Path
) -> None:
    pod = Pod(root, tmp_path, server.url(password="not-this-one"), is_admin=False)
    said = pod.run("dump.sh", exit_code=1)

    assert "does not let aware in, or does not answer." in said.stderr
    assert "not-this-one" not in said.stdout + said.stderr


def test_a_url_that_makes_no_sense_is_not_told(root: Root, server: Server, tmp_path: Path) -> None:
    said = Pod(root, tmp_path, "mysql://root:hidden@db/aware").run("dump.sh", exit_code=1)

    assert "does not look like postgresql://" in said.stderr
    assert "hidden" not in said.stderr


def test_a_server_of_another_major_version_is_refused(
    pod: Pod, server: Server, tmp_path: Path
) -> None:
    put_in_front(pod, tmp_path, "pg_dump", "echo 'pg_dump (PostgreSQL) 18.6'")
    said = pod.run("dump.sh", exit_code=1, PATH=IN_FRONT, FAKE="yes")

    assert "The server is PostgreSQL 15, and pg_dump is of version 18." in said.stderr


# What is damaged is not restored.


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(flip_byte, id="a byte is another"),
        pytest.param(lambda path: os.truncate(path, path.stat().st_size - 100), id="it is cut off"),
        pytest.param(lambda path: path.write_bytes(b""), id="it is empty"),
        pytest.param(lambda path: path.unlink(), id="it is gone"),
    ],
)
def test_a_damaged_archive_is_refused(
    pod: Pod, server: Server, damage: Callable[[Path], None]
) -> None:
    server.sql(DATA)
    backup = pod.back_up()
    damage(pod.backups / backup / "database.dump")
    said = pod.run("storage-volume.sh", "get", backup, exit_code=1)

    assert "damaged" in said.stderr or "does not give the backup" in said.stderr
    assert server.list_databases() == {"aware"}


def test_an_archive_that_was_damaged_on_the_way_is_refused(pod: Pod, server: Server) -> None:
    server.sql(DATA)
    backup = pod.back_up()
    pod.run("storage-volume.sh", "get", backup)
    flip_byte(pod.work / backup / "database.dump")
    said = pod.run("restore.sh", exit_code=1, BACKUP_ID=backup)

    assert "its checksums do not fit" in said.stderr
    assert server.list_databases() == {"aware"}


def test_an_archive_of_another_backup_is_refused(pod: Pod, server: Server) -> None:
    server.sql(SMALL)
    first = pod.back_up()
    time.sleep(1)
    server.sql("INSERT INTO t VALUES (2, 'two')")
    second = pod.back_up()
    for name in ("database.dump", "SHA256SUMS", "manifest.tsv"):
        (pod.backups / first / name).write_bytes((pod.backups / second / name).read_bytes())
    said = pod.run("storage-volume.sh", "get", first, exit_code=1)

    assert "its archive is not the one that was stored" in said.stderr


# What is restored is compared.


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("s/^table\\tpublic.t\\t1\\t/table\\tpublic.t\\t2\\t/", "the backup has table public.t 2"),
        ("s/^\\(table\\tpublic.t\\t1\\t\\).*/\\1123/", "the backup has table public.t 1 123"),
        ("/^sequence/s/\\t5\\t/\\t6\\t/", "the backup has sequence public.s 6"),
        ("/^indexes/d", "the database has indexes"),
    ],
)
def test_a_database_that_differs_is_dropped_again(
    pod: Pod, server: Server, line: str, told: str
) -> None:
    server.sql(SMALL, "CREATE SEQUENCE s START 5", "SELECT nextval('s')")
    pod.run("dump.sh")
    backup = (pod.work / "backup-id").read_text().strip()
    manifest, sums = pod.work / backup / "manifest.tsv", pod.work / backup / "SHA256SUMS"
    before = manifest.read_text()
    subprocess.run(["sed", "-i", line, manifest], check=True)
    assert manifest.read_text() != before
    summing = f"cd {manifest.parent} && sha256sum database.dump manifest.tsv >{sums}"
    subprocess.run(["sh", "-c", summing], check=True)
    said = pod.run("restore.sh", exit_code=1, BACKUP_ID=backup)

    assert told in said.stderr
    assert said.stdout == ""
    assert server.list_databases() == {"aware"}


def test_a_restore_that_ends_before_its_end_is_none(pod: Pod, server: Server) -> None:
    server.sql(SMALL, "CREATE ROLE reader", "GRANT SELECT ON t TO reader")
    backup = pod.back_up()
    server.sql("REVOKE ALL ON t FROM reader", "DROP ROLE reader")
    said = pod.restore(backup, exit_code=1)

    assert 'role "reader" does not exist' in said.stderr
    assert "failed before its end, though all contents are there" in said.stderr
    assert server.list_databases() == {"aware"}


def test_a_database_that_is_there_is_never_written_to(pod: Pod, server: Server) -> None:
    server.sql(SMALL)
    backup = pod.back_up()
    server.sql("CREATE DATABASE precious", database="postgres")
    said = pod.restore(backup, exit_code=1, RESTORE_INTO="precious")
    assert "The database precious is there already." in said.stderr
    said = pod.restore(backup, exit_code=1, RESTORE_INTO="aware")
    assert "The database aware is the one in use." in said.stderr

    assert server.list_databases() == {"aware", "precious"}
    assert server.sql("SELECT name FROM t") == ["one"]


def test_a_restore_can_be_run_again_until_somebody_writes(pod: Pod, server: Server) -> None:
    server.sql(SMALL)
    backup = pod.back_up()
    first = read_line(pod.restore(backup))
    second = pod.restore(backup)
    assert "was restored before" in second.stderr
    assert read_line(second)["rows"] == first["rows"]

    server.sql("INSERT INTO t VALUES (2, 'two')", database=name_restored(backup))
    said = pod.restore(backup, exit_code=1)
    assert "is there and has changed since" in said.stderr
    assert server.sql("SELECT count(*) FROM t", database=name_restored(backup)) == ["2"]


def test_a_restore_that_was_killed_begins_anew(pod: Pod, server: Server) -> None:
    server.sql(LARGE)
    backup = pod.back_up()
    pod.run("storage-volume.sh", "get", backup)
    process = pod.start("restore.sh", BACKUP_ID=backup)
    wait_for(lambda: name_unfinished(backup) in server.list_databases(), "the new database")
    end(process)
    assert server.sql("SELECT count(*) FROM big") == ["200000"]

    pod.restore(backup)
    assert server.list_databases() == {"aware", name_restored(backup)}
    assert server.sql("SELECT count(*) FROM big", database=name_restored(backup)) == ["200000"]


def test_a_server_that_dies_in_a_restore_keeps_the_old_database(pod: Pod, server: Server) -> None:
    server.sql(LARGE)
    backup = pod.back_up()
    pod.run("storage-volume.sh", "get", backup)
    process = pod.start("restore.sh", BACKUP_ID=backup)
    wait_for(lambda: name_unfinished(backup) in server.list_databases(), "the new database")
    server.kill()
    process.communicate()
    assert process.returncode != 0

    server.start()
    assert server.sql("SELECT count(*) FROM big") == ["200000"]
    pod.restore(backup)
    assert server.sql("SELECT count(*) FROM big", database=name_restored(backup)) == ["200000"]


# Dropping.


def test_an_old_database_is_dropped_when_told(pod: Pod, server: Server) -> None:
    server.sql("CREATE DATABASE old", database="postgres")
    pod.run("restore.sh", DROP_DATABASE="old")
    pod.run("restore.sh", DROP_DATABASE="old")

    assert server.list_databases() == {"aware"}


def test_the_database_in_use_is_not_dropped(pod: Pod, server: Server) -> None:
    said = pod.run("restore.sh", exit_code=1, DROP_DATABASE="aware")

    assert "is the one in use" in said.stderr
    assert server.list_databases() == {"aware"}


# Passwords.


def test_the_role_gets_the_password_of_the_url(pod: Pod, server: Server) -> None:
    pod.write_url("next-database-url", server.url(password="another/one"))
    said = pod.run("set-password.sh", PASSWORD_FROM="next-database-url")
    try:
        assert server.call("SELECT 1", role="aware").returncode != 0
        assert "another/one" not in said.stdout + said.stderr
        # Again, and from the state in between, as after a kill.
        pod.run("set-password.sh", PASSWORD_FROM="next-database-url")
    finally:
        pod.run("set-password.sh", PASSWORD_FROM="database-url")
    assert server.sql("SELECT 1", role="aware") == ["1"]


def test_a_role_changes_its_own_password_where_there_is_no_superuser(
    root: Root, server: Server, tmp_path: Path
) -> None:
    pod = Pod(root, tmp_path, server.url(), is_admin=False)
    pod.write_url("next-database-url", server.url(password="another/one"))
    pod.run("set-password.sh", PASSWORD_FROM="next-database-url")
    assert server.call("SELECT 1", role="aware").returncode != 0
    # The role's password is the next one now, and the Secret's the old one.
    pod.run("set-password.sh", PASSWORD_FROM="next-database-url")

    pod.write_url("previous-database-url", server.url())
    pod.write_url("database-url", server.url(password="another/one"))
    pod.run("set-password.sh", PASSWORD_FROM="previous-database-url")
    assert server.sql("SELECT 1", role="aware") == ["1"]
    # The same the other way round.
    pod.run("set-password.sh", PASSWORD_FROM="database-url")
    assert server.call("SELECT 1", role="aware").returncode != 0
    pod.run("set-password.sh", PASSWORD_FROM="previous-database-url")
    assert server.sql("SELECT 1", role="aware") == ["1"]


def test_no_password_is_in_an_argument_or_in_what_is_said(pod: Pod, server: Server) -> None:
    server.sql(LARGE)
    process = pod.start("dump.sh")
    seen: set[str] = set()
    while process.poll() is None:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.add(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
            except OSError:
                continue
    stdout, stderr = process.communicate()

    assert process.returncode == 0
    assert any("pg_dump" in line for line in seen)
    secrets = (PASSWORD, ADMIN_PASSWORD, server.url())
    said = [*seen, stdout, stderr, *(path.read_text() for path in pod.work.glob("*/*.json"))]
    assert [line for line in said for secret in secrets if secret in line] == []


# A large one.


def test_a_million_rows_come_back(
    pod: Pod, server: Server, record_property: Callable[[str, object], None]
) -> None:
    server.sql(
        DATA,
        "CREATE TABLE many AS SELECT n AS id, md5(n::text) AS a, now() + n * interval '1s' AS at, "
        "jsonb_build_object('n', n, 'tags', ARRAY[n, n + 1]) AS doc "
        "FROM generate_series(1, 1000000) AS n",
        "ALTER TABLE many ADD PRIMARY KEY (id)",
        "CREATE INDEX ON many (at)",
    )
    began = time.monotonic()
    backup = pod.back_up()
    stored = time.monotonic()
    restored = read_line(pod.restore(backup))
    ended = time.monotonic()

    assert restored["rows"] == 1_000_065
    size = int(server.sql("SELECT pg_database_size('aware')")[0]) / 2**20
    record_property(
        "a million rows",
        f"{size:.0f} MiB of database, {restored['bytes'] / 2**20:.1f} MiB of archive, "
        f"backup {stored - began:.1f} s, restore and comparison {ended - stored:.1f} s",
    )
