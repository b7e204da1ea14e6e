"""Telling how far a rollout is, from any machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..ports import Clock, Ports
from ..rollout.journal import Journal, Report, State, format_counts
from ..tenant import RolloutWorker
from .rollouts import find_journal, read_progress

WATCH_SECONDS = 2.0


@dataclass(frozen=True)
class RolloutStatus:
    """A rollout as it is now. worker: who is at work on it; empty when nobody is."""

    journal: Journal
    worker: str

    @property
    def counts(self) -> dict[str, int]:
        """Tenants by outcome."""
        return self.journal.count_all()

    @property
    def failures(self) -> tuple[Report, ...]:
        """The tenants that are not done, with reason and remedy."""
        return tuple(self.journal.reports.values())

    @property
    def line(self) -> str:
        """One line on how far it is."""
        counts = format_counts(self.counts)
        return f"rollout {self.journal.rollout.id}: {self.journal.state}; {counts}"


def describe_rollout(ports: Ports, journal: Journal) -> RolloutStatus:
    """Return how far a rollout is. One that has ended is told from its journal alone."""
    if journal.state.is_resumable:
        journal = journal.with_reports(read_progress(ports, journal))
    worker = ports.liveness.read_rollouts() if journal.state is State.RUNNING else None
    return RolloutStatus(
        journal=_tell_state(journal, worker),
        worker=worker.identity if worker and worker.rollout == journal.rollout.id else "",
    )


def list_states(ports: Ports) -> list[Journal]:
    """Return all journals, newest first, with the state that they are in now."""
    ports.cluster.require_namespace()
    journals = ports.journals.list()
    is_running = any(journal.state is State.RUNNING for journal in journals)
    worker = ports.liveness.read_rollouts() if is_running else None
    return [_tell_state(journal, worker) for journal in journals]


def _tell_state(journal: Journal, worker: RolloutWorker | None) -> Journal:
    """One that runs without a process does not run."""
    is_at_work = worker is not None and worker.rollout == journal.rollout.id
    if journal.state is State.RUNNING and not is_at_work:
        return replace(journal, state=State.INTERRUPTED)
    return journal


def follow_rollout(ports: Ports, journal: Journal, *, clock: Clock) -> Iterator[RolloutStatus]:
    """Yield how far a rollout is, each time that changes, until nobody is at work on it."""
    told = ""
    while True:
        status = describe_rollout(ports, find_journal(ports, journal.rollout.id))
        if status.line != told:
            told = status.line
            yield status
        if not status.worker:
            return
        clock.sleep(WATCH_SECONDS)
