"""What is asked of the cluster to explain a failure, how often, and what is shown of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from release_manager.operations.investigation import (
    EVENTS_SECONDS,
    MAX_LOG_LINE,
    NODE_SECONDS,
    Investigation,
)
from release_manager.operations.observe import diagnose_tenant
from release_manager.workload import Container, Environment, Pod, Workload
from tests.unit.builders import MINUTE, NOW, build_container, build_event, build_pod, build_workload
from tests.unit.fakes import FakeWorld

CRASHED = {"waiting_reason": "CrashLoopBackOff", "restarts": 2, "exit_code": 1}
UNREADY = {"waiting_reason": "", "running_since": NOW - MINUTE, "has_started": True}


def _diagnose(world: FakeWorld, pod: Pod, investigation: Investigation | None = None) -> str:
    found = investigation or Investigation(world.ports, clock=world.clock.as_clock())
    cause = found.diagnose(build_workload(0), [pod])
    return cause.sentence if cause else ""


def _crash(world: FakeWorld, *lines: str, **environment: Any) -> Pod:
    world.cluster.logs["tenant-acme"] = list(lines)
    return build_pod("tenant-acme-1", _container(), environment=Environment(**environment))


def _container(**changes: Any) -> Container:
    return build_container(**{**CRASHED, **changes})


def _token(world: FakeWorld) -> str:
    world.install()
    secret = world.secrets.read_token("acme")
    assert secret is not None
    return secret.token


def test_a_ready_tenant_needs_no_diagnosis(world: FakeWorld) -> None:
    world.install()
    world.cluster.reads.clear()
    workload = world.cluster.read_workload("acme")
    assert diagnose_tenant(world.ports, workload, "acme") is None
    assert world.cluster.reads == []


def test_tokens_are_cut_out_of_log_lines(world: FakeWorld) -> None:
    token = _token(world)
    pod = _crash(world, f"cannot use {token}", secret_names=("tenant-acme-token",))
    assert _diagnose(world, pod).endswith("its last lines: cannot use [redacted]")


def test_a_token_is_cut_out_before_a_long_line_is(world: FakeWorld) -> None:
    token = _token(world)
    filler = "x" * (MAX_LOG_LINE - len("[redacted]"))
    pod = _crash(world, f"{filler}{token} and more", secret_names=("tenant-acme-token",))
    assert _diagnose(world, pod).endswith(f"its last lines: {filler}[redacted]")


def test_a_secret_of_the_workload_is_cut_out_of_an_older_pods_log(world: FakeWorld) -> None:
    pod = _crash(world, f"cannot use {_token(world)}")
    workload = build_workload(0, environment=Environment(secret_names=("tenant-acme-token",)))
    cause = Investigation(world.ports).diagnose(workload, [pod])
    assert cause is not None
    assert cause.sentence.endswith("cannot use [redacted]")


def test_values_of_the_environment_are_told_by_name(world: FakeWorld) -> None:
    world.cluster.config_maps["flags"] = {"REGION": "mars-west-1"}
    line = "cannot reach db.example.com in mars-west-1"
    values = {"DB_HOST": "db.example.com"}
    pod = _crash(world, line, values=values, config_map_names=("flags",))
    assert _diagnose(world, pod).endswith("its last lines: cannot reach $DB_HOST in $REGION")


def test_tokens_are_cut_out_of_what_a_probe_answered(world: FakeWorld) -> None:
    token = _token(world)
    message = f"Readiness probe failed: wrong token {token}"
    world.cluster.events = [build_event("Unhealthy", message, at=NOW)]
    environment = Environment(secret_names=("tenant-acme-token",))
    container = build_container(**UNREADY)
    told = _diagnose(world, build_pod("tenant-acme-1", container, environment=environment))
    assert "wrong token [redacted];" in told


def test_tokens_are_cut_out_of_what_a_runtime_says(world: FakeWorld) -> None:
    token = _token(world)
    shown = {"waiting_reason": "CreateContainerError", "waiting_message": f"bad name {token}"}
    environment = Environment(secret_names=("tenant-acme-token",))
    told = _diagnose(world, build_pod("p", build_container(**shown), environment=environment))
    assert "bad name [redacted];" in told


def test_a_log_is_read_once_for_each_run(world: FakeWorld) -> None:
    investigation = Investigation(world.ports)
    pod = _crash(world, "boom")
    for restarts in (2, 2, 2, 3):
        again = replace(pod, containers=(_container(restarts=restarts),))
        _diagnose(world, again, investigation)
    assert world.cluster.reads.count("log of tenant-acme-1") == 2


@pytest.mark.parametrize(
    ("changed", "waited", "reads"),
    [(False, 0, 1), (False, EVENTS_SECONDS, 2), (True, 0, 2)],
    ids=["nothing new", "after a while", "another state"],
)
def test_events_are_read_again_when_there_may_be_new_ones(
    world: FakeWorld, changed: bool, waited: float, reads: int
) -> None:
    investigation = Investigation(world.ports, clock=world.clock.as_clock())
    pod = build_pod("tenant-acme-1", build_container(**UNREADY))
    _diagnose(world, pod, investigation)
    world.clock.advance(waited)
    later = replace(pod, containers=(build_container(**UNREADY, restarts=int(changed)),))
    _diagnose(world, later, investigation)
    assert world.cluster.reads.count("events of tenant-acme-1") == reads


def test_a_node_that_is_down_is_told_and_asked_seldom(world: FakeWorld) -> None:
    investigation = Investigation(world.ports, clock=world.clock.as_clock())
    world.cluster.node_outages["node-0"] = NOW
    pod = build_pod("p", build_container(**UNREADY), created_at=NOW - MINUTE)
    for _ in range(3):
        assert _diagnose(world, pod, investigation).startswith("node node-0 is not ready")
    assert world.cluster.reads.count("node node-0") == 1
    world.clock.advance(NODE_SECONDS)
    _diagnose(world, pod, investigation)
    assert world.cluster.reads.count("node node-0") == 2


def test_what_explains_itself_needs_no_further_reads(world: FakeWorld) -> None:
    pod = build_pod("p", build_container(waiting_reason="ImagePullBackOff", waiting_message="x"))
    _diagnose(world, pod)
    assert world.cluster.reads == []


def test_only_so_many_logs_are_read(world: FakeWorld) -> None:
    investigation = Investigation(world.ports, max_logs=1)
    pod = _crash(world, "boom")
    other = replace(pod, uid="another")
    told = [_diagnose(world, item, investigation) for item in (pod, other, pod)]
    assert ["boom" in sentence for sentence in told] == [True, False, True]


def test_a_workload_that_is_missing_is_no_hindrance(world: FakeWorld) -> None:
    missing: Workload | None = None
    assert Investigation(world.ports).diagnose(missing, [_crash(world)]) is not None
