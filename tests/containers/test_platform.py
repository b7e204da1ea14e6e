"""The platform and the API in real containers: a real PostgreSQL, its data, backups and walls."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local_cluster.clusters import Cluster
from local_cluster.node.reach import reach
from tests.conftest import administer, build_environment
from tests.containers.conftest import Answer, send_request, wait_for_answer
from tests.containers.test_api import API_PORT, sign_token
from tests.terminal import Operator, wait_for

INSTALL_PLATFORM = (
    "install-platform",
    *("--set", "postgres.majorVersion=15", "--set", "postgres.image.tag=15-stand-in"),
    *("--set", "postgres.image.digest=", "--set", "postgres.persistence.size=100Mi"),
    *("--set", "backups.volume.size=100Mi", "--set", "certificates.enabled=false"),
    # Nothing outside of the namespace, so that several can be there at once.
    *("--set", "priorityClasses.create=false", "--set", "priorityClasses.platform="),
    *("--set", "traefik.redirect.enabled=false", "--set", "traefik.tlsOptions.enabled=false"),
)
INSTALL_API = ("install-api", "--set", "image.tag=1.0.0-stand-in")


@dataclass(frozen=True)
class Site:
    """A platform and an API, and somebody who works with them. said: all that was printed."""

    cluster: Cluster
    operator: Operator
    said: list[str] = field(default_factory=list)

    def run(self, *arguments: object, exit_code: int = 0) -> str:
        """Run release-manager and return all that it prints."""
        done = self.operator.run(*arguments, exit_code=exit_code)
        self.said.append(done.stdout + done.stderr)
        return self.said[-1]

    def read_secret(self, name: str) -> dict[str, str]:
        data = self.operator.get("secret", name)["data"]
        return {key: base64.b64decode(text).decode() for key, text in data.items()}

    @contextmanager
    def visiting(self, timeout_seconds: float = 10) -> Iterator[Callable[[], Answer]]:
        """Give what counts one visit by the API."""
        address = self.operator.get("service", "api")["spec"]["clusterIP"]
        token = sign_token(self.read_secret("aware-secrets")["jwt-secret"])
        with reach(self.cluster.folder, address, API_PORT) as port:
            yield lambda: send_request(
                port, "/visits", method="POST", token=token, timeout_seconds=timeout_seconds
            )

    def visit(self) -> int:
        """Count one visit by the API; return how many there have been."""
        address = self.operator.get("service", "api")["spec"]["clusterIP"]
        token = sign_token(self.read_secret("aware-secrets")["jwt-secret"])
        with reach(self.cluster.folder, address, API_PORT) as port:
            answer = wait_for_answer(port, "/visits", method="POST", token=token)
        assert answer.status == 200, answer
        return int(answer.body["visits"])

    def ask(self, statement: str, database: str = "aware") -> str:
        """Run one statement in the pod of Postgres."""
        psql = ("exec", "postgres-0", "--", "psql", "-qAt", "-U", "postgres", "-d", database)
        return self.operator.kubectl(*psql, "-c", statement).strip()

    def show(self) -> dict[str, dict[str, str]]:
        return {row["part"]: row for row in self.operator.read("show-platform")}


@pytest.fixture
def site(cluster: Cluster, worker_id: str, tmp_path: Path) -> Iterator[Site]:
    """A platform and an API in a namespace of their own."""
    cluster.load("postgres")
    namespace = f"platform-{worker_id}-{time.monotonic_ns()}"
    operator = Operator(namespace, build_environment(cluster, namespace, tmp_path))
    found = Site(cluster, operator)
    found.run(*INSTALL_PLATFORM)
    found.run(*INSTALL_API)
    yield found
    administer(cluster, "delete", "namespace", namespace, "--wait=false")


def test_a_backup_brings_back_what_was_lost_and_secrets_are_replaced(site: Site) -> None:
    assert [site.visit() for _ in range(2)] == [1, 2]
    assert {row["state"] for name, row in site.show().items() if name != "cert-manager"} == {
        "ready"
    }

    backup = site.operator.read("backup-database")
    assert (backup["state"], backup["tables"], backup["rows"]) == ("complete", 1, 2)
    assert [item["id"] for item in site.operator.read("list-backups")] == [backup["id"]]
    assert "the last success was at" in site.show()["backups"]["reason"]

    site.ask("DELETE FROM visits")
    restored = site.operator.read("restore-database", backup["id"], "--yes")
    new = f"aware_{backup['id'].lower()}"
    assert (restored["database"], restored["oldDatabase"], restored["rows"]) == (new, "aware", 2)
    assert site.visit() == 3
    assert site.ask("SELECT count(*) FROM visits") == "0"

    before = site.read_secret("aware-secrets")
    site.run("rotate-secret", "database")
    after = site.read_secret("aware-secrets")
    assert urlsplit(after["database-url"]).password != urlsplit(before["database-url"]).password
    assert urlsplit(after["database-url"]).path == f"/{new}"
    assert site.visit() == 4

    site.run("rotate-secret", "jwt")
    assert site.visit() == 5
    old_token = sign_token(before["jwt-secret"])
    address = site.operator.get("service", "api")["spec"]["clusterIP"]
    with reach(site.cluster.folder, address, API_PORT) as port:
        assert wait_for_answer(port, "/visits", method="POST", token=old_token).status == 401

    assert "nothing to do" in site.run("install-platform")
    assert "nothing to do" in site.run("install-api")
    site.run("restore-database", backup["id"], "--into", "another", "--drop-old", "--yes")
    databases = site.ask("SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database")
    assert new not in databases.split()
    assert {"aware", "another"} <= set(databases.split())

    secrets = {text for data in (before, after) for text in data.values()}
    secrets |= set(site.read_secret("postgres-passwords").values())
    logs = [
        site.operator.kubectl("logs", pod, "--all-containers")
        for pod in site.operator.kubectl("get", "pods", "-o", "name").split()
    ]
    printed = [*site.said, *logs]
    assert [text[:80] for text in printed for secret in secrets if secret in text] == []


def test_a_migration_that_fails_ends_the_upgrade_with_its_last_lines(site: Site) -> None:
    before = site.operator.kubectl("get", "pods", "-l", "app=api", "-o", "name")
    script = "echo connecting to $DATABASE_URL; echo relation users does not exist; exit 3"
    values = site.operator.environment["HOME"] + "/migrations.json"
    Path(values).write_text(json.dumps({"migrations": {"command": ["sh", "-c", script]}}))
    said = site.run("upgrade-api", "-f", values, exit_code=1)

    assert "the database migration said: " in said
    assert "relation users does not exist" in said
    assert site.read_secret("aware-secrets")["database-url"] not in said
    assert site.operator.kubectl("get", "pods", "-l", "app=api", "-o", "name") == before

    Path(values).write_text(json.dumps({"migrations": {"command": ["sh", "-c", "exit 0"]}}))
    site.run("upgrade-api", "-f", values)
    assert not site.operator.exists("job", "api-migrations")
    assert site.visit() == 1


def test_data_outlives_pods_and_nobody_else_gets_in(site: Site) -> None:
    assert site.visit() == 1
    site.operator.kubectl("delete", "pod", "postgres-0")
    wait_for(lambda: site.show()["postgres"]["state"] == "ready", "Postgres")
    wait_for(lambda: site.show()["api"]["state"] == "ready", "the API")
    assert site.visit() == 2

    # The API answers only while its database does.
    site.operator.kubectl("scale", "statefulset/postgres", "--replicas=0")
    wait_for(lambda: site.show()["api"]["state"] != "ready", "the API to miss its database")
    assert "readiness" in site.show()["api"]["reason"]
    site.operator.kubectl("scale", "statefulset/postgres", "--replicas=1")
    wait_for(lambda: site.show()["api"]["state"] == "ready", "the API to have it back")

    site.run("install-tenant", "acme", "--set", "image.tag=1.0.0-stand-in")
    probe = "import socket; socket.create_connection(('postgres', 5432), 3)"
    tenant = ("exec", "deployment/tenant-acme", "--", "python3", "-c", probe)
    assert "Error" in site.operator.call("kubectl", "-n", site.operator.namespace, *tenant).stderr
    api = ("exec", "deployment/api", "--", "python3", "-c", probe)
    site.operator.kubectl(*api)


def test_data_of_another_version_is_refused_in_plain_words(site: Site) -> None:
    site.ask("SELECT 1")
    newer = "/var/lib/postgresql/16/docker"
    making = f"mkdir -p {newer} && echo 16 >{newer}/PG_VERSION"
    site.operator.kubectl("exec", "postgres-0", "--", "sh", "-c", making)
    site.operator.kubectl("delete", "pod", "postgres-0")

    sentence = "holds data of PostgreSQL 16"
    wait_for(lambda: sentence in site.show()["postgres"]["reason"], "the guard's sentence")
    assert site.show()["postgres"]["state"] != "ready"


def test_a_rotation_loses_nothing_that_was_committed(site: Site) -> None:
    counted: list[int] = []
    has_ended = threading.Event()

    def keep_visiting() -> None:
        with site.visiting(timeout_seconds=3) as visit:
            while not has_ended.is_set():
                with suppress(OSError):
                    answer = visit()
                    if answer.status == 200:
                        counted.append(int(answer.body["visits"]))
                time.sleep(0.02)

    writer = threading.Thread(target=keep_visiting)
    writer.start()
    try:
        wait_for(lambda: len(counted) > 10, "the first visits")
        site.run("rotate-secret", "database")
        seen = len(counted)
        wait_for(lambda: len(counted) > seen + 10, "visits with the new password")
    finally:
        has_ended.set()
        writer.join()

    assert counted == sorted(set(counted))
    assert int(site.ask("SELECT count(*) FROM visits")) >= counted[-1] >= len(counted)
