"""What the API server and the kubelet refuse."""

from __future__ import annotations

import pytest

from release_manager.diagnosis import Cause
from release_manager.diagnosis.creation import explain_creation, explain_refusal
from tests.unit.builders import build_container


@pytest.mark.parametrize(
    "message",
    [
        "maximum memory usage per Container is 128Mi, but limit is 256Mi",
        'error looking up service account aware/x: serviceaccount "x" not found',
        'pod rejected: RuntimeClass "gvisor" not found',
    ],
)
def test_a_refusal_is_told_in_the_servers_own_words(message: str) -> None:
    found = explain_refusal(f'pods "tenant-acme-1" is forbidden: {message}')
    assert (found.cause, found.is_hopeless) == (Cause.REFUSED, True)
    assert found.sentence.startswith(f"no pod can be created: {message}; ")


def test_a_failure_that_is_no_refusal_may_pass() -> None:
    assert not explain_refusal("Internal error occurred: webhook timed out").is_hopeless


def test_what_a_policy_denies_does_not_pass() -> None:
    denied = 'admission webhook "policy.example.com" denied the request: no registry but ours'
    assert explain_refusal(denied).is_hopeless


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("container's runAsUser breaks non-root policy", "runAsUser is 0"),
        ("container has runAsNonRoot and image will run as root", "its image runs as root"),
        (
            "container has runAsNonRoot and image has non-numeric user (node)",
            "its image gives its user by the name 'node'",
        ),
    ],
)
def test_each_way_to_be_root_is_told(message: str, said: str) -> None:
    container = build_container(
        waiting_reason="CreateContainerConfigError", waiting_message=message
    )
    assert said in explain_creation(container).sentence


def test_what_a_runtime_says_is_told_without_its_wrapping() -> None:
    message = (
        "failed to create containerd task: OCI runtime create failed: runc create failed: "
        "unable to start container process: error mounting: permission denied: unknown"
    )
    container = build_container(waiting_reason="RunContainerError", waiting_message=message)
    assert explain_creation(container).sentence == (
        "container gateway cannot be started: error mounting: permission denied; correct command, "
        "or the image"
    )


def test_a_container_without_a_message_is_told_by_its_reason() -> None:
    container = build_container(waiting_reason="CreateContainerError")
    assert "CreateContainerError" in explain_creation(container).sentence


@pytest.mark.parametrize("end", ["context canceled", "context deadline exceeded", "ttrpc: closed"])
def test_a_runtime_that_ended_meanwhile_may_come_back(end: str) -> None:
    message = f'failed to start containerd task "7c83": {end}'
    container = build_container(waiting_reason="RunContainerError", waiting_message=message)
    assert not explain_creation(container).is_hopeless
    other = build_container(waiting_reason="RunContainerError", waiting_message="cgroup: no room")
    assert explain_creation(other).is_hopeless
