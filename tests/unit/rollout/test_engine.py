"""Who may start when, and when a rollout stops: for any fleet, and any order of completion."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release_manager.errors import (
    ClusterUnreachableError,
    LeaseLostError,
    OperationFailedError,
    OperationInterruptedError,
    ReleaseManagerError,
)
from release_manager.rollout.engine import Control, Ending, Listener, Progress, run_rollout
from release_manager.rollout.journal import Outcome, Report
from release_manager.rollout.plan import Rollout
from tests.unit.builders import build_waves

DEADLINE_SECONDS = 10.0
many = settings(max_examples=200)
ENDS = [Outcome.DONE, Outcome.DONE, Outcome.FAILED, Outcome.CHANGED, Outcome.BUSY]
STOP = OperationInterruptedError("it was interrupted", remedy="Resume it")
LOST = LeaseLostError("another process has it", remedy="Follow it")
SILENT = ClusterUnreachableError("no answer", remedy="Check it")


@dataclass(frozen=True)
class Fleet:
    """Any rollout, and how each of its tenants ends. picks: who ends next, of those in flight."""

    rollout: Rollout
    ends: Mapping[str, Outcome]
    picks: Sequence[int]

    def pick(self, number: int, in_flight: Sequence[str]) -> str:
        """Return who ends as the ``number``-th."""
        return sorted(in_flight)[self.picks[number % len(self.picks)] % len(in_flight)]

    def report(self, slug: str) -> Report:
        return Report(slug, self.ends[slug])

    @property
    def ending(self) -> Ending:
        """How it must end, whatever the order: over its budget, or finished."""
        canaries = self.rollout.waves[0] if self.rollout.has_canary else ()
        failed = {slug for slug, end in self.ends.items() if end is Outcome.FAILED}
        has_lost_canary = bool(failed & set(canaries))
        is_over = len(failed - self.rollout.unwell) > self.rollout.budget
        return Ending.STOPPED if has_lost_canary or is_over else Ending.FINISHED


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    numbers = iter(range(sum(sizes)))
    waves = tuple(tuple(f"t-{next(numbers):02}" for _ in range(size)) for size in sizes)
    slugs = [slug for wave in waves for slug in wave]
    rollout = build_waves(
        *(" ".join(wave) for wave in waves),
        has_canary=draw(st.booleans()),
        unwell=frozenset(draw(st.sets(st.sampled_from(slugs), max_size=4))),
        budget=draw(st.integers(0, 5)),
        concurrency=draw(st.integers(1, 6)),
    )
    ends = {slug: draw(st.sampled_from(ENDS)) for slug in slugs}
    return Fleet(rollout, ends, draw(st.lists(st.integers(0, 9), min_size=1, max_size=20)))


class Watcher:
    """Follows a ``Progress`` and complains as soon as a promise is broken."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.started: Counter[str] = Counter()

    def begin(self) -> None:
        """Start all that may be started."""
        progress, rollout = self.progress, self.progress.rollout
        for slug in progress.list_startable():
            wave = next(index for index, wave in enumerate(rollout.waves) if slug in wave)
            earlier = [item for wave in rollout.waves[:wave] for item in wave]
            assert all(item in progress.reports for item in earlier), "a wave began too early"
            assert wave == progress.wave
            assert progress.has_baked or progress.is_canary
            progress.start(slug)
            self.started[slug] += 1
        self.check()

    def end(self, report: Report) -> None:
        """Let one tenant end."""
        self.progress.end(report)
        self.check()

    def check(self) -> None:
        progress, rollout = self.progress, self.progress.rollout
        assert max(self.started.values(), default=0) <= 1, "a tenant was started twice"
        assert len(progress.in_flight) <= rollout.concurrency
        assert not set(progress.in_flight) & set(progress.reports)
        assert progress.is_idle is not bool(progress.in_flight)
        canaries = set(rollout.waves[0]) if rollout.has_canary else set()
        failed = {
            slug
            for slug, report in progress.reports.items()
            if report.outcome is Outcome.FAILED and slug not in rollout.unwell
        }
        assert progress.failures == len(failed)
        if not progress.is_canary:
            at_risk = progress.in_flight - rollout.unwell
            assert len(failed) + len(at_risk) <= max(rollout.budget + 1, len(failed & canaries))
        if any(
            progress.reports[slug].outcome is Outcome.FAILED
            for slug in canaries & set(progress.reports)
        ):
            assert progress.is_over_budget
            assert progress.list_startable() == ()


def _carry_out(fleet: Fleet, progress: Progress, *, cut: int | None = None) -> Watcher:
    """Do what the engine does, without threads. cut: nothing begins after so many have ended."""
    watcher = Watcher(progress)
    ended = 0
    while not progress.is_finished:
        while True:
            if cut is None or ended < cut:
                watcher.begin()
            if progress.is_idle:
                break
            slug = fleet.pick(ended, list(progress.in_flight))
            watcher.end(fleet.report(slug))
            ended += 1
        if not progress.is_wave_over or progress.is_over_budget:
            break
        progress.has_baked = progress.has_baked or cut is None or ended < cut
        if not progress.has_baked:
            break
        progress.enter_next_wave()
    return watcher


def _require_consistent(fleet: Fleet, progress: Progress, started: Counter[str]) -> None:
    """Every tenant has exactly one outcome, its own, or was not touched."""
    assert set(progress.reports) == set(started)
    assert all(report == fleet.report(slug) for slug, report in progress.reports.items())
    if progress.is_finished:
        assert set(progress.reports) == set(fleet.rollout.slugs)


@many
@given(fleets())
def test_a_rollout_keeps_its_promises_whatever_happens(fleet: Fleet) -> None:
    progress = Progress(fleet.rollout, {})
    watcher = _carry_out(fleet, progress)
    _require_consistent(fleet, progress, watcher.started)
    assert progress.is_idle
    assert progress.is_finished is (fleet.ending is Ending.FINISHED)
    assert progress.is_over_budget is (fleet.ending is Ending.STOPPED)


@many
@given(fleets(), st.integers(0, 12))
def test_a_rollout_that_was_cut_ends_as_if_it_had_not_been(fleet: Fleet, cut: int) -> None:
    progress = Progress(fleet.rollout, {})
    before = _carry_out(fleet, progress, cut=cut)
    if progress.is_over_budget:
        # Nobody may go on with it, see resume_rollout.
        assert fleet.ending is Ending.STOPPED
        return
    resumed = Progress(fleet.rollout, progress.reports, has_baked=progress.has_baked)
    after = _carry_out(fleet, resumed)
    assert max((before.started + after.started).values(), default=0) <= 1
    assert resumed.is_finished is (fleet.ending is Ending.FINISHED)
    _require_consistent(fleet, resumed, before.started + after.started)


class Performance:
    """A ``Work`` whose tenants end one after the other, in the order of a fleet.

    Each change waits for its turn; ``conduct`` gives it only when all that may be in flight
    are, by a ``Progress`` of its own, so that the order is the same each time.
    """

    def __init__(self, fleet: Fleet, progress: Progress, control: Control) -> None:
        self.fleet = fleet
        self.control = control
        self.shadow = Watcher(
            Progress(fleet.rollout, progress.reports, has_baked=progress.has_baked)
        )
        self.begun: Counter[str] = Counter()
        self.most_in_flight = 0
        self._in_flight: set[str] = set()
        self._turns: set[str] = set()
        self._changed = threading.Condition()

    def change(self, slug: str) -> Report:
        with self._changed:
            self.begun[slug] += 1
            self._in_flight.add(slug)
            self.most_in_flight = max(self.most_in_flight, len(self._in_flight))
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: slug in self._turns, DEADLINE_SECONDS)
            self._in_flight.discard(slug)
            self._changed.notify_all()
            return self.fleet.report(slug)

    def take_back(self, slug: str, why: str) -> Report:
        raise AssertionError("nothing bakes here")

    def find_unwell(self, slugs: Sequence[str]) -> Mapping[str, str]:
        return {}

    def check(self, control: Control) -> None:
        pass

    def conduct(self, cut: int | None = None) -> None:
        """Give each its turn. cut: ask for the end after so many."""
        progress = self.shadow.progress
        ended = 0
        if cut == 0:
            self.control.stop(STOP)
        while not progress.is_finished:
            while True:
                if not self.control.is_stopping:
                    self.shadow.begin()
                if progress.is_idle:
                    break
                self._wait_for(progress.in_flight)
                slug = self.fleet.pick(ended, list(progress.in_flight))
                ended += 1
                if ended == cut:
                    self.control.stop(STOP)
                self.shadow.end(self.fleet.report(slug))
                with self._changed:
                    self._turns.add(slug)
                    self._changed.notify_all()
            if not progress.is_wave_over or progress.is_over_budget:
                return
            progress.has_baked = progress.has_baked or not self.control.is_stopping
            if not progress.has_baked:
                return
            progress.enter_next_wave()

    def let_go(self) -> None:
        """Let nobody wait for a turn any longer: the play is over, or has failed."""
        with self._changed:
            self._turns |= set(self.fleet.rollout.slugs)
            self._changed.notify_all()

    def _wait_for(self, slugs: object) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._in_flight == slugs, DEADLINE_SECONDS)


def _perform(
    fleet: Fleet, progress: Progress, *, cut: int | None = None
) -> tuple[Ending, Performance]:
    control = Control()
    performance = Performance(fleet, progress, control)
    if cut == 0:
        control.stop(STOP)
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(run_rollout, progress, performance, control=control, listener=Listener())
        try:
            performance.conduct(cut)
        finally:
            performance.let_go()
        ending = run.result(DEADLINE_SECONDS)
    assert performance.most_in_flight <= fleet.rollout.concurrency
    assert progress.reports == performance.shadow.progress.reports
    assert progress.wave == performance.shadow.progress.wave
    return ending, performance


@many
@given(fleets())
def test_the_engine_does_what_progress_allows_and_nothing_else(fleet: Fleet) -> None:
    progress = Progress(fleet.rollout, {})
    ending, performance = _perform(fleet, progress)
    assert ending is fleet.ending
    assert performance.begun == performance.shadow.started
    _require_consistent(fleet, progress, performance.begun)


@many
@given(fleets(), st.integers(0, 12))
def test_a_run_that_was_cut_anywhere_can_be_resumed_to_the_same_end(fleet: Fleet, cut: int) -> None:
    progress = Progress(fleet.rollout, {})
    ending, before = _perform(fleet, progress, cut=cut)
    if ending is not Ending.INTERRUPTED:
        assert ending is fleet.ending
        return
    resumed = Progress(fleet.rollout, progress.reports, has_baked=progress.has_baked)
    ending, after = _perform(fleet, resumed)
    assert ending is fleet.ending
    begun = before.begun + after.begun
    assert max(begun.values(), default=0) <= 1, "something was done twice"
    _require_consistent(fleet, resumed, begun)


@many
@given(fleets(), st.integers(0, 12))
def test_one_at_a_time_a_cut_changes_nothing_of_the_reports(fleet: Fleet, cut: int) -> None:
    rollout = build_waves(
        *(" ".join(wave) for wave in fleet.rollout.waves),
        has_canary=fleet.rollout.has_canary,
        unwell=fleet.rollout.unwell,
        budget=fleet.rollout.budget,
        concurrency=1,
    )
    fleet = Fleet(rollout, fleet.ends, fleet.picks)
    whole, first = Progress(rollout, {}), Progress(rollout, {})
    _perform(fleet, whole)
    if _perform(fleet, first, cut=cut)[0] is not Ending.INTERRUPTED:
        assert first.reports == whole.reports
        return
    resumed = Progress(rollout, first.reports, has_baked=first.has_baked)
    _perform(fleet, resumed)
    assert resumed.reports == whole.reports


# What the engine does beside: one case each.


@dataclass
class Script:
    """A ``Work`` that ends at once, as it is written down.

    errors: what ``change`` raises, by slug. unwell: what each look at the canaries finds.
    checks: what each ``check`` raises; both go on with nothing when they are used up.
    """

    failing: frozenset[str] = frozenset()
    errors: Mapping[str, BaseException] = field(default_factory=dict)
    unwell: list[Mapping[str, str]] = field(default_factory=list)
    checks: list[ReleaseManagerError | None] = field(default_factory=list)
    taken_back: list[tuple[str, str]] = field(default_factory=list)
    back_outcome: Outcome = Outcome.FAILED
    back_error: ReleaseManagerError | None = None
    begun: list[str] = field(default_factory=list)
    looks: list[Sequence[str]] = field(default_factory=list)
    ends: Mapping[str, Outcome] = field(default_factory=dict)

    def change(self, slug: str) -> Report:
        self.begun.append(slug)
        if slug in self.errors:
            raise self.errors[slug]
        end = Outcome.FAILED if slug in self.failing else self.ends.get(slug, Outcome.DONE)
        return Report(slug, end)

    def take_back(self, slug: str, why: str) -> Report:
        self.taken_back.append((slug, why))
        if self.back_error is not None:
            raise self.back_error
        return Report(slug, self.back_outcome, why)

    def find_unwell(self, slugs: Sequence[str]) -> Mapping[str, str]:
        self.looks.append(tuple(slugs))
        return self.unwell.pop(0) if self.unwell else {}

    def check(self, control: Control) -> None:
        problem = self.checks.pop(0) if self.checks else None
        if problem is not None:
            raise problem


class Story:
    """A ``Listener`` that writes down what it hears, and one run of the engine."""

    def __init__(self, rollout: Rollout, work: Script, **progress: bool) -> None:
        self.work = work
        self.heard: list[str] = []
        self.slept: list[float] = []
        self.control = Control(rest=self.slept.append)
        self.progress = Progress(rollout, {}, **progress)

    def run(self) -> Ending:
        def name(progress: Progress) -> str:
            return progress.rollout.name_wave(progress.wave)

        listener = Listener(
            begin_wave=lambda progress: self.heard.append(f"begin {name(progress)}"),
            end_tenant=lambda _, report: self.heard.append(f"{report.slug} {report.outcome}"),
            begin_bake=lambda progress: self.heard.append(f"bake {name(progress)}"),
            end_wave=lambda progress: self.heard.append(f"end {name(progress)}"),
        )
        return run_rollout(self.progress, self.work, control=self.control, listener=listener)


BAKING = build_waves("a", "b", has_canary=True, bake_seconds=3.0, budget=5, concurrency=1)


def test_the_listener_hears_waves_tenants_and_the_bake_in_order() -> None:
    story = Story(BAKING, Script())
    assert story.run() is Ending.FINISHED
    assert story.heard == [
        *("begin canary", "a done", "bake canary", "end canary"),
        *("begin wave 1", "b done", "end wave 1"),
    ]


def test_canaries_bake_for_as_long_as_they_are_to() -> None:
    story = Story(build_waves("a", "b", has_canary=True, bake_seconds=2.5), Script())
    story.run()
    assert sum(story.slept) == 2.5
    assert story.work.looks == [("a",)] * 3


def test_without_a_bake_nothing_is_slept() -> None:
    story = Story(build_waves("a", "b", has_canary=True), Script())
    assert story.run() is Ending.FINISHED
    assert (story.slept, story.progress.has_baked) == ([], True)


def test_without_a_canary_nothing_bakes() -> None:
    story = Story(build_waves("a", "b", bake_seconds=9.0), Script())
    assert story.run() is Ending.FINISHED
    assert story.slept == []


def test_a_canary_that_turns_unwell_is_taken_back_and_stops_everything() -> None:
    story = Story(BAKING, Script(unwell=[{}, {"a": "it crashed"}]))
    assert story.run() is Ending.STOPPED
    assert story.work.taken_back == [("a", "it crashed")]
    assert story.work.begun == ["a"]
    assert story.progress.reports["a"] == Report("a", Outcome.FAILED, "it crashed")
    assert story.heard[-1] == "a failed"
    assert not story.progress.has_baked


def test_a_canary_that_fails_lets_the_others_bake_no_more() -> None:
    rollout = build_waves("a b", "c", has_canary=True, bake_seconds=3.0, budget=9)
    story = Story(rollout, Script(failing=frozenset("a")))
    assert story.run() is Ending.STOPPED
    assert (story.slept, story.work.looks) == ([], [])


def test_canaries_go_together_whatever_the_budget() -> None:
    rollout = build_waves("a b c", "d", has_canary=True, budget=0, concurrency=3)
    assert Progress(rollout, {}).list_startable() == ["a", "b", "c"]


def test_tenants_that_were_unwell_take_no_room_in_the_budget() -> None:
    rollout = build_waves("a b c d", budget=0, concurrency=4, unwell=frozenset("ab"))
    progress = Progress(rollout, {})
    progress.start("a")
    progress.start("b")
    assert progress.list_startable() == ["c"]


def test_every_canary_that_is_unwell_is_taken_back() -> None:
    rollout = build_waves("a b c", "d", has_canary=True, bake_seconds=3.0, budget=9)
    story = Story(rollout, Script(unwell=[{"a": "why", "c": "why"}]))
    assert story.run() is Ending.STOPPED
    assert [slug for slug, _ in story.work.taken_back] == ["a", "c"]


def test_an_unwell_tenant_that_fails_as_a_canary_stops_everything_too() -> None:
    rollout = build_waves("a", "b", has_canary=True, budget=9, unwell=frozenset("a"))
    story = Story(rollout, Script(failing=frozenset("a")))
    assert story.run() is Ending.STOPPED
    assert story.work.begun == ["a"]


def test_failures_of_tenants_that_were_unwell_before_stop_nothing() -> None:
    rollout = build_waves("a b c", "d", budget=0, unwell=frozenset("abc"))
    story = Story(rollout, Script(failing=frozenset("abc")))
    assert story.run() is Ending.FINISHED
    assert story.progress.failures == 0


@pytest.mark.parametrize("outcome", [Outcome.CHANGED, Outcome.BUSY])
def test_a_canary_that_was_not_changed_is_not_watched(outcome: Outcome) -> None:
    story = Story(BAKING, Script(ends={"a": outcome}))
    assert story.run() is Ending.FINISHED
    assert (story.work.looks, story.slept) == ([], [])
    assert "bake canary" not in story.heard


def test_a_canary_that_somebody_changes_while_it_bakes_is_told_once_and_not_watched_on() -> None:
    work = Script(unwell=[{"a": "why"}] * 3, back_outcome=Outcome.CHANGED)
    story = Story(BAKING, work)
    assert story.run() is Ending.FINISHED
    assert work.taken_back == [("a", "why")]
    assert story.heard.count("a changed") == 1


def test_the_other_canaries_bake_on_when_somebody_changes_one() -> None:
    rollout = build_waves("a b", "c", has_canary=True, bake_seconds=3.0)
    work = Script(unwell=[{"a": "why"}], back_outcome=Outcome.CHANGED)
    story = Story(rollout, work)
    assert story.run() is Ending.FINISHED
    assert work.looks == [("a", "b"), ("b",), ("b",)]


def test_an_interruption_while_canaries_bake_leaves_them_to_bake_again() -> None:
    story = Story(BAKING, Script())
    story.control = Control(rest=lambda _: story.control.stop(STOP))
    assert story.run() is Ending.INTERRUPTED
    assert not story.progress.has_baked
    assert story.work.begun == ["a"]
    resumed = Story(BAKING, Script())
    resumed.progress = Progress(BAKING, story.progress.reports, has_baked=False)
    assert resumed.run() is Ending.FINISHED
    assert resumed.work.begun == ["b"]
    assert sum(resumed.slept) == 3.0


def test_an_abort_while_canaries_bake_leaves_them_to_bake_again() -> None:
    story = Story(BAKING, Script())
    story.control = Control(rest=lambda _: story.control.abort(STOP))
    assert story.run() is Ending.INTERRUPTED
    assert (story.progress.has_baked, story.work.looks) == (False, [])


def test_canaries_that_have_baked_do_not_bake_again() -> None:
    story = Story(BAKING, Script())
    story.progress = Progress(BAKING, {"a": Report("a", Outcome.DONE)}, has_baked=True)
    assert story.run() is Ending.FINISHED
    assert story.slept == []


@pytest.mark.parametrize("problem", [LOST, SILENT], ids=["lease lost", "unreachable"])
def test_a_process_that_may_not_go_on_begins_nothing_more(problem: ReleaseManagerError) -> None:
    rollout = build_waves("a b c", concurrency=1)
    story = Story(rollout, Script(checks=[None, problem]))
    assert story.run() is Ending.INTERRUPTED
    assert story.work.begun == ["a"]
    assert story.control.problem is problem
    assert story.progress.reports == {"a": Report("a", Outcome.DONE)}


def test_a_process_that_may_not_even_begin_changes_nothing() -> None:
    story = Story(build_waves("a"), Script(checks=[LOST]))
    assert story.run() is Ending.INTERRUPTED
    assert (story.work.begun, story.control.problem) == ([], LOST)


def test_a_process_that_may_not_go_on_while_canaries_bake_leaves_them_to_bake_again() -> None:
    # Two checks for the change itself, then one for each look at the canaries.
    story = Story(BAKING, Script(checks=[None, None, None, LOST]))
    assert story.run() is Ending.INTERRUPTED
    assert (story.progress.has_baked, story.control.problem) == (False, LOST)
    assert story.work.begun == ["a"]


def test_a_canary_that_cannot_be_taken_back_leaves_the_bake_to_be_done_again() -> None:
    story = Story(BAKING, Script(unwell=[{"a": "why"}], back_error=SILENT))
    assert story.run() is Ending.INTERRUPTED
    assert (story.progress.has_baked, story.control.problem) == (False, SILENT)


def test_an_error_that_is_not_the_tenants_fault_leaves_it_untouched() -> None:
    problem = OperationFailedError("out of the blue", remedy="Look")
    story = Story(build_waves("a b c", concurrency=1, budget=5), Script(errors={"b": problem}))
    assert story.run() is Ending.INTERRUPTED
    assert story.work.begun == ["a", "b"]
    assert set(story.progress.reports) == {"a"}
    assert story.control.problem is problem
    assert "b untouched" not in story.heard


def test_what_was_left_untouched_is_begun_again_when_the_rollout_is_resumed() -> None:
    story = Story(build_waves("a b", concurrency=1), Script(errors={"b": SILENT}))
    story.run()
    resumed = Story(story.progress.rollout, Script())
    resumed.progress = Progress(story.progress.rollout, story.progress.reports)
    assert resumed.run() is Ending.FINISHED
    assert resumed.work.begun == ["b"]


def test_a_mistake_in_the_program_is_not_swallowed() -> None:
    story = Story(build_waves("a"), Script(errors={"a": KeyError("a")}))
    with pytest.raises(KeyError):
        story.run()


def test_a_rollout_whose_budget_is_spent_exactly_goes_on() -> None:
    story = Story(build_waves("a b c", budget=1, concurrency=1), Script(failing=frozenset("a")))
    assert story.run() is Ending.FINISHED


def test_a_rollout_of_nobody_is_finished() -> None:
    assert Story(build_waves(), Script()).run() is Ending.FINISHED


def test_what_is_in_flight_ends_after_a_stop() -> None:
    """The second tenant is begun before, and told after, the stop."""
    story = Story(build_waves("a b c", concurrency=2, budget=5), Script())
    both = threading.Barrier(2, timeout=DEADLINE_SECONDS)

    def change(slug: str) -> Report:
        story.work.begun.append(slug)
        both.wait()
        story.control.stop(STOP)
        return Report(slug, Outcome.DONE)

    story.work.change = change  # type: ignore[method-assign]
    assert story.run() is Ending.INTERRUPTED
    assert set(story.progress.reports) == {"a", "b"}
    assert sorted(story.work.begun) == ["a", "b"]


# How a rollout is asked to end.


@contextmanager
def _counting() -> Iterator[tuple[list[str], Callable[[], None]]]:
    calls: list[str] = []
    yield calls, lambda: calls.append("end now")


def test_a_stop_lets_what_is_in_flight_end() -> None:
    with _counting() as (calls, end_now):
        control = Control(end_now)
        control.stop(STOP)
        assert (control.is_stopping, control.is_aborting, calls) == (True, False, [])
        control.check()


def test_an_abort_ends_what_is_in_flight() -> None:
    with _counting() as (calls, end_now):
        control = Control(end_now)
        control.abort(STOP)
        assert (control.is_stopping, control.is_aborting, calls) == (True, True, ["end now"])
        with pytest.raises(OperationInterruptedError, match="resume-rollout"):
            control.check()


def test_the_first_problem_is_the_one_that_is_told() -> None:
    control = Control()
    control.stop(LOST)
    control.abort(STOP)
    assert control.problem is LOST


def test_a_control_sleeps_as_it_was_told_to() -> None:
    slept: list[float] = []
    Control(rest=slept.append).sleep(7.0)
    assert slept == [7.0]


def test_a_sleep_ends_with_an_abort() -> None:
    control = Control()
    threading.Timer(0.01, control.abort, [STOP]).start()
    with pytest.raises(OperationInterruptedError):
        control.sleep(DEADLINE_SECONDS * 60)


def test_a_sleep_after_an_abort_raises_at_once() -> None:
    control = Control()
    control.abort(STOP)
    with pytest.raises(OperationInterruptedError):
        control.sleep(DEADLINE_SECONDS * 60)


def test_an_aborted_rollout_checks_nothing_more() -> None:
    story = Story(build_waves("a"), Script(checks=[LOST]))
    story.control.abort(STOP)
    assert story.run() is Ending.INTERRUPTED
    assert (story.work.checks, story.control.problem) == ([LOST], STOP)
