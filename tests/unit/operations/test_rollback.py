"""Going back to an older revision."""

from __future__ import annotations

import pytest

from release_manager.errors import (
    HelmFailedError,
    ReleaseBusyError,
    RevisionNotFoundError,
    RolloutFailedError,
    TenantNotFoundError,
)
from release_manager.operations.deploy import Result
from release_manager.operations.observe import Observation
from release_manager.operations.rollback import (
    RollbackPlan,
    plan_rollback,
    plan_tenant_rollback,
    rollback_tenant,
)
from tests.unit.builders import NOW, build_revision
from tests.unit.fakes import FakeWorld, ManagerKilled


def _observe(*statuses: str) -> Observation:
    revisions = [build_revision(status, number=i) for i, status in enumerate(statuses, start=1)]
    return Observation("acme", revisions, None, {}, NOW)


def _roll_back(world: FakeWorld, to_revision: int | None = None) -> Result:
    return rollback_tenant(world.ports, "acme", to_revision, world.run())


@pytest.mark.parametrize(
    ("statuses", "to_revision", "target"),
    [
        (["superseded", "deployed"], None, 1),
        (["superseded", "superseded", "deployed"], None, 2),
        (["superseded", "superseded", "deployed"], 1, 1),
        (["superseded", "failed", "deployed"], None, 1),
        (["deployed", "failed"], None, 1),
    ],
    ids=["the one before", "the last before", "a given one", "past a failed", "from a failed"],
)
def test_the_target_is_the_given_or_the_last_good_revision(
    statuses: list[str], to_revision: int | None, target: int
) -> None:
    plan = plan_rollback(_observe(*statuses), to_revision, lambda _: False)
    assert (plan.current, plan.target, plan.revision) == (
        len(statuses),
        target,
        len(statuses) + 1,
    )


@pytest.mark.parametrize(
    ("statuses", "to_revision", "problem", "remedy"),
    [
        (
            ["deployed"],
            None,
            "there is no older good revision",
            "There is none but the current one",
        ),
        (["failed", "deployed"], None, "there is no older good revision", "There is none"),
        (["failed", "deployed"], 1, "there is no revision 1", "There is none"),
        (["superseded", "deployed"], 2, "there is no revision 2", "Choose one of: 1"),
        (["superseded", "superseded", "deployed"], 9, "no revision 9", "Choose one of: 1, 2"),
    ],
)
def test_without_a_good_target_the_choice_is_told(
    statuses: list[str], to_revision: int | None, problem: str, remedy: str
) -> None:
    with pytest.raises(RevisionNotFoundError) as caught:
        plan_rollback(_observe(*statuses), to_revision, lambda _: False)
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy


def test_a_superseded_revision_that_never_stood_is_passed_over() -> None:
    observation = _observe("superseded", "superseded", "deployed")
    plan = plan_rollback(observation, None, lambda revision: revision.number == 2)
    assert plan.target == 1


def test_a_revision_that_failed_can_still_be_named() -> None:
    observation = _observe("superseded", "superseded", "deployed")
    assert plan_rollback(observation, 2, lambda _: True).target == 2


def test_a_tenant_that_is_not_there_is_named() -> None:
    with pytest.raises(TenantNotFoundError):
        plan_rollback(_observe(), None, lambda _: False)


def test_a_tenant_that_somebody_works_on_is_left_alone() -> None:
    with pytest.raises(ReleaseBusyError):
        plan_rollback(_observe("deployed", "pending-upgrade"), None, lambda _: False)


def test_a_rollback_restores_the_tenants_own_values(world: FakeWorld) -> None:
    world.install(env={"A": "1"})
    world.upgrade(overrides={"env": {"A": "2"}})
    result = _roll_back(world)
    assert result.detail == "revision 1 restored as revision 3"
    assert world.values()["releaseManager"]["overrides"] == {"env": {"A": "1"}}


def test_after_a_rollback_the_same_upgrade_is_no_longer_needed(world: FakeWorld) -> None:
    world.install()
    world.upgrade(overrides={"env": {"A": "1"}})
    _roll_back(world)
    assert world.upgrade().action == "nothing"


def test_a_rollback_to_a_stopped_revision_stops_the_tenant(world: FakeWorld) -> None:
    world.install(replicas=0)
    world.upgrade(overrides={"replicas": 1})
    _roll_back(world)
    assert world.replicas() == 0


def test_a_rollback_whose_pods_fail_is_told(world: FakeWorld) -> None:
    world.install(image={"tag": "one"})
    world.upgrade(overrides={"image": {"tag": "two"}})
    world.cluster.break_image("one")
    with pytest.raises(RolloutFailedError, match="1 restored as revision 3, but it is not ready"):
        _roll_back(world)


def test_what_a_dead_process_left_is_no_obstacle(world: FakeWorld) -> None:
    world.install()
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        world.upgrade(overrides={"env": {"A": "1"}})
    _roll_back(world)
    assert world.statuses() == ["superseded", "failed", "deployed"]


def test_a_plan_changes_nothing(world: FakeWorld) -> None:
    world.install()
    world.upgrade(overrides={"env": {"A": "1"}})
    before = list(world.releases.writes)
    assert plan_tenant_rollback(world.ports, "acme", None) == RollbackPlan("acme", 2, 1, 3)
    assert (world.releases.writes, world.liveness.claims) == (before, {})


def test_a_rollback_that_was_killed_is_no_obstacle(world: FakeWorld) -> None:
    world.install()
    world.upgrade(overrides={"env": {"A": "1"}})
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        _roll_back(world)
    _roll_back(world, 1)
    assert world.statuses() == ["superseded", "superseded", "failed", "deployed"]


def test_a_rollback_that_helm_fails_is_passed_over_by_the_next(world: FakeWorld) -> None:
    world.install()
    world.upgrade(overrides={"env": {"A": "1"}})
    world.releases.fail_next()
    with pytest.raises(HelmFailedError):
        _roll_back(world)
    assert _roll_back(world, 1).detail == "revision 1 restored as revision 4"
    assert world.statuses()[2:] == ["failed", "deployed"]
