"""Carrying a plan out: helm, the wait for the pods, and the way back when they fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import (
    ChangedMeanwhileError,
    OperationFailedError,
    RolloutFailedError,
)
from ..ports import Deployment, Ports, RunOptions
from ..tenant import ReleaseStatus
from .observe import Observation, read_latest_number
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
    RolloutFailedError, ChangedMeanwhileError, or what helm failed with.
    """
    if plan.labels is not None:
        deployment = Deployment(
            slug=plan.slug,
            chart=plan.chart,
            values=plan.values,
            labels=plan.labels,
            timeout_seconds=run.timeout_seconds,
            is_forcing=plan.is_overwriting,
        )
        run.progress(f"helm {plan.action} to revision {plan.revision}, chart {plan.chart.version}")
        _deploy(ports, observation, deployment, run, undo)
    if not run.is_waiting:
        return Result(plan.slug, plan.action, plan.revision, "not waited for")
    readiness = wait_until_ready(ports, plan.slug, revision=plan.revision, run=run)
    if readiness.is_ready:
        return Result(plan.slug, plan.action, plan.revision)
    undo()
    raise _fail_rollout(ports, observation, plan, readiness.explain(run), run)


def _deploy(
    ports: Ports,
    observation: Observation,
    deployment: Deployment,
    run: RunOptions,
    undo: Callable[[], None],
) -> None:
    slug, number = deployment.slug, deployment.labels.written_for
    _require_unchanged(ports, slug, number - 1)
    try:
        warnings = ports.releases.deploy(deployment)
    except OperationFailedError as exc:
        undo()
        good = observation.deployed
        has_written = _settle(ports, slug, number, writer=deployment.labels.writer)
        if has_written and good is not None:
            run.progress(f"helm failed: {exc.problem}; rolling back to revision {good.number}")
            restore_revision(ports, slug, good.number, run)
        raise
    for warning in warnings:
        run.progress(f"warning: {warning}")
    # Our claim keeps other release-managers off; only hand-run helm can come in between.
    _require_unchanged(ports, slug, number)


def _require_unchanged(ports: Ports, slug: str, number: int) -> None:
    latest = read_latest_number(ports, slug)
    if latest != number:
        raise ChangedMeanwhileError(
            f"hand-run helm changed it at the same moment: revision {latest} was not expected",
            remedy=f"Look with 'release-manager history {slug}', then run the command again",
            tenant=slug,
        )


def _fail_rollout(
    ports: Ports, observation: Observation, plan: Plan, why: str, run: RunOptions
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
    run.progress(f"rolling back to revision {good.number}")
    restore_revision(ports, plan.slug, good.number, run)
    remember_failure(ports, plan.slug, plan.revision, why)
    restored = wait_until_ready(ports, plan.slug, revision=plan.revision + 1, run=run)
    good_one = f"revision {good.number}"
    other = (
        "" if restored.is_ready else f"; {good_one} is not ready either: {restored.explain(run)}"
    )
    return RolloutFailedError(
        f"revision {plan.revision} failed and was rolled back to {good_one}: {why}{other}",
        remedy="Correct the cause and run the upgrade again",
        tenant=plan.slug,
    )


def remember_failure(ports: Ports, slug: str, number: int, why: str) -> None:
    """Let the history tell why, and no later rollback choose that revision."""
    for revision in ports.releases.list_revisions(slug):
        if revision.number == number and revision.status is not ReleaseStatus.FAILED:
            ports.releases.mark_failed(revision, reason=why)


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
