"""A database elsewhere: nothing is said to it before it has shown that it is the right one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.postgres.servers import USER, Pod, Root, Server, read_line

VERIFY = {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/data/ca.crt"}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Whose certificate the server has."""
    return trustme.CA()


@pytest.fixture(scope="module")
def encrypted(
    root: Root, authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server as RDS has them: it speaks TLS only, and its roles are no superusers."""
    server = Server(root, tmp_path_factory.mktemp("encrypted") / "data")
    server.addresses = "127.0.0.1,127.0.0.2"
    server.create()
    server.sql("ALTER ROLE aware CREATEDB", database="postgres")
    server.kill()
    data = server.folder / "db"
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(data / "server.pem"))
    (data / "server.pem").chmod(0o600)
    os.chown(data / "server.pem", USER, USER)
    with (data / "postgresql.conf").open("a") as settings:
        settings.write("ssl = on\nssl_cert_file = 'server.pem'\nssl_key_file = 'server.pem'\n")
    (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.0/8 scram-sha-256\n")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def pod(root: Root, encrypted: Server, authority: trustme.CA, tmp_path: Path) -> Pod:
    """A pod as the chart makes them for a database elsewhere."""
    pod = Pod(root, tmp_path, encrypted.url(), is_admin=False, environment=dict(VERIFY))
    pod.mounts["data"] = tmp_path / "ca"
    pod.mounts["data"].mkdir()
    trust(pod, authority)
    return pod


def trust(pod: Pod, authority: trustme.CA) -> None:
    """Let the ConfigMap hold one authority."""
    authority.cert_pem.write_to_path(str(pod.mounts["data"] / "ca.crt"))


def test_a_backup_of_it_is_restored_there(pod: Pod, encrypted: Server) -> None:
    encrypted.sql("CREATE TABLE t (id integer); INSERT INTO t VALUES (1), (2)", role="aware")
    restored = read_line(pod.restore(pod.back_up()))
    assert (restored["rows"], encrypted.sql("SELECT count(*) FROM t")) == (2, ["2"])


def test_the_url_may_say_so_itself(pod: Pod) -> None:
    pod.environment.clear()
    pod.write_url("database-url", f"{pod.url}?sslmode=verify-full&sslrootcert=%2Fdata%2Fca.crt")
    pod.back_up()


def test_another_authority_is_not_believed(pod: Pod) -> None:
    trust(pod, trustme.CA())
    said = pod.run("dump.sh", exit_code=1).stderr
    assert "certificate verify failed" in said
    assert pod.list() == {}


def test_the_certificate_of_another_host_is_not_believed(pod: Pod, encrypted: Server) -> None:
    pod.write_url("database-url", encrypted.url().replace("127.0.0.1", "127.0.0.2"))
    assert 'does not match host name "127.0.0.2"' in pod.run("dump.sh", exit_code=1).stderr


def test_nothing_is_said_without_encryption(pod: Pod, encrypted: Server) -> None:
    encrypted.sql("ALTER SYSTEM SET ssl = off", "SELECT pg_reload_conf()")
    try:
        assert "SSL" in pod.run("dump.sh", exit_code=1).stderr
    finally:
        encrypted.kill()
        (encrypted.folder / "db" / "postgresql.auto.conf").write_text("")
        encrypted.start()
