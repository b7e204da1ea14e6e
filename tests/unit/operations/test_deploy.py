"""Carrying a plan out."""

from __future__ import annotations

import pytest

from release_manager.errors import (
    ChangedMeanwhileError,
    HelmFailedError,
    ReleaseBusyError,
    RolloutFailedError,
)
from release_manager.operations.deploy import execute_plan
from release_manager.operations.observe import Observation
from release_manager.operations.plan import Plan
from release_manager.operations.upgrade import UpgradeRequest, plan_upgrade, upgrade_tenant
from release_manager.ports import RunOptions
from tests.unit.fakes import FakeWorld, ManagerKilled


def _plan(world: FakeWorld) -> tuple[Observation, Plan]:
    """Plan an upgrade with one more variable."""
    request = UpgradeRequest(overrides={"env": {"A": "1"}})
    return plan_upgrade(world.ports, world.settings, "acme", request, writer="me")


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
    observation, plan = _plan(world)
    world.releases.kill_by_hand("acme", world.chart)
    with pytest.raises(ReleaseBusyError):
        execute_plan(world.ports, observation, plan, world.run())
    assert world.statuses() == ["deployed", "pending-upgrade"]


def test_a_helm_that_failed_before_it_wrote_does_not_end_somebody_elses_work(
    world: FakeWorld,
) -> None:
    world.install()
    observation, plan = _plan(world)
    world.releases.kill_by_hand("acme", world.chart)
    world.releases.fail_before_writing = "no memory"
    with pytest.raises(HelmFailedError, match="no memory"):
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
