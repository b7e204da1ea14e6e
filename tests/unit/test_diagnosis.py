"""One table of what pods and events show and the cause it means."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from release_manager.diagnosis import (
    HOPELESS_RESTARTS,
    SCHEDULING_PATIENCE_SECONDS,
    Diagnosis,
    diagnose,
)
from release_manager.tenant import Container, Event, Pod
from tests.unit.builders import (
    MINUTE,
    NOW,
    build_container,
    build_event,
    build_pod,
    build_workload,
)

LAST_LINES = ["connecting", "no database"]


def _read_log_tail(_pod: Pod) -> Sequence[str]:
    return LAST_LINES


@pytest.mark.parametrize(
    ("container", "sentence", "is_hopeless"),
    [
        (
            build_container(waiting_reason="ImagePullBackOff", waiting_message="not found"),
            "image aware-gateway:1 cannot be pulled: not found",
            True,
        ),
        (
            build_container(waiting_reason="ErrImagePull"),
            "image aware-gateway:1 cannot be pulled",
            False,
        ),
        (
            build_container(waiting_reason="InvalidImageName"),
            "image aware-gateway:1 cannot be pulled",
            True,
        ),
        (
            build_container(waiting_reason="ErrImageNeverPull"),
            "image aware-gateway:1 cannot be pulled",
            True,
        ),
        (
            build_container(
                waiting_reason="CreateContainerConfigError",
                waiting_message='secret "tenant-acme-token" not found',
            ),
            'container gateway cannot be created: secret "tenant-acme-token" not found',
            True,
        ),
        (
            build_container(waiting_reason="RunContainerError", waiting_message="no such file"),
            "container gateway cannot be created: no such file",
            True,
        ),
        (
            build_container(exit_reason="OOMKilled", restarts=1, memory_limit="256Mi"),
            "container gateway ran out of memory (limit 256Mi); raise resources.limits.memory",
            False,
        ),
        (
            build_container(exit_reason="OOMKilled", restarts=HOPELESS_RESTARTS),
            "container gateway ran out of memory; raise resources.limits.memory",
            True,
        ),
        (
            build_container(waiting_reason="CrashLoopBackOff", restarts=1, exit_code=1),
            "container gateway keeps crashing with exit code 1; "
            "its last lines: connecting | no database",
            False,
        ),
        (
            build_container(
                waiting_reason="CrashLoopBackOff", restarts=HOPELESS_RESTARTS, exit_code=0
            ),
            "container gateway keeps crashing with exit code 0; "
            "its last lines: connecting | no database",
            True,
        ),
        (
            build_container(restarts=HOPELESS_RESTARTS),
            "container gateway keeps crashing; its last lines: connecting | no database",
            True,
        ),
    ],
)
def test_what_a_container_shows_means_one_cause(
    container: Container, sentence: str, is_hopeless: bool
) -> None:
    cause = diagnose(build_workload(0), [build_pod("p", container)], read_log_tail=_read_log_tail)
    assert cause == Diagnosis(sentence, is_hopeless)


@pytest.mark.parametrize("reason", ["", "ContainerCreating", "PodInitializing"])
def test_a_container_that_is_still_starting_is_no_cause(reason: str) -> None:
    pod = build_pod("p", build_container(waiting_reason=reason))
    assert diagnose(build_workload(0), [pod]) is None


NODES = "0/1 nodes are available: "


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (
            f"{NODES}1 Insufficient memory. no new claims to deallocate, preemption: {NODES}x.",
            f"no node has room for the pod: {NODES}1 Insufficient memory",
        ),
        (f"{NODES}1 Too many pods.", f"no node has room for the pod: {NODES}1 Too many pods."),
        (
            f"{NODES}pod has unbound immediate PersistentVolumeClaims. preemption: x",
            f"its volume is not there yet: {NODES}pod has unbound immediate PersistentVolumeClaims",
        ),
        (
            f"{NODES}1 node(s) didn't match Pod's node affinity/selector. preemption: x",
            f"no node takes the pod: {NODES}1 node(s) didn't match Pod's node affinity/selector",
        ),
    ],
    ids=["room", "pods", "volume", "selector"],
)
def test_a_pod_that_no_node_takes_is_a_cause_to_wait_longer_for(
    message: str, sentence: str
) -> None:
    cause = diagnose(build_workload(0), [build_pod(scheduling_message=message)])
    assert cause == Diagnosis(
        sentence, is_hopeless=True, patience_seconds=SCHEDULING_PATIENCE_SECONDS
    )


@pytest.mark.parametrize(
    ("message", "sentence", "is_hopeless"),
    [
        (
            'pods "x" is forbidden: exceeded quota: small, requested: pods=1',
            "no pod can be created, exceeded quota: small, requested: pods=1; "
            "raise the ResourceQuota or lower resources",
            True,
        ),
        (
            'pods "x" is forbidden: violates PodSecurity "restricted:latest": privileged',
            'no pod can be created, it violates PodSecurity "restricted:latest": privileged',
            True,
        ),
        ("something else", "no pod can be created: something else", False),
    ],
)
def test_pods_that_cannot_be_created_are_a_cause(
    message: str, sentence: str, is_hopeless: bool
) -> None:
    workload = build_workload(0, failure_message=message)
    assert diagnose(workload, []) == Diagnosis(sentence, is_hopeless)


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (build_event("FailedMount", "no claim"), "a volume cannot be mounted: no claim"),
        (build_event("FailedAttachVolume", "busy"), "a volume cannot be attached: busy"),
        (build_event("Unhealthy", "503"), "a probe fails: 503"),
    ],
)
def test_a_warning_about_the_pod_is_a_cause_that_may_pass(event: Event, sentence: str) -> None:
    cause = diagnose(build_workload(0), [build_pod()], read_events=lambda _: [event])
    assert cause == Diagnosis(sentence, is_hopeless=False)


@pytest.mark.parametrize(
    "event",
    [
        build_event("FailedMount", "no claim", is_warning=False),
        build_event("Scheduled", "assigned"),
    ],
    ids=["no warning", "not known as a cause"],
)
def test_other_events_are_no_cause(event: Event) -> None:
    assert diagnose(build_workload(0), [build_pod()], read_events=lambda _: [event]) is None


def test_the_latest_event_of_a_kind_is_told() -> None:
    events = [build_event("Unhealthy", "404"), build_event("Unhealthy", "503", at=NOW + MINUTE)]
    assert diagnose(build_workload(0), [build_pod()], read_events=lambda _: events) == Diagnosis(
        "a probe fails: 503", is_hopeless=False
    )


def test_a_container_explains_more_than_an_event() -> None:
    pod = build_pod("tenant-acme-1", build_container(waiting_reason="ImagePullBackOff"))
    cause = diagnose(
        build_workload(0), [pod], read_events=lambda _: [build_event("Unhealthy", "503")]
    )
    assert cause is not None
    assert cause.sentence.startswith("image ")


def test_the_newest_pod_is_asked_first() -> None:
    old = build_pod("old", scheduling_message="old", created_at=NOW - MINUTE)
    new = build_pod("new", scheduling_message="new")
    cause = diagnose(build_workload(0), [old, new])
    assert cause is not None
    assert cause.sentence.endswith("new")


@pytest.mark.parametrize("passed_over", [{"is_ready": True}, {"is_deleting": True}])
def test_a_pod_that_is_ready_or_leaves_is_passed_over(passed_over: dict[str, bool]) -> None:
    pod = build_pod("p", build_container(restarts=9), **passed_over)
    assert diagnose(build_workload(0), [pod]) is None


def test_no_log_is_read_for_a_container_that_never_ran() -> None:
    asked: list[Pod] = []
    pod = build_pod("p", build_container(waiting_reason="ImagePullBackOff"))

    def read_log_tail(pod: Pod) -> Sequence[str]:
        asked.append(pod)
        return []

    diagnose(build_workload(0), [pod], read_log_tail=read_log_tail)
    assert asked == []


def test_a_tenant_without_pods_has_no_cause_yet() -> None:
    assert diagnose(None, []) is None
