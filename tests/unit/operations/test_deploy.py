"""Carrying a plan out."""

from __future__ import annotations

from functools import partial

import pytest

from release_manager.errors import (
    ChangedMeanwhileError,
    ForbiddenError,
    HelmFailedError,
    ReleaseBusyError,
    RevisionNotFoundError,
    RolloutFailedError,
)
from release_manager.operations.deploy import HISTORY_MAX, execute_plan
from release_manager.operations.observe import Observation
from release_manager.operations.plan import Plan
from release_manager.operations.rollback import plan_tenant_rollback
from release_manager.operations.show import read_history
from release_manager.operations.upgrade import UpgradeRequest, plan_upgrade, upgrade_tenant
from release_manager.ports import RunOptions
from release_manager.tenant import ReleaseStatus, Revision
from tests.unit.fakes import FakeWorld, ManagerKilled, missing_image


def _plan(world: FakeWorld) -> tuple[Observation, Plan]:
    """Plan an upgrade with one more variable."""
    request = UpgradeRequest(overrides={"env": {"A": "1"}})
    return plan_upgrade(world.ports, world.settings, "acme", request, writer="me")


def _fail_an_upgrade(world: FakeWorld) -> RolloutFailedError:
    """Upgrade to an image that cannot be pulled."""
    world.cluster.break_image("broken")
    with pytest.raises(RolloutFailedError) as caught:
        world.upgrade(overrides={"image": {"tag": "broken"}})
    return caught.value


def test_a_deployment_waits_until_the_pods_are_ready(world: FakeWorld) -> None:
    world.cluster.start_seconds = 30
    started = world.clock.now()
    world.install()
    assert (world.clock.now() - started).total_seconds() >= 30


def test_without_waiting_it_returns_at_once_and_says_so(world: FakeWorld) -> None:
    world.install()
    observation, plan = _plan(world)
    result = execute_plan(world.ports, observation, plan, world.run(is_waiting=False))
    assert result.detail == "not waited for"


def test_an_upgrade_whose_pods_fail_is_rolled_back_and_explained(world: FakeWorld) -> None:
    world.install()
    world.cluster.break_image("broken")
    with pytest.raises(RolloutFailedError) as caught:
        world.upgrade(overrides={"image": {"tag": "broken"}})
    assert caught.value.problem == (
        f"revision 2 failed and was rolled back to revision 1: {missing_image('broken')}"
    )
    assert world.statuses() == ["superseded", "failed", "deployed"]
    assert "tag" not in world.values()["image"]


def test_the_history_tells_why_a_revision_was_rolled_back(world: FakeWorld) -> None:
    world.install()
    _fail_an_upgrade(world)
    assert [entry.description for entry in read_history(world.ports, "acme")] == [
        "Install complete",
        f"failed: {missing_image('broken')}",
        "Rollback to 1",
    ]


def test_a_later_rollback_passes_over_what_was_rolled_back_automatically(world: FakeWorld) -> None:
    world.install()
    world.upgrade(overrides={"env": {"A": "1"}})
    _fail_an_upgrade(world)
    assert world.statuses() == ["superseded", "superseded", "failed", "deployed"]
    assert plan_tenant_rollback(world.ports, "acme", None).target == 2
    with pytest.raises(RevisionNotFoundError, match="there is no revision 3"):
        plan_tenant_rollback(world.ports, "acme", 3)


def test_the_automatic_rollback_waits_until_the_restored_revision_is_ready(
    world: FakeWorld,
) -> None:
    world.cluster.start_seconds = 20
    world.install()
    _fail_an_upgrade(world)
    workload = world.cluster.read_workload("acme")
    assert workload is not None
    assert workload.is_ready


def test_a_restored_revision_that_is_not_ready_either_is_told(world: FakeWorld) -> None:
    world.install(image={"tag": "one"})
    world.cluster.break_image("one")
    caught = _fail_an_upgrade(world)
    assert caught.problem == (
        f"revision 2 failed and was rolled back to revision 1: {missing_image('broken')}; "
        f"revision 1 is not ready either: {missing_image('one')}"
    )
    assert world.statuses() == ["superseded", "failed", "deployed"]


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
    observation, plan = _plan(world)
    world.releases.before_helm = lambda: world.releases.kill_by_hand("acme", world.chart)
    with pytest.raises(ReleaseBusyError):
        execute_plan(world.ports, observation, plan, world.run())
    assert world.statuses() == ["deployed", "pending-upgrade"]


def test_a_helm_that_failed_before_it_wrote_does_not_end_somebody_elses_work(
    world: FakeWorld,
) -> None:
    world.install()
    observation, plan = _plan(world)
    world.releases.before_helm = lambda: world.releases.kill_by_hand("acme", world.chart)
    world.releases.fail_before_writing = "no memory"
    with pytest.raises(HelmFailedError, match="no memory"):
        execute_plan(world.ports, observation, plan, world.run())
    assert world.statuses() == ["deployed", "pending-upgrade"]


def test_hand_run_helm_between_plan_and_helm_is_left_alone(world: FakeWorld) -> None:
    world.install()
    observation, plan = _plan(world)
    world.releases.upgrade_by_hand("acme", {"env": {"B": "2"}}, world.chart)
    before = list(world.releases.writes)
    with pytest.raises(ChangedMeanwhileError) as caught:
        execute_plan(world.ports, observation, plan, world.run())
    assert caught.value.problem == (
        "hand-run helm changed it at the same moment: revision 2 was not expected"
    )
    assert "release-manager history acme" in caught.value.remedy
    assert world.releases.writes == before
    assert world.values()["env"] == {"B": "2"}


@pytest.mark.parametrize("is_waiting", [True, False])
@pytest.mark.parametrize("moment", ["before_helm", "after_helm"])
def test_hand_run_helm_that_comes_in_while_helm_runs_is_told_and_kept(
    world: FakeWorld, moment: str, is_waiting: bool
) -> None:
    world.install()
    observation, plan = _plan(world)
    change = partial(world.releases.upgrade_by_hand, "acme", {"env": {"B": "2"}}, world.chart)
    setattr(world.releases, moment, change)
    with pytest.raises(ChangedMeanwhileError, match="revision 3 was not expected"):
        execute_plan(world.ports, observation, plan, world.run(is_waiting=is_waiting))
    assert world.statuses() == ["superseded", "superseded", "deployed"]


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


def test_a_deployed_revision_is_kept_however_many_have_failed_since(world: FakeWorld) -> None:
    world.install()
    for number in range(5):
        world.releases.fail_next()
        with pytest.raises(HelmFailedError):
            world.releases.upgrade_by_hand("acme", {"env": {"A": str(number)}}, world.chart)
    world.upgrade(overrides={"env": {"B": "1"}})
    kept = [revision.number for revision in world.releases.list_revisions("acme")]
    assert kept == [1, 4, 5, 6, 7]


def test_a_good_revision_is_kept_where_none_is_deployed(world: FakeWorld) -> None:
    world.install()
    world.releases.set_status("acme", ReleaseStatus.SUPERSEDED)
    for number in range(6):
        world.releases.fail_next()
        with pytest.raises(HelmFailedError):
            world.upgrade(overrides={"env": {"A": str(number)}})
    assert world.statuses() == ["superseded"] + ["failed"] * (HISTORY_MAX - 1)


def test_failing_again_and_again_does_not_lengthen_the_history(world: FakeWorld) -> None:
    world.install()
    for _ in range(HISTORY_MAX):
        world.releases.fail_next()
        with pytest.raises(HelmFailedError):
            world.upgrade(overrides={"env": {"A": "1"}})
    assert len(world.statuses()) == HISTORY_MAX


def test_an_install_that_fails_again_and_again_has_a_short_history(world: FakeWorld) -> None:
    for _ in range(HISTORY_MAX + 2):
        world.releases.fail_next()
        with pytest.raises(HelmFailedError):
            world.install()
    assert world.statuses() == ["failed"] * HISTORY_MAX


def test_rollbacks_do_not_lengthen_the_history(world: FakeWorld) -> None:
    world.install()
    for _ in range(4):
        _fail_an_upgrade(world)
    assert len(world.statuses()) == HISTORY_MAX


def test_a_history_that_cannot_be_shortened_is_told_and_shortened_the_next_time(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_revision: Revision) -> None:
        raise ForbiddenError("the API server forbids it", remedy="Ask for the right")

    world.install()
    for number in range(4):
        world.upgrade(overrides={"env": {"A": str(number)}})
    told: list[str] = []
    run = RunOptions(60, told.append, clock=world.clock.as_clock())
    observation, plan = _plan(world)
    with monkeypatch.context() as context:
        context.setattr(world.releases, "forget", refuse)
        execute_plan(world.ports, observation, plan, run)
    assert "its history stays longer than 5 revisions: the API server forbids it" in told
    assert len(world.statuses()) == HISTORY_MAX + 1
    world.upgrade(overrides={"env": {"A": "9"}})
    assert len(world.statuses()) == HISTORY_MAX
