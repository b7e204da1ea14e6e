"""What probes answer, and what that means for a container that runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

from ..workload import Container, Event, Pod
from .causes import Cause, Diagnosis, tell_time
from .evidence import Evidence, shorten

STARTUP, READINESS, LIVENESS = "startup", "readiness", "liveness"

# The kubelet does not say that a probe has not been tried yet.
_FIRST_ANSWER = timedelta(minutes=1)

_EVENT = re.compile(
    r"(Startup|Readiness|Liveness) probe (failed|errored[^:]*): (.*)", re.IGNORECASE | re.DOTALL
)
# A probe that met a container which was ending just then.
_RACE = re.compile(
    r"CONTAINER_EXITED|no running task found|context canceled|container not running|"
    r"task .* not found|is not running"
)
_REQUEST = re.compile(
    r'Get "https?://(\[[^]]*\]|[^":/]*):(?P<port>\d+)(?P<path>/[^"?]*)?[^"]*": (?P<why>.*)'
)


def find_answer(events: Sequence[Event], kind: str) -> str | None:
    """Return what a probe met last, or None when it did not fail."""
    for event in reversed(events):
        match = _EVENT.search(event.message) if event.reason == "Unhealthy" else None
        if match and match[1].lower() == kind and not _RACE.search(event.message):
            return _clean_answer(match[3])
    return None


def _clean_answer(text: str) -> str:
    if match := _REQUEST.match(text.strip()):
        why = re.sub(r"dial tcp \S+ |connect: |net/http: ", "", match["why"])
        if "Client.Timeout" in why or "deadline exceeded" in why:
            why = "no answer in time"
        return f"{match['path'] or '/'} on port {match['port']}: {shorten(why)}"
    if "failed to exec in container" in text:
        words = re.split(r"unable to start container process: ", text)[-1]
        return shorten(words).removesuffix(": unknown")
    return shorten(text) or "no output"


def explain_running(pod: Pod, container: Container, evidence: Evidence) -> Diagnosis | None:
    """Return what a container that runs and is not ready is waiting for."""
    if container.running_since is None or container.is_ready:
        return None
    since = container.running_since
    events = [event for event in evidence.list_events(pod) if event.at >= since]
    if container.has_started:
        return _explain_unready(pod, container, events, evidence)
    answer = find_answer(events, STARTUP)
    return Diagnosis(
        Cause.STARTING,
        f"container {container.name} is still starting since {tell_time(since, evidence.now)}"
        f"{_tell_deadline(container, evidence)}"
        f"{f', its startup probe says: {answer}' if answer else ''}",
    )


def _tell_deadline(container: Container, evidence: Evidence) -> str:
    if not container.startup_seconds or container.running_since is None:
        return ""
    until = container.running_since + timedelta(seconds=container.startup_seconds)
    return f", it has until {tell_time(until, evidence.now)}"


def _explain_unready(
    pod: Pod, container: Container, events: Sequence[Event], evidence: Evidence
) -> Diagnosis:
    since = max(container.running_since or pod.created_at, pod.unready_since or pod.created_at)
    told = tell_time(since, evidence.now)
    start = f"container {container.name} runs"
    answer = find_answer(events, READINESS)
    if not answer and evidence.now - since < _FIRST_ANSWER:
        sentence = f"{start} since {told}, its readiness probe has yet to pass"
        return Diagnosis(Cause.STARTING, sentence)
    why = f"fails since {told}: {answer}" if answer else f"has not passed since {told}"
    return Diagnosis(
        Cause.NOT_READY,
        f"{start}, but its readiness probe {why}; look at its log, or correct probes.readiness",
    )
