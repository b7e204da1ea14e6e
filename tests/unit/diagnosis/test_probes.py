"""What probes answer, and of which run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from release_manager.diagnosis import Cause, Diagnosis
from release_manager.diagnosis.probes import find_answer
from release_manager.workload import Event
from tests.unit.builders import MINUTE, NOW, build_container, build_event, build_pod
from tests.unit.diagnosis.failures import SECOND, Failure, unhealthy

EXEC = (
    "rpc error: code = Unknown desc = failed to exec in container: failed to start exec "
    '"706e234d": OCI runtime exec failed: exec failed: unable to start container process: '
)


def _diagnose(*events: Event, since: Any = MINUTE, **container: Any) -> Diagnosis:
    running = {"running_since": NOW - since, "has_started": True, **container}
    pod = build_pod("p", build_container(**running), created_at=NOW - since)
    cause = Failure([pod], events=events).diagnose()
    assert cause is not None
    return cause


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        (
            "failed: HTTP probe failed with statuscode: 503",
            "HTTP probe failed with statuscode: 503",
        ),
        (
            'failed: Get "http://10.244.0.33:18789/readyz?key=x": dial tcp 10.244.0.33:18789: '
            "connect: connection refused",
            "/readyz on port 18789: connection refused",
        ),
        (
            'failed: Get "http://10.244.0.35:18789/readyz": context deadline exceeded '
            "(Client.Timeout exceeded while awaiting headers)",
            "/readyz on port 18789: no answer in time",
        ),
        (
            'failed: Get "http://[fd00::7]:18789/": read: connection reset by peer',
            "/ on port 18789: read: connection reset by peer",
        ),
        (
            "failed: cat: can't open '/up':\n No such file\n\n",
            "cat: can't open '/up': No such file",
        ),
        (
            'failed: command timed out: "sleep 20" timed out after 1s',
            'command timed out: "sleep 20" timed out after 1s',
        ),
        (
            f'errored and resulted in unknown state: {EXEC}exec: "nosuch": executable file not '
            "found in $PATH: unknown",
            'exec: "nosuch": executable file not found in $PATH',
        ),
        ("failed: ", "no output"),
    ],
)
def test_an_answer_is_told_in_its_own_words(message: str, answer: str) -> None:
    for start in ("", "(combined from similar events): "):
        event = build_event("Unhealthy", f"{start}Readiness probe {message}")
        assert find_answer([event], "readiness") == answer


@pytest.mark.parametrize(
    "message",
    [
        f"{EXEC}container is in CONTAINER_EXITED state",
        "rpc error: code = NotFound desc = failed to exec in container: failed to load task: no "
        "running task found: task 58ac275c not found: not found",
        "rpc error: code = Canceled desc = context canceled",
    ],
)
def test_a_probe_that_met_a_container_which_was_ending_tells_nothing(message: str) -> None:
    text = f"Readiness probe errored and resulted in unknown state: {message}"
    assert find_answer([build_event("Unhealthy", text)], "readiness") is None


def test_the_latest_answer_is_told() -> None:
    events = [unhealthy("Readiness", "404"), unhealthy("Readiness", "503", at=NOW + SECOND)]
    assert find_answer(events, "readiness") == "503"


def test_another_probes_answer_is_not_told() -> None:
    events: Sequence[Event] = [unhealthy("Startup", "503"), build_event("BackOff", "Readiness")]
    assert find_answer(events, "readiness") is None


def test_a_startup_probe_that_failed_before_it_passed_is_past() -> None:
    assert "503" not in _diagnose(unhealthy("Startup", "503")).sentence


def test_an_answer_of_the_run_before_is_not_told() -> None:
    before = unhealthy("Readiness", "503", at=NOW - 2 * MINUTE)
    assert _diagnose(before, since=MINUTE).sentence == (
        "container gateway runs, but its readiness probe has not passed since 02:59:00 UTC; look "
        "at its log, or correct probes.readiness"
    )


def test_a_container_that_has_just_started_is_still_starting() -> None:
    cause = _diagnose(since=5 * SECOND)
    assert (cause.cause, cause.is_notice) == (Cause.STARTING, True)


def test_a_container_without_a_startup_probe_has_no_deadline() -> None:
    told = _diagnose(has_started=False).sentence
    assert told == "container gateway is still starting since 02:59:00 UTC"


def test_a_time_of_another_day_is_told_with_its_day() -> None:
    told = _diagnose(since=24 * 60 * MINUTE).sentence
    assert "since 2026-02-28 03:00:00 UTC" in told


def test_nothing_that_a_probe_says_is_beyond_hope() -> None:
    assert not _diagnose(unhealthy("Readiness", "503")).is_hopeless
