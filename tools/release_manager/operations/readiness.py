"""Waiting until a tenant's Deployment is what its release asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ..diagnosis import Cause, Diagnosis
from ..errors import ChangedMeanwhileError, ClusterUnreachableError, RolloutFailedError
from ..part import name_command
from ..ports import Clock, Ports, RunOptions
from ..workload import Pod, Workload
from .investigation import Investigation
from .observe import find_later_revision

POLL_SECONDS = 0.4
# Where one watch tells of all Deployments, pods are looked at this seldom until they are ready.
PODS_SECONDS = 2.0
# How long the API server may be silent before a wait gives up.
SILENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Readiness:
    """How a wait ended. diagnosis: the cause, when it ended badly and one was found."""

    is_ready: bool
    workload: Workload | None
    diagnosis: Diagnosis | None = None

    def explain(self, run: RunOptions) -> str:
        """Return one sentence on why the tenant is not ready."""
        if self.workload is None:
            return "its Deployment is missing"
        if self.diagnosis is not None and self.diagnosis.is_hopeless:
            return self.diagnosis.sentence
        ready, wanted = self.workload.ready_replicas, self.workload.spec_replicas
        after = f"after {run.timeout_seconds:.0f} seconds"
        late = f"{ready} of {wanted} replicas ready {after}"
        if ready >= wanted and not self.workload.is_complete:
            late = f"its new pods are not ready {after}" if wanted else f"its pods run on {after}"
        if self.workload.is_ready:
            late += ", but not for long enough to trust it"
        return f"{late}: {self.diagnosis.sentence}" if self.diagnosis else late


class PolledWorkloads:
    """Port ``Workloads`` for one tenant: each look is a request."""

    def __init__(self, ports: Ports, clock: Clock) -> None:
        self._ports = ports
        self._clock = clock

    def read(self, slug: str) -> Workload | None:
        """Return a tenant's Deployment, or None."""
        return self._ports.cluster.read_workload(slug)

    def refresh(self, slug: str) -> None:
        """Do nothing: each look is fresh."""

    def wait(self, _slug: str, seconds: float) -> None:
        """Sleep."""
        self._clock.sleep(seconds)


def wait_until_ready(
    ports: Ports,
    slug: str,
    *,
    revision: int,
    run: RunOptions,
) -> Readiness:
    """Wait for the tenant's pods.

    Ends early when a cause that waiting cannot cure lasts. A container that has ended before is
    believed once it has outlived that, for between two crashes it is ready, too. Raises
    ChangedMeanwhileError when somebody else writes another revision meanwhile.
    """
    workloads = run.workloads or PolledWorkloads(ports, run.clock)
    deadline = run.clock.monotonic() + run.timeout_seconds
    began_at = ports.cluster.now()
    investigation = Investigation(ports, clock=run.clock)
    lasting, silent = _Lasting(), _Lasting()
    told = ""
    has_refreshed = False
    look_at_pods_from = run.clock.monotonic() + PODS_SECONDS
    while True:
        now = run.clock.monotonic()
        try:
            if not has_refreshed:
                workloads.refresh(slug)
                has_refreshed = True
            workload = workloads.read(slug)
            is_early = run.workloads is not None and now < look_at_pods_from
            if is_early and not (workload is not None and workload.is_ready):
                workloads.wait(slug, POLL_SECONDS)
                continue
            look_at_pods_from = now + PODS_SECONDS
            pods, cause = _look_at_pods(ports, slug, workload, investigation)
        except ClusterUnreachableError:
            # An API server that restarts is no reason to give a tenant up.
            if silent.seconds(now, what="silent") >= SILENCE_SECONDS or now >= deadline:
                raise
            run.clock.sleep(POLL_SECONDS)
            continue
        silent.seconds(now, what=None)
        if workload is not None and workload.is_ready and cause is None:
            _require_own_revision(ports, slug, revision, workload)
            return Readiness(is_ready=True, workload=workload)
        if (
            _is_lost(cause, lasting, now)
            or now >= deadline
            or _has_missed_deadline(workload, began_at)
        ):
            _require_own_revision(ports, slug, revision, workload)
            return _give_up(workload, cause, run)
        if (text := _describe(workload, pods, cause)) != told:
            run.progress(text)
            told = text
        workloads.wait(slug, POLL_SECONDS)


def _is_lost(cause: Diagnosis | None, lasting: _Lasting, now: float) -> bool:
    patience = cause.patience_seconds if cause is not None else None
    seconds = lasting.seconds(now, what=cause.cause if cause and cause.is_hopeless else None)
    return patience is not None and seconds >= patience


def _give_up(workload: Workload | None, cause: Diagnosis | None, run: RunOptions) -> Readiness:
    # Only the end of a pod is lacking: no reason to start a tenant again that was stopped.
    is_stopped = workload is not None and workload.is_complete and not workload.is_ready
    if is_stopped and cause is not None:
        run.progress(f"not waited for: {cause.sentence}")
    return Readiness(is_ready=is_stopped, workload=workload, diagnosis=cause)


def _has_missed_deadline(workload: Workload | None, began_at: datetime) -> bool:
    # The condition outlives its rollout: an old one says nothing about this one.
    return (
        workload is not None
        and workload.has_missed_deadline
        and workload.spec_replicas > 0
        and workload.progress_at is not None
        and workload.progress_at > began_at
    )


class _Lasting:
    """For how long the same has held without a break."""

    def __init__(self) -> None:
        self._what: Cause | str | None = None
        self._since = 0.0

    def seconds(self, now: float, *, what: Cause | str | None) -> float:
        if what != self._what:
            self._what, self._since = what, now
        return now - self._since


def _look_at_pods(
    ports: Ports, slug: str, workload: Workload | None, investigation: Investigation
) -> tuple[Sequence[Pod], Diagnosis | None]:
    if workload is not None and workload.is_ready and workload.spec_replicas == 0:
        return (), None
    pods = ports.cluster.list_pods(slug).get(slug, ())
    if workload is not None and workload.is_ready:
        return pods, investigation.find_unsettled(workload, pods)
    return pods, investigation.diagnose(workload, pods)


def require_ready(ports: Ports, slug: str, revision: int, run: RunOptions, done: str) -> None:
    """Wait for the tenant's pods after ``done``. Raises RolloutFailedError."""
    readiness = wait_until_ready(ports, slug, revision=revision, run=run)
    if not readiness.is_ready:
        raise RolloutFailedError(
            f"{done}, but it is not ready: {readiness.explain(run)}",
            remedy=f"Look with '{name_command('show', slug)}'",
            tenant=slug,
        )


def _require_own_revision(
    ports: Ports, slug: str, revision: int, workload: Workload | None
) -> None:
    if workload is None and not ports.releases.has_revision(slug, revision):
        raise ChangedMeanwhileError(
            f"it was uninstalled while revision {revision} was waited for",
            remedy="See 'release-manager list-tenants'",
            tenant=slug,
        )
    latest = find_later_revision(ports, slug, revision)
    if latest is not None:
        raise ChangedMeanwhileError(
            f"revision {revision} was replaced by revision {latest} while waiting for it",
            remedy=f"See '{name_command('history', slug)}'",
            tenant=slug,
        )


def _describe(workload: Workload | None, pods: Sequence[Pod], cause: Diagnosis | None) -> str:
    if cause is not None:
        return f"waiting: {cause.sentence}"
    if workload is None:
        return "waiting for the Deployment"
    if workload.spec_replicas == 0:
        return "waiting for its pods to stop"
    if workload.existing_replicas > workload.updated_replicas == workload.spec_replicas:
        return "waiting for the pods of the revision before to stop"
    phases = ", ".join(f"{pod.name} is {pod.phase}" for pod in pods)
    text = f"waiting: {workload.ready_replicas} of {workload.spec_replicas} replicas ready"
    return f"{text} ({phases})" if phases else text
