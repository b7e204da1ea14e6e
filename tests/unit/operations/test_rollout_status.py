"""Telling how far a rollout is, from any machine."""

from __future__ import annotations

from dataclasses import replace

from release_manager.operations.rollout_status import (
    RolloutStatus,
    describe_rollout,
    follow_rollout,
)
from release_manager.operations.rollouts import plan_way_back, read_progress
from release_manager.rollout.journal import Journal, Outcome, Report, State
from release_manager.rollout.plan import Share
from tests.unit.builders import build_holder, build_waves
from tests.unit.fakes import FakeWorld
from tests.unit.fleets import BY, begin, break_chart, install, interrupt, kill, plan_upgrade

SLUGS = ("a", "b", "c")


def _prepare(world: FakeWorld) -> None:
    install(world, *SLUGS)
    world.change_chart()


def _describe(world: FakeWorld) -> RolloutStatus:
    return describe_rollout(world.ports, world.journals.list()[0])


def _let_live(world: FakeWorld, rollout: str) -> None:
    world.liveness.others["process-9"] = build_holder("process-9")
    world.liveness.rollouts = ("process-9", rollout)


def test_a_finished_rollout_is_told_from_its_journal_alone(world: FakeWorld) -> None:
    journal = Journal(
        build_waves("a b", "c"),
        State.FINISHED,
        reports={"b": Report("b", Outcome.FAILED, "why")},
        done=2,
    )
    status = describe_rollout(world.ports, journal)
    assert status.counts == {"done": 2, "failed": 1, "changed": 0, "busy": 0, "untouched": 0}
    assert [item.slug for item in status.failures] == ["b"]
    assert (status.journal.state, status.worker) == ("finished", "")


def test_a_rollout_that_was_killed_is_told_from_the_cluster(world: FakeWorld) -> None:
    """Its journal knows nothing of what was done since it was last written."""
    _prepare(world)
    kill(world, plan_upgrade(world), after=2)
    assert world.journals.list()[0].done == 0
    status = _describe(world)
    assert status.counts == {"done": 2, "failed": 0, "changed": 0, "busy": 0, "untouched": 1}


def test_a_rollout_that_nobody_is_at_work_on_does_not_run(world: FakeWorld) -> None:
    _prepare(world)
    kill(world, plan_upgrade(world), after=1)
    status = _describe(world)
    assert status.journal.state is State.INTERRUPTED


def test_a_rollout_that_somebody_is_at_work_on_tells_who(world: FakeWorld) -> None:
    _prepare(world)
    kill(world, plan_upgrade(world), after=1)
    _let_live(world, world.journals.list()[0].rollout.id)
    status = _describe(world)
    assert status.journal.state == "running"
    assert status.worker == build_holder().identity


def test_a_process_that_is_at_work_on_another_rollout_is_not_at_work_on_this_one(
    world: FakeWorld,
) -> None:
    _prepare(world)
    kill(world, plan_upgrade(world), after=1)
    _let_live(world, "another")
    assert (_describe(world).journal.state, _describe(world).worker) == ("interrupted", "")


def test_one_line_tells_state_and_counts(world: FakeWorld) -> None:
    _prepare(world)
    interrupt(world, plan_upgrade(world), after=2)
    status = _describe(world)
    id_ = status.journal.rollout.id
    assert status.line == f"rollout {id_}: interrupted; 2 done, 1 untouched"


def test_failures_are_told_with_reason_and_remedy(world: FakeWorld) -> None:
    install(world, *SLUGS)
    break_chart(world)
    begin(world, plan_upgrade(world, failure_budget=Share(1)))
    status = _describe(world)
    assert status.counts == {"done": 0, "failed": 2, "changed": 0, "busy": 0, "untouched": 1}
    assert "cannot be pulled" in status.failures[0].reason
    assert status.failures[0].remedy


def test_a_tenant_that_is_not_ready_is_not_done(world: FakeWorld) -> None:
    _prepare(world)
    interrupt(world, plan_upgrade(world), after=2)
    world.cluster.delete_workload("a")
    assert _describe(world).counts["done"] == 1


def test_what_the_journal_says_of_a_tenant_holds(world: FakeWorld) -> None:
    """It failed in this rollout, even if its revision stands by now."""
    _prepare(world)
    interrupt(world, plan_upgrade(world), after=2)
    journal = world.journals.list()[0]
    failed = Report("a", Outcome.FAILED, "why")
    reports = read_progress(world.ports, replace(journal, reports={"a": failed}))
    assert reports["a"] is failed
    assert reports["b"].outcome is Outcome.DONE


def test_what_is_restored_is_done_on_the_way_back(world: FakeWorld) -> None:
    _prepare(world)
    begin(world, plan_upgrade(world))
    back = plan_way_back(world.ports, world.journals.list()[0], by=BY)
    interrupt(world, back, after=2)
    assert _describe(world).counts["done"] == 2


def test_what_is_not_restored_yet_is_not_done_on_the_way_back(world: FakeWorld) -> None:
    """A revision that looks restored may be older than the rollout that is taken back."""
    _prepare(world)
    begin(world, plan_upgrade(world))
    back = plan_way_back(world.ports, world.journals.list()[0], by=BY)
    world.releases.rollback("a", 1, timeout_seconds=1)
    later = replace(back.rollout, revisions={**back.rollout.revisions, "a": 3})
    assert read_progress(world.ports, Journal(later)) == {}
    assert list(read_progress(world.ports, Journal(back.rollout))) == ["a"]


def test_following_ends_when_nobody_is_at_work(world: FakeWorld) -> None:
    _prepare(world)
    interrupt(world, plan_upgrade(world), after=1)
    journal = world.journals.list()[0]
    found = list(follow_rollout(world.ports, journal, clock=world.clock.as_clock()))
    assert [item.journal.state for item in found] == ["interrupted"]


def test_following_tells_each_change_once(world: FakeWorld) -> None:
    _prepare(world)
    kill(world, plan_upgrade(world), after=1)
    journal = world.journals.list()[0]
    _let_live(world, journal.rollout.id)
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            failed = {"c": Report("c", Outcome.FAILED, "why")}
            world.journals.save(replace(journal, reports=failed))
        if len(looks) == 4:
            world.journals.save(replace(journal, state=State.ABORTED, done=1))

    clock = replace(world.clock.as_clock(), sleep=sleep)
    lines = [
        item.line.partition(": ")[2] for item in follow_rollout(world.ports, journal, clock=clock)
    ]
    assert lines == [
        "running; 1 done, 2 untouched",
        "running; 1 done, 1 failed, 1 untouched",
        "aborted; 1 done, 2 untouched",
    ]
