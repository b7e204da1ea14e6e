"""Which of all that is wrong came first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ..workload import Container, Event, Pod, Workload
from .causes import Cause, Diagnosis, tell_time
from .creation import CREATION_REASONS, explain_creation, explain_missing, explain_refusal
from .ends import explain_end
from .evidence import Evidence, find_latest, shorten
from .images import PULL_REASONS, explain_pull
from .nodes import FINISHED, explain_cut_off, explain_ending, explain_failed_pod
from .probes import explain_running
from .scheduling import explain_scheduling, explain_unscheduled

# A node that is down looks like these.
_PASSING = (Cause.STARTING, Cause.NOT_READY)


def diagnose(
    workload: Workload | None, pods: Sequence[Pod], evidence: Evidence
) -> Diagnosis | None:
    """Return the first cause that can be told, or None when nothing speaks against success.

    Only pods of the newest revision count; older ones where they keep it from being made.
    """
    if workload is not None and not workload.is_observed:
        return None
    if workload is not None and workload.failure_message:
        return explain_refusal(workload.failure_message)
    current = _select_current(workload, pods)
    causes = [
        _name_pod(workload, pod, cause)
        for pod in current
        if not (pod.is_ready or pod.is_deleting) and (cause := _diagnose_pod(pod, evidence))
    ]
    # Of equal ones, the newest pod's.
    cause = min(causes, key=_rank, default=None)
    if cause is None or cause.cause is Cause.NO_NODE:
        return _diagnose_remains(pods, evidence, has_pods=bool(current)) or cause
    return cause


def find_unsettled(
    workload: Workload | None, pods: Sequence[Pod], evidence: Evidence
) -> Diagnosis | None:
    """Return why a container of a tenant that is ready has ended a moment ago.

    It may end again: between two crashes a pod is ready, too.
    """
    for pod in _select_current(workload, pods):
        if pod.is_deleting or pod.phase in FINISHED:
            continue
        for container in pod.containers:
            # A container that only prepares the pod is ready when it has ended.
            has_done_its_part = container.is_ready and container.running_since is None
            cause = None if has_done_its_part else explain_end(pod, container, evidence)
            if cause is not None:
                return _name_pod(workload, pod, cause)
    return None


def _rank(cause: Diagnosis) -> tuple[bool, bool, bool]:
    """Hopeless ones come first, how far a pod is last; what replaces an evicted pod is new."""
    return not cause.is_hopeless, cause.is_notice, cause.cause is not Cause.EVICTED


def _select_current(workload: Workload | None, pods: Sequence[Pod]) -> list[Pod]:
    """Return the pods of the newest revision, the newest first."""
    newest_first = sorted(pods, key=lambda pod: pod.created_at, reverse=True)
    if workload is None or not newest_first:
        return newest_first
    if workload.updated_replicas == 0:
        return []
    newest = workload.replica_set.rpartition("-")[2]
    if not any(pod.template_hash == newest for pod in newest_first):
        newest = newest_first[0].template_hash
    return [pod for pod in newest_first if pod.template_hash == newest]


def _diagnose_remains(
    pods: Sequence[Pod], evidence: Evidence, *, has_pods: bool
) -> Diagnosis | None:
    """Return what keeps a new pod from being made, or from getting the only node."""
    # A pod whose containers have ended holds nothing up, whatever else keeps it.
    for pod in sorted(pods, key=lambda pod: pod.phase in FINISHED):
        if pod.is_deleting and not has_pods:
            return explain_ending(pod, evidence)
        if pod.is_cut_off:
            return explain_cut_off(pod, evidence)
    return None


def _name_pod(workload: Workload | None, pod: Pod, cause: Diagnosis) -> Diagnosis:
    if workload is None or workload.spec_replicas <= 1 or pod.name in cause.sentence:
        return cause
    return replace(cause, sentence=f"pod {pod.name}: {cause.sentence}")


def _diagnose_pod(pod: Pod, evidence: Evidence) -> Diagnosis | None:
    if pod.failure:
        return explain_failed_pod(pod, evidence)
    if pod.scheduling_message:
        return explain_scheduling(pod, evidence)
    if not pod.node:
        return explain_unscheduled(pod, evidence)
    cause = None if pod.is_cut_off else _diagnose_containers(pod, evidence)
    if cause is None or cause.cause in _PASSING:
        return explain_cut_off(pod, evidence) or cause
    return cause


def _diagnose_containers(pod: Pod, evidence: Evidence) -> Diagnosis | None:
    for container in pod.containers:
        if not container.is_ready and (cause := _diagnose_container(pod, container, evidence)):
            return cause
    has_all_ready = pod.containers and all(container.is_ready for container in pod.containers)
    return None if has_all_ready else _diagnose_start(pod, evidence)


def _diagnose_container(pod: Pod, container: Container, evidence: Evidence) -> Diagnosis | None:
    if container.waiting_reason in PULL_REASONS:
        return explain_pull(pod, container, evidence)
    if container.waiting_reason in CREATION_REASONS:
        return explain_creation(container)
    return explain_end(pod, container, evidence) or explain_running(pod, container, evidence)


def _diagnose_start(pod: Pod, evidence: Evidence) -> Diagnosis:
    """Return what holds a pod up whose containers have not been made yet."""
    events = evidence.list_events(pod)
    return (
        _explain_mount(events)
        or _explain_sandbox(events)
        or Diagnosis(Cause.STARTING, _tell_start(pod, events, evidence))
    )


def _explain_mount(events: Sequence[Event]) -> Diagnosis | None:
    event = find_latest(events, "FailedMount", "FailedAttachVolume")
    if event is None:
        return None
    volume = re.search(r'volume "([^"]+)"', event.message)
    name = volume[1] if volume else ""
    if missing := explain_missing(event.message, f"volume {name} needs it"):
        return missing
    why = shorten(re.sub(r'^\w+\.\w+ failed for volume "[^"]*" : ', "", event.message))
    if event.reason == "FailedAttachVolume":
        said = f"volume {name} cannot be attached: {why}"
        advice = "a node that has it must let go of it first"
    else:
        said, advice = f"volume {name} cannot be mounted: {why}", "look at the volume and its node"
    return Diagnosis(Cause.VOLUME_NOT_MOUNTED, f"{said}; {advice}")


def _explain_sandbox(events: Sequence[Event]) -> Diagnosis | None:
    event = find_latest(events, "FailedCreatePodSandBox")
    if event is None:
        return None
    why = shorten(event.message.rpartition("desc = ")[2])
    return Diagnosis(
        Cause.NO_SANDBOX,
        f"the node cannot make the pod's sandbox: {why}; look at the node's network plugin, or "
        "correct podSecurityContext",
    )


def _tell_start(pod: Pod, events: Sequence[Event], evidence: Evidence) -> str:
    latest = find_latest(events, "Pulling", "Pulled")
    if latest is not None and latest.reason == "Pulling":
        image = pod.containers[0].image if pod.containers else "its image"
        return f"image {image} is being pulled since {tell_time(latest.at, evidence.now)}"
    return f"the pod is being started since {tell_time(pod.created_at, evidence.now)}"
