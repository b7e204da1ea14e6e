"""What a node does to its pods: it goes down, it evicts them, it cannot let go of them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from ..workload import Pod
from .causes import SCHEDULING_PATIENCE_SECONDS, Cause, Diagnosis, tell_time
from .evidence import Evidence, shorten

# The kubelet needs a moment to report that a container was killed.
_ENDING_MARGIN = timedelta(seconds=10)
# After as long the control plane notices that a node is gone.
_UNNOTICED = timedelta(seconds=40)
_REVIVE = (
    "see 'kubectl describe node {node}' and bring it back, or remove it with 'kubectl delete node "
    "{node}' when it is off for good"
)
FINISHED = ("Succeeded", "Failed")
# An eviction that is older than this is not what happens now.
_RECENT = timedelta(minutes=10)


def explain_cut_off(pod: Pod, evidence: Evidence) -> Diagnosis | None:
    """Return that the pod's node is not ready, or silent, if that is so.

    Of a pod that was ready, the pod itself tells it; of another one only the node.
    """
    down_since = pod.unready_since if pod.is_cut_off else _read_outage(pod, evidence)
    if down_since is None:
        return None
    return Diagnosis(
        Cause.NODE_DOWN,
        f"node {pod.node} is not ready since {tell_time(down_since, evidence.now)}, and pod "
        f"{pod.name} with it; {_REVIVE.format(node=pod.node)}",
        SCHEDULING_PATIENCE_SECONDS,
    )


def _read_outage(pod: Pod, evidence: Evidence) -> datetime | None:
    # Before this, the control plane does not notice either.
    is_fresh = evidence.now - pod.created_at < _UNNOTICED
    return None if is_fresh or not pod.node else evidence.read_outage(pod.node)


def explain_ending(pod: Pod, evidence: Evidence) -> Diagnosis:
    """Return what a pod waits for that was told to end."""
    ends_by = pod.ends_by or evidence.now
    if evidence.now <= ends_by + _ENDING_MARGIN:
        by = tell_time(ends_by, evidence.now)
        return Diagnosis(Cause.ENDING, f"pod {pod.name} is ending, it has until {by}")
    since = tell_time(ends_by, evidence.now)
    start = f"pod {pod.name} should have ended by {since} and still holds its place"
    if pod.finalizers and pod.phase in FINISHED:
        why = f"finalizer {pod.finalizers[0]} holds it; have its owner remove that"
    elif pod.is_cut_off or _read_outage(pod, evidence) is not None:
        why = f"its node {pod.node} is not ready; {_REVIVE.format(node=pod.node)}"
    else:
        why = f"its node {pod.node} does not let go of it; look at the kubelet there"
    return Diagnosis(Cause.ENDING, f"{start}: {why}", SCHEDULING_PATIENCE_SECONDS)


def explain_failed_pod(pod: Pod, evidence: Evidence) -> Diagnosis | None:
    """Return why a whole pod was given up, when that was just now; another takes its place."""
    if pod.unready_since is not None and evidence.now - pod.unready_since > _RECENT:
        return None
    why = shorten(pod.failure).rstrip(".")
    said = f"pod {pod.name} was taken off node {pod.node}: {why}"
    return Diagnosis(Cause.EVICTED, f"{said}; {_advise(why)}")


def _advise(why: str) -> str:
    if volume := re.search(r'EmptyDir volume "([^"]+)" exceeds', why):
        return f"raise emptyDirs.{volume[1]}.sizeLimit, or find out what fills it"
    if "low on resource: memory" in why:
        return "raise resources.requests.memory to what it uses, or add a node"
    if "low on resource" in why or "ephemeral" in why:
        return "free or enlarge the node's disk"
    return "look at the node with 'kubectl describe node'"
