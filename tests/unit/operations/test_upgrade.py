"""Upgrading a tenant."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from release_manager.errors import (
    ChartNotFoundError,
    DriftError,
    InvalidValuesError,
    ReleaseBusyError,
    TenantNotFoundError,
)
from release_manager.operations.upgrade import UpgradeRequest, plan_upgrade
from tests.unit.fakes import FakeWorld, ManagerKilled


def _overrides(world: FakeWorld) -> dict[str, Any]:
    overrides: dict[str, Any] = world.values()["releaseManager"]["overrides"]
    return overrides


def test_a_tenant_that_is_not_there_is_not_installed(world: FakeWorld) -> None:
    with pytest.raises(TenantNotFoundError):
        world.upgrade()


def test_an_upgrade_without_changes_writes_nothing(world: FakeWorld) -> None:
    world.install()
    assert world.upgrade().action == "nothing"
    assert world.statuses() == ["deployed"]


def test_the_tenants_own_values_are_kept_and_added_to(world: FakeWorld) -> None:
    world.install(env={"A": "1"})
    world.upgrade(overrides={"env": {"B": "2"}})
    assert _overrides(world) == {"env": {"A": "1", "B": "2"}}


def test_new_defaults_of_the_fleet_reach_the_tenant(world: FakeWorld) -> None:
    world.install()
    world.settings = replace(world.settings, defaults={"env": {"A": "fleet"}})
    world.upgrade()
    assert world.values()["env"] == {"A": "fleet"}


def test_the_tenants_own_value_wins_over_new_defaults(world: FakeWorld) -> None:
    world.install(env={"A": "own"})
    world.settings = replace(world.settings, defaults={"env": {"A": "fleet"}})
    world.upgrade()
    assert world.values()["env"] == {"A": "own"}


def test_a_default_that_the_fleet_drops_leaves_the_tenant(world: FakeWorld) -> None:
    world.settings = replace(world.settings, defaults={"env": {"A": "fleet"}})
    world.install()
    world.settings = replace(world.settings, defaults={})
    world.upgrade()
    assert "env" not in world.values()


def test_an_unset_value_falls_back_to_the_default(world: FakeWorld) -> None:
    world.install(env={"A": "own", "B": "2"})
    world.upgrade(unset=("env.A",))
    assert world.values()["env"] == {"B": "2"}


def test_only_the_tenants_own_values_can_be_unset(world: FakeWorld) -> None:
    world.install()
    with pytest.raises(InvalidValuesError, match="field --unset: domain is none of this tenant"):
        world.upgrade(unset=("domain",))


def test_a_profile_stays_until_another_is_named(world: FakeWorld) -> None:
    world.settings = replace(world.settings, profile="openclaw")
    world.install()
    world.settings = replace(world.settings, profile="default")
    world.upgrade(overrides={"env": {"A": "1"}})
    assert "NODE_OPTIONS" in world.values()["env"]
    world.upgrade(profile="default")
    assert world.values()["env"] == {"A": "1"}


def test_a_profile_that_the_chart_dropped_is_named(world: FakeWorld) -> None:
    world.settings = replace(world.settings, profile="openclaw")
    world.install()
    chart = world.change_chart()
    world.charts.by_reference["current"] = replace(chart, profiles={"default": {}})
    with pytest.raises(ChartNotFoundError, match="has no profile 'openclaw'"):
        world.upgrade()


def test_a_stopped_tenant_stays_stopped_through_an_upgrade(world: FakeWorld) -> None:
    world.install(replicas=0)
    world.change_chart()
    world.upgrade(overrides={"env": {"A": "1"}})
    assert world.replicas() == 0


def test_drift_is_refused_and_nothing_is_written(world: FakeWorld) -> None:
    world.install()
    world.releases.upgrade_by_hand("acme", {"env": {"A": "by-hand"}}, world.chart)
    with pytest.raises(DriftError, match="--overwrite-drift"):
        world.upgrade(overrides={"replicas": 2})
    assert world.statuses() == ["superseded", "deployed"]


def test_drift_is_overwritten_when_asked(world: FakeWorld) -> None:
    world.install()
    world.releases.upgrade_by_hand("acme", {"env": {"A": "by-hand"}}, world.chart)
    world.upgrade(overwrite_drift=True)
    assert "env" not in world.values()


def test_an_adopted_tenant_keeps_its_values_as_its_own(world: FakeWorld) -> None:
    world.releases.upgrade_by_hand("acme", {"env": {"A": "1"}}, world.chart)
    world.upgrade()
    assert _overrides(world) == {"env": {"A": "1"}}


def test_an_upgrade_goes_on_where_a_dead_process_stopped(world: FakeWorld) -> None:
    world.install()
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        world.upgrade(overrides={"env": {"A": "1"}})
    assert world.upgrade(overrides={"env": {"A": "1"}}).revision == 3
    assert world.statuses() == ["superseded", "failed", "deployed"]


def test_bad_values_repair_nothing_that_a_dead_process_left(world: FakeWorld) -> None:
    world.install()
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        world.upgrade(overrides={"env": {"A": "1"}})
    with pytest.raises(InvalidValuesError):
        world.upgrade(overrides={"nonsense": 1})
    assert world.statuses() == ["deployed", "pending-upgrade"]


def test_a_tenant_that_somebody_works_on_is_left_alone(world: FakeWorld) -> None:
    world.install()
    world.releases.kill_by_hand("acme", world.chart)
    with pytest.raises(ReleaseBusyError):
        world.upgrade(overrides={"env": {"A": "1"}})
    assert world.statuses() == ["deployed", "pending-upgrade"]


def test_a_plan_changes_nothing(world: FakeWorld) -> None:
    world.install()
    before = list(world.releases.writes)
    request = UpgradeRequest(overrides={"replicas": 2})
    _, plan = plan_upgrade(world.ports, world.settings, "acme", request, writer="dry-run")
    assert plan.revision == 2
    assert world.releases.writes == before


def test_the_plan_is_what_the_upgrade_then_does(world: FakeWorld) -> None:
    world.install()
    request = UpgradeRequest(overrides={"replicas": 2})
    _, plan = plan_upgrade(world.ports, world.settings, "acme", request, writer="dry-run")
    world.upgrade(overrides={"replicas": 2})
    assert (world.values(), world.releases.list_latest()[0].number) == (plan.values, plan.revision)


def test_fields_that_were_set_by_hand_are_not_undone(world: FakeWorld) -> None:
    world.install()
    world.cluster.foreign_fields["acme"] = ("spec.paused",)
    with pytest.raises(DriftError, match=r"Deployment spec\.paused=changed.*--overwrite-drift"):
        world.upgrade(overrides={"env": {"A": "1"}})
    assert world.statuses() == ["deployed"]


def test_fields_that_were_set_by_hand_are_taken_back_when_asked(world: FakeWorld) -> None:
    world.install()
    world.cluster.foreign_fields["acme"] = ("spec.paused",)
    world.upgrade(overwrite_drift=True)
    assert [item.is_forcing for item in world.releases.deployments] == [False, True]
    assert world.upgrade().action == "nothing"


def test_helm_takes_nothing_back_unasked(world: FakeWorld) -> None:
    world.install()
    world.upgrade(overrides={"env": {"A": "1"}})
    assert [item.is_forcing for item in world.releases.deployments] == [False, False]


def test_scaling_by_hand_is_undone_when_asked(world: FakeWorld) -> None:
    world.install()
    world.cluster.scale("acme", 3)
    assert world.upgrade(overwrite_drift=True).action == "upgrade"
    assert world.replicas() == 1
