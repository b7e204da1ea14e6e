"""What the cluster must show of the platform and the API, and the release manager relies on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from release_manager.operations.api import MIGRATIONS_JOB
from release_manager.operations.backups import BACKUP, LIST, RESTORE
from release_manager.operations.doctor import RIGHTS
from release_manager.operations.shared_secrets import DATABASE_URL, JWT_SECRET, PASSWORDS, SHARED
from release_manager.part import PARTS, Part, WorkloadKind
from tests.charts.chart import API, PLATFORM, Manifest, Render

CHARTS = {"platform": PLATFORM, "api": API}
KINDS = {"Deployment": WorkloadKind.DEPLOYMENT, "StatefulSet": WorkloadKind.STATEFUL_SET}


def render_part(render: Render, name: str, *args: object) -> list[Manifest]:
    return render(*args, chart=CHARTS[name])


def find(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    (found,) = [
        each for each in manifests if (each["kind"], each["metadata"]["name"]) == (kind, name)
    ]
    return found


@pytest.mark.parametrize("name", CHARTS)
def test_the_release_manager_knows_the_workload(render: Render, name: str) -> None:
    part: Part = PARTS[name]
    manifests = render_part(render, name)
    (workload,) = [each for each in manifests if each["kind"] in KINDS]
    labels = workload["spec"]["template"]["metadata"]["labels"]

    assert (workload["metadata"]["name"], KINDS[workload["kind"]]) == (part.workload, part.kind)
    assert dict(item.split("=") for item in part.selector.split(",")).items() <= labels.items()
    assert yaml.safe_load((CHARTS[name] / "Chart.yaml").read_text())["name"] == part.chart


def test_the_volume_of_postgres_is_the_one_that_the_release_manager_keeps(render: Render) -> None:
    postgres = find(render_part(render, "platform"), "StatefulSet", "postgres")
    (claim,) = postgres["spec"]["volumeClaimTemplates"]

    assert f"{claim['metadata']['name']}-postgres-0" == PARTS["platform"].volume_claim
    kept = {"whenDeleted": "Retain", "whenScaled": "Retain"}
    assert postgres["spec"]["persistentVolumeClaimRetentionPolicy"] == kept


@pytest.mark.parametrize("name", [BACKUP, LIST, RESTORE])
def test_the_templates_of_jobs_are_there(render: Render, name: str) -> None:
    job = find(render_part(render, "platform"), "CronJob", name)

    assert job["spec"]["suspend"] is (name != BACKUP)
    assert job["spec"]["concurrencyPolicy"] == "Forbid"


def list_secret_names(node: Any) -> set[str]:
    """Return the names of all Secrets that a manifest refers to."""
    if isinstance(node, list):
        return {name for item in node for name in list_secret_names(item)}
    if not isinstance(node, dict):
        return set()
    own = {node[key] for key in ("secretName",) if isinstance(node.get(key), str)}
    if isinstance(node.get("secretKeyRef"), dict):
        own.add(node["secretKeyRef"]["name"])
    return own | {name for item in node.values() for name in list_secret_names(item)}


def test_the_charts_use_the_secrets_that_are_made(render: Render) -> None:
    platform = find(render_part(render, "platform"), "StatefulSet", "postgres")
    api = find(render_part(render, "api"), "Deployment", "api")
    keys = {
        item["valueFrom"]["secretKeyRef"]["key"]
        for item in api["spec"]["template"]["spec"]["containers"][0]["env"]
    }

    assert list_secret_names(platform) == {PASSWORDS}
    assert (list_secret_names(api), keys) == ({SHARED}, {DATABASE_URL, JWT_SECRET})


@pytest.mark.parametrize("name", CHARTS)
def test_no_chart_makes_a_secret(render: Render, name: str) -> None:
    assert "Secret" not in {each["kind"] for each in render_part(render, name)}


def test_the_api_may_do_what_tenants_need_and_nothing_more(render: Render) -> None:
    role = find(render_part(render, "api"), "Role", "api")
    rules = {
        (group, resource, tuple(rule["verbs"]))
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }

    assert rules == set(RIGHTS)


def test_the_migration_is_found_by_its_name(render: Render) -> None:
    manifests = render_part(render, "api", "--set", "migrations.command={migrate}")
    find(manifests, "Job", MIGRATIONS_JOB)


@pytest.mark.parametrize("name", CHARTS)
def test_two_renderings_are_the_same(render: Render, name: str) -> None:
    assert render_part(render, name) == render_part(render, name)


def test_databases_are_reached_by_those_with_the_label_alone(render: Render) -> None:
    policy = find(render_part(render, "platform"), "NetworkPolicy", "postgres")
    (rule,) = policy["spec"]["ingress"]

    assert rule["from"] == [{"podSelector": {"matchLabels": {"wareit.ai/database-client": "true"}}}]


def test_scripts_are_whole(render: Render) -> None:
    scripts = find(render_part(render, "platform"), "ConfigMap", "postgres-scripts")["data"]
    files = {path.name: path.read_text() for path in Path(PLATFORM / "scripts").iterdir()}

    assert {name: text.strip() for name, text in scripts.items()} == {
        name: text.strip() for name, text in files.items()
    }
