"""What runtimes say about images."""

from __future__ import annotations

import pytest

from release_manager.diagnosis import Cause, Diagnosis
from tests.unit.builders import build_container, build_event, build_pod
from tests.unit.diagnosis.failures import Failure


def _diagnose(
    message: str, *, image: str = "aware/gateway:1", event: str = "", reason: str = "ErrImagePull"
) -> Diagnosis:
    container = build_container(image=image, waiting_reason=reason, waiting_message=message)
    events = [build_event("Failed", event)] if event else []
    cause = Failure([build_pod("p", container)], events=events).diagnose()
    assert cause is not None
    return cause


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        # CRI-O and Docker
        ("reading manifest 9 in docker.io/aware/gateway: manifest unknown", Cause.IMAGE_MISSING),
        (
            "reading manifest 9 in docker.io/aware/gateway: requested access to the resource is "
            "denied",
            Cause.REGISTRY_REFUSES,
        ),
        (
            "unable to retrieve auth token: invalid username/password: unauthorized: "
            "authentication required",
            Cause.REGISTRY_REFUSES,
        ),
        (
            'pinging container registry x.example.com: Get "https://x.example.com/v2/": dial tcp: '
            "lookup x.example.com: no such host",
            Cause.REGISTRY_UNREACHABLE,
        ),
        # ECR
        ("pull access denied: no basic auth credentials", Cause.REGISTRY_REFUSES),
        ("unexpected status: 403 Forbidden", Cause.REGISTRY_REFUSES),
        # Docker Hub
        ("toomanyrequests: You have reached your pull rate limit", Cause.PULL_FAILED),
        # the way to the registry
        ("http: server gave HTTP response to HTTPS client", Cause.REGISTRY_UNREACHABLE),
        ("dial tcp 1.2.3.4:443: connect: no route to host", Cause.REGISTRY_UNREACHABLE),
        ("net/http: TLS handshake timeout", Cause.REGISTRY_UNREACHABLE),
        ('Head "https://x/v2/": EOF', Cause.REGISTRY_UNREACHABLE),
        # the node
        ("write /var/lib/containerd/x: no space left on device", Cause.PULL_FAILED),
        ("something new", Cause.PULL_FAILED),
        ("", Cause.PULL_FAILED),
    ],
)
def test_each_wording_means_one_cause(message: str, cause: Cause) -> None:
    assert _diagnose(message).cause is cause


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff"])
def test_a_cause_stays_the_same_while_the_kubelet_tries_again(reason: str) -> None:
    cause = _diagnose("dial tcp 1.2.3.4:443: connect: connection refused", reason=reason)
    assert cause == _diagnose("dial tcp 1.2.3.4:443: connect: connection refused")


@pytest.mark.parametrize(
    ("image", "host"),
    [
        ("aware/gateway:1", "docker.io"),
        ("busybox", "docker.io"),
        ("localhost/busybox", "localhost"),
        ("10.0.0.7:5000/gateway:1", "10.0.0.7:5000"),
        ("registry.wareit.ai/a/b@sha256:00", "registry.wareit.ai"),
    ],
)
def test_the_registry_is_named(image: str, host: str) -> None:
    sentence = _diagnose("not found", image=image).sentence
    assert f"its registry {host} has no such image" in sentence


def test_what_nobody_foresaw_is_told_in_the_runtimes_own_words() -> None:
    image = "aware/gateway:1"
    repeated = f'Back-off pulling image "{image}": ErrImagePull: rpc error: code = Unknown desc = '
    message = f'{repeated}failed to pull and unpack image "{image}": layers are upside down'
    assert _diagnose(message).sentence == (
        f"image {image} cannot be pulled: layers are upside down; look at it with 'kubectl "
        "describe pod'"
    )


def test_the_nodes_own_limit_does_not_hide_what_the_registry_had_answered() -> None:
    answer = 'Failed to pull image "aware/gateway:1": aware/gateway:1: not found'
    assert _diagnose("pull QPS exceeded", event=answer).cause is Cause.IMAGE_MISSING


def test_a_pull_secret_that_is_missing_is_no_cause_where_the_registry_wants_none() -> None:
    warning = "Unable to retrieve some image pull secrets (registry)"
    container = build_container(waiting_reason="ErrImagePull", waiting_message="not found")
    events = [build_event("FailedToRetrieveImagePullSecret", warning)]
    cause = Failure([build_pod("p", container)], events=events).diagnose()
    assert cause is not None
    assert cause.cause is Cause.IMAGE_MISSING
