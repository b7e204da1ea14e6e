"""Why no node takes a pod: no room, no node that suits it, or its volume."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

from ..workload import Event, Pod
from .causes import PATIENCE_SECONDS, SCHEDULING_PATIENCE_SECONDS, Cause, Diagnosis, tell_time
from .evidence import Evidence, find_latest, shorten

# The scheduler says nothing at all while a volume is being provisioned.
_SCHEDULER_SILENCE = timedelta(seconds=10)
_RESOURCES = {"memory": "memory", "cpu": "CPU", "ephemeral-storage": "disk"}
_AUTOSCALERS = ("TriggeredScaleUp", "Nominated")


def explain_scheduling(pod: Pod, evidence: Evidence) -> Diagnosis:
    """Return what the scheduler's message means."""
    why = _shorten_scheduler(pod.scheduling_message)
    if re.search(r"persistent ?volume|volume node affinity|max volume count", why, re.IGNORECASE):
        sentence = f"its volume is not there yet: {why}; look at it with 'kubectl get pvc'"
        return explain_volume(pod, evidence) or _build_volume(sentence, SCHEDULING_PATIENCE_SECONDS)
    if "Insufficient" in why:
        cause = Diagnosis(Cause.NO_ROOM, _tell_room(pod, why), SCHEDULING_PATIENCE_SECONDS)
    elif "Too many pods" in why:
        cause = Diagnosis(
            Cause.NO_ROOM,
            f"no node has room for the pod, as it holds all the pods it may: {why}; add a node, or "
            "raise the kubelet's maxPods",
            SCHEDULING_PATIENCE_SECONDS,
        )
    else:
        cause = Diagnosis(
            Cause.NO_NODE,
            f"no node takes the pod: {why}; {_advise(why)}",
            SCHEDULING_PATIENCE_SECONDS,
        )
    return _await_autoscaler(pod, cause, evidence)


def _shorten_scheduler(message: str) -> str:
    # What the scheduler says of preemption and of claims repeats the first half.
    why = re.split(r"[.,]? (?:preemption:|no new claims|not found$)", message, flags=re.IGNORECASE)
    return shorten(why[0]).rstrip(".")


def _tell_room(pod: Pod, why: str) -> str:
    short = [name for name in _RESOURCES if f"Insufficient {name}" in why]
    asked = " and ".join(
        f"{pod.requests[name]} {_RESOURCES[name]}" for name in short if name in pod.requests
    )
    fields = " and ".join(f"resources.requests.{name}" for name in short) or "resources.requests"
    wants = f", which asks for {asked}" if asked else ""
    return f"no node has room for the pod{wants}: {why}; lower {fields}, or add a node"


def _advise(why: str) -> str:
    if "untolerated taint" in why or "unschedulable" in why:
        return "see 'kubectl get nodes' for nodes that are not ready, cordoned or reserved"
    if "affinity/selector" in why:
        return "correct nodeSelector or affinity, or label a node"
    if "no nodes available" in why:
        return "start a node"
    return "look at 'kubectl get nodes'"


def _await_autoscaler(pod: Pod, cause: Diagnosis, evidence: Evidence) -> Diagnosis:
    if find_latest(evidence.list_events(pod), *_AUTOSCALERS) is None:
        return cause
    return Diagnosis(cause.cause, f"{cause.sentence}; a new node has been asked for")


def explain_unscheduled(pod: Pod, evidence: Evidence) -> Diagnosis | None:
    """Return why a pod that no scheduler has spoken about has no node."""
    if evidence.now - pod.created_at < _SCHEDULER_SILENCE:
        return None
    if cause := explain_volume(pod, evidence):
        return cause
    since = tell_time(pod.created_at, evidence.now)
    return Diagnosis(Cause.STARTING, f"the pod waits for the scheduler since {since}")


def explain_volume(pod: Pod, evidence: Evidence) -> Diagnosis | None:
    """Return what holds the pod's volume claims up, as told by the claims' own events."""
    if missing := re.search(r'persistentvolumeclaim "([^"]+)" not found', pod.scheduling_message):
        said = f"volume claim {missing[1]} does not exist"
        advice = "create it, or correct persistence.existingClaim"
        return _build_volume(f"{said}; {advice}", PATIENCE_SECONDS)
    for claim in pod.claims:
        if cause := _explain_claim(claim, evidence.list_claim_events(pod, claim)):
            return cause
    return None


def _build_volume(sentence: str, patience_seconds: float) -> Diagnosis:
    return Diagnosis(Cause.VOLUME_PENDING, sentence, patience_seconds)


def _explain_claim(claim: str, events: Sequence[Event]) -> Diagnosis | None:
    said = find_latest(events, "ProvisioningFailed", "FailedBinding", "ExternalProvisioning")
    if said is None:
        return None
    why = shorten(said.message)
    if said.reason == "ExternalProvisioning":
        provisioner = re.search(r"provisioner '([^']+)'", why)
        who = f" {provisioner[1]}" if provisioner else ""
        sentence = f"volume claim {claim} waits for its provisioner{who}; look whether that runs"
        return _build_volume(sentence, SCHEDULING_PATIENCE_SECONDS)
    advice, patience = "look at its StorageClass and provisioner", SCHEDULING_PATIENCE_SECONDS
    if "no storage class is set" in why:
        advice, patience = "name one in persistence.storageClass", PATIENCE_SECONDS
    elif re.search(r'storageclass\S* "[^"]*" not found', why):
        advice, patience = (
            "create that StorageClass, or delete the claim and set another "
            "persistence.storageClass",
            PATIENCE_SECONDS,
        )
    return _build_volume(f"volume claim {claim} is not bound: {why}; {advice}", patience)
