"""The platform and the API on a real control plane: first install, second run, upgrade, removal."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from local_cluster.clusters import Cluster
from tests.conftest import administer, build_environment
from tests.terminal import MANAGER, Operator, wait_for

CHARTS = Path(__file__).parents[2] / "charts"
SECRETS = ("postgres-passwords", "aware-secrets")
INSTALL = (
    "install-platform",
    # Nothing outside of the namespace, so that several can be there at once.
    *("--set", "certificates.enabled=false", "--set", "priorityClasses.create=false"),
    *("--set", "priorityClasses.platform=", "--set", "traefik.redirect.enabled=false"),
    *("--set", "traefik.tlsOptions.enabled=false"),
)


@pytest.fixture
def site(cluster: Cluster, worker_id: str, tmp_path: Path) -> Iterator[Operator]:
    """An operator of a cluster that has no namespace for them yet."""
    namespace = f"platform-{worker_id}-{time.monotonic_ns()}"
    yield Operator(namespace, build_environment(cluster, namespace, tmp_path))
    administer(cluster, "delete", "namespace", namespace, "--wait=false", "--ignore-not-found")


@pytest.fixture
def installed(site: Operator) -> Operator:
    site.run(*INSTALL)
    return site


def read_secret(operator: Operator, name: str) -> dict[str, str]:
    data = operator.get("secret", name)["data"]
    return {key: base64.b64decode(text).decode() for key, text in data.items()}


def list_revisions(operator: Operator, release: str) -> list[dict[str, Any]]:
    return list(json.loads(operator.helm("history", release, "-o", "json").stdout))


def show(operator: Operator) -> dict[str, dict[str, str]]:
    return {row["part"]: row for row in operator.read("show-platform")}


@pytest.fixture
def change_chart(tmp_path: Path) -> Callable[[str], Path]:
    """Copy a chart as version 0.2.0."""

    def change(name: str) -> Path:
        folder = shutil.copytree(CHARTS / name, tmp_path / name)
        metadata = folder / "Chart.yaml"
        text = metadata.read_text()
        assert "\nversion: 0.1.0\n" in text
        metadata.write_text(text.replace("\nversion: 0.1.0\n", "\nversion: 0.2.0\n"))
        return folder

    return change


def test_an_empty_cluster_becomes_one_for_tenants(site: Operator) -> None:
    assert show(site)["namespace"]["state"] == "missing"

    result = site.run(*INSTALL)
    assert result.stdout == "platform: installed, revision 1\n"
    labels = site.get("namespace", site.namespace)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"

    site.run("install-api")
    site.run("install-tenant", "acme")
    rows = show(site)
    wrong = {name: row for name, row in rows.items() if row["state"] != "ready"}
    assert set(wrong) == {"cert-manager"}
    assert rows["postgres"]["version"] == "18.6"
    assert site.tenant("acme")["state"] == "running"


def test_a_dry_run_changes_nothing(site: Operator) -> None:
    plan = site.read(*INSTALL, "--dry-run")

    assert [(step["part"], step["action"]) for step in plan["steps"]] == [
        ("namespace", "create"),
        ("secrets", "create"),
        ("platform", "install"),
    ]
    assert plan["release"]["slug"] == "platform"
    assert "namespace" in site.run(*INSTALL, "--dry-run").stdout
    assert show(site)["namespace"]["state"] == "missing"


def test_the_second_run_changes_nothing(installed: Operator) -> None:
    installed.run("install-api")
    before = {name: installed.get("secret", name) for name in SECRETS}

    for command in ("install-platform", "upgrade-platform", "install-api", "upgrade-api"):
        assert "nothing to do" in installed.run(command).stdout
    assert {name: installed.get("secret", name) for name in SECRETS} == before
    assert len(list_revisions(installed, "platform")) == 1
    assert len(list_revisions(installed, "api")) == 1


def test_an_upgrade_keeps_the_volume_and_the_secrets(
    installed: Operator, change_chart: Callable[[str], Path]
) -> None:
    before = {name: installed.get("secret", name) for name in SECRETS}
    claim = installed.get("pvc", "data-postgres-0")["metadata"]["uid"]
    installed.run("upgrade-platform", "--chart", change_chart("platform"))

    assert installed.get("pvc", "data-postgres-0")["metadata"]["uid"] == claim
    assert {name: installed.get("secret", name) for name in SECRETS} == before
    assert list_revisions(installed, "platform")[-1]["chart"] == "platform-0.2.0"


def test_values_survive_upgrades_and_can_be_dropped(installed: Operator) -> None:
    installed.run("upgrade-platform", "--set", "postgres.resources.limits.memory=600Mi")
    installed.run("upgrade-platform", "--set", "backups.suspend=true")
    limits = installed.get("statefulset", "postgres")["spec"]["template"]["spec"]["containers"][0]
    assert limits["resources"]["limits"]["memory"] == "600Mi"
    assert installed.get("cronjob", "postgres-backup")["spec"]["suspend"] is True
    assert show(installed)["backups"]["reason"] == "the schedule is suspended"

    installed.run("upgrade-platform", "--unset", "backups.suspend")
    assert installed.get("cronjob", "postgres-backup")["spec"]["suspend"] is False


def test_secrets_are_nowhere_but_in_secrets(installed: Operator) -> None:
    said = installed.run("install-api", "-o", "json")
    said_later = installed.run("-v", "upgrade-api", "--set", "replicas=2")
    secrets = {text for name in SECRETS for text in read_secret(installed, name).values()}
    secrets |= {read_secret(installed, "postgres-passwords")["aware"]}
    releases = json.loads(installed.kubectl("get", "secrets", "-l", "owner=helm", "-o", "json"))
    bodies = [
        gzip.decompress(base64.b64decode(base64.b64decode(item["data"]["release"]))).decode()
        for item in releases["items"]
    ]
    config_maps = installed.kubectl("get", "configmaps", "-o", "json")
    workloads = installed.kubectl("get", "deploy,sts,cronjob,job,pod", "-o", "json")
    everything = [*bodies, config_maps, workloads]
    everything += [text for each in (said, said_later) for text in (each.stdout, each.stderr)]

    assert len(secrets) >= 4
    assert [len(text) for text in everything for secret in secrets if secret in text] == []


def test_the_api_restarts_when_its_secret_changes(installed: Operator) -> None:
    installed.run("install-api")
    before = installed.get("deployment", "api")["spec"]["template"]["metadata"]["annotations"]
    secret = base64.b64encode(b"another-one").decode()
    installed.kubectl(
        "patch", "secret", "aware-secrets", "-p", f'{{"data":{{"jwt-secret":"{secret}"}}}}'
    )
    installed.run("upgrade-api")

    after = installed.get("deployment", "api")["spec"]["template"]["metadata"]["annotations"]
    assert after != before


def test_tenants_that_were_there_before_keep_running(site: Operator, cluster: Cluster) -> None:
    administer(cluster, "create", "namespace", site.namespace)
    site.run("install-tenant", "acme")
    pods = site.kubectl("get", "pods", "-o", "name")
    site.run(*INSTALL)

    assert set(pods.split()) <= set(site.kubectl("get", "pods", "-o", "name").split())
    assert site.tenant("acme")["state"] == "running"


@pytest.mark.parametrize("delay", [0.5, 1.0, 1.6, 2.4])
def test_an_install_that_is_killed_can_be_run_again(site: Operator, delay: float) -> None:
    process = site.start(*INSTALL)
    time.sleep(delay)
    process.kill()
    process.communicate()
    kept = {name for name in SECRETS if site.exists("secret", name)}
    before = {name: read_secret(site, name) for name in kept}

    wait_for(lambda: site.call(MANAGER, *INSTALL).returncode == 0, "the second run", 90)
    assert {name: read_secret(site, name) for name in kept} == before
    assert show(site)["postgres"]["state"] == "ready"
    statuses = {item["status"] for item in list_revisions(site, "platform")}
    assert not {status for status in statuses if status.startswith("pending")}


def test_a_platform_is_not_removed_from_under_its_users(installed: Operator) -> None:
    installed.run("install-api")
    said = installed.run("uninstall-platform", "--keep-data", "--yes", exit_code=2).stderr
    assert "platform: it is in use by api" in said

    installed.run("uninstall-api", "--yes")
    said = installed.run("uninstall-platform", "--yes", exit_code=2).stderr
    assert "there is data: volume data-postgres-0, Secret postgres-passwords" in said
    assert "--keep-data or --delete-data" in said


def test_what_was_kept_is_found_again_and_goes_only_when_told(installed: Operator) -> None:
    secrets = {name: read_secret(installed, name) for name in SECRETS}
    claim = installed.get("pvc", "data-postgres-0")["metadata"]["uid"]
    installed.run("uninstall-platform", "--keep-data", "--yes")
    assert not installed.exists("statefulset", "postgres")

    installed.run(*INSTALL)
    assert {name: read_secret(installed, name) for name in SECRETS} == secrets
    assert installed.get("pvc", "data-postgres-0")["metadata"]["uid"] == claim

    installed.run("uninstall-platform", "--delete-data", "--yes")
    assert [name for name in SECRETS if installed.exists("secret", name)] == []
    wait_for(lambda: not installed.exists("pvc", "data-postgres-0"), "the volume to go")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("install-platform", "--set", "postgres.sise=1"), "field postgres.sise: the chart has no"),
        (
            ("install-platform", "--set", "postgres.enabled=false"),
            "externalDatabase.host",
        ),
        (
            ("install-platform", "--set", "certificates.issuer=letsencrypt"),
            "certificates.email",
        ),
        (("install-platform", "--set", "backups.store=s3"), "backups.s3.bucket"),
        (("install-platform", "--chart", "nowhere"), "field chart: nowhere is no chart"),
        (
            ("install-platform", "--set", "postgres.existingSecret=mine", *INSTALL[1:]),
            "there is no Secret 'mine'",
        ),
        (("upgrade-platform",), "platform: it is not installed"),
        (("uninstall-platform", "--yes"), "namespace"),
        (("uninstall-platform", "--keep-data", "--delete-data"), "exclude each other"),
        (("install-api",), "namespace"),
        (("backup-database",), "namespace"),
        (("restore-database", "20260131T020000Z", "--yes"), "namespace"),
        (("rotate-secret", "jwt"), "namespace"),
    ],
)
def test_bad_input_is_one_sentence_and_changes_nothing(
    site: Operator, arguments: tuple[str, ...], message: str
) -> None:
    said = site.run(*arguments, exit_code=2).stderr

    assert message in said
    assert len([line for line in said.splitlines() if line.startswith("Error: ")]) == 1
    assert show(site)["namespace"]["state"] == "missing"


BAD_INPUT_LATER = [
    ("upgrade-platform --set postgres.sise=1", "platform: field postgres.sise"),
    ("upgrade-platform --set postgres.persistence.size=many", "postgres.persistence.size"),
    ("upgrade-platform --set backups.schedule=often", "field backups.schedule"),
    ("upgrade-platform --set backups.keepDays=-1", "field backups.keepDays"),
    ("upgrade-platform --set certificates.issuer=verisign", "field certificates.issuer"),
    ("upgrade-platform --set postgres.image.tag=latest", "postgres.majorVersion"),
    ("upgrade-platform --set postgres.enabled=false", "externalDatabase.host"),
    ("upgrade-platform --set postgres", "--set"),
    ("upgrade-platform --unset postgres.sise", "postgres.sise"),
    ("upgrade-platform -f nowhere.yaml", "nowhere.yaml"),
    ("upgrade-platform --timeout soon", "--timeout"),
    ("upgrade-platform --cert-manager-chart nowhere.tgz", "nowhere.tgz"),
    ("upgrade-api --set image.tag=-1", "api: field image.tag"),
    ("upgrade-api --set replicas=-1", "api: field replicas"),
    ("upgrade-api --set secrets.name=Not_A_Name", "api: field secrets.name"),
    ("upgrade-api --set secrets.name=not-there", "no Secret not-there"),
    ("upgrade-api --set autoscaling.enabled=true,autoscaling.minReplicas=9", "autoscaling"),
    ("upgrade-api --set secrets=mine", "api: field secrets"),
    ("uninstall-platform --keep-data --yes", "api"),
    ("uninstall-platform --force --yes", "--keep-data"),
    ("rotate-secret everything", "everything"),
    ("rotate-secret", "Choose from: database, jwt"),
    ("restore-database yesterday --yes", "'yesterday' is no backup's ID"),
    ("restore-database 20260131T020000Z --into aware --yes", "never overwritten"),
    ("restore-database 20260131T020000Z --into A-B --yes", "field --into"),
    ("restore-database 20260131T020000Z", "--yes"),
    ("backup-database now", "now"),
    ("list-backups -o xml", "xml"),
]


def test_bad_input_changes_nothing_of_what_is_there(installed: Operator) -> None:
    installed.run("install-api")
    everything = ("get", "secrets,configmaps,jobs,deploy,sts,pvc", "-o", "name")
    before = installed.kubectl(*everything)
    wrong = []
    for line, part_of_sentence in BAD_INPUT_LATER:
        done = installed.call_manager(*line.split())
        said = [text for text in done.stderr.splitlines() if text.startswith("Error: ")]
        is_right = done.returncode == 2 and len(said) == 1 and part_of_sentence in done.stderr
        if not is_right:
            wrong.append((line, done.returncode, done.stderr))

    assert not wrong, wrong
    assert installed.kubectl(*everything) == before
    for release in ("platform", "api"):
        assert len(list_revisions(installed, release)) == 1


def test_a_cluster_that_does_not_answer_is_told(site: Operator, tmp_path: Path) -> None:
    environment = {**site.environment, "KUBECONFIG": str(tmp_path / "none")}
    lost = replace(site, environment=environment)

    lost.run("show-platform", exit_code=2)
