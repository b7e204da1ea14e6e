"""The platform and the API in real containers: a real PostgreSQL, its data, backups and walls."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from local_cluster.clusters import Cluster
from local_cluster.node.reach import reach
from tests.containers.answers import Answer, wait_for_answer
from tests.containers.conftest import kill_and_restart
from tests.containers.site import API_PORT, Site, install_site, sign_token
from tests.kills import kill_after, measure
from tests.terminal import wait_for


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
    read_log = ("kubectl", "-n", site.operator.namespace, "logs", "--all-containers")
    # A pod that ends just now has no log any more.
    logs = [
        site.operator.call(*read_log, pod).stdout
        for pod in site.operator.kubectl("get", "pods", "-o", "name").split()
    ]
    assert any(logs)
    printed = [*site.said, *logs]
    assert [text[:80] for text in printed for secret in secrets if secret in text] == []


def test_a_migration_that_fails_ends_the_upgrade_with_its_last_lines(site: Site) -> None:
    before = site.list_pods("api")
    script = "echo connecting to $DATABASE_URL; echo relation users does not exist; exit 3"
    values = site.operator.environment["HOME"] + "/migrations.json"
    Path(values).write_text(json.dumps({"migrations": {"command": ["sh", "-c", script]}}))
    said = site.run("upgrade-api", "-f", values, exit_code=1)

    assert "the database migration said: " in said
    assert "relation users does not exist" in said
    assert site.read_secret("aware-secrets")["database-url"] not in said
    assert site.list_pods("api") == before

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


@dataclass
class Client:
    """Somebody who counts visits by the API all the time. counted: what it was told.

    failures: what came instead.
    """

    counted: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def visit(self, send: Callable[[], Answer]) -> None:
        """Count one visit and note what came of it."""
        try:
            answer = send()
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(f"{type(error).__name__}: {error}")
            return
        if answer.status == 200:
            self.counted.append(int(answer.body["visits"]))
        else:
            self.failures.append(str(answer))

    def wait_for_more(self, what: str) -> None:
        """Wait until ten more visits were counted."""
        seen = len(self.counted)
        wait_for(lambda: len(self.counted) > seen + 10, what)


@contextmanager
def keeping_on(site: Site, *, timeout_seconds: float) -> Iterator[Client]:
    """Let a client count visits until the end of the block."""
    client, is_over = Client(), threading.Event()

    def keep_visiting() -> None:
        with site.visiting(timeout_seconds) as send:
            while not is_over.wait(0.02):
                client.visit(send)

    thread = threading.Thread(target=keep_visiting)
    thread.start()
    try:
        client.wait_for_more("the first visits")
        yield client
    finally:
        is_over.set()
        thread.join()


def test_a_rotation_loses_nothing_that_was_committed(site: Site) -> None:
    with keeping_on(site, timeout_seconds=3) as client:
        site.run("rotate-secret", "database")
        client.wait_for_more("visits with the new password")

    assert client.counted == sorted(set(client.counted))
    rows = int(site.ask("SELECT count(*) FROM visits"))
    assert rows >= client.counted[-1] >= len(client.counted)


def test_an_upgrade_of_the_api_drops_no_request(site: Site) -> None:
    before = site.list_pods("api")
    with keeping_on(site, timeout_seconds=10) as client:
        site.run("upgrade-api", "--set", "podAnnotations.changed=yes")
        wait_for(lambda: not before & site.list_pods("api"), "the old pod to be gone")
        client.wait_for_more("visits by the new pod")

    assert client.failures == []


def test_data_outlives_the_node(own: Cluster, tmp_path: Path) -> None:
    site = install_site(own, "aware", tmp_path)
    assert site.visit() == 1
    backup = site.operator.read("backup-database")["id"]
    secrets = site.read_secret("aware-secrets"), site.read_secret("postgres-passwords")

    kill_and_restart(own)

    def is_back() -> bool:
        return {site.show()[part]["state"] for part in ("postgres", "api")} == {"ready"}

    wait_for(is_back, "Postgres and the API to be back", seconds=120)
    assert site.visit() == 2
    assert [item["id"] for item in site.operator.read("list-backups")] == [backup]
    assert secrets == (site.read_secret("aware-secrets"), site.read_secret("postgres-passwords"))
    assert "nothing to do" in site.run("install-platform")
    assert "nothing to do" in site.run("install-api")


SHARES = (0.25, 0.5, 0.75)


def run_again(site: Site, *arguments: str) -> None:
    """Run a command once the Lease of the process that was killed counts as dead."""

    def is_done() -> bool:
        done = site.operator.call_manager(*arguments)
        assert done.returncode in {0, 5}, done.stderr
        return done.returncode == 0

    wait_for(is_done, f"{arguments} to be done", seconds=120)


def test_a_rotation_that_is_killed_is_finished_by_the_next(site: Site) -> None:
    command = ("rotate-secret", "database")
    took = measure(site.operator, *command)
    for share in SHARES:
        kill_after(site.operator.start(*command), took * share)
        run_again(site, *command)
        assert site.visit()
        assert site.read_secret("aware-secrets").keys() == {"database-url", "jwt-secret"}


def test_a_restore_that_is_killed_is_finished_by_the_next(site: Site) -> None:
    assert site.visit() == 1
    site.run("backup-database")
    command = ("restore-database", "latest", "--yes", "--into")
    took = measure(site.operator, *command, "again")
    for share in SHARES:
        into = f"again_{share * 100:.0f}"
        kill_after(site.operator.start(*command, into), took * share)
        run_again(site, *command, into)
        assert site.visit() == 2
        assert urlsplit(site.read_secret("aware-secrets")["database-url"]).path == f"/{into}"
        assert site.read_secret("aware-secrets").keys() == {"database-url", "jwt-secret"}

    assert site.ask("SELECT count(*) FROM visits") == "1"
    unfinished = "SELECT count(*) FROM pg_database WHERE datname LIKE 'restoring%'"
    assert site.ask(unfinished) == "0"
