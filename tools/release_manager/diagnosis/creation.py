"""Why pods, or their containers, are not even created."""

from __future__ import annotations

import re

from ..workload import Container
from .causes import ANSWER_PATIENCE_SECONDS, PATIENCE_SECONDS, Cause, Diagnosis
from .evidence import shorten

CREATION_REASONS = frozenset(
    (
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "PreCreateHookError",
        "PostStartHookError",
    )
)
# How a run ended that never began.
START_FAILURES = frozenset(("StartError", "ContainerCannotRun"))

_MISSING = re.compile(r'(?P<kind>secret|configmap) "(?P<name>[^"]+)" not found', re.IGNORECASE)
_MISSING_KEY = re.compile(r"couldn't find key (?P<key>\S+) in (?P<kind>\w+) \S+/(?P<name>\S+)")
_MISSING_FILE = re.compile(r"references non-existent (?P<kind>secret|config) key: (?P<key>\S+)")
_KINDS = {"secret": "Secret", "configmap": "ConfigMap", "config": "ConfigMap"}

# The container runtime, or the way to it, ended meanwhile: it says nothing of the container.
_RUNTIME_GONE = re.compile(
    r"context (canceled|deadline exceeded)|transport is closing|ttrpc: closed|connection refused"
)


def explain_refusal(message: str) -> Diagnosis:
    """Return why the API server takes no pod of the Deployment."""
    why = shorten(re.sub(r'^pods "[^"]*" is forbidden: ', "", message))
    if "exceeded quota" in why:
        return Diagnosis(
            Cause.QUOTA,
            f"no pod can be created, {why}; raise the ResourceQuota or lower resources",
            PATIENCE_SECONDS,
        )
    if "failed quota" in why:
        advice = "set what it names in resources"
        return Diagnosis(
            Cause.QUOTA, f"no pod can be created, {why}; {advice}", ANSWER_PATIENCE_SECONDS
        )
    if "violates PodSecurity" in why:
        return Diagnosis(
            Cause.REFUSED,
            f"no pod can be created, it {why}; correct podSecurityContext, securityContext or "
            "volumes, or the namespace's label",
            ANSWER_PATIENCE_SECONDS,
        )
    is_final = "is forbidden" in message or "denied the request" in message
    return Diagnosis(
        Cause.REFUSED,
        f"no pod can be created: {why}; correct the value, or create what it names",
        PATIENCE_SECONDS if is_final else None,
    )


def explain_creation(container: Container) -> Diagnosis:
    """Return why the kubelet does not create a container."""
    message = container.waiting_message
    if missing := explain_missing(message, f"container {container.name} needs it"):
        return missing
    if "runAsNonRoot" in message or "non-root" in message:
        return _explain_root(container, message)
    return explain_failed_start(container, message or container.waiting_reason)


def explain_missing(message: str, user: str) -> Diagnosis | None:
    """Return which Secret, ConfigMap or key is missing, if the message says so."""
    if match := _MISSING_KEY.search(message):
        kind = _KINDS.get(match["kind"].lower(), match["kind"])
        said = f"{kind} {match['name']} has no key {match['key']}, and {user}; add it"
    elif match := _MISSING_FILE.search(message):
        said = f"the {_KINDS[match['kind']]} has no key {match['key']}, and {user}; add it"
    elif match := _MISSING.search(message):
        said = f"{_KINDS[match['kind'].lower()]} {match['name']} is missing, and {user}; create it"
    else:
        return None
    text = f"{said}, or correct the name in the values"
    return Diagnosis(Cause.OBJECT_MISSING, text, PATIENCE_SECONDS)


def _explain_root(container: Container, message: str) -> Diagnosis:
    user = re.search(r"non-numeric user \(([^)]*)\)", message)
    if user:
        why = f"its image gives its user by the name {user[1]!r}, and runAsNonRoot needs a number"
    elif "runAsUser" in message:
        why = "runAsUser is 0, and runAsNonRoot forbids it to run as root"
    else:
        why = "its image runs as root, and runAsNonRoot forbids that"
    return Diagnosis(
        Cause.ROOT_REFUSED,
        f"container {container.name} cannot be created: {why}; set podSecurityContext.runAsUser to "
        "the number of another user",
        ANSWER_PATIENCE_SECONDS,
    )


def explain_failed_start(container: Container, message: str) -> Diagnosis:
    """Return why the container's process could not be run at all, as its runtime says."""
    # The runtime wraps what the kernel said: only its own words tell something.
    words = re.split(r"(?:unable to start container process|runc create failed): ", message)[-1]
    why = shorten(words).removesuffix(": unknown")
    patience = None if _RUNTIME_GONE.search(why) else PATIENCE_SECONDS
    advice = "look at it with 'kubectl describe pod'"
    if "exec format error" in why:
        advice = "the image is for another CPU architecture, build one for the node's"
    elif re.search(r"no such file or directory|executable file not found|permission denied", why):
        patience, advice = ANSWER_PATIENCE_SECONDS, "correct command, or the image"
    return Diagnosis(
        Cause.CANNOT_START,
        f"container {container.name} cannot be started: {why}; {advice}",
        patience,
    )
