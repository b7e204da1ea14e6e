"""Pods that their node does not let go of."""

from __future__ import annotations

from release_manager.diagnosis import Cause
from release_manager.diagnosis.nodes import explain_ending
from tests.unit.builders import MINUTE, NOW, build_pod
from tests.unit.diagnosis.failures import SECOND, Evidence

OVERDUE = {"is_deleting": True, "ends_by": NOW - MINUTE, "created_at": NOW - 9 * MINUTE}


def test_a_pod_that_takes_its_time_to_end_is_no_failure() -> None:
    pod = build_pod(is_deleting=True, ends_by=NOW - 5 * SECOND)
    assert explain_ending(pod, Evidence(NOW)).is_notice


def test_a_pod_that_is_overdue_on_a_node_that_answers_is_the_kubelets() -> None:
    cause = explain_ending(build_pod(**OVERDUE), Evidence(NOW))
    assert (cause.cause, cause.is_hopeless) == (Cause.ENDING, True)
    assert "its node node-0 does not let go of it" in cause.sentence


def test_a_pod_that_is_overdue_on_a_node_that_is_down_is_the_nodes() -> None:
    evidence = Evidence(NOW, read_outage=lambda _node: NOW - MINUTE)
    assert "its node node-0 is not ready" in explain_ending(build_pod(**OVERDUE), evidence).sentence


def test_a_finalizer_does_not_hide_a_container_that_still_runs() -> None:
    pod = build_pod(**OVERDUE, finalizers=("example.com/hold",), phase="Running")
    assert "finalizer" not in explain_ending(pod, Evidence(NOW)).sentence
