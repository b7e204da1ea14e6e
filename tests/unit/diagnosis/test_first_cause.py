"""Which of several things that are wrong is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from release_manager.diagnosis import Cause, Diagnosis, Evidence, diagnose, find_unsettled
from release_manager.workload import Container, Event, Pod, Workload
from tests.unit.builders import (
    MINUTE,
    NOW,
    build_container,
    build_event,
    build_pod,
    build_workload,
)
from tests.unit.diagnosis.failures import FAILURES, SECOND, Failure, killing

CRASHING = build_container(waiting_reason="CrashLoopBackOff", restarts=5, exit_code=1)
STARTING = build_container(waiting_reason="ContainerCreating")
TWO = {"spec_replicas": 2, "wanted_replicas": 2}
ROLLING = build_workload(1, replica_set="tenant-acme-new", existing_replicas=2)


def _diagnose(
    *pods: Pod, workload: Workload | None = None, events: Sequence[Event] = ()
) -> Diagnosis | None:
    return Failure(pods, workload=workload or build_workload(0), events=events).diagnose()


def _tell(*pods: Pod, **seen: Any) -> str:
    cause = _diagnose(*pods, **seen)
    return cause.sentence if cause is not None else ""


def test_a_tenant_without_pods_has_no_cause_yet() -> None:
    assert diagnose(None, [], Evidence(NOW)) is None


def test_a_change_that_kubernetes_has_not_seen_yet_has_no_cause() -> None:
    unseen = build_workload(0, is_observed=False, failure_message="exceeded quota")
    assert _diagnose(build_pod("p", CRASHING), workload=unseen) is None


def test_what_keeps_pods_from_being_made_comes_before_what_the_others_show() -> None:
    workload = build_workload(0, failure_message="exceeded quota: small")
    assert "quota" in _tell(build_pod("p", CRASHING), workload=workload)


def test_only_pods_of_the_newest_revision_are_told_of() -> None:
    old = build_pod("old", CRASHING, template_hash="old", created_at=NOW - MINUTE)
    new = build_pod("new", STARTING, template_hash="new")
    cause = _diagnose(old, new, workload=ROLLING)
    assert cause is not None
    assert cause.cause is Cause.STARTING


def test_the_newest_revision_need_not_have_the_newest_pod() -> None:
    moved = build_pod("old", STARTING, template_hash="old")
    new = build_pod("new", CRASHING, template_hash="new", created_at=NOW - MINUTE)
    assert "keeps crashing" in _tell(moved, new, workload=ROLLING)


def test_a_revision_that_nobody_names_is_the_one_of_the_newest_pod() -> None:
    old = build_pod("old", CRASHING, template_hash="old", created_at=NOW - MINUTE)
    new = build_pod("new", STARTING, template_hash="new")
    assert "being started" in _tell(old, new)


def test_while_the_new_revision_has_no_pod_the_old_ones_crash_is_not_told() -> None:
    unmade = build_workload(0, updated_replicas=0)
    assert _diagnose(build_pod("old", CRASHING), workload=unmade) is None


@pytest.mark.parametrize("passed_over", [{"is_ready": True}, {"is_deleting": True}])
def test_a_pod_that_is_ready_or_leaves_is_passed_over(passed_over: dict[str, bool]) -> None:
    assert _diagnose(build_pod("p", CRASHING, **passed_over)) is None


def test_a_replica_that_is_beyond_hope_is_told_before_one_that_starts() -> None:
    broken = build_pod("broken", CRASHING, created_at=NOW - MINUTE)
    told = _tell(build_pod("new", STARTING), broken, workload=build_workload(0, **TWO))
    assert told.startswith("pod broken: container gateway keeps crashing")


def test_of_equal_replicas_the_newest_is_told() -> None:
    pods = [build_pod("one", CRASHING, created_at=NOW - MINUTE), build_pod("two", CRASHING)]
    assert _tell(*pods, workload=build_workload(0, **TWO)).startswith("pod two: ")


def test_a_single_replica_needs_no_name() -> None:
    assert _tell(build_pod("p", CRASHING)).startswith("container gateway ")


def test_an_eviction_is_told_before_what_its_replacement_is_doing() -> None:
    evicted = build_pod(phase="Failed", failure="low on disk", created_at=NOW - MINUTE)
    running = build_container(running_since=NOW - 2 * MINUTE, has_started=True)
    assert "was taken off node" in _tell(evicted, build_pod("p", running))


def test_an_eviction_of_long_ago_is_not_told() -> None:
    old = build_pod(phase="Failed", failure="low on disk", unready_since=NOW - 60 * MINUTE)
    assert _diagnose(old) is None


def test_the_first_container_that_fails_is_told() -> None:
    starts_first = build_container(name="init", waiting_reason="CrashLoopBackOff", exit_code=1)
    waiting = build_container(waiting_reason="PodInitializing")
    assert "container init crashed" in _tell(build_pod("p", starts_first, waiting))


def test_a_container_that_is_ready_is_not_told_of() -> None:
    ready = replace(CRASHING, name="sidecar", is_ready=True)
    assert "gateway" in _tell(build_pod("p", ready, CRASHING))


def test_a_pod_whose_containers_are_all_ready_has_no_cause() -> None:
    assert _diagnose(build_pod("p", build_container(is_ready=True))) is None


def test_a_crash_is_told_before_the_probe_that_failed_with_it() -> None:
    events = [build_event("Unhealthy", "Readiness probe failed: 503")]
    assert "keeps crashing" in _tell(build_pod("p", CRASHING), events=events)


def test_an_event_of_an_earlier_pod_of_that_name_is_not_told() -> None:
    mount = build_event("FailedMount", 'failed for volume "x" : secret "y" not found', uid="old")
    assert "being started" in _tell(build_pod("p", STARTING, uid="new"), events=[mount])
    assert "Secret y is missing" in _tell(build_pod("p", STARTING, uid="old"), events=[mount])


def test_a_node_that_is_gone_is_told_before_the_lack_of_another_one() -> None:
    closed = FAILURES["nodes closed"].pods[0]
    gone = FAILURES["node not ready"].pods[0]
    leaving = replace(gone, is_deleting=True, ends_by=NOW - MINUTE)
    assert _tell(closed, leaving).startswith("node node-0 is not ready")


def test_the_scheduler_is_given_a_moment() -> None:
    assert _diagnose(build_pod("p", node="")) is None
    waiting = build_pod("p", node="", created_at=NOW - MINUTE)
    assert _tell(waiting) == "the pod waits for the scheduler since 02:59:00 UTC"


def test_a_volume_is_told_where_the_scheduler_waits_for_it_in_silence() -> None:
    events = FAILURES["volume not provisioned"].events
    waiting = build_pod("p", node="", created_at=NOW - MINUTE, claims=("tenant-acme-data",))
    assert "waits for its provisioner" in _tell(waiting, events=events)


LONG_STARTING = build_pod("p", STARTING, created_at=NOW - MINUTE)


def test_a_pod_that_never_was_ready_is_told_with_its_node_that_is_down() -> None:
    silent = Failure([LONG_STARTING], down_since=NOW - 30 * SECOND).diagnose()
    assert silent is not None
    assert silent.sentence.startswith("node node-0 is not ready since 02:59:30 UTC")


@pytest.mark.parametrize(
    ("container", "age"),
    [(STARTING, timedelta(seconds=5)), (CRASHING, MINUTE)],
    ids=["too early to tell", "another cause is known"],
)
def test_the_node_is_asked_only_where_it_may_explain(container: Container, age: timedelta) -> None:
    pod = build_pod("p", container, created_at=NOW - age)
    cause = Failure([pod], down_since=NOW - MINUTE).diagnose()
    assert cause is not None
    assert cause.cause is not Cause.NODE_DOWN


def test_no_log_is_read_for_a_container_that_never_ran() -> None:
    asked: list[Pod] = []

    def read_log_tail(pod: Pod, _container: Container) -> Sequence[str]:
        asked.append(pod)
        return []

    for name in ("image not in the registry", "Secret missing", "nodes out of memory"):
        evidence = Evidence(NOW, read_log_tail=read_log_tail)
        diagnose(build_workload(0), FAILURES[name].pods, evidence)
    assert asked == []


def test_pods_that_end_first_are_told_before_those_that_hold_nothing_up() -> None:
    finished, running = (
        FAILURES[name].pods[0] for name in ("pod held by a finalizer", "pod does not end")
    )
    told = _tell(finished, running, workload=build_workload(0, updated_replicas=0))
    assert "its node node-0 is not ready" in told


RUNS_AGAIN = {
    "is_ready": True,
    "running_since": NOW - 5 * SECOND,
    "restarts": 1,
    "exit_code": 137,
    "exit_reason": "OOMKilled",
    "memory_limit": "256Mi",
}


def _tell_unsettled(*containers: Container, events: Sequence[Event] = (), **pod: Any) -> str | None:
    shown = build_pod("p", *containers, **{"phase": "Running", "is_ready": True, **pod})
    cause = find_unsettled(build_workload(), [shown], Evidence(NOW, read_events=lambda _: events))
    return cause.sentence if cause is not None else None


def test_a_ready_container_that_has_just_ended_may_end_again() -> None:
    told = _tell_unsettled(build_container(**RUNS_AGAIN))
    assert (
        told == "container gateway ran out of memory (limit 256Mi); raise resources.limits.memory"
    )


def test_a_ready_container_that_its_liveness_probe_has_just_ended_may_end_again() -> None:
    ended = NOW - 5 * SECOND
    killed = {**RUNS_AGAIN, "exit_reason": "Error", "exit_began_at": NOW - MINUTE, "exit_at": ended}
    events = [killing("liveness", at=NOW - 10 * SECOND)]
    told = _tell_unsettled(build_container(**killed), events=events)
    assert told is not None
    assert told.startswith("container gateway is restarted because its liveness probe fails")


@pytest.mark.parametrize(
    "healthy",
    [
        {"restarts": 0, "exit_code": None},
        {"running_since": NOW - MINUTE},
        # An init container that worked at the second try.
        {"running_since": None, "exit_code": 0, "exit_reason": "Completed"},
    ],
    ids=["it never ended", "it has outlived it", "it has done its part"],
)
def test_other_ready_containers_are_there_to_stay(healthy: dict[str, Any]) -> None:
    assert _tell_unsettled(build_container(**{**RUNS_AGAIN, **healthy})) is None


@pytest.mark.parametrize("gone", [{"is_deleting": True}, {"phase": "Failed", "is_ready": False}])
def test_pods_that_are_on_their_way_out_unsettle_nobody(gone: dict[str, Any]) -> None:
    assert _tell_unsettled(build_container(**RUNS_AGAIN), **gone) is None
