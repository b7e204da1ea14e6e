"""Carrying a plan out: helm, the wait for the pods, and the way back when they fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..errors import (
    ChangedMeanwhileError,
    OperationFailedError,
    ReleaseManagerError,
    RolloutFailedError,
)
from ..part import name_command
from ..ports import Deployment, Ports, RunOptions
from ..tenant import ReleaseStatus, Revision
from .observe import HELM_KILLED, Observation, find_later_revision
from .plan import Action, Plan
from .readiness import wait_until_ready

# Revisions of a tenant that are kept, with their values and the whole chart in each.
HISTORY_MAX = 5


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
            is_install=plan.action is Action.INSTALL,
        )
        run.progress(f"helm {plan.action} to revision {plan.revision}, chart {plan.chart.version}")
        _deploy(ports, observation, deployment, run, undo)
        forget_oldest(ports, observation.revisions, run)
    if not run.is_waiting:
        return Result(plan.slug, plan.action, plan.revision, "not waited for")
    if not plan.has_workload:
        return Result(plan.slug, plan.action, plan.revision)
    readiness = wait_until_ready(ports, plan.slug, revision=plan.revision, run=run)
    if readiness.is_ready:
        return Result(plan.slug, plan.action, plan.revision)
    _try_to_undo(undo, run)
    why = readiness.explain(run)
    if plan.labels is None:
        raise _build_unready_error(plan.slug, plan.revision, why)
    writer, good = plan.labels.writer, observation.deployed
    raise take_back(ports, plan.slug, plan.revision, run, writer=writer, good=good, why=why)


def _deploy(
    ports: Ports,
    observation: Observation,
    deployment: Deployment,
    run: RunOptions,
    undo: Callable[[], None],
) -> None:
    slug, number = deployment.slug, deployment.labels.written_for
    # Where many are waited for together each request counts: there the observation is a moment
    # old, and the end of the wait tells who came in between.
    is_alone = run.workloads is None
    if is_alone:
        _require_unchanged(ports, slug, number - 1)
    try:
        warnings = ports.releases.deploy(deployment)
    except OperationFailedError as exc:
        _try_to_undo(undo, run)
        good = observation.deployed
        has_written = _settle(ports, slug, number, writer=deployment.labels.writer)
        if has_written:
            forget_oldest(ports, observation.revisions, run)
        if has_written and good is not None:
            run.progress(f"helm failed: {exc.problem}; rolling back to revision {good.number}")
            restore_revision(ports, slug, good.number, run, writer=deployment.labels.writer)
        raise
    for warning in warnings:
        run.progress(f"warning: {warning}")
    # Our claim keeps other release-managers off; only hand-run helm can come in between.
    if is_alone:
        _require_unchanged(ports, slug, number)


def _try_to_undo(undo: Callable[[], None], run: RunOptions) -> None:
    """Undo what went before; a failure of that does not keep the release from going back."""
    try:
        undo()
    except ReleaseManagerError as exc:
        run.progress(f"what was changed before could not be put back: {exc.problem}")


def forget_oldest(ports: Ports, revisions: Sequence[Revision], run: RunOptions) -> None:
    """Shorten a history that has got one more revision. Whatever fails is left to the next time.

    revisions: those before it.
    """
    try:
        for revision in list_outdated(revisions):
            ports.releases.forget(revision)
    except ReleaseManagerError as exc:
        run.progress(f"its history stays longer than {HISTORY_MAX} revisions: {exc.problem}")


def list_outdated(revisions: Sequence[Revision]) -> Sequence[Revision]:
    """Return which revisions to remove when there is one more, oldest first.

    Never one that a failure may return to: the deployed one, as it is until the next one stands;
    where none is deployed only those go that have failed themselves.
    """
    removable = [item for item in revisions if item.status is ReleaseStatus.FAILED]
    if any(item.status is ReleaseStatus.DEPLOYED for item in revisions):
        removable = [item for item in revisions if item.status is not ReleaseStatus.DEPLOYED]
    return removable[: max(0, len(revisions) + 1 - HISTORY_MAX)]


def _require_unchanged(ports: Ports, slug: str, number: int) -> None:
    latest = find_later_revision(ports, slug, number)
    if latest is not None:
        raise ChangedMeanwhileError(
            f"hand-run helm changed it at the same moment: revision {latest} was not expected",
            remedy=f"Look with '{name_command('history', slug)}', then run the command again",
            tenant=slug,
        )


def take_back(
    ports: Ports,
    slug: str,
    number: int,
    run: RunOptions,
    *,
    writer: str,
    good: Revision | None,
    why: str,
) -> RolloutFailedError:
    """Roll revision ``number``, which is not ready, back to a good one; return what to raise.

    Without a good one it is left as it is. The history tells the failure before the way back
    begins: whoever goes on after a crash sees that this revision is not to be kept.
    """
    if good is None:
        return _build_unready_error(slug, number, why)
    run.progress(f"rolling back to revision {good.number}")
    remember_failure(ports, slug, number, why)
    restored_as = restore_revision(ports, slug, good.number, run, writer=writer)
    restored = wait_until_ready(ports, slug, revision=restored_as, run=run)
    good_one = f"revision {good.number}"
    other = (
        "" if restored.is_ready else f"; {good_one} is not ready either: {restored.explain(run)}"
    )
    return RolloutFailedError(
        f"revision {number} failed and was rolled back to {good_one}: {why}{other}",
        remedy="Correct the cause and run the upgrade again",
        tenant=slug,
    )


def _build_unready_error(slug: str, number: int, why: str) -> RolloutFailedError:
    return RolloutFailedError(
        f"revision {number} is not ready: {why}",
        remedy=f"Look with '{name_command('show', slug)}', correct the cause with "
        f"'{name_command('upgrade', slug)}', or remove it with "
        f"'{name_command('uninstall', slug)}'",
        tenant=slug,
    )


def remember_failure(ports: Ports, slug: str, number: int, why: str) -> None:
    """Let the history tell why, and no later rollback choose that revision."""
    for revision in ports.releases.list_revisions(slug):
        if revision.number == number and revision.status is not ReleaseStatus.FAILED:
            ports.releases.mark_failed(revision, reason=why)


def restore_revision(
    ports: Ports, slug: str, number: int, run: RunOptions, *, writer: str, rollout: str = ""
) -> int:
    """Roll back, and leave no pending revision when that fails; return the new revision.

    The new one gets labels of its own, where those of its target are true: helm copies them, and
    after a rollback to a rollback they would name a revision that nobody can find any more.
    """
    revisions = ports.releases.list_revisions(slug)
    target = next((item for item in revisions if item.number == number), None)
    restored_as = revisions[-1].number + 1 if revisions else 1
    try:
        ports.releases.rollback(slug, number, timeout_seconds=run.timeout_seconds)
    except OperationFailedError:
        # A rollback carries its target's labels, so it names no writer of its own.
        if _settle(ports, slug, restored_as, writer=None):
            forget_oldest(ports, revisions, run)
        raise
    if target is not None and target.labels is not None and target.writer is not None:
        own = replace(target.labels, writer=writer, written_for=restored_as, rollout=rollout)
        ports.releases.relabel(slug, restored_as, own)
    forget_oldest(ports, revisions, run)
    return restored_as


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
        ports.releases.mark_failed(latest, reason=HELM_KILLED)
        return True
    return latest.status is ReleaseStatus.FAILED
