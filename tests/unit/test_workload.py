"""What a Deployment's numbers say together."""

from __future__ import annotations

from typing import Any

import pytest

from release_manager.workload import Environment
from tests.unit.builders import build_pod, build_workload


@pytest.mark.parametrize(
    ("changes", "is_ready"),
    [
        ({}, True),
        ({"ready_replicas": 1}, False),
        ({"updated_replicas": 1}, False),
        ({"existing_replicas": 3}, False),
        ({"is_observed": False}, False),
        ({"ending_replicas": 1}, True),
    ],
    ids=["all ready", "one not ready", "one old", "an old one is left", "not seen yet", "ending"],
)
def test_a_workload_is_ready_when_only_ready_pods_of_its_revision_exist(
    changes: dict[str, Any], is_ready: bool
) -> None:
    assert build_workload(2, wanted=2, **changes).is_ready is is_ready


def test_a_workload_that_is_stopped_is_ready_when_its_last_pod_has_ended() -> None:
    stopping = build_workload(0, wanted=0, ending_replicas=1)
    assert (stopping.is_complete, stopping.is_ready) == (True, False)
    assert build_workload(0, wanted=0).is_ready


def test_the_environment_is_kept_out_of_representations() -> None:
    environment = Environment({"A": "private"}, ("secret",))
    shown = repr(build_pod(environment=environment)), repr(build_workload(environment=environment))
    assert "private" not in f"{shown}{environment}"
