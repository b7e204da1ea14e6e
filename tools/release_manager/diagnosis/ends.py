"""Why a container ended: its memory, a probe, a read-only file system, or a crash."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from ..workload import Container, Event, Pod
from .causes import COUNTED_PATIENCE_SECONDS, Cause, Diagnosis
from .creation import START_FAILURES, explain_failed_start
from .evidence import Evidence
from .probes import LIVENESS, STARTUP, find_answer

# One crash may be a race at start-up; after the second one waiting is of no use.
HOPELESS_RESTARTS = 2
MAX_LAST_LINES = 3
# What a program complained of earlier is not what ended it.
MAX_CAUSE_LINES = 8
# A container that has run for longer than this, and than its last run, is past its crashes.
SETTLED = timedelta(seconds=30)
# A container that is ready need not outlive a last run of days.
LONGEST_PROOF = timedelta(minutes=2)
# Events and exits are told to the second only.
_CLOCK = timedelta(seconds=2)

_SIGKILL, _SIGTERM, _SIGABRT, _SIGSEGV = 137, 143, 134, 139
_SIGNALS = {_SIGABRT: "SIGABRT", _SIGKILL: "SIGKILL", _SIGSEGV: "SIGSEGV", _SIGTERM: "SIGTERM"}
_ENDED_ON_REQUEST = (0, _SIGKILL, _SIGTERM)
_KILLED = re.compile(r"failed (startup|liveness) probe, will be restarted")
_READ_ONLY = re.compile(r"\bEROFS\b|read-only file system", re.IGNORECASE)
_HEAP = re.compile(r"JavaScript heap out of memory|Reached heap limit")
# Stack frames, and the brackets and fields that Node and Python print around an error.
_NOISE = re.compile(
    r"\s*(at .*|\^+|[\]})({\[,;]+|Node\.js v[\d.]+|File \".*|"
    r"(errno|code|syscall|path|dest|requireStack): .*|\.\.\. \d+ more.*|node:internal.*|"
    r"Traceback \(most recent call last\):|\d+: 0x[0-9a-f]+ .*|goroutine \d+ .*)?\s*"
)


def explain_end(pod: Pod, container: Container, evidence: Evidence) -> Diagnosis | None:
    """Return why the container's last run ended, unless that is past."""
    has_ended = container.exit_code is not None or container.restarts > 0
    is_unseen = container.exit_reason == "ContainerStatusUnknown"
    if not has_ended or is_unseen or _has_settled(container, evidence):
        return None
    if container.exit_reason in START_FAILURES:
        return explain_failed_start(container, container.exit_message or container.exit_reason)
    if container.exit_reason == "OOMKilled":
        return _explain_memory(container)
    # The last words that a container leaves for Kubernetes are seldom more than its log.
    said = evidence.read_log_tail(pod, container) or container.exit_message.splitlines()
    lines = choose_lines(said)
    if kind := _find_killing_probe(container, evidence.list_events(pod)):
        return _explain_probe_kill(pod, container, kind, lines, evidence)
    return _explain_crash(container, lines)


def _has_settled(container: Container, evidence: Evidence) -> bool:
    if container.running_since is None:
        return False
    began, ended = container.exit_began_at, container.exit_at
    last_run = ended - began if began and ended and ended > began else timedelta()
    proof = min(last_run, LONGEST_PROOF) if container.is_ready else last_run
    return evidence.now - container.running_since > max(proof, SETTLED)


def _patience(container: Container) -> float | None:
    # While it runs once more, it may yet be the run that stays.
    is_down = container.running_since is None
    return COUNTED_PATIENCE_SECONDS if is_down and container.restarts >= HOPELESS_RESTARTS else None


def _explain_memory(container: Container) -> Diagnosis:
    limit = container.memory_limit
    name = f"container {container.name}"
    if not limit:
        said = f"{name} was killed because its node ran out of memory; set resources.limits.memory"
    elif container.exit_code == _SIGKILL:
        said = f"{name} ran out of memory (limit {limit}); raise resources.limits.memory"
    else:
        said = (
            f"a process in {name} ran out of memory (limit {limit}), then its main process ended "
            f"with exit code {container.exit_code}; raise resources.limits.memory"
        )
    return Diagnosis(Cause.OUT_OF_MEMORY, said, _patience(container))


def _find_killing_probe(container: Container, events: Sequence[Event]) -> str | None:
    began, ended = container.exit_began_at, container.exit_at
    if began is None or ended is None:
        return None
    during = [event for event in events if _has_met(event, began, ended)]
    for event in reversed(during):
        match = _KILLED.search(event.message) if event.reason == "Killing" else None
        # An event that was seen again later may have passed this run over.
        if match and (event.at <= ended + _CLOCK or container.exit_code in _ENDED_ON_REQUEST):
            return match[1]
    # The kubelet drops events of a pod that has too many: the exit code tells, too.
    if container.exit_code in (_SIGKILL, _SIGTERM):
        for kind in (STARTUP, LIVENESS):
            if find_answer(during, kind) is not None:
                return kind
    return None


def _has_met(event: Event, began: datetime, ended: datetime) -> bool:
    """Return whether an event was seen during a run, be it not for the first or last time."""
    first = event.began_at or event.at
    return first <= ended + _CLOCK and event.at >= began - _CLOCK


def _explain_probe_kill(
    pod: Pod, container: Container, kind: str, lines: Sequence[str], evidence: Evidence
) -> Diagnosis:
    answer = find_answer(evidence.list_events(pod), kind)
    said = f": {answer}" if answer else ""
    if kind == STARTUP:
        within = f" within {container.startup_seconds} s" if container.startup_seconds else ""
        what = f"its startup probe does not pass{within}"
        advice = "correct the gateway, or raise probes.startup.failureThreshold if it is only slow"
    else:
        what = "its liveness probe fails"
        advice = "correct the gateway or probes.liveness"
    return Diagnosis(
        Cause.RESTARTED_BY_PROBE,
        f"container {container.name} is restarted because {what}{said} (its exit code "
        f"{container.exit_code} means no more than that); {advice}{_tell_lines(lines)}",
        _patience(container),
    )


def _explain_crash(container: Container, lines: Sequence[str]) -> Diagnosis:
    patience = _patience(container)
    name = f"container {container.name}"
    if blocked := [line for line in lines[-MAX_CAUSE_LINES:] if _READ_ONLY.search(line)]:
        return Diagnosis(
            Cause.READ_ONLY,
            f"{name} ends with {_tell_exit(container)} because its root file system is read-only; "
            "make the folder writable with emptyDirs, or keep it with persistence"
            f"{_tell_lines(blocked[-1:])}",
            patience,
        )
    if any("exec format error" in line for line in lines):
        return replace(explain_failed_start(container, lines[-1]), patience_seconds=patience)
    if any(_HEAP.search(line) for line in lines[-MAX_CAUSE_LINES:]):
        return Diagnosis(
            Cause.OUT_OF_MEMORY,
            f"{name} ran out of JavaScript heap; raise --max-old-space-size in env.NODE_OPTIONS "
            "and, with it, resources.limits.memory",
            patience,
        )
    often = "keeps crashing" if container.restarts >= HOPELESS_RESTARTS else "crashed"
    if container.exit_code == 0:
        often = "ends by itself"
    return Diagnosis(
        Cause.CRASH,
        f"{name} {often} with {_tell_exit(container)}; {_advise(container, lines)}"
        f"{_tell_lines(lines)}",
        patience,
    )


def _advise(container: Container, lines: Sequence[str]) -> str:
    if container.exit_code == 0:
        return "a gateway has to go on, correct command and args"
    if container.exit_code == _SIGKILL:
        return "it was killed, but not at its memory limit, so look at the node's memory"
    if lines:
        return "correct what its log shows"
    return "it wrote no log, so look at command, args and the image"


def _tell_exit(container: Container) -> str:
    if container.exit_code is None:
        return "an unknown exit code"
    signal = _SIGNALS.get(container.exit_code)
    return f"exit code {container.exit_code}" + (f" ({signal})" if signal else "")


def choose_lines(lines: Sequence[str]) -> list[str]:
    """Return the lines of a log's tail that tell something: no stack frames, no brackets."""
    telling = [line for line in lines if not _NOISE.fullmatch(line)]
    return telling or [line for line in lines if line.strip()]


def _tell_lines(lines: Sequence[str]) -> str:
    last = " | ".join(lines[-MAX_LAST_LINES:])
    return f"; its last lines: {last}" if last else ""
