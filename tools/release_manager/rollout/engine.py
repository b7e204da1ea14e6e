"""Carrying a rollout out: who may start when, and when it stops.

``Progress`` decides and is pure; ``run_rollout`` does what it says, with threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from ..errors import OperationInterruptedError, ReleaseManagerError
from .journal import Outcome, Report
from .plan import Rollout

POLL_SECONDS = 0.5
# How often canaries are looked at while they bake.
BAKE_POLL_SECONDS = 1.0


class Ending(StrEnum):
    """How a run of the engine ended."""

    FINISHED = "finished"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"


class Progress:
    """Where a rollout is. Pure: it is told what happened, and says what may begin.

    The budget is a promise, not only a limit: no more tenants are in flight than could fail
    without exceeding it by more than the one that tells so. Canaries may all fail at once, and
    the first of them that does stops everything; is_past_canary: an operator has decided to go on
    without, and then they count like all others.
    """

    def __init__(
        self,
        rollout: Rollout,
        reports: Mapping[str, Report],
        *,
        has_baked: bool = False,
        is_past_canary: bool = False,
    ) -> None:
        self.rollout = rollout
        self.reports: dict[str, Report] = dict(reports)
        self.has_baked = has_baked or is_past_canary or not rollout.has_canary
        self._is_past_canary = is_past_canary
        self._in_flight: set[str] = set()
        self._wave = -1
        self._waiting: list[str] = []
        self.enter_next_wave()

    @property
    def wave(self) -> int:
        """Index of the wave that is under way; the number of waves when all have ended."""
        return self._wave

    @property
    def is_finished(self) -> bool:
        """Whether every tenant has an outcome."""
        return self._wave >= len(self.rollout.waves)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in flight."""
        return not self._in_flight

    @property
    def in_flight(self) -> Collection[str]:
        """The tenants that were started and have not ended."""
        return frozenset(self._in_flight)

    @property
    def is_wave_over(self) -> bool:
        """Whether every tenant of this wave has an outcome."""
        return not self._waiting and not self._in_flight

    @property
    def is_canary(self) -> bool:
        """Whether the wave under way is the canary."""
        return self.rollout.has_canary and self._wave == 0

    @property
    def failures(self) -> int:
        """How many failures count: not those of tenants that were not well before."""
        return sum(self._counts(report) for report in self.reports.values())

    @property
    def lost_canaries(self) -> Sequence[str]:
        """The canaries that failed, unless an operator has decided to go on without them."""
        has_canary = self.rollout.has_canary and not self._is_past_canary
        canaries = self.rollout.waves[0] if has_canary else ()
        found = [self.reports[slug] for slug in canaries if slug in self.reports]
        return [report.slug for report in found if report.outcome is Outcome.FAILED]

    @property
    def is_over_budget(self) -> bool:
        """Whether more have failed than may; of the canaries none may, whatever the budget."""
        return bool(self.lost_canaries) or self.failures > self.rollout.budget

    def _counts(self, report: Report) -> bool:
        return report.outcome is Outcome.FAILED and report.slug not in self.rollout.unwell

    def list_startable(self) -> Sequence[str]:
        """Return the tenants that may be started now, in order."""
        if self.is_over_budget:
            return ()
        room = self.rollout.concurrency - len(self._in_flight)
        if not self.is_canary:
            at_risk = len(self._in_flight - self.rollout.unwell)
            risk = self.rollout.budget + 1 - self.failures - at_risk
        else:
            risk = room
        chosen: list[str] = []
        for slug in self._waiting:
            is_at_risk = slug not in self.rollout.unwell
            if len(chosen) >= room or (is_at_risk and risk <= 0):
                break
            risk -= is_at_risk
            chosen.append(slug)
        return chosen

    def start(self, slug: str) -> None:
        """Take note that a tenant was started."""
        self._waiting.remove(slug)
        self._in_flight.add(slug)

    def end(self, report: Report) -> None:
        """Take note of how a tenant ended; one that was interrupted counts as never begun."""
        self._in_flight.discard(report.slug)
        if report.outcome is not Outcome.UNTOUCHED:
            self.reports[report.slug] = report

    def list_done_canaries(self) -> Sequence[str]:
        """Return the canaries that were changed and are ready."""
        reports = [self.reports.get(slug) for slug in self.rollout.waves[0]]
        return [item.slug for item in reports if item and item.outcome is Outcome.DONE]

    def enter_next_wave(self) -> None:
        """Go on to the next wave that has anything left to do, if only to bake."""
        for index in range(self._wave + 1, len(self.rollout.waves)):
            wave = self.rollout.waves[index]
            self._wave = index
            self._waiting = [slug for slug in wave if slug not in self.reports]
            if self._waiting or not self.has_baked:
                return
        self._wave = len(self.rollout.waves)


class Control:
    """How a rollout is asked to end early, from a signal, another thread or another machine.

    end_now: called when what is in flight is to end. rest: how to sleep, for tests.
    """

    def __init__(
        self,
        end_now: Callable[[], None] = lambda: None,
        *,
        rest: Callable[[float], object] | None = None,
    ) -> None:
        self._stop = threading.Event()
        self._abort = threading.Event()
        self._end_now = end_now
        self._rest = rest or self._abort.wait
        self.problem: ReleaseManagerError | None = None

    @property
    def is_stopping(self) -> bool:
        """Whether nothing more may begin."""
        return self._stop.is_set()

    @property
    def is_aborting(self) -> bool:
        """Whether what is in flight is to end, too."""
        return self._abort.is_set()

    def stop(self, problem: ReleaseManagerError) -> None:
        """Begin nothing more; let what is in flight end."""
        self.problem = self.problem or problem
        self._stop.set()

    def abort(self, problem: ReleaseManagerError) -> None:
        """Begin nothing more, and end what is in flight."""
        self.stop(problem)
        self._abort.set()
        self._end_now()

    def sleep(self, seconds: float) -> None:
        """Sleep, unless everything is to end. Raises OperationInterruptedError."""
        self._rest(seconds)
        self.check()

    def check(self) -> None:
        """Raise OperationInterruptedError when everything is to end."""
        if self._abort.is_set():
            raise OperationInterruptedError(
                "it was interrupted", remedy="Resume it with 'release-manager resume-rollout'"
            )


class Work(Protocol):
    """What the engine is handed: changing one tenant, and looking after it."""

    def change(self, slug: str) -> Report:
        """Change one tenant, wait until it is ready, and take it back when it is not."""
        ...

    def take_back(self, slug: str, why: str) -> Report:
        """Take one tenant back that was done, and has failed since."""
        ...

    def find_unwell(self, slugs: Sequence[str]) -> Mapping[str, str]:
        """Return which of these tenants are not ready now, and why."""
        ...

    def check(self, control: Control) -> None:
        """Look whether this process may go on. Raises what speaks against it."""
        ...


@dataclass(frozen=True)
class Listener:
    """Who is told what happens. Called by the engine's own thread only."""

    begin_wave: Callable[[Progress], None] = field(default=lambda _: None)
    end_tenant: Callable[[Progress, Report], None] = field(default=lambda _progress, _report: None)
    begin_bake: Callable[[Progress], None] = field(default=lambda _: None)
    end_wave: Callable[[Progress], None] = field(default=lambda _: None)
    tick: Callable[[Progress], None] = field(default=lambda _: None)


def run_rollout(progress: Progress, work: Work, *, control: Control, listener: Listener) -> Ending:
    """Carry a rollout out, from where ``progress`` is.

    Ends when each tenant has an outcome, when more have failed than may, or when ``control``
    says so; then nothing more is started and what is in flight ends. Any other error of ``work``
    ends it in the same way and is kept in ``control.problem``.
    """
    with ThreadPoolExecutor(progress.rollout.concurrency, thread_name_prefix="tenant") as pool:
        run = _Run(progress, work, control, listener, pool)
        while not (progress.is_finished or control.is_stopping) and run.finish_wave():
            listener.end_wave(progress)
            progress.enter_next_wave()
    if progress.is_finished:
        return Ending.FINISHED
    return Ending.STOPPED if progress.is_over_budget else Ending.INTERRUPTED


@dataclass(frozen=True)
class _Run:
    """One run of the engine."""

    progress: Progress
    work: Work
    control: Control
    listener: Listener
    pool: ThreadPoolExecutor

    def finish_wave(self) -> bool:
        """Change the tenants of one wave, and let canaries bake; False when it is to end here."""
        progress = self.progress
        self.listener.begin_wave(progress)
        self._change_tenants()
        if not progress.is_wave_over or progress.is_over_budget:
            return False
        if not progress.has_baked:
            self._bake()
        return progress.has_baked and not progress.is_over_budget

    def _change_tenants(self) -> None:
        running: dict[Future[Report], str] = {}
        while True:
            self._check()
            if not self.control.is_stopping:
                for slug in self.progress.list_startable():
                    self.progress.start(slug)
                    running[self.pool.submit(self.work.change, slug)] = slug
            if not running:
                return
            ended, _ = wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
            for future in ended:
                report = self._read_report(future, running.pop(future))
                self.progress.end(report)
                if report.outcome is not Outcome.UNTOUCHED:
                    self.listener.end_tenant(self.progress, report)
            self.listener.tick(self.progress)

    def _check(self) -> None:
        if not self.control.is_aborting:
            try:
                self.work.check(self.control)
            except ReleaseManagerError as exc:
                self.control.stop(exc)

    def _read_report(self, future: Future[Report], slug: str) -> Report:
        try:
            return future.result()
        except ReleaseManagerError as exc:
            # Not the tenant's fault: the cluster is out of reach, or this process is to end.
            self.control.stop(exc)
            return Report(slug, Outcome.UNTOUCHED)

    def _bake(self) -> None:
        """Let the canaries prove themselves; the first that fails ends it.

        One that was changed by somebody else, or was busy, proves nothing and is not watched.
        """
        progress = self.progress
        watched = progress.list_done_canaries()
        left = progress.rollout.bake_seconds if watched else 0.0
        if left > 0:
            self.listener.begin_bake(progress)
        try:
            while left > 0 and watched and not self.control.is_stopping:
                self.control.sleep(min(BAKE_POLL_SECONDS, left))
                left -= BAKE_POLL_SECONDS
                self._check()
                for slug, why in self.work.find_unwell(watched).items():
                    report = self.work.take_back(slug, why)
                    progress.end(report)
                    self.listener.end_tenant(progress, report)
                if progress.is_over_budget:
                    return
                watched = progress.list_done_canaries()
                self.listener.tick(progress)
        except ReleaseManagerError as exc:
            self.control.stop(exc)
        progress.has_baked = not self.control.is_stopping
