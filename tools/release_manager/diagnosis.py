"""Why a tenant's pods are not ready: the first cause, in one sentence.

Pure functions over pods, events and log lines. Nothing here may quote an environment
variable or a Secret; log lines come redacted from the client that read them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .tenant import Container, Event, Pod, Workload

# One crash may be a race at start-up; after the second one waiting is of no use.
HOPELESS_RESTARTS = 2


# The kubelet tries again, and a registry or a race may recover within this time.
PATIENCE_SECONDS = 8.0
# Nodes and volumes may be on their way.
SCHEDULING_PATIENCE_SECONDS = 90.0


@dataclass(frozen=True)
class Diagnosis:
    """A cause. is_hopeless: when it has lasted patience_seconds, waiting longer is no help."""

    sentence: str
    is_hopeless: bool
    patience_seconds: float = PATIENCE_SECONDS


ReadLogTail = Callable[[Pod], Sequence[str]]
ReadEvents = Callable[[Pod], Sequence[Event]]


def diagnose(
    workload: Workload | None,
    pods: Sequence[Pod],
    *,
    read_events: ReadEvents | None = None,
    read_log_tail: ReadLogTail | None = None,
) -> Diagnosis | None:
    """Return the first cause that can be told, or None when nothing speaks against success.

    Events and log are read only where they explain more: the log of a container that
    crashed, the events of a pod whose containers tell nothing.
    """
    if workload is not None and workload.failure_message:
        return _diagnose_creation(workload.failure_message)
    # The newest pod belongs to the revision that is being rolled out.
    for pod in sorted(pods, key=lambda pod: pod.created_at, reverse=True):
        if pod.is_ready or pod.is_deleting:
            continue
        if cause := _diagnose_pod(pod, read_events, read_log_tail):
            return cause
    return None


def _diagnose_creation(message: str) -> Diagnosis:
    if "exceeded quota" in message:
        detail = message[message.index("exceeded quota") :]
        return Diagnosis(
            f"no pod can be created, {detail}; raise the ResourceQuota or lower resources",
            is_hopeless=True,
        )
    if "violates PodSecurity" in message:
        detail = message[message.index("violates PodSecurity") :]
        return Diagnosis(f"no pod can be created, it {detail}", is_hopeless=True)
    return Diagnosis(f"no pod can be created: {message}", is_hopeless=False)


def _diagnose_pod(
    pod: Pod, read_events: ReadEvents | None, read_log_tail: ReadLogTail | None
) -> Diagnosis | None:
    if pod.scheduling_message:
        return _diagnose_scheduling(pod.scheduling_message)
    for container in pod.containers:
        if cause := _diagnose_container(pod, container, read_log_tail):
            return cause
    return _diagnose_events(read_events(pod)) if read_events is not None else None


def _diagnose_scheduling(message: str) -> Diagnosis:
    # What the scheduler says of preemption repeats the first half.
    why = re.split(r"[.,]? (?:preemption|no new claims)", message, flags=re.IGNORECASE)[0]
    if "Insufficient" in why or "Too many pods" in why:
        said = f"no node has room for the pod: {why}"
    elif "PersistentVolumeClaim" in why or "persistentvolumeclaim" in why:
        said = f"its volume is not there yet: {why}"
    else:
        said = f"no node takes the pod: {why}"
    return Diagnosis(said, is_hopeless=True, patience_seconds=SCHEDULING_PATIENCE_SECONDS)


def _diagnose_container(
    pod: Pod, container: Container, read_log_tail: ReadLogTail | None
) -> Diagnosis | None:
    match container.waiting_reason:
        case "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull":
            why = f": {container.waiting_message}" if container.waiting_message else ""
            return Diagnosis(
                f"image {container.image} cannot be pulled{why}",
                is_hopeless=container.waiting_reason != "ErrImagePull",
            )
        case "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError":
            return Diagnosis(
                f"container {container.name} cannot be created: {container.waiting_message}",
                is_hopeless=True,
            )
    if container.exit_reason == "OOMKilled":
        limit = f" (limit {container.memory_limit})" if container.memory_limit else ""
        return Diagnosis(
            f"container {container.name} ran out of memory{limit}; raise resources.limits.memory",
            is_hopeless=container.restarts >= HOPELESS_RESTARTS,
        )
    if container.waiting_reason == "CrashLoopBackOff" or container.restarts:
        return _diagnose_crash(pod, container, read_log_tail)
    return None


def _diagnose_crash(pod: Pod, container: Container, read_log_tail: ReadLogTail | None) -> Diagnosis:
    code = "" if container.exit_code is None else f" with exit code {container.exit_code}"
    lines = read_log_tail(pod) if read_log_tail is not None else ()
    last_words = f"; its last lines: {' | '.join(lines)}" if lines else ""
    return Diagnosis(
        f"container {container.name} keeps crashing{code}{last_words}",
        is_hopeless=container.restarts >= HOPELESS_RESTARTS,
    )


def _diagnose_events(events: Sequence[Event]) -> Diagnosis | None:
    for reason, text in (
        ("FailedMount", "a volume cannot be mounted"),
        ("FailedAttachVolume", "a volume cannot be attached"),
        ("Unhealthy", "a probe fails"),
    ):
        for event in reversed(events):
            if event.is_warning and event.reason == reason:
                return Diagnosis(f"{text}: {event.message}", is_hopeless=False)
    return None
