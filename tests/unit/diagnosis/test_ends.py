"""Why containers ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from release_manager.diagnosis import Cause, Diagnosis, build_redactor
from release_manager.diagnosis.ends import HOPELESS_RESTARTS, choose_lines
from release_manager.workload import Environment, Event
from tests.unit.builders import MINUTE, NOW, build_container, build_event, build_pod
from tests.unit.diagnosis.failures import SECOND, Failure, killing, unhealthy

# The last run: from 02:59:00 to 02:59:30.
DOWN = {
    "waiting_reason": "CrashLoopBackOff",
    "restarts": HOPELESS_RESTARTS,
    "exit_code": 1,
    "exit_reason": "Error",
    "exit_began_at": NOW - MINUTE,
    "exit_at": NOW - 30 * SECOND,
}
AGAIN = {"waiting_reason": "", "running_since": NOW - 10 * SECOND, "has_started": True}


def _diagnose(
    *, events: Sequence[Event] = (), lines: Sequence[str] = (), **container: Any
) -> Diagnosis:
    pod = build_pod("p", build_container(**{**DOWN, **container}), created_at=NOW - 60 * MINUTE)
    cause = Failure([pod], events=events, lines=lines).diagnose()
    assert cause is not None
    return cause


def test_the_first_crash_is_told_and_may_pass() -> None:
    cause = _diagnose(restarts=0, waiting_reason="")
    assert cause.sentence.startswith("container gateway crashed with exit code 1")
    assert not cause.is_hopeless


def test_a_container_that_runs_once_more_may_be_the_one_that_stays() -> None:
    cause = _diagnose(**AGAIN)
    assert (cause.cause, cause.is_hopeless) == (Cause.CRASH, False)
    assert _diagnose().is_hopeless


@pytest.mark.parametrize(
    ("ran_before", "runs", "cause"),
    [
        (5 * SECOND, 20 * SECOND, Cause.CRASH),
        (5 * SECOND, MINUTE, Cause.NOT_READY),
        (10 * MINUTE, 5 * MINUTE, Cause.CRASH),
        (10 * MINUTE, 11 * MINUTE, Cause.NOT_READY),
    ],
)
def test_a_crash_is_past_when_the_next_run_has_lasted_longer(
    ran_before: Any, runs: Any, cause: Cause
) -> None:
    ended = NOW - runs
    running = {"running_since": ended, "exit_at": ended, "exit_began_at": ended - ran_before}
    assert _diagnose(**{**AGAIN, **running}).cause is cause


def test_an_end_that_nobody_saw_is_no_crash() -> None:
    cause = _diagnose(exit_code=137, exit_reason="ContainerStatusUnknown", waiting_reason="")
    assert cause.cause is Cause.STARTING


@pytest.mark.parametrize("exit_code", [0, 1, 137, 143])
def test_a_probe_that_ended_it_is_told_whatever_the_exit_code(exit_code: int) -> None:
    killed = {"at": NOW - 35 * SECOND}
    events = [unhealthy("Liveness", "503", **killed), killing("liveness", **killed)]
    cause = _diagnose(exit_code=exit_code, events=events)
    assert cause.cause is Cause.RESTARTED_BY_PROBE
    assert f"(its exit code {exit_code} means no more than that)" in cause.sentence


def test_a_probe_that_is_about_to_end_the_next_run_has_ended_this_one_too() -> None:
    seen_again = {"began_at": NOW - 35 * SECOND, "at": NOW - 5 * SECOND}
    events = [unhealthy("Startup", "503", **seen_again), killing("startup", **seen_again)]
    assert _diagnose(exit_code=137, events=events, **AGAIN).cause is Cause.RESTARTED_BY_PROBE


def test_a_crash_between_two_ends_by_a_probe_is_a_crash() -> None:
    around = killing("liveness", began_at=NOW - 9 * MINUTE, at=NOW)
    assert _diagnose(exit_code=1, events=[around]).cause is Cause.CRASH


def test_a_probe_that_ended_an_earlier_run_is_not_told() -> None:
    before = killing("liveness", at=NOW - 9 * MINUTE)
    assert _diagnose(exit_code=137, events=[before]).cause is Cause.CRASH


def test_a_probe_is_told_where_the_kubelet_dropped_its_event() -> None:
    events = [unhealthy("Startup", "503", at=NOW - 40 * SECOND)]
    assert _diagnose(exit_code=137, events=events).cause is Cause.RESTARTED_BY_PROBE
    assert _diagnose(exit_code=1, events=events).cause is Cause.CRASH


def test_memory_comes_before_the_probe_that_failed_meanwhile() -> None:
    events = [unhealthy("Liveness", "timeout", at=NOW - 35 * SECOND)]
    cause = _diagnose(exit_code=137, exit_reason="OOMKilled", memory_limit="1Gi", events=events)
    assert cause.sentence.startswith("container gateway ran out of memory (limit 1Gi)")


def test_a_probe_is_told_where_the_environment_has_its_name_as_a_value() -> None:
    redactor = build_redactor([], [Environment({"MODE": "liveness"})], {})
    killed = redactor.clean_event(killing("liveness", at=NOW - 35 * SECOND))
    assert _diagnose(exit_code=0, events=[killed]).cause is Cause.RESTARTED_BY_PROBE


def test_a_container_that_is_stopped_for_another_reason_is_not_ended_by_a_probe() -> None:
    stopping = build_event("Killing", "Stopping container gateway", at=NOW - 35 * SECOND)
    assert _diagnose(exit_code=143, events=[stopping]).cause is Cause.CRASH


def test_a_start_that_may_work_the_next_time_is_tried_again() -> None:
    cause = _diagnose(exit_reason="ContainerCannotRun", exit_message="runc create failed: cgroup")
    assert cause.sentence.startswith("container gateway cannot be started: cgroup;")


def test_an_image_for_another_architecture_is_told() -> None:
    message = 'unable to start container process: exec: "/app": exec format error: unknown'
    cause = _diagnose(exit_reason="StartError", exit_message=message)
    assert "the image is for another CPU architecture" in cause.sentence


def test_a_program_for_another_architecture_is_told_from_its_log() -> None:
    cause = _diagnose(lines=["exec /app/gateway: exec format error"])
    assert (cause.cause, cause.is_hopeless) == (Cause.CANNOT_START, True)
    assert cause.sentence.startswith(
        "container gateway cannot be started: exec /app/gateway: exec format error; the image is "
    )


def test_a_container_without_a_log_is_told_with_where_to_look() -> None:
    assert "it wrote no log, so look at command, args and the image" in _diagnose().sentence


def test_the_termination_message_is_told_where_there_is_no_log() -> None:
    assert _diagnose(exit_message="no database").sentence.endswith("last lines: no database")


def test_a_read_only_complaint_of_earlier_is_not_what_ended_it() -> None:
    later = [f"request {number}" for number in range(20)]
    assert _diagnose(lines=["EROFS: log off", *later]).cause is Cause.CRASH
    assert _diagnose(lines=["EROFS: log off", *later[:3]]).cause is Cause.READ_ONLY


def test_at_most_three_lines_are_told() -> None:
    assert _diagnose(lines=list("abcde")).sentence.endswith("its last lines: c | d | e")


@pytest.mark.parametrize(
    ("lines", "telling"),
    [
        (
            [
                "Error: no database",
                "    at connect (/app/db.js:7:9) {",
                "  code: 'ECONNREFUSED'",
                "}",
                "Node.js v24.1.0",
            ],
            ["Error: no database"],
        ),
        (
            ["Traceback (most recent call last):", '  File "a.py", line 1', "KeyError: 'x'"],
            ["KeyError: 'x'"],
        ),
        (["panic: no database", "goroutine 1 [running]:"], ["panic: no database"]),
        (["at the end"], ["at the end"]),
        (["", "   "], []),
    ],
    ids=["node", "python", "go", "nothing else", "empty"],
)
def test_stack_frames_are_no_last_words(lines: list[str], telling: list[str]) -> None:
    assert choose_lines(lines) == telling
