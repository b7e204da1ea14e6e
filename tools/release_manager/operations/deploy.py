"""Carrying a plan out: helm, the wait for the pods, and the way back when they fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import OperationFailedError, ReleaseManagerError, RolloutFailedError
from ..ports import Deployment, Ports, RunOptions
from ..tenant import ReleaseStatus
from .observe import Observation
from .plan import Plan
from .readiness import wait_until_ready


@dataclass(frozen=True)
class Result:
    """How an operation on one tenant ended."""

    slug: str
    action: str
    revision: int
    detail: str = ""


def execute_plan(
    ports: Ports,
    observation: Observation,
    plan: Plan,
    run: RunOptions,
    *,
    undo: Callable[[], None] = lambda: None,
) -> Result:
    """Carry a plan out, wait for the pods, and go back to the last good revision on failure.

    undo: called first on failure, before pods of the older revision start again. Raises
    RolloutFailedError, or what Helm failed with.
    """
    if plan.labels is not None:
        run.progress(f"helm {plan.action} to revision {plan.revision}, chart {plan.chart.version}")
        deployment = Deployment(
            plan.slug, plan.chart, plan.values, plan.labels, run.timeout_seconds
        )
        try:
            for warning in ports.releases.deploy(deployment):
                run.progress(f"warning: {warning}")
        except OperationFailedError as exc:
            undo()
            _return_after_helm_failure(ports, observation, plan, exc, run)
            raise
    if not run.is_waiting:
        return Result(plan.slug, plan.action, plan.revision, "not waited for")
    readiness = wait_until_ready(
        ports,
        plan.slug,
        revision=plan.revision,
        run=run,
    )
    if readiness.is_ready:
        return Result(plan.slug, plan.action, plan.revision)
    why = readiness.explain(run)
    undo()
    raise _fail_rollout(ports, observation, plan, why, run)


def _fail_rollout(
    ports: Ports,
    observation: Observation,
    plan: Plan,
    why: str,
    run: RunOptions,
) -> RolloutFailedError:
    good = observation.deployed
    if plan.labels is None or good is None:
        return RolloutFailedError(
            f"revision {plan.revision} is not ready: {why}",
            remedy=f"Look with 'release-manager show-tenant {plan.slug}', correct the cause with "
            f"'release-manager upgrade-tenant {plan.slug}', or remove it with "
            f"'release-manager uninstall-tenant {plan.slug}'",
            tenant=plan.slug,
        )
    run.progress(f"revision {plan.revision} failed: {why}")
    run.progress(f"rolling back to revision {good.number}")
    restore_revision(ports, plan.slug, good.number, run)
    return RolloutFailedError(
        f"revision {plan.revision} failed and was rolled back to revision {good.number}: {why}",
        remedy="Correct the cause and run the upgrade again",
        tenant=plan.slug,
    )


def _return_after_helm_failure(
    ports: Ports,
    observation: Observation,
    plan: Plan,
    failure: ReleaseManagerError,
    run: RunOptions,
) -> None:
    """Restore the last good revision when helm failed after it had begun to write."""
    good = observation.deployed
    writer = plan.labels.writer if plan.labels is not None else None
    if _settle(ports, plan.slug, plan.revision, writer=writer) and good is not None:
        run.progress(f"helm failed: {failure.problem}; rolling back to revision {good.number}")
        restore_revision(ports, plan.slug, good.number, run)


def restore_revision(ports: Ports, slug: str, number: int, run: RunOptions) -> None:
    """Roll back, and leave no pending revision when that fails."""
    revisions = ports.releases.list_revisions(slug)
    try:
        ports.releases.rollback(slug, number, timeout_seconds=run.timeout_seconds)
    except OperationFailedError:
        # A rollback carries its target's labels, so it names no writer of its own.
        _settle(ports, slug, revisions[-1].number + 1, writer=None)
        raise


def _settle(ports: Ports, slug: str, number: int, *, writer: str | None) -> bool:
    """Return whether revision ``number`` is the latest, by ``writer``, and has failed.

    Our own helm has ended: what it left pending, because it was killed, is set to failed.
    Another writer's revision of the same number is left alone.
    """
    revisions = ports.releases.list_revisions(slug)
    latest = revisions[-1] if revisions else None
    if latest is None or (latest.number, latest.writer) != (number, writer):
        return False
    if latest.status.is_in_progress:
        ports.releases.mark_failed(latest, reason="its helm was killed")
        return True
    return latest.status is ReleaseStatus.FAILED
