"""Waiting for pods, on a clock that only waiting moves."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from release_manager.diagnosis.causes import (
    ANSWER_PATIENCE_SECONDS,
    COUNTED_PATIENCE_SECONDS,
    REGISTRY_PATIENCE_SECONDS,
    SCHEDULING_PATIENCE_SECONDS,
)
from release_manager.errors import ChangedMeanwhileError, RolloutFailedError
from release_manager.operations.readiness import (
    Readiness,
    require_ready,
    wait_until_ready,
)
from tests.unit.fakes import FakeWorld, missing_image


def _begin(world: FakeWorld, tag: str = "") -> None:
    """A revision 1 whose pods have just been made."""
    world.releases.upgrade_by_hand("acme", {"image": {"tag": tag}}, world.chart)


def _wait(world: FakeWorld, seconds: float = 60, revision: int = 1) -> Readiness:
    run = world.run(timeout_seconds=seconds)
    return wait_until_ready(world.ports, "acme", revision=revision, run=run)


def _elapsed(world: FakeWorld) -> float:
    created = world.releases.list_latest()[0].created_at
    return (world.clock.now() - created).total_seconds()


def test_the_wait_ends_as_soon_as_the_pods_are_ready(world: FakeWorld) -> None:
    _begin(world)
    assert _wait(world).is_ready
    assert _elapsed(world) == pytest.approx(world.cluster.start_seconds, abs=0.5)


def test_the_wait_ends_at_its_timeout(world: FakeWorld) -> None:
    world.cluster.start_seconds = 1000
    _begin(world)
    readiness = _wait(world, seconds=10)
    assert not readiness.is_ready
    text = readiness.explain(world.run(timeout_seconds=10))
    late = "0 of 1 replicas ready after 10 seconds"
    assert text == f"{late}: the pod is being started since 03:00:00 UTC"
    assert _elapsed(world) == pytest.approx(10, abs=0.5)


def test_a_tenant_that_is_uninstalled_meanwhile_has_not_failed(world: FakeWorld) -> None:
    world.cluster.start_seconds = 1000
    _begin(world)
    world.releases.uninstall("acme", timeout_seconds=1)
    with pytest.raises(ChangedMeanwhileError, match="uninstalled while revision 1 was waited for"):
        _wait(world, seconds=10)


def test_a_hopeless_cause_ends_the_wait_early(world: FakeWorld) -> None:
    world.cluster.break_image("broken")
    _begin(world, "broken")
    readiness = _wait(world)
    assert readiness.explain(world.run()) == missing_image("broken")
    assert _elapsed(world) == pytest.approx(ANSWER_PATIENCE_SECONDS, abs=0.5)


def test_a_cause_that_may_pass_is_waited_for(world: FakeWorld) -> None:
    _run_unready(world)
    _wait(world, seconds=30)
    assert _elapsed(world) == pytest.approx(30, abs=0.5)


def test_a_cause_that_may_pass_is_told_with_the_time_that_was_given(world: FakeWorld) -> None:
    _run_unready(world)
    text = _wait(world, seconds=90).explain(world.run(timeout_seconds=90))
    assert text.startswith("0 of 1 replicas ready after 90 seconds: container gateway runs, but ")


def _run_unready(world: FakeWorld) -> None:
    running = {"waiting_reason": "", "running_since": world.clock.now(), "has_started": True}
    world.cluster.break_image("slow", **running)
    _begin(world, "slow")


def test_a_registry_that_does_not_answer_is_given_longer(world: FakeWorld) -> None:
    message = "dial tcp 192.168.77.2:5999: connect: connection refused"
    world.cluster.break_image("broken", waiting_message=message)
    _begin(world, "broken")
    assert "refuses connections" in _wait(world).explain(world.run())
    assert _elapsed(world) == pytest.approx(REGISTRY_PATIENCE_SECONDS, abs=0.5)


def test_a_container_that_has_crashed_often_enough_ends_the_wait_at_once(world: FakeWorld) -> None:
    crashed = {"waiting_reason": "CrashLoopBackOff", "exit_code": 1, "restarts": 2}
    world.cluster.break_image("broken", **crashed)
    _begin(world, "broken")
    assert "keeps crashing" in _wait(world).explain(world.run())
    assert _elapsed(world) == pytest.approx(COUNTED_PATIENCE_SECONDS, abs=0.5)


def _restart(world: FakeWorld, *, ran: timedelta = timedelta(seconds=5), ago: float = 0) -> None:
    """Let containers have ended once, so that they run again since some seconds ago."""
    began_again = world.clock.now() - timedelta(seconds=ago)
    world.cluster.restarted = {
        "restarts": 1,
        "running_since": began_again,
        "has_started": True,
        "exit_code": 3,
        "exit_reason": "Error",
        "exit_began_at": began_again - ran,
        "exit_at": began_again,
    }


def test_pods_that_never_ended_cost_one_look(world: FakeWorld) -> None:
    world.cluster.start_seconds = 0
    _begin(world)
    assert _wait(world).is_ready
    assert _elapsed(world) == 0
    assert world.cluster.pod_lists == 1
    assert world.cluster.reads == []


@pytest.mark.parametrize("ran", [5, 50])
def test_a_container_that_has_crashed_is_believed_once_it_has_outlived_that(
    world: FakeWorld, ran: float
) -> None:
    _restart(world, ran=timedelta(seconds=ran))
    _begin(world)
    assert _wait(world, seconds=300).is_ready
    assert _elapsed(world) == pytest.approx(max(ran, 30), abs=0.5)
    assert world.told[-1].startswith("waiting: container gateway crashed with exit code 3; ")


def test_a_container_that_is_ready_between_two_crashes_is_no_success(world: FakeWorld) -> None:
    world.cluster.start_seconds = 0
    _restart(world)
    _begin(world, "leaking")
    run = replace(world.run(), progress=lambda _: _run_out_of_memory(world, "leaking"))
    text = wait_until_ready(world.ports, "acme", revision=1, run=run).explain(run)
    assert text.startswith("container gateway ran out of memory (limit 256Mi)")
    assert _elapsed(world) == pytest.approx(COUNTED_PATIENCE_SECONDS, abs=1)


def _run_out_of_memory(world: FakeWorld, tag: str) -> None:
    killed = {"exit_code": 137, "exit_reason": "OOMKilled", "memory_limit": "256Mi"}
    world.cluster.break_image(tag, waiting_reason="CrashLoopBackOff", restarts=2, **killed)


def test_a_container_that_ended_late_is_not_believed_at_the_timeout(world: FakeWorld) -> None:
    _restart(world)
    _begin(world)
    text = _wait(world, seconds=10).explain(world.run(timeout_seconds=10))
    late = "1 of 1 replicas ready after 10 seconds, but not for long enough to trust it"
    assert text.startswith(f"{late}: container gateway crashed with exit code 3; ")


@pytest.mark.parametrize(
    ("ran", "ago"), [(timedelta(seconds=5), 31), (timedelta(days=10), 121)], ids=str
)
def test_an_end_that_is_past_holds_nothing_up(world: FakeWorld, ran: timedelta, ago: float) -> None:
    _restart(world, ran=ran, ago=ago)
    world.cluster.start_seconds = 0
    _begin(world)
    assert _wait(world).is_ready
    assert _elapsed(world) == 0


def test_a_tenant_that_stops_is_not_held_up_by_its_crashes(world: FakeWorld) -> None:
    _restart(world)
    world.releases.upgrade_by_hand("acme", {"replicas": 0}, world.chart)
    assert _wait(world).is_ready
    assert _elapsed(world) == 0


def test_each_cause_is_given_its_own_time(world: FakeWorld) -> None:
    world.cluster.scheduling_message = "0/3 nodes are available: 3 Insufficient memory."
    world.cluster.break_image("broken")
    _begin(world, "broken")
    run = replace(world.run(), progress=lambda text: _schedule_after(world, text, seconds=60))
    assert wait_until_ready(world.ports, "acme", revision=1, run=run).explain(run) == (
        missing_image("broken")
    )
    assert _elapsed(world) == pytest.approx(60 + ANSWER_PATIENCE_SECONDS, abs=1)


def _schedule_after(world: FakeWorld, told: str, *, seconds: float) -> None:
    if "no node has room" in told:
        world.clock.advance(seconds)
        world.cluster.scheduling_message = ""


def test_a_missing_deployment_is_told(world: FakeWorld) -> None:
    _begin(world)
    world.cluster.delete_workload("acme")
    text = _wait(world, seconds=5).explain(world.run())
    assert text == "its Deployment is missing"


def test_pods_that_cannot_be_created_are_told(world: FakeWorld) -> None:
    world.cluster.failure_message = 'pods "x" is forbidden: exceeded quota: small'
    _begin(world)
    assert "exceeded quota: small" in _wait(world).explain(world.run())


def test_each_change_is_told_once(world: FakeWorld) -> None:
    _begin(world)
    _wait(world)
    assert world.told == ["waiting: the pod is being started since 03:00:00 UTC"]


def test_another_revision_ends_the_wait_as_an_error(world: FakeWorld) -> None:
    world.cluster.break_image("broken")
    _begin(world, "broken")
    _begin(world, "broken")
    with pytest.raises(ChangedMeanwhileError, match="revision 1 was replaced by revision 2"):
        _wait(world)


def test_requiring_readiness_names_what_was_done(world: FakeWorld) -> None:
    world.cluster.break_image("broken")
    _begin(world, "broken")
    with pytest.raises(RolloutFailedError) as caught:
        require_ready(world.ports, "acme", 1, world.run(), "it was repaired")
    assert caught.value.problem.startswith("it was repaired, but it is not ready: image ")
    assert "show-tenant acme" in caught.value.remedy


def test_a_deadline_that_an_older_rollout_missed_does_not_end_the_wait(world: FakeWorld) -> None:
    world.cluster.start_seconds = 10
    world.cluster.missed_deadline_at = world.clock.now()
    _begin(world)
    assert _wait(world).is_ready
    assert _elapsed(world) == pytest.approx(10, abs=0.5)


def test_a_deadline_that_this_rollout_missed_ends_the_wait(world: FakeWorld) -> None:
    world.cluster.start_seconds = 1000
    _begin(world)
    world.cluster.missed_deadline_at = world.clock.now() + timedelta(seconds=1)
    assert not _wait(world).is_ready
    assert _elapsed(world) < 10


def test_a_missed_deadline_does_not_end_the_wait_for_pods_to_stop(world: FakeWorld) -> None:
    world.cluster.stop_seconds = 10
    world.releases.upgrade_by_hand("acme", {"replicas": 0}, world.chart)
    world.cluster.missed_deadline_at = world.clock.now() + timedelta(seconds=1)
    assert _wait(world).is_ready
    assert _elapsed(world) == pytest.approx(10, abs=0.5)


def test_a_pod_that_no_node_takes_is_given_longer(world: FakeWorld) -> None:
    world.cluster.start_seconds = 1000
    world.cluster.scheduling_message = "0/3 nodes are available: 3 Insufficient memory."
    _begin(world)
    readiness = _wait(world, seconds=300)
    assert readiness.explain(world.run()).startswith("no node has room for the pod")
    assert _elapsed(world) == pytest.approx(SCHEDULING_PATIENCE_SECONDS, abs=0.5)


def test_the_wait_for_pods_to_end_gives_up_on_one_whose_node_is_gone(world: FakeWorld) -> None:
    world.cluster.stop_seconds = 1000
    world.releases.upgrade_by_hand("acme", {"replicas": 0}, world.chart)
    assert _wait(world, seconds=300).is_ready
    assert _elapsed(world) == pytest.approx(300, abs=0.5)
