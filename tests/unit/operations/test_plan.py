"""Deciding what it takes: a table of what is there and what is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from release_manager.errors import (
    DriftError,
    HelmFailedError,
    InvalidValuesError,
)
from release_manager.operations.baseline import read_baseline
from release_manager.operations.observe import observe_tenant
from release_manager.operations.plan import DRIFTED, Action, Plan, plan_deployment
from release_manager.operations.scale import scale_tenant
from release_manager.values import Layers, build_defaults
from tests.unit.fakes import FakeWorld


def _plan(
    world: FakeWorld, overrides: dict[str, Any] | None = None, *, overwrite_drift: bool = False
) -> Plan:
    """Plan what an upgrade with exactly these overrides plans."""
    observation = observe_tenant(world.ports, "acme")
    chart = world.charts.load("current")
    defaults = build_defaults(chart, "default", world.settings.fleet_values())
    return plan_deployment(
        observation,
        read_baseline(world.ports, observation),
        chart,
        Layers("default", defaults, overrides or {}),
        writer="me",
        overwrite_drift=overwrite_drift,
    )


def _changes(plan: Plan) -> dict[str, tuple[Any, Any]]:
    return {change.path: (change.old, change.new) for change in plan.changes}


def test_without_a_release_the_plan_is_to_install(world: FakeWorld) -> None:
    plan = _plan(world, {"replicas": 2})
    assert (plan.action, plan.revision) == (Action.INSTALL, 1)
    assert _changes(plan)["replicas"] == (None, 2)


def test_the_same_again_is_nothing(world: FakeWorld) -> None:
    world.install(env={"A": "1"})
    plan = _plan(world, {"env": {"A": "1"}})
    assert (plan.action, plan.revision, plan.labels) == (Action.NOTHING, 1, None)


def test_a_changed_value_is_an_upgrade_that_tells_old_and_new(world: FakeWorld) -> None:
    world.install(env={"A": "1"})
    plan = _plan(world, {"env": {"A": "2"}})
    assert (plan.action, plan.revision) == (Action.UPGRADE, 2)
    assert _changes(plan) == {"env.A": ("1", "2")}


def test_a_new_chart_is_an_upgrade_even_without_a_changed_value(world: FakeWorld) -> None:
    world.install()
    world.change_chart("0.2.0")
    plan = _plan(world)
    assert (plan.action, plan.chart_before) == (Action.UPGRADE, "aware-tenant-0.1.0")


def test_the_labels_are_written_for_the_revision_that_comes(world: FakeWorld) -> None:
    world.install()
    labels = _plan(world, {"replicas": 2}).labels
    assert labels is not None
    assert (labels.writer, labels.written_for, labels.chart_version) == ("me", 2, "0.1.0")


def test_a_missing_deployment_is_never_up_to_date(world: FakeWorld) -> None:
    world.install()
    world.cluster.delete_workload("acme")
    assert _plan(world).action is Action.UPGRADE


def test_a_failed_revision_is_never_up_to_date(world: FakeWorld) -> None:
    world.install()
    world.releases.fail_next()
    with pytest.raises(HelmFailedError):
        world.upgrade(overrides={"replicas": 2})
    assert world.statuses()[-1] == "deployed"  # it was rolled back
    world.releases.fail_next()
    with pytest.raises(HelmFailedError):
        world.releases.upgrade_by_hand("acme", {}, world.chart)
    assert _plan(world).action is Action.UPGRADE


def test_values_are_validated_before_anything_else(world: FakeWorld) -> None:
    with pytest.raises(InvalidValuesError, match="tenant acme: field replica"):
        _plan(world, {"replica": 2})


@pytest.mark.parametrize(
    ("by_hand", "overrides", "undone"),
    [
        ({"image": {"tag": "by-hand"}}, {}, "image.tag=by-hand"),
        ({"env": {"A": "by-hand"}}, {"env": {"A": "1"}}, "env.A=by-hand"),
        ({"env": {"A": "by-hand"}}, {"env": {"A": "2"}}, "env.A=by-hand"),
        ({"env": {"B": "by-hand"}}, {"env": {"A": "1"}}, "env.B=by-hand"),
    ],
    ids=["added", "changed", "changed on both sides", "added beside an override"],
)
def test_drift_that_would_be_undone_is_refused(
    world: FakeWorld, by_hand: dict[str, Any], overrides: dict[str, Any], undone: str
) -> None:
    world.install(env={"A": "1"})
    world.releases.upgrade_by_hand("acme", by_hand, world.chart)
    with pytest.raises(DriftError) as caught:
        _plan(world, overrides)
    assert caught.value.problem == f"set by hand and about to be undone: {undone}"


def test_drift_is_overwritten_when_asked_and_said(world: FakeWorld) -> None:
    world.install()
    world.releases.upgrade_by_hand("acme", {"image": {"tag": "by-hand"}}, world.chart)
    plan = _plan(world, overwrite_drift=True)
    assert plan.notes == ("overwrites what was set by hand: image.tag=by-hand",)
    assert _changes(plan) == {"image.tag": ("by-hand", "")}


def test_drift_that_the_new_values_keep_is_no_obstacle(world: FakeWorld) -> None:
    world.install()
    world.releases.upgrade_by_hand("acme", {"image": {"tag": "by-hand"}}, world.chart)
    plan = _plan(world, {"image": {"tag": "by-hand"}})
    assert (plan.action, plan.changes, plan.notes) == (Action.UPGRADE, (), ())


def test_a_replica_count_set_by_kubectl_is_drift(world: FakeWorld) -> None:
    world.install()
    world.cluster.scale("acme", 0)
    with pytest.raises(DriftError, match="about to be undone: replicas=0"):
        _plan(world, {"env": {"A": "1"}})


def test_asking_for_the_count_that_kubectl_set_is_no_obstacle(world: FakeWorld) -> None:
    world.install()
    world.cluster.scale("acme", 0)
    assert _plan(world, {"replicas": 0}).action is Action.UPGRADE


@pytest.mark.parametrize("by_hand", [0, 3])
def test_scaling_by_hand_is_undone_when_asked_though_no_value_changes(
    world: FakeWorld, by_hand: int
) -> None:
    world.install()
    world.cluster.scale("acme", by_hand)
    plan = _plan(world, overwrite_drift=True)
    assert (plan.action, plan.revision, plan.changes) == (Action.UPGRADE, 2, ())
    world.upgrade(overwrite_drift=True)
    assert world.replicas() == 1


def test_fields_of_the_deployment_that_were_set_by_hand_are_drift(world: FakeWorld) -> None:
    world.install()
    world.cluster.foreign_fields["acme"] = ("spec.replicas", "spec.template.spec.hostNetwork")
    with pytest.raises(DriftError) as caught:
        _plan(world, {"env": {"A": "1"}})
    assert caught.value.problem == (
        "set by hand and about to be undone: Deployment spec.replicas=changed, "
        "Deployment spec.template.spec.hostNetwork=changed"
    )


def test_fields_that_were_set_by_hand_are_never_up_to_date(world: FakeWorld) -> None:
    world.install()
    world.cluster.foreign_fields["acme"] = ("spec.paused",)
    with pytest.raises(DriftError):
        _plan(world)


def test_fields_that_were_set_by_hand_are_overwritten_when_asked_and_said(
    world: FakeWorld,
) -> None:
    world.install()
    world.cluster.foreign_fields["acme"] = ("spec.paused",)
    plan = _plan(world, overwrite_drift=True)
    assert plan.notes == ("overwrites what was set by hand: Deployment spec.paused=changed",)
    assert (plan.action, plan.is_overwriting) == (Action.UPGRADE, True)


def test_nothing_is_overwritten_unasked(world: FakeWorld) -> None:
    world.install()
    assert _plan(world, {"env": {"A": "1"}}).is_overwriting is False


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ({}, {"replicas": 2}, {"replicas": (1, 2)}),
        ({"replicas": 2}, {}, {"replicas": (2, 1)}),
        ({}, {"host": "a.wareit.ai"}, {"host": ("", "a.wareit.ai")}),
        ({}, {"env": {"A": "1"}}, {"env.A": (None, "1")}),
        ({}, {"replicas": 1}, {}),
    ],
    ids=["set", "unset", "empty", "without a default", "set to the default"],
)
def test_the_charts_default_stands_where_a_side_says_nothing(
    world: FakeWorld,
    before: dict[str, Any],
    after: dict[str, Any],
    changes: dict[str, tuple[Any, Any]],
) -> None:
    world.install(**before)
    assert _changes(_plan(world, after)) == changes


def test_labels_that_a_hand_run_upgrade_copied_do_not_make_it_up_to_date(
    world: FakeWorld,
) -> None:
    world.install()
    world.releases.upgrade_by_hand("acme", {}, world.chart)
    assert _plan(world).action is Action.UPGRADE


def test_labels_that_a_rollback_restored_make_it_up_to_date_again(world: FakeWorld) -> None:
    world.install()
    world.upgrade(overrides={"env": {"A": "1"}})
    world.releases.rollback("acme", 1, timeout_seconds=1)
    assert _plan(world).action is Action.NOTHING


def test_drift_that_start_and_stop_carry_along_is_marked_in_the_labels(world: FakeWorld) -> None:
    world.install()
    world.releases.upgrade_by_hand("acme", {"env": {"A": "by-hand"}}, world.chart)
    scale_tenant(world.ports, world.settings, "acme", 0, world.run())
    labels = world.releases.list_latest()[0].labels
    assert labels is not None
    assert labels.defaults_digest == DRIFTED
    assert world.values()["env"] == {"A": "by-hand"}
