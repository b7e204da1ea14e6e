"""What state a tenant is in, and why: pure functions over what was observed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from .diagnosis import Diagnosis
from .tenant import Claim, Holder, ReleaseStatus, Revision
from .workload import Workload

# Helm's own default for --timeout: a hand-run Helm that is older has ended or died.
HAND_RUN_TIMEOUT = timedelta(minutes=5)
# How long after a revision its pods may still be starting.
ROLLOUT_GRACE = timedelta(minutes=2)
MAX_FAILURE_LENGTH = 300


class TenantState(StrEnum):
    """The states that ``list-tenants`` shows.

    running: every replica that the release asks for is ready.
    stopped: the release asks for no replica and none is left.
    progressing: a rollout is under way and nothing speaks against it yet.
    degraded: the rollout had completed, but replicas are missing now or differ from the
    release.
    failed: the last revision could not be applied, or its rollout cannot complete.
    busy: a process that is alive is changing the release.
    stuck: the process that was changing the release is gone; ``recover-tenant`` repairs it.
    """

    RUNNING = "running"
    STOPPED = "stopped"
    PROGRESSING = "progressing"
    DEGRADED = "degraded"
    FAILED = "failed"
    BUSY = "busy"
    STUCK = "stuck"


@dataclass(frozen=True)
class Verdict:
    """A state and, in one sentence, why; the reason of a healthy tenant is empty."""

    state: TenantState
    reason: str = ""


def determine_state(
    revision: Revision,
    workload: Workload | None,
    *,
    alive: Mapping[str, Holder],
    now: datetime,
    claim: Claim | None = None,
    diagnosis: Diagnosis | None = None,
    failure: str = "",
    hand_run_timeout: timedelta = HAND_RUN_TIMEOUT,
) -> Verdict:
    """Return the state of a tenant from its latest revision and its Deployment.

    claim: who has the tenant, for a revision in progress. failure: the description of a
    failed revision.
    """
    if revision.status.is_in_progress:
        return _judge_pending(revision, find_writer(revision, claim), alive, now, hand_run_timeout)
    if revision.status is ReleaseStatus.FAILED:
        return Verdict(TenantState.FAILED, _explain_failed(revision, workload, diagnosis, failure))
    if workload is None:
        return Verdict(TenantState.DEGRADED, "its Deployment is missing")
    is_young = now - revision.created_at < ROLLOUT_GRACE
    return _judge_workload(workload, diagnosis, is_young=is_young)


def find_writer(revision: Revision, claim: Claim | None) -> str | None:
    """Return the process of ours that is, or was, at work on a revision in progress.

    A rollback carries the labels of its target and an uninstall those of its release: for
    them only the claim on the tenant tells.
    """
    if revision.writer is not None and revision.status is not ReleaseStatus.UNINSTALLING:
        return revision.writer
    return claim.writer if claim is not None and claim.covers(revision.changed_at) else None


def _judge_pending(
    revision: Revision,
    writer: str | None,
    alive: Mapping[str, Holder],
    now: datetime,
    timeout: timedelta,
) -> Verdict:
    action = revision.status.value.removeprefix("pending-").replace("uninstalling", "uninstall")
    since = f"since {revision.changed_at:%H:%M:%S} UTC"
    holder = alive.get(writer) if writer is not None else None
    if holder is not None:
        return Verdict(TenantState.BUSY, f"{action} by {holder.identity} {since}")
    if writer is not None:
        return Verdict(TenantState.STUCK, f"the {action} {since} lost its process")
    if now - revision.changed_at < timeout:
        return Verdict(TenantState.BUSY, f"{action} by hand-run helm {since}")
    return Verdict(TenantState.STUCK, f"the {action} by hand-run helm {since} never ended")


def _explain_failed(
    revision: Revision, workload: Workload | None, diagnosis: Diagnosis | None, failure: str
) -> str:
    # Why helm failed comes first: what the pods show may only follow from it.
    reason = " ".join(failure.split())[:MAX_FAILURE_LENGTH]
    if not reason and diagnosis is not None:
        return diagnosis.sentence
    reason = reason or f"revision {revision.number} failed"
    if workload is not None and workload.is_ready and workload.spec_replicas:
        return f"{reason}; the pods that run are ready"
    return reason


def _judge_workload(workload: Workload, diagnosis: Diagnosis | None, *, is_young: bool) -> Verdict:
    if workload.is_scaled_by_hand:
        return Verdict(
            TenantState.DEGRADED,
            f"scaled by hand to {workload.spec_replicas}, the release says "
            f"{workload.wanted_replicas}",
        )
    if workload.is_ready:
        return Verdict(TenantState.RUNNING if workload.wanted_replicas else TenantState.STOPPED)
    why = diagnosis.sentence if diagnosis else workload.failure_message
    has_missed_deadline = workload.has_missed_deadline and not is_young
    if has_missed_deadline or (diagnosis is not None and diagnosis.is_hopeless):
        state = TenantState.DEGRADED if workload.has_settled else TenantState.FAILED
        if diagnosis is not None and diagnosis.is_notice:
            why = f"not ready in time: {why}"
        return Verdict(state, why or "not ready in time")
    # Scaling up leaves the condition of the rollout before: a young revision is starting.
    if workload.has_settled and not is_young:
        return Verdict(
            TenantState.DEGRADED,
            why or f"{workload.ready_replicas} of {workload.wanted_replicas} replicas ready",
        )
    return Verdict(TenantState.PROGRESSING, why)
