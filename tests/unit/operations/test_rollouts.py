"""Rollouts from their first to their last word, with everything that can come in between."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from release_manager.errors import (
    ClusterUnreachableError,
    InvalidInputError,
    LeaseLostError,
    ReleaseBusyError,
    RolloutNotFoundError,
)
from release_manager.operations.resume import rebuild_make_plan
from release_manager.operations.rollouts import (
    GUESSED_SECONDS,
    KEPT_JOURNALS,
    LAST_SAVE_SECONDS,
    FleetPlan,
    abort_rollout,
    find_journal,
    plan_way_back,
    read_pace,
)
from release_manager.rollout.engine import Control, Ending, Listener
from release_manager.rollout.journal import Journal, Outcome, Report, State
from release_manager.rollout.plan import Kind, Share
from tests.unit.builders import build_holder, build_waves
from tests.unit.fakes import FakeJournals, FakeWorld
from tests.unit.fleets import (
    BY,
    STOP,
    begin,
    break_chart,
    build_control,
    call_after,
    change,
    install,
    interrupt,
    kill,
    plan_scale,
    plan_upgrade,
    resume,
)

SLUGS = ("a", "b", "c", "d")


def _plan(world: FakeWorld, **limits: object) -> FleetPlan:
    """Four tenants that are due."""
    install(world, *SLUGS)
    world.change_chart()
    return plan_upgrade(world, **limits)


def _plan_failing(world: FakeWorld, **limits: object) -> FleetPlan:
    install(world, *SLUGS)
    break_chart(world)
    return plan_upgrade(world, **limits)


def _journal(world: FakeWorld) -> Journal:
    return world.journals.list()[0]


def _numbers(world: FakeWorld) -> dict[str, int]:
    return {item.slug: item.number for item in world.releases.list_latest()}


def test_a_rollout_changes_every_tenant_and_is_finished(world: FakeWorld) -> None:
    plan = _plan(world)
    ended = begin(world, plan)
    assert ended.ending is Ending.FINISHED
    assert _numbers(world) == dict.fromkeys(SLUGS, 2)
    journal = _journal(world)
    assert (journal.state, journal.done, dict(journal.reports)) == (State.FINISHED, 4, {})
    assert journal == ended.journal


def test_a_rollout_gives_its_claims_back(world: FakeWorld) -> None:
    begin(world, _plan(world))
    assert (world.liveness.rollouts, world.liveness.claims) == (None, {})
    assert world.liveness.list_alive() == {}


def test_a_journal_is_there_before_the_first_tenant_is_changed(world: FakeWorld) -> None:
    plan = _plan(world)
    seen: list[State] = []
    world.releases.before_helm = lambda: seen.append(_journal(world).state)
    begin(world, plan)
    assert seen == [State.RUNNING]


def test_many_at_once_come_to_the_same_end(world: FakeWorld) -> None:
    ended = begin(world, _plan(world, concurrency=4, failure_budget=Share(4)))
    assert (ended.ending, ended.journal.done) == (Ending.FINISHED, 4)


def test_a_canary_is_watched_before_the_others_are_touched(world: FakeWorld) -> None:
    plan = _plan(world, canary=1, bake_seconds=60.0)
    heard: list[str] = []
    listener = Listener(
        begin_bake=lambda _: heard.append("bake"),
        end_tenant=lambda _, report: heard.append(report.slug),
    )
    ended = begin(world, plan, listener=listener)
    assert heard == ["a", "bake", "b", "c", "d"]
    assert ended.journal.has_baked


def test_a_canary_that_is_not_ready_stops_the_rollout(world: FakeWorld) -> None:
    ended = begin(world, _plan_failing(world, canary=1, failure_budget=Share(3)))
    assert (ended.ending, ended.journal.state) == (Ending.STOPPED, State.STOPPED)
    assert list(ended.journal.reports) == ["a"]
    assert [world.statuses(slug) for slug in "bcd"] == [["deployed"]] * 3
    assert world.statuses("a") == ["superseded", "failed", "deployed"]


def test_a_rollout_over_its_budget_stops_itself(world: FakeWorld) -> None:
    ended = begin(world, _plan_failing(world, failure_budget=Share(1)))
    assert (ended.ending, ended.journal.state) == (Ending.STOPPED, State.STOPPED)
    assert ended.journal.count(Outcome.FAILED) == 2
    assert ended.journal.count(Outcome.UNTOUCHED) == 2
    assert _numbers(world) == {"a": 3, "b": 3, "c": 1, "d": 1}


def test_failures_within_the_budget_are_in_the_journal_with_reason_and_remedy(
    world: FakeWorld,
) -> None:
    ended = begin(world, _plan_failing(world, failure_budget=Share(4)))
    assert ended.ending is Ending.FINISHED
    report = ended.journal.reports["c"]
    assert "cannot be pulled" in report.reason
    assert report.remedy.endswith("'release-manager upgrade-all --only c'")


def test_a_second_rollout_finds_nothing_to_do(world: FakeWorld) -> None:
    begin(world, _plan(world))
    plan = plan_upgrade(world)
    assert plan.rollout.waves == ()


def test_a_rollout_under_way_refuses_another_one(world: FakeWorld) -> None:
    plan = _plan(world)
    world.liveness.others["process-9"] = build_holder("process-9")
    world.liveness.rollouts = ("process-9", "20260301-020000-ffff")
    with pytest.raises(ReleaseBusyError, match="20260301-020000-ffff"):
        begin(world, plan)
    assert list(world.journals.list()) == []
    assert _numbers(world) == dict.fromkeys(SLUGS, 1)


@pytest.mark.parametrize("state", [State.RUNNING, State.INTERRUPTED])
def test_a_rollout_that_was_not_finished_refuses_another_one(
    world: FakeWorld, state: State
) -> None:
    plan = _plan(world)
    world.journals.create(Journal(build_waves("a"), state), b"")
    with pytest.raises(InvalidInputError, match=r"was not finished.*resume-rollout"):
        begin(world, plan)
    assert len(world.journals.list()) == 1
    assert world.liveness.rollouts is None


@pytest.mark.parametrize("state", [State.STOPPED, State.FINISHED, State.ABORTED])
def test_a_rollout_that_has_ended_refuses_no_other_one(world: FakeWorld, state: State) -> None:
    plan = _plan(world)
    world.journals.create(Journal(build_waves("a"), state), b"")
    assert begin(world, plan).ending is Ending.FINISHED


def test_only_the_last_journals_are_kept(world: FakeWorld) -> None:
    for number in range(KEPT_JOURNALS + 2):
        rollout = build_waves("a", id=f"old-{number}")
        world.journals.create(Journal(rollout, State.FINISHED), b"chart")
    plan = _plan(world)
    begin(world, plan)
    kept = [item.rollout.id for item in world.journals.list()]
    assert kept[0] == plan.rollout.id
    assert kept[1:] == [f"old-{number}" for number in range(KEPT_JOURNALS + 1, 2, -1)]
    with pytest.raises(RolloutNotFoundError):
        world.journals.read_chart("old-0")


def test_a_rollout_keeps_its_chart(world: FakeWorld) -> None:
    plan = _plan(world)
    begin(world, plan)
    assert plan.chart is not None
    chart = world.charts.unpack(world.journals.read_chart(plan.rollout.id))
    assert chart.digest == plan.chart.digest


def test_the_pace_of_the_last_rollout_of_the_kind_is_taken_over(world: FakeWorld) -> None:
    install(world, *SLUGS)
    world.change_chart(env={"A": "1"})
    plan = plan_upgrade(world)
    assert (plan.pace, plan.seconds_per_tenant) == (None, GUESSED_SECONDS)
    seconds = begin(world, plan).journal.seconds
    world.change_chart("0.3.0")
    again = plan_upgrade(world)
    assert again.pace == again.seconds_per_tenant == seconds / 4
    assert plan_scale(world, Kind.STOP).pace is None


def test_a_rollout_in_which_all_have_failed_tells_no_pace(world: FakeWorld) -> None:
    rollout = build_waves("a", "b c", has_canary=True)
    report = Report("a", Outcome.FAILED, "it was not ready")
    world.journals.create(Journal(rollout, State.ABORTED, {"a": report}, seconds=300.0), b"")
    assert read_pace(world.ports, Kind.UPGRADE) is None


def test_a_pace_leaves_out_the_bake_and_counts_who_went_together(world: FakeWorld) -> None:
    rollout = build_waves("a", "b c", has_canary=True, bake_seconds=60.0, concurrency=5, budget=1)
    ended = Journal(rollout, State.FINISHED, done=3, has_baked=True, seconds=66.0)
    world.journals.create(ended, b"")
    # Two at once, for the budget allows no more.
    assert read_pace(world.ports, Kind.UPGRADE) == 4.0
    assert read_pace(world.ports, Kind.START) is None


def test_an_interrupted_rollout_is_resumed_and_nothing_is_done_twice(world: FakeWorld) -> None:
    plan = _plan(world)
    interrupt(world, plan, after=2)
    assert _journal(world).state is State.INTERRUPTED
    assert _journal(world).problem == "it was interrupted"
    assert _numbers(world) == {"a": 2, "b": 2, "c": 1, "d": 1}
    ended = resume(world)
    assert (ended.ending, ended.journal.done) == (Ending.FINISHED, 4)
    assert _numbers(world) == dict.fromkeys(SLUGS, 2)
    assert (_journal(world).state, _journal(world).problem) == (State.FINISHED, "")


@pytest.mark.parametrize("after", range(1, 4))
def test_a_rollout_whose_process_was_killed_is_resumed_wherever_it_was(
    world: FakeWorld, after: int
) -> None:
    plan = _plan(world)
    kill(world, plan, after=after)
    assert _journal(world).state is State.RUNNING
    ended = resume(world)
    assert (ended.ending, ended.journal.done) == (Ending.FINISHED, 4)
    killed = SLUGS[after]
    assert _numbers(world) == {slug: 3 if slug == killed else 2 for slug in SLUGS}
    assert world.statuses(killed) == ["superseded", "failed", "deployed"]


def test_a_rollout_is_resumed_with_its_own_chart_and_defaults(world: FakeWorld) -> None:
    world.settings = replace(world.settings, defaults={"env": {"A": "then"}})
    plan = _plan(world)
    world.settings = replace(world.settings, defaults={"env": {"A": "now"}})
    interrupt(world, plan)
    world.change_chart("0.9.0")
    resume(world)
    assert {item.chart.version for item in world.releases.deployments[4:]} == {"0.2.0"}
    assert world.values("d") == world.values("a")


def test_a_rollout_is_resumed_with_what_it_was_told_of_drift(world: FakeWorld) -> None:
    install(world, *SLUGS)
    world.change_chart()
    world.cluster.scale("d", 3)
    plan = plan_upgrade(world, is_overwriting_drift=True)
    interrupt(world, plan)
    ended = resume(world)
    assert (ended.journal.done, world.replicas("d")) == (4, 1)


def test_the_reports_of_before_are_kept_through_a_resumption(world: FakeWorld) -> None:
    plan = _plan(world)
    world.upgrade("a", overrides={"env": {"A": "1"}})
    interrupt(world, plan, after=2)
    ended = resume(world)
    assert ended.journal.count(Outcome.CHANGED) == 1
    assert ended.journal.reports["a"].outcome is Outcome.CHANGED
    assert ended.journal.done == 3


def test_the_time_of_both_processes_is_counted(world: FakeWorld) -> None:
    plan = _plan(world)
    interrupt(world, plan, after=2)
    first = _journal(world).seconds
    assert first > 0
    world.clock.advance(3600)
    assert first < resume(world).journal.seconds < 3600


def test_a_resumed_rollout_lets_canaries_bake_that_have_not(world: FakeWorld) -> None:
    plan = _plan(world, canary=1, bake_seconds=60.0)
    control = Control(rest=lambda _: control.stop(STOP))
    begin(world, plan, control=control)
    assert not _journal(world).has_baked
    before = world.clock.now()
    assert resume(world).ending is Ending.FINISHED
    assert world.clock.now() - before > timedelta(seconds=60)


def test_a_resumed_rollout_lets_canaries_bake_only_once(world: FakeWorld) -> None:
    plan = _plan(world, canary=1, bake_seconds=600.0)
    interrupt(world, plan, after=2)
    assert _journal(world).has_baked
    before = world.clock.now()
    assert resume(world).ending is Ending.FINISHED
    assert world.clock.now() - before < timedelta(seconds=600)


def test_a_done_tenant_that_is_not_ready_any_more_is_looked_at_again(world: FakeWorld) -> None:
    plan = _plan(world)
    interrupt(world, plan, after=2)
    world.cluster.delete_workload("a")
    ended = resume(world)
    assert ended.journal.reports["a"].outcome is Outcome.FAILED


def test_a_rollout_over_its_budget_is_resumed_with_a_larger_one(world: FakeWorld) -> None:
    begin(world, _plan_failing(world, failure_budget=Share(1)))
    with pytest.raises(InvalidInputError, match=r"2 failed, 1 may"):
        resume(world)
    assert _journal(world).state is State.STOPPED
    assert world.liveness.rollouts is None
    ended = resume(world, budget=4)
    assert (ended.ending, ended.journal.count(Outcome.FAILED)) == (Ending.FINISHED, 4)


def test_after_a_lost_canary_only_a_new_budget_goes_on(world: FakeWorld) -> None:
    begin(world, _plan_failing(world, canary=1))
    with pytest.raises(InvalidInputError, match=r"the canary failed: a"):
        resume(world)
    ended = resume(world, budget=4)
    assert (ended.ending, ended.journal.count(Outcome.FAILED)) == (Ending.FINISHED, 4)


@pytest.mark.parametrize("state", [State.FINISHED, State.ABORTED])
def test_a_rollout_that_has_ended_cannot_be_resumed(world: FakeWorld, state: State) -> None:
    world.journals.create(Journal(build_waves("a"), state), b"")
    with pytest.raises(RolloutNotFoundError, match="no rollout that could go on"):
        resume(world)


def test_a_rollout_that_ended_since_it_was_looked_at_cannot_be_resumed(world: FakeWorld) -> None:
    plan = _plan(world)
    interrupt(world, plan)
    seen = _journal(world)
    abort_rollout(world.ports, seen, by=BY, clock=world.clock.as_clock())
    with pytest.raises(RolloutNotFoundError, match="is aborted"):
        resume(world, journal=seen)
    assert _journal(world).state is State.ABORTED
    assert _numbers(world)["d"] == 1


def test_a_rollout_whose_process_lives_cannot_be_resumed(world: FakeWorld) -> None:
    plan = _plan(world)
    interrupt(world, plan)
    world.liveness.others["process-9"] = build_holder("process-9")
    world.liveness.rollouts = ("process-9", plan.rollout.id)
    with pytest.raises(ReleaseBusyError):
        resume(world)
    assert _numbers(world)["d"] == 1


def test_a_rollout_whose_chart_is_gone_cannot_be_resumed(world: FakeWorld) -> None:
    plan = _plan(world)
    interrupt(world, plan)
    journal = _journal(world)
    world.journals.remove(plan.rollout.id)
    with pytest.raises(RolloutNotFoundError):
        rebuild_make_plan(world.ports, world.settings, journal.rollout)


def test_a_process_whose_rollout_was_taken_over_writes_no_more_of_it(world: FakeWorld) -> None:
    plan = _plan(world)

    def take_over() -> None:
        world.liveness.rollouts = ("process-9", plan.rollout.id)
        world.clock.advance(60)

    control = build_control(world)
    ended = begin(world, plan, control=control, listener=call_after(2, take_over))
    assert ended.ending is Ending.INTERRUPTED
    assert isinstance(control.problem, LeaseLostError)
    assert _numbers(world) == {"a": 2, "b": 2, "c": 1, "d": 1}
    assert _journal(world).state is State.RUNNING


class SilentJournals(FakeJournals):
    """The API server is out of reach of journals while a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.is_silent = False
        self.tries = 0

    def save(self, journal: Journal) -> None:
        self.tries += 1
        if self.is_silent:
            raise ClusterUnreachableError("no answer", remedy="Check it")
        super().save(journal)


def test_a_journal_that_cannot_be_written_stops_nothing_and_is_written_later(
    world: FakeWorld,
) -> None:
    journals = world.journals = SilentJournals()
    plan = _plan(world)
    world.clock.advance(1)

    def fall_silent() -> None:
        journals.is_silent = True

    def speak(_: object) -> None:
        if journals.tries > 3:
            journals.is_silent = False

    listener = replace(call_after(1, fall_silent), tick=speak)
    world.cluster.start_seconds = 20
    ended = begin(world, plan, listener=listener)
    assert ended.ending is Ending.FINISHED
    assert _journal(world).state is State.FINISHED


def test_the_last_words_wait_for_a_while_and_no_longer(world: FakeWorld) -> None:
    journals = world.journals = SilentJournals()
    plan = _plan(world)
    journals.is_silent = True
    ended = begin(world, plan)
    assert ended.journal.state is State.FINISHED
    assert _journal(world).state is State.RUNNING
    assert journals.tries >= LAST_SAVE_SECONDS


def test_the_journal_tells_each_failure_at_once(world: FakeWorld) -> None:
    plan = _plan_failing(world, failure_budget=Share(4))
    seen: list[int] = []
    listener = Listener(end_tenant=lambda _, __: seen.append(len(_journal(world).reports)))
    begin(world, plan, listener=listener)
    assert seen == [1, 2, 3, 4]


def test_a_rollout_is_aborted_where_nobody_is_at_work_on_it(world: FakeWorld) -> None:
    plan = _plan(world)
    interrupt(world, plan, after=2)
    aborted = abort_rollout(world.ports, _journal(world), by=BY, clock=world.clock.as_clock())
    assert aborted == _journal(world)
    assert (aborted.state, aborted.done) == (State.ABORTED, 2)
    assert aborted.problem == "given up by operator@here"
    assert begin(world, plan_upgrade(world)).ending is Ending.FINISHED


def test_an_abort_waits_for_the_process_that_is_at_work(world: FakeWorld) -> None:
    plan = _plan(world)
    interrupt(world, plan)
    world.liveness.others["process-9"] = build_holder("process-9")
    world.liveness.rollouts = ("process-9", plan.rollout.id)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            world.liveness.others.clear()

    clock = replace(world.clock.as_clock(), sleep=sleep)
    assert abort_rollout(world.ports, _journal(world), by=BY, clock=clock).state is State.ABORTED
    assert len(slept) == 3
    assert world.journals.requests == {plan.rollout.id: BY}


def test_an_abort_gives_up_on_a_process_that_does_not_end(world: FakeWorld) -> None:
    plan = _plan(world)
    interrupt(world, plan)
    world.liveness.others["process-9"] = build_holder("process-9")
    world.liveness.rollouts = ("process-9", plan.rollout.id)
    before = world.clock.now()
    with pytest.raises(ReleaseBusyError):
        abort_rollout(world.ports, _journal(world), by=BY, clock=world.clock.as_clock())
    assert world.clock.now() - before > timedelta(seconds=2 * plan.rollout.timeout_seconds)
    assert _journal(world).state is State.INTERRUPTED


def test_a_rollout_that_finished_while_it_was_aborted_is_finished(world: FakeWorld) -> None:
    plan = _plan(world)
    begin(world, plan)
    seen = replace(_journal(world), state=State.RUNNING)
    aborted = abort_rollout(world.ports, seen, by=BY, clock=world.clock.as_clock())
    assert aborted.state is _journal(world).state is State.FINISHED


@pytest.mark.parametrize("state", [State.FINISHED, State.ABORTED])
def test_what_has_ended_cannot_be_aborted(world: FakeWorld, state: State) -> None:
    journal = Journal(build_waves("a"), state)
    with pytest.raises(RolloutNotFoundError, match="nothing to abort"):
        abort_rollout(world.ports, journal, by=BY, clock=world.clock.as_clock())


def test_a_process_that_is_asked_to_end_leaves_the_rollout_in_good_order(
    world: FakeWorld,
) -> None:
    plan = _plan(world)

    def ask() -> None:
        world.journals.request_end(plan.rollout.id, "somebody@there")
        world.clock.advance(60)

    ended = begin(world, plan, listener=call_after(2, ask))
    assert (ended.ending, ended.journal.state) == (Ending.INTERRUPTED, State.INTERRUPTED)
    assert ended.journal.problem == "somebody@there asked for its end"
    assert _numbers(world) == {"a": 2, "b": 2, "c": 1, "d": 1}


def test_a_rollout_whose_abort_came_to_nothing_can_be_resumed(world: FakeWorld) -> None:
    """Who asked for its end was interrupted while it waited."""
    plan = _plan(world)
    interrupt(world, plan)
    world.journals.request_end(plan.rollout.id, "somebody@there")
    assert resume(world).ending is Ending.FINISHED


def test_a_rollout_is_taken_back_and_every_tenant_is_as_before(world: FakeWorld) -> None:
    plan = _plan(world)
    before = {slug: world.values(slug) for slug in SLUGS}
    interrupt(world, plan, after=3)
    abort_rollout(world.ports, _journal(world), by=BY, clock=world.clock.as_clock())
    back = plan_way_back(world.ports, _journal(world), by=BY)
    assert back.rollout.slugs == ("a", "b", "c")
    assert (back.rollout.kind, back.rollout.origin) == (Kind.ROLLBACK, plan.rollout.id)
    assert begin(world, back).ending is Ending.FINISHED
    assert {slug: world.values(slug) for slug in SLUGS} == before
    assert _numbers(world) == {"a": 3, "b": 3, "c": 3, "d": 1}


def test_a_way_back_that_was_interrupted_is_resumed(world: FakeWorld) -> None:
    plan = _plan(world)
    begin(world, plan)
    interrupt(world, plan_way_back(world.ports, _journal(world), by=BY), after=2)
    assert resume(world).ending is Ending.FINISHED
    assert _numbers(world) == dict.fromkeys(SLUGS, 3)


def test_a_way_back_whose_process_was_killed_is_resumed(world: FakeWorld) -> None:
    begin(world, _plan(world))
    kill(world, plan_way_back(world.ports, _journal(world), by=BY), after=2)
    assert resume(world).ending is Ending.FINISHED
    assert _numbers(world) == {"a": 3, "b": 3, "c": 4, "d": 3}


def test_what_failed_and_was_rolled_back_is_not_on_the_way_back(world: FakeWorld) -> None:
    begin(world, _plan_failing(world, failure_budget=Share(4)))
    assert plan_way_back(world.ports, _journal(world), by=BY).rollout.slugs == ()


def test_what_somebody_changed_since_is_not_on_the_way_back(world: FakeWorld) -> None:
    begin(world, _plan(world))
    world.upgrade("b", overrides={"env": {"A": "1"}})
    world.releases.uninstall("c", timeout_seconds=1)
    assert plan_way_back(world.ports, _journal(world), by=BY).rollout.slugs == ("a", "d")


def test_tenants_that_are_not_well_do_go_back_and_stop_nothing(world: FakeWorld) -> None:
    begin(world, _plan(world))
    world.cluster.delete_workload("a")
    back = plan_way_back(world.ports, _journal(world), by=BY)
    assert back.rollout.slugs == ("b", "c", "d", "a")
    assert back.rollout.unwell == {"a"}
    assert begin(world, back).ending is Ending.FINISHED


def test_a_journal_is_found_by_its_id_or_is_the_newest(world: FakeWorld) -> None:
    for name in ("one", "two"):
        world.journals.create(Journal(build_waves("a", id=name), State.FINISHED), b"")
    assert find_journal(world.ports, "one").rollout.id == "one"
    assert find_journal(world.ports, None).rollout.id == "two"


def test_a_journal_to_go_on_with_is_the_newest_that_can(world: FakeWorld) -> None:
    states = {"one": State.INTERRUPTED, "two": State.STOPPED, "three": State.ABORTED}
    for name, state in states.items():
        world.journals.create(Journal(build_waves("a", id=name), state), b"")
    assert find_journal(world.ports, None, is_resumable=True).rollout.id == "two"


def test_a_journal_that_is_not_there_is_told(world: FakeWorld) -> None:
    with pytest.raises(RolloutNotFoundError, match="there is no rollout 'nope'"):
        find_journal(world.ports, "nope")
    with pytest.raises(RolloutNotFoundError, match="there is no rollout yet"):
        find_journal(world.ports, None)


def test_a_report_of_a_rollout_is_one_of_its_tenants(world: FakeWorld) -> None:
    plan = _plan(world)
    report = change(world, plan, "a")
    assert report == Report("a", Outcome.DONE, revision=2, seconds=report.seconds)
