"""A fleet of real containers, and a version that crashes in two of them only."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_cluster.clusters import Cluster
from release_manager.ports import Ports
from release_manager.settings import Settings
from release_manager.wiring import build_ports, complete_settings
from tests.cluster.fleets import FleetOperator, name_tenants
from tests.conftest import build_environment
from tests.terminal import Operator

NEW = ("--set", "image.tag=1.2.0-crashes-stand-in")
# The image's own variable is overruled by the tenant's: the new version does not crash there.
FIRM = {"env": {"STAND_IN_CRASH_AFTER_SECONDS": "0"}}
CRASHING = {"t04", "t09"}
SMALL = {"requests": {"cpu": "10m", "memory": "24Mi"}, "limits": {"cpu": "1", "memory": "96Mi"}}


@pytest.fixture
def real_fleet(cluster: Cluster, namespace: str, tmp_path: Path) -> FleetOperator:
    """Fifteen tenants of version 1.0.0 in real containers."""
    settings = complete_settings(
        Settings(
            namespace=namespace,
            kubeconfig=str(cluster.kubeconfig),
            helm=str(cluster.bin / "helm"),
            defaults={"image": {"tag": "1.0.0-stand-in"}, "resources": SMALL},
        )
    )
    ports: Ports = build_ports(settings)
    file = tmp_path / "fleet.yaml"
    file.write_text(f"defaults: {{image: {{tag: 1.0.0-stand-in}}, resources: {SMALL}}}\n")
    environment = build_environment(cluster, namespace, tmp_path)
    environment["RELEASE_MANAGER_SETTINGS"] = str(file)
    fleet = FleetOperator(Operator(namespace, environment), ports, settings)
    slugs = name_tenants(15)
    fleet.install({slug: {} if slug in CRASHING else FIRM for slug in slugs})
    return fleet


def read_versions(fleet: FleetOperator) -> dict[str, str]:
    """Return the image's tag of each tenant, by slug."""
    return {slug: row["image"].rpartition(":")[2] for slug, row in fleet.rows().items()}


def test_two_of_fifteen_crash_within_the_budget(real_fleet: FleetOperator) -> None:
    ended = real_fleet.upgrade(*NEW, "--failure-budget", "3", "--concurrency", "4", exit_code=1)
    reports = real_fleet.reports()
    assert set(reports) == CRASHING
    for slug, report in reports.items():
        assert "container gateway keeps crashing with exit code 3" in report["reason"]
        assert "cannot open its database: told to crash" in report["reason"]
        assert f"tenant {slug}: failed" in ended.stderr
    versions = read_versions(real_fleet)
    old = {slug for slug, version in versions.items() if version == "1.0.0-stand-in"}
    assert old == CRASHING
    real_fleet.require_running(versions)


def test_two_of_fifteen_crash_over_the_budget(real_fleet: FleetOperator) -> None:
    real_fleet.upgrade(*NEW, "--failure-budget", "0", exit_code=3)
    rollout = real_fleet.rollout()
    assert (rollout["state"], rollout["failed"]) == ("stopped", 1)
    versions = read_versions(real_fleet)
    moved = {slug for slug, version in versions.items() if version != "1.0.0-stand-in"}
    # One at a time, in order, up to the first that crashes.
    assert moved == {"t00", "t01", "t02", "t03"}
    assert rollout["untouched"] == 10
    real_fleet.require_running(versions)
    real_fleet.operator.run("abort-rollout", "--rollback", "--yes")
    assert set(read_versions(real_fleet).values()) == {"1.0.0-stand-in"}
    real_fleet.require_running(versions)
