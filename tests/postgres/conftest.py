"""A root file system with PostgreSQL for the run, a server for each worker, a pod for each test."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_cluster.debian import POSTGRES_ROOT, build_root
from local_cluster.locks import hold
from tests.postgres.servers import PLACES, Pod, Root, Server


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Root:
    """PostgreSQL's root file system, unpacked once for all workers."""
    if os.geteuid() != 0:
        reason = "PostgreSQL's root file system can only be mounted as root"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    folder = shared / "postgres-root"
    with hold(shared / "postgres-root.lock", "unpacking PostgreSQL"):
        if not folder.exists():
            unfinished = shared / "postgres-root.unfinished"
            unfinished.mkdir()
            subprocess.run(["tar", "-xf", build_root(POSTGRES_ROOT), "-C", unfinished], check=True)
            for place in (*PLACES, "proc", "dev", "tmp"):
                (unfinished / place).mkdir(parents=True, exist_ok=True)
            # initdb wants its user to have a name.
            with (unfinished / "etc" / "passwd").open("a") as users:
                users.write("postgres:x:999:999::/tmp:/bin/sh\n")
            unfinished.rename(folder)
    return Root(folder)


@pytest.fixture(scope="session")
def shared_server(root: Root, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that many tests use, each with databases of its own."""
    server = Server(root, tmp_path_factory.mktemp("server") / "data")
    server.create()
    yield server
    server.kill()


@pytest.fixture
def server(shared_server: Server) -> Iterator[Server]:
    """The shared server, with an empty database aware."""
    yield shared_server
    if shared_server.process is None:
        shared_server.start()
    for name in shared_server.list_databases():
        shared_server.sql(f'DROP DATABASE "{name}" WITH (FORCE)', database="postgres")
    shared_server.sql(
        "CREATE DATABASE aware OWNER aware TEMPLATE template0",
        "REVOKE ALL ON DATABASE aware FROM PUBLIC",
        database="postgres",
    )


@pytest.fixture
def pod(root: Root, server: Server, tmp_path: Path) -> Pod:
    """A pod of the platform's own database."""
    return Pod(root, tmp_path, server.url())
