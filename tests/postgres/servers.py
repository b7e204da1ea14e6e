"""Real PostgreSQL servers and the platform's scripts, run as their pods would run them.

Both come from the root file system that the local cluster's image of PostgreSQL is made of, each in
a mount namespace of its own: whatever this machine has of PostgreSQL is not used.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

SCRIPTS = Path(__file__).parents[2] / "charts" / "platform" / "scripts"
AWS = Path(__file__).parents[2] / ".local" / "aws" / "bin"
USER = 999
BIN = "/usr/lib/postgresql/15/bin"
PASSWORD, ADMIN_PASSWORD = "pass word/with%odd:signs", "the-superuser's-password"
# Where a pod has writable folders; the rest of its root file system is read-only.
PLACES = ("work", "backups", "scripts", "secrets/aware", "secrets/postgres", "data")
TIMEOUT_SECONDS = 120

Completed = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Root:
    """PostgreSQL's root file system."""

    folder: Path

    def build_command(self, command: Sequence[str], mounts: Mapping[str, Path]) -> list[str]:
        """Return what runs a command in it as the user of the pods, with folders mounted.

        For secrets, which no command line may show, there is ``build_environment``.
        """
        root = shlex.quote(str(self.folder))
        lines = ["set -e", f"mount --bind {root} {root}"]
        lines += [
            f"mount --bind {shlex.quote(str(source))} {root}/{place}"
            for place, source in mounts.items()
        ]
        lines += [f"mount -t proc proc {root}/proc", f"mount --bind /dev {root}/dev"]
        lines += [f"mount -t tmpfs -o mode=1777 tmpfs {root}/tmp"]  # noqa: S108
        inside = ["chroot", f"--userspec={USER}:{USER}", str(self.folder)]
        lines.append(f"exec {shlex.join([*inside, *command])}")
        return [
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "sh",
            "-c",
            "\n".join(lines),
        ]


def build_environment(**variables: str) -> dict[str, str]:
    """Return the environment of a container, with these variables."""
    path = f"{BIN}:/usr/bin:/bin:/usr/sbin:/sbin"
    return {"PATH": path, "HOME": "/tmp", "LANG": "C.UTF-8", **variables}  # noqa: S108


def find_free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """A server on loopback, with the superuser postgres, the role aware, and its database."""

    root: Root
    folder: Path
    port: int = field(default_factory=find_free_port)
    addresses: str = "127.0.0.1"
    process: subprocess.Popen[str] | None = None

    def create(self) -> None:
        """Make its data directory, as charts/platform does."""
        self.folder.mkdir()
        os.chown(self.folder, USER, USER)
        flags = "--username=postgres --auth-host=scram-sha-256 --auth-local=trust --no-sync"
        script = (
            f"echo {shlex.quote(ADMIN_PASSWORD)} >/tmp/password && "
            f"initdb --pgdata=/data/db --pwfile=/tmp/password {flags} --data-checksums "
            "--encoding=UTF8 --locale=C.UTF-8 >/dev/null"
        )
        self._run(["sh", "-c", script])
        self.start()
        self.sql(
            f"CREATE ROLE aware LOGIN PASSWORD '{PASSWORD}'",
            "CREATE DATABASE aware OWNER aware TEMPLATE template0",
            "REVOKE ALL ON DATABASE aware FROM PUBLIC",
            database="postgres",
        )

    def _run(self, command: Sequence[str]) -> None:
        done = subprocess.run(
            self.root.build_command(command, {"data": self.folder}),
            env=build_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = f"-p {self.port} -c listen_addresses={self.addresses}"
        options += " -c unix_socket_directories=/tmp -c fsync=off -c log_min_messages=fatal"
        command = ["postgres", "-D", "/data/db", *options.split()]
        self.process = subprocess.Popen(
            self.root.build_command(command, {"data": self.folder}),
            env=build_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while self.call("SELECT 1", database="postgres").returncode != 0:
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.05)

    def kill(self) -> None:
        """``kill -9``, with all of its processes."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def url(self, database: str = "aware", *, role: str = "aware", password: str = PASSWORD) -> str:
        """Return the URL that a client would be given."""
        return f"postgresql://{role}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def call(self, *statements: str, database: str = "aware", role: str = "postgres") -> Completed:
        """Run statements, each in a transaction of its own; the exit code is for the caller."""
        environment = {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGUSER": role,
            "PGDATABASE": database,
            "PGPASSWORD": ADMIN_PASSWORD if role == "postgres" else PASSWORD,
        }
        command = [
            *[
                "psql",
                "--no-psqlrc",
                "--quiet",
                "--tuples-only",
                "--no-align",
                "--set=ON_ERROR_STOP=1",
            ]
        ]
        return subprocess.run(
            self.root.build_command([*command, "--file=-"], {}),
            env=build_environment(**environment),
            input="".join(f"{statement};\n" for statement in statements),
            capture_output=True,
            text=True,
            check=False,
        )

    def sql(self, *statements: str, database: str = "aware", role: str = "postgres") -> list[str]:
        """Run statements and return the rows that they print."""
        done = self.call(*statements, database=database, role=role)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def list_databases(self) -> set[str]:
        """Return the names of all databases but the templates and postgres itself."""
        rows = self.sql("SELECT datname FROM pg_database WHERE NOT datistemplate")
        return set(rows) - {"postgres"}


@dataclass
class Pod:
    """The folders of a backup's or a restore's pod, and its scripts.

    is_admin: whether the superuser's password is mounted, as with a database of the platform's own.
    environment: beside what the chart's template always sets.
    """

    root: Root
    folder: Path
    url: str
    is_admin: bool = True
    environment: dict[str, str] = field(default_factory=dict)
    mounts: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for place in ("work", "backups", "secrets/aware", "secrets/postgres"):
            path = self.folder / place
            path.mkdir(parents=True, exist_ok=True)
            os.chown(path, USER, USER)
            self.mounts.setdefault(place, path)
        self.mounts.setdefault("scripts", SCRIPTS)
        self.write_url("database-url", self.url)
        if self.is_admin:
            (self.folder / "secrets/postgres/postgres").write_text(ADMIN_PASSWORD)

    @property
    def work(self) -> Path:
        """The folder that a dump passes through."""
        return self.mounts["work"]

    @property
    def backups(self) -> Path:
        """The store."""
        return self.mounts["backups"]

    def write_url(self, key: str, url: str) -> None:
        """Write a key of the Secret with the URLs."""
        (self.folder / "secrets/aware" / key).write_text(url)

    def _build(self, script: str, arguments: Sequence[str]) -> list[str]:
        return self.root.build_command(["bash", f"/scripts/{script}", *arguments], self.mounts)

    def _build_environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        return build_environment(WORK_DIR="/work", **{**self.environment, **environment})

    def call(self, script: str, *arguments: str, **environment: str) -> Completed:
        """Run one of the scripts; the exit code is for the caller."""
        return subprocess.run(
            self._build(script, arguments),
            env=self._build_environment(environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
            # As in a pod, there is no terminal.
            start_new_session=True,
        )

    def run(
        self, script: str, *arguments: str, exit_code: int = 0, **environment: str
    ) -> Completed:
        """Run one of the scripts and insist on its exit code."""
        done = self.call(script, *arguments, **environment)
        assert done.returncode == exit_code, done.stdout + done.stderr
        return done

    def start(self, script: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start one of the scripts and leave it running."""
        return subprocess.Popen(
            self._build(script, arguments),
            env=self._build_environment(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def back_up(self) -> str:
        """Make a backup and store it; return its ID."""
        self.run("dump.sh")
        return str(read_line(self.run("storage-volume.sh", "put"))["id"])

    def list(self) -> dict[str, str]:
        """Return the state of each backup in the store."""
        lines = self.run("storage-volume.sh", "list").stdout.splitlines()
        return {item["id"]: item["state"] for item in map(json.loads, lines)}

    def restore(self, backup: str, *, exit_code: int = 0, **environment: str) -> Completed:
        """Fetch a backup and restore it."""
        self.run("storage-volume.sh", "get", backup)
        return self.run("restore.sh", exit_code=exit_code, BACKUP_ID=backup, **environment)


def read_line(done: Completed) -> dict[str, Any]:
    """Return the one JSON object that a script has printed."""
    (line,) = done.stdout.splitlines()
    return dict(json.loads(line))


def end(process: subprocess.Popen[str]) -> None:
    """``kill -9`` a script with all that it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Poll until a condition holds."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.02)
