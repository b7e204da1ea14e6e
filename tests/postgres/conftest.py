"""A root file system with PostgreSQL for the run, a server for each worker, a pod for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local_cluster.debian import POSTGRES_ROOT
from tests.postgres.servers import PLACES, Pod, Root, Server
from tests.roots import unpack_root


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Root:
    """PostgreSQL's root file system, unpacked once for all workers."""
    base = tmp_path_factory.getbasetemp()
    return Root(unpack_root(POSTGRES_ROOT, base, worker_id, _prepare))


def _prepare(folder: Path) -> None:
    for place in (*PLACES, "proc", "dev", "tmp"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    # initdb wants its user to have a name.
    with (folder / "etc" / "passwd").open("a") as users:
        users.write("postgres:x:999:999::/tmp:/bin/sh\n")


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
