"""Going back to an older revision of a tenant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import RevisionNotFoundError
from ..ports import Ports, RunOptions
from ..tenant import ReleaseStatus, Revision
from .deploy import Result, restore_revision
from .observe import Observation, refuse_busy, require_release
from .readiness import require_ready
from .work import look_and_plan, look_at, working_on

_USABLE = (ReleaseStatus.SUPERSEDED, ReleaseStatus.DEPLOYED)


@dataclass(frozen=True)
class RollbackPlan:
    """From which revision to which; ``revision`` is the number the rollback itself gets."""

    slug: str
    current: int
    target: int
    revision: int


def plan_rollback(
    observation: Observation,
    to_revision: int | None,
    has_failed: Callable[[Revision], bool],
) -> RollbackPlan:
    """Decide which revision to return to: the given one, else the last good one before.

    has_failed: Helm calls a failed revision superseded once another one stands; only its
    body still tells. Raises TenantNotFoundError, ReleaseBusyError, RevisionNotFoundError.
    """
    latest = require_release(observation)
    refuse_busy(observation)
    usable = [item for item in observation.revisions if _is_usable(item, latest)]
    if to_revision is None:
        newest_first = reversed(usable)
        chosen = next((item for item in newest_first if not has_failed(item)), None)
    else:
        chosen = next((item for item in usable if item.number == to_revision), None)
    if chosen is None:
        numbers = ", ".join(str(item.number) for item in usable)
        asked = "no older good revision" if to_revision is None else f"no revision {to_revision}"
        raise RevisionNotFoundError(
            f"field --to-revision: there is {asked} to return to",
            remedy=f"Choose one of: {numbers}" if numbers else "There is none but the current one",
            tenant=observation.slug,
        )
    return RollbackPlan(observation.slug, latest.number, chosen.number, observation.next_number)


def _is_usable(revision: Revision, latest: Revision) -> bool:
    return revision.status in _USABLE and revision.number != latest.number


def choose_good(
    observation: Observation, has_failed: Callable[[Revision], bool], *, before: int
) -> Revision | None:
    """Return the newest revision before another one that stood, or None."""
    older = [item for item in observation.revisions if item.number < before]
    deployed = [item for item in older if item.status is ReleaseStatus.DEPLOYED]
    superseded = [item for item in older if item.status is ReleaseStatus.SUPERSEDED]
    newest_first = [*reversed(deployed), *reversed(superseded)]
    return next((item for item in newest_first if not has_failed(item)), None)


def find_good(ports: Ports, observation: Observation, *, before: int) -> Revision | None:
    """Return the revision that a failed one is rolled back to, see ``choose_good``."""
    return choose_good(
        observation, lambda revision: ports.releases.read_body(revision).has_failed, before=before
    )


def plan_tenant_rollback(ports: Ports, slug: str, to_revision: int | None) -> RollbackPlan:
    """Look at the cluster and decide; changes nothing."""
    return _plan(ports, look_at(ports, slug), to_revision)


def _plan(ports: Ports, observation: Observation, to_revision: int | None) -> RollbackPlan:
    return plan_rollback(
        observation, to_revision, lambda revision: ports.releases.read_body(revision).has_failed
    )


def rollback_tenant(
    ports: Ports,
    slug: str,
    to_revision: int | None,
    run: RunOptions,
) -> Result:
    """Restore an older revision, its overrides included, and wait until it is ready."""
    with working_on(ports, slug) as work:
        _, plan = look_and_plan(ports, work, run, lambda seen: _plan(ports, seen, to_revision))
        run.progress(f"helm rollback to revision {plan.target}")
        restore_revision(ports, slug, plan.target, run, writer=work.writer)
        detail = f"revision {plan.target} restored as revision {plan.revision}"
        if run.is_waiting:
            require_ready(ports, slug, plan.revision, run, detail)
        return Result(slug, "rollback", plan.revision, detail)
