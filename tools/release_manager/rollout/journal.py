"""What a rollout has come to: the record that any machine can go on with.

Only what the cluster cannot tell itself is written down: the plan, and the tenants that were not
changed as planned, with the reason. Whoever was changed is read back from its release.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from ..errors import ReleaseBusyError
from ..tenant import RolloutWorker
from .plan import Rollout

MAX_REASON_LENGTH = 300
# Reasons beyond are left out: the tenant's own history tells them, too. A journal of 5,000 tenants
# that have all failed has about 500 KB without any, and may have 1 MiB.
MAX_REASON_BYTES = 350_000


class State(StrEnum):
    """How far a rollout is.

    running: some process is, or was when it died, at work on it. interrupted: it was left in
    good order, and can be resumed. stopped: it stopped itself, over its budget. finished: each
    tenant has an outcome. aborted: given up by an operator.
    """

    RUNNING = "running"
    INTERRUPTED = "interrupted"
    STOPPED = "stopped"
    FINISHED = "finished"
    ABORTED = "aborted"

    @property
    def is_resumable(self) -> bool:
        """Whether there may be something left to do."""
        return self in (State.RUNNING, State.INTERRUPTED, State.STOPPED)


class Outcome(StrEnum):
    """How a rollout ended for one tenant.

    done: changed, and ready. failed: it was taken back, as far as that was possible. changed:
    somebody else has changed it since the plan was made. busy: somebody else was at work on it.
    untouched: the rollout did not come to it.
    """

    DONE = "done"
    FAILED = "failed"
    CHANGED = "changed"
    BUSY = "busy"
    UNTOUCHED = "untouched"


@dataclass(frozen=True)
class Report:
    """How a rollout ended for one tenant. remedy: what to do next. seconds: how long it took."""

    slug: str
    outcome: Outcome
    reason: str = ""
    remedy: str = ""
    revision: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Journal:
    """A rollout and what became of it.

    reports: by slug, of the tenants that are not done. done: how many are. has_baked: whether
    the canaries have proved themselves. seconds: for how long processes have been at work on it.
    problem: why it ended before its end.
    """

    rollout: Rollout
    state: State = State.RUNNING
    reports: Mapping[str, Report] = field(default_factory=dict)
    done: int = 0
    has_baked: bool = False
    seconds: float = 0.0
    updated_at: datetime | None = None
    problem: str = ""

    def with_reports(self, reports: Mapping[str, Report]) -> Journal:
        """Return the journal of a rollout of which these are all reports, of done ones, too."""
        others = {
            slug: report for slug, report in reports.items() if report.outcome is not Outcome.DONE
        }
        return replace(self, reports=others, done=len(reports) - len(others))

    def count_all(self) -> dict[str, int]:
        """Return how many tenants there are of each outcome, by its name."""
        return {outcome.value: self.count(outcome) for outcome in Outcome}

    def count(self, outcome: Outcome) -> int:
        """Return how many tenants have this outcome."""
        if outcome is Outcome.DONE:
            return self.done
        if outcome is Outcome.UNTOUCHED:
            return len(self.rollout.slugs) - self.done - len(self.reports)
        return sum(report.outcome is outcome for report in self.reports.values())


def format_counts(counts: Mapping[str, int]) -> str:
    """Return counts by name in one line, without the names of which there are none."""
    return ", ".join(f"{number} {name}" for name, number in counts.items() if number)


def build_rollout_busy_error(worker: RolloutWorker | None) -> ReleaseBusyError:
    """Return what is said while a rollout is under way; None for who is not known yet."""
    which = f"rollout {worker.rollout}" if worker else "another rollout"
    who = f" by {worker.identity} since {worker.since:%H:%M:%S} UTC" if worker else ""
    return ReleaseBusyError(
        f"{which} is under way{who}",
        remedy="Follow it with 'release-manager show-rollout --watch', or end it with "
        "'release-manager abort-rollout'",
    )
