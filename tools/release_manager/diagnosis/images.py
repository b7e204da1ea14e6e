"""Why an image cannot be pulled: what containerd and CRI-O say, read as a cause."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..workload import Container, Pod
from .causes import (
    ANSWER_PATIENCE_SECONDS,
    PATIENCE_SECONDS,
    REGISTRY_PATIENCE_SECONDS,
    Cause,
    Diagnosis,
)
from .evidence import Evidence, find_latest, shorten

PULL_REASONS = frozenset(
    (
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    )
)
# The node's own limit on pulls: it hides what the registry had answered before.
_THROTTLED = "pull QPS exceeded"


@dataclass(frozen=True)
class _Rule:
    """A message that matches pattern means a cause. text: {host} and {found} are filled in."""

    pattern: str
    cause: Cause
    text: str
    patience_seconds: float


_RULES = (
    _Rule(
        r"no match for platform in manifest|no image found in .* for architecture",
        Cause.IMAGE_UNUSABLE,
        "it has no build for the node's CPU architecture; build one, or choose nodes by "
        "nodeSelector kubernetes.io/arch",
        ANSWER_PATIENCE_SECONDS,
    ),
    _Rule(
        r"InvalidImageName|invalid reference format|[Cc]ouldn't parse image",
        Cause.IMAGE_UNUSABLE,
        "this is no image name; correct image.registry, image.repository and image.tag",
        ANSWER_PATIENCE_SECONDS,
    ),
    _Rule(
        r"is not present with pull policy of Never",
        Cause.IMAGE_MISSING,
        "it is not on the node, and image.pullPolicy Never forbids to pull it; load it there, or "
        "set image.pullPolicy=IfNotPresent",
        ANSWER_PATIENCE_SECONDS,
    ),
    _Rule(
        r"no space left on device",
        Cause.PULL_FAILED,
        "the node's disk is full; free or enlarge it",
        REGISTRY_PATIENCE_SECONDS,
    ),
    _Rule(
        r"(?P<found>x509: [^:]*|server gave HTTP response to HTTPS client|"
        r"tls: [^:]*|remote error: tls[^:]*)",
        Cause.REGISTRY_UNREACHABLE,
        "TLS with its registry {host} fails ({found}); let the node trust its certificate, or "
        "correct image.registry",
        REGISTRY_PATIENCE_SECONDS,
    ),
    _Rule(
        r"no such host",
        Cause.REGISTRY_UNREACHABLE,
        "DNS does not know its registry {host}; correct image.registry, or the node's DNS",
        REGISTRY_PATIENCE_SECONDS,
    ),
    _Rule(
        r"lookup \S+( on \S+)?: (?P<found>.*)",
        Cause.REGISTRY_UNREACHABLE,
        "the node's DNS server does not tell the address of its registry {host} ({found}); "
        "repair the node's DNS",
        REGISTRY_PATIENCE_SECONDS,
    ),
    _Rule(
        r"connection refused",
        Cause.REGISTRY_UNREACHABLE,
        "its registry {host} refuses connections; start it, or correct image.registry",
        REGISTRY_PATIENCE_SECONDS,
    ),
    _Rule(
        r"(?P<found>i/o timeout|deadline exceeded|TLS handshake timeout|no route to host|"
        r"network is unreachable|connection reset by peer|Client\.Timeout exceeded|: EOF$)",
        Cause.REGISTRY_UNREACHABLE,
        "its registry {host} does not answer ({found}); check the way from the node to it",
        REGISTRY_PATIENCE_SECONDS,
    ),
    _Rule(
        r"(?P<found>429 Too Many Requests|toomanyrequests)",
        Cause.PULL_FAILED,
        "its registry {host} limits the rate ({found}); wait, or pull with credentials from "
        "imagePullSecrets",
        REGISTRY_PATIENCE_SECONDS,
    ),
    _Rule(
        r"repository does not exist or may require|requested access to the resource is denied",
        Cause.REGISTRY_REFUSES,
        "its registry {host} denies it: there is no such repository, or the credentials in "
        "imagePullSecrets do not open it; correct either",
        PATIENCE_SECONDS,
    ),
    _Rule(
        r".*(?P<found>40[13] (Unauthorized|Forbidden))|[Uu]nauthorized|no basic auth credentials|"
        r"authorization failed|authentication required|failed to authorize",
        Cause.REGISTRY_REFUSES,
        "its registry {host} wants other credentials ({found}); name a Secret that has them in "
        "imagePullSecrets",
        PATIENCE_SECONDS,
    ),
    _Rule(
        r"(?P<found>5\d\d (Internal Server Error|Bad Gateway|Service Unavailable|"
        r"Gateway Time-?out))",
        Cause.REGISTRY_UNREACHABLE,
        "its registry {host} is out of order ({found}); repair it",
        REGISTRY_PATIENCE_SECONDS,
    ),
    _Rule(
        r"not found|manifest unknown|name unknown",
        Cause.IMAGE_MISSING,
        "its registry {host} has no such image; push it, or correct image.repository and image.tag",
        ANSWER_PATIENCE_SECONDS,
    ),
)


def explain_pull(pod: Pod, container: Container, evidence: Evidence) -> Diagnosis:
    """Return why the container's image is not on the node."""
    message = _read_answer(pod, container, evidence)
    start = f"image {container.image} cannot be pulled"
    for rule in _RULES:
        if match := re.search(rule.pattern, f"{container.waiting_reason} {message}"):
            text = rule.text.format(
                host=_find_host(container.image),
                found=match.groupdict().get("found") or "unauthorized",
            )
            missing = _find_missing_pull_secret(pod, rule.cause, evidence)
            return Diagnosis(rule.cause, f"{start}: {missing or text}", rule.patience_seconds)
    if _THROTTLED in message:
        text = "the node pulls too many images at once; it goes on by itself"
        return Diagnosis(Cause.PULL_FAILED, f"{start} yet: {text}")
    why = f": {shorten(_strip_repetition(message))}" if message else ""
    advice = "look at it with 'kubectl describe pod'"
    return Diagnosis(Cause.PULL_FAILED, f"{start}{why}; {advice}", REGISTRY_PATIENCE_SECONDS)


def _read_answer(pod: Pod, container: Container, evidence: Evidence) -> str:
    message = container.waiting_message
    if _THROTTLED not in message:
        return message
    failed = [
        event
        for event in evidence.list_events(pod)
        if event.message.startswith("Failed to pull") and _THROTTLED not in event.message
    ]
    return failed[-1].message if failed else message


def _find_missing_pull_secret(pod: Pod, cause: Cause, evidence: Evidence) -> str:
    # The kubelet warns of it even where the image needs no credentials.
    if cause is not Cause.REGISTRY_REFUSES:
        return ""
    event = find_latest(evidence.list_events(pod), "FailedToRetrieveImagePullSecret")
    names = re.search(r"pull secrets \(([^)]+)\)", event.message) if event else None
    if names is None:
        return ""
    return (
        f"its registry wants credentials, and the Secret {names[1]} that imagePullSecrets names "
        "does not exist; create it"
    )


def _find_host(image: str) -> str:
    first, slash, _ = image.partition("/")
    is_host = slash and ("." in first or ":" in first or first == "localhost")
    return first if is_host else "docker.io"


def _strip_repetition(message: str) -> str:
    # Each layer repeats the image: "failed to pull ...: failed to resolve ...: why".
    return re.sub(
        r'^(Back-off pulling image "[^"]*": ErrImagePull: )?(rpc error: code = \w+ desc = )?'
        r'(failed to (pull and unpack image|resolve reference) "[^"]*": )*',
        "",
        message,
    )
