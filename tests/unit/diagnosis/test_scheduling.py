"""What the scheduler says, and what it does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from release_manager.diagnosis import Cause, Diagnosis
from release_manager.workload import Event
from tests.unit.builders import build_event, build_pod
from tests.unit.diagnosis.failures import NODES, PREEMPTION, Failure


def _diagnose(message: str, *, events: Sequence[Event] = (), **pod: Any) -> Diagnosis:
    unscheduled = build_pod("p", node="", scheduling_message=message, **pod)
    cause = Failure([unscheduled], events=events).diagnose()
    assert cause is not None
    return cause


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (f"{NODES}1 Insufficient ephemeral-storage.{PREEMPTION}", Cause.NO_ROOM),
        (f"{NODES}1 Insufficient nvidia.com/gpu.{PREEMPTION}", Cause.NO_ROOM),
        ("0/2 nodes are available: 1 Too many pods, 1 node(s) were unschedulable.", Cause.NO_ROOM),
        ("no nodes available to schedule pods", Cause.NO_NODE),
        (f"{NODES}1 node(s) had untolerated taint {{a: b}}.", Cause.NO_NODE),
        (f"{NODES}1 node(s) didn't find available persistent volumes.", Cause.VOLUME_PENDING),
        (f"{NODES}1 node(s) had volume node affinity conflict.", Cause.VOLUME_PENDING),
        (f"{NODES}pod has unbound immediate PersistentVolumeClaims.", Cause.VOLUME_PENDING),
    ],
)
def test_each_message_means_one_cause(message: str, cause: Cause) -> None:
    assert _diagnose(message).cause is cause


def test_what_the_scheduler_says_of_preemption_is_left_out() -> None:
    assert "reemption" not in _diagnose(f"{NODES}1 Insufficient memory.{PREEMPTION}").sentence


def test_everything_that_is_short_is_told() -> None:
    message = f"{NODES}1 Insufficient cpu, 1 Insufficient memory.{PREEMPTION}"
    told = _diagnose(message, requests={"cpu": "4", "memory": "1Gi"}).sentence
    assert "asks for 1Gi memory and 4 CPU" in told
    assert "lower resources.requests.memory and resources.requests.cpu" in told


def test_without_known_requests_the_field_is_named_all_the_same() -> None:
    told = _diagnose(f"{NODES}1 Insufficient memory.{PREEMPTION}").sentence
    assert told.startswith("no node has room for the pod: 0/1 nodes")
    assert "resources.requests.memory" in told


@pytest.mark.parametrize("reason", ["TriggeredScaleUp", "Nominated"])
def test_a_node_that_has_been_asked_for_is_waited_for(reason: str) -> None:
    events = [build_event(reason, "pod triggered scale-up", is_warning=False)]
    cause = _diagnose(f"{NODES}1 Insufficient memory.", events=events)
    assert not cause.is_hopeless
    assert cause.sentence.endswith("a new node has been asked for")


def test_a_claims_latest_trouble_is_told() -> None:
    about = {"kind": "PersistentVolumeClaim", "name": "data"}
    events = [
        build_event("ExternalProvisioning", "Waiting for 'x'", **about),
        build_event("ProvisioningFailed", "failed to provision volume: quota", **about),
        build_event("ProvisioningFailed", "of another claim", kind=about["kind"], name="other"),
    ]
    told = _diagnose(
        "pod has unbound immediate PersistentVolumeClaims", events=events[1:], claims=("data",)
    )
    assert told.sentence.startswith(
        "volume claim data is not bound: failed to provision volume: quota"
    )
