"""Repairing what a dead process or a failed upgrade left behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from release_manager.errors import (
    HelmFailedError,
    OperationFailedError,
    ReleaseBusyError,
    RolloutFailedError,
    TenantNotFoundError,
)
from release_manager.operations.deploy import Result
from release_manager.operations.observe import Observation
from release_manager.operations.plan import DRIFTED
from release_manager.operations.recover import (
    RecoverPlan,
    Repair,
    plan_recovery,
    plan_tenant_recovery,
    recover_tenant,
)
from release_manager.operations.rollback import rollback_tenant
from release_manager.operations.uninstall import uninstall_tenant
from release_manager.operations.upgrade import UpgradeRequest, upgrade_tenant
from release_manager.state import HAND_RUN_TIMEOUT, TenantState, Verdict
from release_manager.tenant import Claim, Holder, ReleaseStatus, Revision
from tests.unit.builders import NOW, build_holder, build_revision, build_workload
from tests.unit.fakes import FakeWorld, ManagerKilled

OLD = HAND_RUN_TIMEOUT + timedelta(seconds=1)
GOOD = build_revision("deployed", number=1)


def _observe(*revisions: Revision, alive: dict[str, Holder] | None = None) -> Observation:
    return Observation("acme", revisions, build_workload(1), alive or {}, NOW)


def _plan(
    observation: Observation,
    state: TenantState | None = None,
    has_failed: Callable[[Revision], bool] = lambda _: False,
) -> RecoverPlan:
    """Plan with the verdict that follows from the observation, or with another state."""
    verdict = Verdict(state, "why") if state is not None else observation.verdict()
    return plan_recovery(observation, verdict, has_failed)


def _fail_pods(world: FakeWorld, tag: str = "broken") -> None:
    """Upgrade to an image that cannot be pulled, without waiting for it."""
    world.cluster.break_image(tag)
    request = UpgradeRequest(overrides={"image": {"tag": tag}})
    run = world.run(is_waiting=False)
    upgrade_tenant(world.ports, world.settings, "acme", request, run)


def _recover(world: FakeWorld, older_than: timedelta = HAND_RUN_TIMEOUT) -> Result:
    return recover_tenant(world.ports, "acme", world.run(), hand_run_timeout=older_than)


@pytest.mark.parametrize(
    ("revisions", "repair", "target"),
    [
        ([GOOD], Repair.NOTHING, None),
        ([GOOD, build_revision("failed", number=2)], Repair.ROLL_BACK, 1),
        ([GOOD, build_revision("pending-upgrade", number=2, writer="dead")], Repair.ROLL_BACK, 1),
        ([GOOD, build_revision("pending-upgrade", number=2, age=OLD)], Repair.ROLL_BACK, 1),
        ([GOOD, build_revision("pending-rollback", number=2, age=OLD)], Repair.ROLL_BACK, 1),
        ([build_revision("failed", number=1)], Repair.FINISH_INSTALL, None),
        ([build_revision("pending-install", number=1, writer="dead")], Repair.FINISH_INSTALL, None),
        ([build_revision("pending-install", number=1, age=OLD)], Repair.FINISH_INSTALL, None),
        ([build_revision("uninstalling", number=1, age=OLD)], Repair.FINISH_UNINSTALL, None),
        ([GOOD, build_revision("uninstalling", number=2, age=OLD)], Repair.FINISH_UNINSTALL, None),
    ],
)
def test_the_repair_follows_from_the_revisions(
    revisions: list[Revision], repair: Repair, target: int | None
) -> None:
    plan = _plan(_observe(*revisions))
    assert (plan.repair, plan.target) == (repair, target)


@pytest.mark.parametrize(
    ("revision", "remedy"),
    [
        (build_revision("pending-upgrade", writer="process-1", age=OLD), "Wait for it"),
        (build_revision("pending-upgrade"), "add --older-than 0s"),
        (build_revision("uninstalling"), "add --older-than 0s"),
    ],
    ids=["our own, alive", "hand-run, young", "uninstall, young"],
)
def test_what_may_still_run_is_left_alone(revision: Revision, remedy: str) -> None:
    alive = {"process-1": build_holder()}
    with pytest.raises(ReleaseBusyError) as caught:
        _plan(_observe(GOOD, revision, alive=alive))
    assert remedy in caught.value.remedy


def test_a_tenant_that_is_not_there_is_named() -> None:
    with pytest.raises(TenantNotFoundError):
        plan_recovery(_observe(), Verdict(TenantState.RUNNING), lambda _: False)


@pytest.mark.parametrize(
    ("revisions", "bad", "target"),
    [
        (["superseded", "deployed"], [], 1),
        (["superseded", "superseded", "deployed"], [], 2),
        (["superseded", "superseded", "deployed"], [2], 1),
        (["superseded", "failed", "deployed"], [], 1),
        (["superseded", "deployed", "failed"], [], 2),
        (["superseded", "deployed", "failed"], [2], 1),
    ],
)
def test_a_tenant_that_failed_returns_to_the_last_revision_that_stood(
    revisions: list[str], bad: list[int], target: int
) -> None:
    built = [build_revision(status, number=i) for i, status in enumerate(revisions, start=1)]
    plan = _plan(_observe(*built), TenantState.FAILED, lambda item: item.number in bad)
    assert (plan.repair, plan.target, plan.reason) == (Repair.ROLL_BACK, target, "why")


@pytest.mark.parametrize("older", [[], ["superseded"], ["failed"]])
def test_a_tenant_that_failed_with_nothing_to_return_to_is_told(older: list[str]) -> None:
    statuses = [*older, "deployed"]
    built = [build_revision(status, number=i) for i, status in enumerate(statuses, start=1)]
    with pytest.raises(OperationFailedError) as caught:
        _plan(_observe(*built), TenantState.FAILED, lambda item: item.number < len(statuses))
    assert caught.value.problem == "it failed, and there is no good revision to return to: why"
    assert "upgrade-tenant acme" in caught.value.remedy


@pytest.mark.parametrize(
    "state",
    [TenantState.RUNNING, TenantState.STOPPED, TenantState.PROGRESSING, TenantState.DEGRADED],
)
def test_a_tenant_that_did_not_fail_is_left_as_it_is(state: TenantState) -> None:
    built = [build_revision("superseded", number=1), build_revision("deployed", number=2)]
    plan = _plan(_observe(*built), state)
    assert (plan.repair, plan.target) == (Repair.NOTHING, None)


@pytest.mark.parametrize("status", ["pending-rollback", "uninstalling"])
def test_what_a_live_process_has_claimed_is_left_alone(status: str) -> None:
    revision = build_revision(status, age=OLD)
    claim = Claim("process-1", revision.changed_at, NOW)
    observation = _observe(GOOD, revision, alive={"process-1": build_holder()})
    with pytest.raises(ReleaseBusyError) as caught:
        _plan(replace(observation, claim=claim))
    assert caught.value.remedy == "Wait for it"


@pytest.mark.parametrize(
    ("status", "repair", "target"),
    [
        ("pending-rollback", Repair.ROLL_BACK, 1),
        ("uninstalling", Repair.FINISH_UNINSTALL, None),
    ],
)
def test_what_a_dead_process_had_claimed_is_repaired_at_once(
    status: str, repair: Repair, target: int | None
) -> None:
    revision = build_revision(status)
    claim = Claim("dead", revision.changed_at, NOW)
    plan = _plan(replace(_observe(GOOD, revision), claim=claim))
    assert (plan.repair, plan.target) == (repair, target)


def test_a_deployed_revision_whose_pods_hopelessly_fail_is_rolled_back(world: FakeWorld) -> None:
    world.install()
    _fail_pods(world)
    result = _recover(world)
    assert (result.action, result.revision) == ("recover", 3)
    assert world.statuses()[0] == "superseded"
    assert world.statuses()[-1] == "deployed"
    assert "tag" not in world.values()["image"]
    assert any("aware-gateway:broken cannot be pulled" in text for text in world.told)


def test_pods_that_fail_after_a_first_install_have_nothing_to_return_to(world: FakeWorld) -> None:
    world.cluster.break_image("broken")
    with pytest.raises(RolloutFailedError):
        world.install(image={"tag": "broken"})
    before = list(world.releases.writes)
    with pytest.raises(OperationFailedError, match="there is no good revision to return to: image"):
        _recover(world)
    assert world.releases.writes == before


def test_pods_that_may_still_start_are_left_alone(world: FakeWorld) -> None:
    world.install()
    world.cluster.start_seconds = 60
    request = UpgradeRequest(overrides={"env": {"A": "1"}})
    run = world.run(is_waiting=False)
    upgrade_tenant(world.ports, world.settings, "acme", request, run)
    assert _recover(world).detail == "it is progressing"
    assert world.statuses() == ["superseded", "deployed"]


def test_a_plan_changes_nothing(world: FakeWorld) -> None:
    world.install()
    _fail_pods(world)
    before = list(world.releases.writes)
    plan = plan_tenant_recovery(world.ports, "acme")
    assert (plan.repair, plan.target) == (Repair.ROLL_BACK, 1)
    assert world.releases.writes == before
    assert world.liveness.claims == {}


def test_a_plan_declares_hand_run_helm_dead_on_demand(world: FakeWorld) -> None:
    world.install()
    world.releases.kill_by_hand("acme", world.chart)
    with pytest.raises(ReleaseBusyError):
        plan_tenant_recovery(world.ports, "acme")
    plan = plan_tenant_recovery(world.ports, "acme", hand_run_timeout=timedelta(0))
    assert plan.repair is Repair.ROLL_BACK


def test_a_rollback_that_was_killed_is_repaired_at_once(world: FakeWorld) -> None:
    world.install()
    world.upgrade(overrides={"env": {"A": "1"}})
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        rollback_tenant(world.ports, "acme", 1, world.run())
    _recover(world)
    assert world.statuses() == ["superseded", "superseded", "failed", "deployed"]


def test_an_uninstall_of_ours_that_was_killed_is_finished_at_once(world: FakeWorld) -> None:
    world.install()
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        uninstall_tenant(world.ports, "acme", world.run(), is_deleting_data=False)
    _recover(world)
    assert world.statuses() == []


def test_a_healthy_tenant_is_left_as_it_is(world: FakeWorld) -> None:
    world.install()
    assert _recover(world).detail == "it is running"
    assert world.statuses() == ["deployed"]


def test_an_upgrade_that_was_killed_is_rolled_back(world: FakeWorld) -> None:
    world.install(env={"A": "1"})
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        world.upgrade(overrides={"env": {"A": "2"}})
    _recover(world)
    assert world.statuses() == ["superseded", "failed", "deployed"]
    assert world.values()["env"] == {"A": "1"}


def test_a_first_install_that_was_killed_is_finished_with_its_own_values(world: FakeWorld) -> None:
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        world.install(env={"A": "1"})
    _recover(world)
    assert world.values()["env"] == {"A": "1"}
    assert world.replicas() == 1


def test_a_finished_install_is_up_to_date(world: FakeWorld) -> None:
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        world.install()
    before = world.releases.list_latest()[0].labels
    _recover(world)
    after = world.releases.list_latest()[0].labels
    assert before is not None
    assert after is not None
    assert (after.defaults_digest, after.config_digest) == (
        before.defaults_digest,
        before.config_digest,
    )


def test_a_hand_run_install_is_finished_and_marked_as_such(world: FakeWorld) -> None:
    world.releases.kill_by_hand("acme", world.chart)
    _recover(world, timedelta(0))
    labels = world.releases.list_latest()[0].labels
    assert labels is not None
    assert labels.defaults_digest == DRIFTED


def test_a_failed_upgrade_by_hand_is_rolled_back(world: FakeWorld) -> None:
    world.install()
    world.releases.fail_next()
    with pytest.raises(HelmFailedError):
        world.releases.upgrade_by_hand("acme", {"env": {"A": "1"}}, world.chart)
    _recover(world)
    assert world.statuses() == ["superseded", "failed", "deployed"]


def test_an_uninstall_that_was_killed_is_finished_and_the_volume_kept(world: FakeWorld) -> None:
    world.install(persistence={"enabled": True})
    world.releases.set_status("acme", ReleaseStatus.UNINSTALLING)
    _recover(world, timedelta(0))
    assert world.statuses() == []
    assert world.cluster.has_volume("acme")


def test_a_hand_run_helm_is_declared_dead_on_demand(world: FakeWorld) -> None:
    world.install()
    world.releases.kill_by_hand("acme", world.chart)
    _recover(world, timedelta(0))
    assert world.statuses()[-1] == "deployed"
