"""Planning one deployment, and carrying a plan out."""

from __future__ import annotations

from typing import Any

import pytest

from release_manager.errors import (
    ChangedMeanwhileError,
    DriftError,
    HelmFailedError,
    InvalidValuesError,
    ReleaseBusyError,
    RolloutFailedError,
)
from release_manager.operations.baseline import has_true_labels, read_baseline
from release_manager.operations.deploy import execute_plan
from release_manager.operations.observe import observe_tenant
from release_manager.operations.plan import DRIFTED, Action, Plan, plan_deployment
from release_manager.operations.scale import scale_tenant
from release_manager.operations.upgrade import UpgradeRequest, upgrade_tenant
from release_manager.ports import RunOptions
from release_manager.tenant import RevisionBody
from release_manager.values import Layers, build_defaults
from tests.unit.builders import build_revision
from tests.unit.fakes import FakeWorld, ManagerKilled


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


# --- planning --------------------------------------------------------------------------------


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
    assert _changes(plan) == {"image.tag": ("by-hand", None)}


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


def test_a_release_that_never_had_a_record_is_adopted_with_its_values(world: FakeWorld) -> None:
    world.releases.upgrade_by_hand("acme", {"env": {"A": "1"}}, world.chart)
    baseline = read_baseline(world.ports, observe_tenant(world.ports, "acme"))
    assert baseline is not None
    assert baseline.layers == Layers("default", {}, {"env": {"A": "1"}})
    assert baseline.drift == {}


def test_a_record_that_a_hand_run_upgrade_dropped_is_found_in_an_older_revision(
    world: FakeWorld,
) -> None:
    world.install(env={"A": "1"})
    world.releases.upgrade_by_hand(
        "acme", {"image": {"tag": "by-hand"}}, world.chart, is_reusing=False
    )
    baseline = read_baseline(world.ports, observe_tenant(world.ports, "acme"))
    assert baseline is not None
    assert baseline.layers.overrides == {"env": {"A": "1"}}
    assert baseline.drift["image.tag"] == "by-hand"
    assert baseline.drift["env.A"] is None


def test_what_is_continued_is_the_deployed_revision_and_not_a_failed_later_one(
    world: FakeWorld,
) -> None:
    world.install(env={"A": "1"})
    world.releases.fail_next()
    with pytest.raises(HelmFailedError):
        world.releases.upgrade_by_hand("acme", {"env": {"A": "2"}}, world.chart)
    baseline = read_baseline(world.ports, observe_tenant(world.ports, "acme"))
    assert baseline is not None
    assert baseline.values["env"] == {"A": "1"}


def test_without_a_release_there_is_no_baseline(world: FakeWorld) -> None:
    assert read_baseline(world.ports, observe_tenant(world.ports, "acme")) is None


@pytest.mark.parametrize(
    ("written_for", "description", "is_true"),
    [
        (3, "Upgrade complete", True),
        (2, "Upgrade complete", False),
        (2, "Rollback to 2", True),
        (2, "Rollback to 1", False),
        (3, None, True),
        (2, None, False),
    ],
)
def test_labels_are_true_for_their_own_revision_and_after_a_rollback_to_it(
    written_for: int, description: str | None, is_true: bool
) -> None:
    revision = build_revision(number=3, writer="me", written_for=written_for)
    body = None
    if description is not None:
        body = RevisionBody(revision, description, "aware-tenant", "0.1.0", {}, "")
    assert has_true_labels(revision, body) is is_true


def test_no_labels_are_never_true() -> None:
    assert not has_true_labels(build_revision(), None)


# --- carrying it out -------------------------------------------------------------------------


def test_a_deployment_waits_until_the_pods_are_ready(world: FakeWorld) -> None:
    world.cluster.start_seconds = 30
    started = world.clock.now()
    world.install()
    assert (world.clock.now() - started).total_seconds() >= 30


def test_without_waiting_it_returns_at_once_and_says_so(world: FakeWorld) -> None:
    world.install()
    plan = _plan(world, {"env": {"A": "1"}})
    observation = observe_tenant(world.ports, "acme")
    result = execute_plan(world.ports, observation, plan, world.run(is_waiting=False))
    assert result.detail == "not waited for"


def test_an_upgrade_whose_pods_fail_is_rolled_back_and_explained(world: FakeWorld) -> None:
    world.install()
    world.cluster.break_image("broken", waiting_message="not found")
    with pytest.raises(RolloutFailedError) as caught:
        world.upgrade(overrides={"image": {"tag": "broken"}})
    assert caught.value.problem == (
        "revision 2 failed and was rolled back to revision 1: "
        "image registry.wareit.ai/aware-gateway:broken cannot be pulled: not found"
    )
    assert world.statuses() == ["superseded", "superseded", "deployed"]
    assert "tag" not in world.values()["image"]


def test_a_hopeless_upgrade_ends_long_before_its_timeout(world: FakeWorld) -> None:
    world.install()
    world.cluster.break_image("broken")
    started = world.clock.now()
    with pytest.raises(RolloutFailedError):
        world.upgrade(overrides={"image": {"tag": "broken"}})
    assert (world.clock.now() - started).total_seconds() < 30


def test_a_first_install_whose_pods_fail_stays_for_inspection(world: FakeWorld) -> None:
    world.cluster.break_image("broken")
    with pytest.raises(RolloutFailedError, match="revision 1 is not ready: image"):
        world.install(image={"tag": "broken"})
    assert world.statuses() == ["deployed"]


def test_an_upgrade_that_helm_fails_is_rolled_back(world: FakeWorld) -> None:
    world.install()
    world.releases.fail_next("the API server refused an object")
    with pytest.raises(HelmFailedError, match="refused an object"):
        world.upgrade(overrides={"env": {"A": "1"}})
    assert world.statuses() == ["superseded", "failed", "deployed"]
    assert "A" not in world.values().get("env", {})


def test_helm_that_fails_before_it_writes_causes_no_rollback(world: FakeWorld) -> None:
    world.install()
    observation = observe_tenant(world.ports, "acme")
    plan = _plan(world, {"env": {"A": "1"}})
    world.releases.kill_by_hand("acme", world.chart)
    with pytest.raises(ReleaseBusyError):
        execute_plan(world.ports, observation, plan, world.run())
    assert world.statuses() == ["deployed", "pending-upgrade"]


def test_a_manager_that_is_killed_leaves_the_release_pending(world: FakeWorld) -> None:
    world.install()
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        world.upgrade(overrides={"env": {"A": "1"}})
    assert world.statuses() == ["deployed", "pending-upgrade"]


def test_a_wait_that_somebody_else_overtakes_is_given_up(world: FakeWorld) -> None:
    world.install()
    world.cluster.break_image("broken")

    def overtake(text: str) -> None:
        if text.startswith("waiting") and len(world.statuses()) == 2:
            world.releases.upgrade_by_hand("acme", {"env": {"B": "2"}}, world.chart)

    run = RunOptions(60, overtake, clock=world.clock.as_clock())
    request = UpgradeRequest(overrides={"image": {"tag": "broken"}})
    with pytest.raises(ChangedMeanwhileError, match="revision 2 was replaced by revision 3"):
        upgrade_tenant(world.ports, world.settings, "acme", request, run)
    assert len(world.statuses()) == 3


def test_history_stays_short_and_keeps_what_is_deployed(world: FakeWorld) -> None:
    world.install()
    for number in range(8):
        world.upgrade(overrides={"env": {"A": str(number)}})
    assert world.statuses() == ["superseded"] * 4 + ["deployed"]


def test_drift_that_start_and_stop_carry_along_is_marked_in_the_labels(world: FakeWorld) -> None:
    world.install()
    world.releases.upgrade_by_hand("acme", {"env": {"A": "by-hand"}}, world.chart)
    scale_tenant(world.ports, world.settings, "acme", 0, world.run())
    labels = world.releases.list_latest()[0].labels
    assert labels is not None
    assert labels.defaults_digest == DRIFTED
    assert world.values()["env"] == {"A": "by-hand"}
