"""What the Kubernetes API says of Deployments, pods and events, as a real node wrote it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from release_manager.clients.cluster import (
    KubernetesCluster,
    _clean_line,
    _is_about,
    _parse_event,
    _parse_pod,
)
from release_manager.clients.kubernetes_api import KubernetesApi
from release_manager.clients.workloads import parse_workload
from release_manager.errors import ClusterUnreachableError
from release_manager.workload import Container, Pod
from tests.unit.builders import NOW, build_container, build_pod


def _at(hour: int, minute: int, second: int) -> datetime:
    return datetime(2026, 11, 24, hour, minute, second, tzinfo=UTC)


SPEC: dict[str, Any] = {
    "nodeName": "diag",
    "containers": [
        {
            "name": "gateway",
            "image": "localhost/busybox:1.35",
            "env": [
                {
                    "name": "OPENCLAW_GATEWAY_TOKEN",
                    "valueFrom": {"secretKeyRef": {"name": "tenant-acme-token", "key": "token"}},
                },
                {"name": "A", "value": "1"},
                {"name": "EMPTY"},
                {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "flags", "key": "b"}}},
            ],
            "envFrom": [{"secretRef": {"name": "more"}}, {"configMapRef": {"name": "settings"}}],
            "resources": {
                "requests": {"cpu": "50m", "memory": "64Mi"},
                "limits": {"memory": "256Mi"},
            },
            "startupProbe": {"periodSeconds": 2, "failureThreshold": 60, "initialDelaySeconds": 5},
        }
    ],
    "volumes": [
        {"name": "data", "persistentVolumeClaim": {"claimName": "tenant-acme-data"}},
        {"name": "tls", "secret": {"secretName": "acme-tls"}},
        {"name": "all", "projected": {"sources": [{"secret": {"name": "acme-key"}}]}},
    ],
}
METADATA: dict[str, Any] = {
    "name": "tenant-acme-7b8855b447-d4bp7",
    "uid": "eb09237c",
    "labels": {"pod-template-hash": "7b8855b447", "tenant": "acme"},
    "creationTimestamp": "2026-11-24T08:39:01Z",
}
NOT_READY = {"type": "Ready", "status": "False", "lastTransitionTime": "2026-11-24T08:55:38Z"}


def _pod(status: dict[str, Any], spec: dict[str, Any] = SPEC, **metadata: Any) -> Pod:
    return _parse_pod({"metadata": {**METADATA, **metadata}, "spec": spec, "status": status})


def _container(entry: dict[str, Any]) -> Container:
    status = {"containerStatuses": [{"name": "gateway", "restartCount": 0, **entry}]}
    return _pod(status).containers[0]


def test_a_pod_tells_whose_it_is_and_what_it_asks_for() -> None:
    pod = _pod({"phase": "Running"})
    assert (pod.uid, pod.template_hash, pod.claims) == (
        "eb09237c",
        "7b8855b447",
        ("tenant-acme-data",),
    )
    assert pod.requests == {"cpu": "50m", "memory": "64Mi"}


def test_a_pod_tells_where_its_environment_and_files_come_from() -> None:
    environment = _pod({}).environment
    assert environment.values == {"A": "1"}
    assert environment.secret_names == ("acme-key", "acme-tls", "more", "tenant-acme-token")
    assert environment.config_map_names == ("flags", "settings")


def test_what_several_containers_ask_for_is_the_schedulers_to_add() -> None:
    two = {**SPEC, "containers": [*SPEC["containers"], {"name": "sidecar"}]}
    assert _pod({}, spec=two).requests == {}


@pytest.mark.parametrize(
    ("conditions", "is_cut_off"),
    [
        ([NOT_READY, {"type": "ContainersReady", "status": "True"}], True),
        (
            [
                {**NOT_READY, "reason": "ContainersNotReady"},
                {"type": "ContainersReady", "status": "False", "reason": "ContainersNotReady"},
            ],
            False,
        ),
        (
            [
                {**NOT_READY, "reason": "ReadinessGatesNotReady"},
                {"type": "ContainersReady", "status": "True"},
            ],
            False,
        ),
        ([{"type": "Ready", "status": "True"}], False),
        ([], False),
    ],
    ids=["node gone", "container not ready", "readiness gate", "ready", "unknown"],
)
def test_a_pod_that_only_its_node_lost_is_cut_off(
    conditions: list[dict[str, Any]], is_cut_off: bool
) -> None:
    assert _pod({"conditions": conditions}).is_cut_off is is_cut_off


def test_a_pod_tells_since_when_it_is_not_ready() -> None:
    assert _pod({"conditions": [NOT_READY]}).unready_since == _at(8, 55, 38)
    assert _pod({"conditions": [{**NOT_READY, "status": "True"}]}).unready_since is None


def test_a_pod_that_was_told_to_end_tells_until_when() -> None:
    pod = _pod(
        {"phase": "Succeeded"},
        deletionTimestamp="2026-11-24T08:54:38Z",
        finalizers=["example.com/hold"],
    )
    assert (pod.is_deleting, pod.ends_by, pod.finalizers) == (
        True,
        _at(8, 54, 38),
        ("example.com/hold",),
    )


def test_an_eviction_is_told_of_a_pod_that_failed_only() -> None:
    said = {
        "reason": "Evicted",
        "message": 'Usage of EmptyDir volume "tmp" exceeds the limit "4Mi". ',
    }
    assert _pod({"phase": "Failed", **said}).failure == said["message"]
    assert _pod({"phase": "Failed", "reason": "NodeAffinity"}).failure == "NodeAffinity"
    assert _pod({"phase": "Running", **said}).failure == ""


def test_what_the_scheduler_says_counts_while_it_finds_no_node() -> None:
    scheduled = {"type": "PodScheduled", "status": "False", "message": "no"}
    assert (
        _pod({"conditions": [{**scheduled, "reason": "Unschedulable"}]}).scheduling_message == "no"
    )
    assert (
        _pod({"conditions": [{**scheduled, "reason": "SchedulingGated"}]}).scheduling_message == ""
    )


def test_a_container_that_waits_after_a_crash_tells_of_its_last_run() -> None:
    container = _container(
        {
            "restartCount": 2,
            "started": False,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s"}},
            "lastState": {
                "terminated": {
                    "exitCode": 137,
                    "reason": "OOMKilled",
                    "startedAt": "2026-11-24T08:44:46Z",
                    "finishedAt": "2026-11-24T08:44:47Z",
                }
            },
        }
    )
    assert (container.exit_code, container.exit_reason, container.memory_limit) == (
        137,
        "OOMKilled",
        "256Mi",
    )
    assert (container.exit_began_at, container.exit_at) == (_at(8, 44, 46), _at(8, 44, 47))
    assert (container.waiting_reason, container.running_since) == ("CrashLoopBackOff", None)


def test_a_container_that_has_just_ended_tells_of_that_run() -> None:
    before = {"exitCode": 3, "reason": "Error"}
    container = _container(
        {
            "state": {"terminated": {"exitCode": 4, "reason": "Error"}},
            "lastState": {"terminated": before},
        }
    )
    assert container.exit_code == 4


def test_a_container_that_runs_tells_since_when_and_how_long_it_may_start() -> None:
    running = {"state": {"running": {"startedAt": "2026-11-24T08:39:03Z"}}, "started": True}
    container = _container(running)
    assert container.running_since == _at(8, 39, 3)
    assert (container.has_started, container.startup_seconds) == (True, 125)


@pytest.mark.parametrize("never", ["1970-01-01T00:00:00Z", None])
def test_a_run_that_never_began_has_no_beginning(never: str | None) -> None:
    ended = {"exitCode": 128, "reason": "StartError", "startedAt": never, "message": "no such file"}
    container = _container({"lastState": {"terminated": ended}})
    assert (container.exit_began_at, container.exit_message) == (None, "no such file")


def test_init_containers_come_first() -> None:
    spec = {**SPEC, "initContainers": [{"name": "init"}]}
    entry = {"restartCount": 0, "state": {}}
    status = {
        "initContainerStatuses": [{"name": "init", **entry}],
        "containerStatuses": [{"name": "gateway", **entry}],
    }
    assert [item.name for item in _pod(status, spec=spec).containers] == ["init", "gateway"]


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ('ReplicaSet "tenant-acme-7b8855b447" is progressing.', "tenant-acme-7b8855b447"),
        (
            'ReplicaSet "tenant-acme-7b8855b447" has timed out progressing.',
            "tenant-acme-7b8855b447",
        ),
        ('Created new replica set "tenant-acme-7b8855b447"', "tenant-acme-7b8855b447"),
        ('Found new replica set "tenant-acme-7b8855b447"', "tenant-acme-7b8855b447"),
        ('Deployment "tenant-acme" is progressing.', ""),
        ("", ""),
    ],
)
def test_a_deployment_names_its_newest_replica_set(message: str, name: str) -> None:
    workload = parse_workload(
        {
            "metadata": {"generation": 2},
            "spec": {"template": {"spec": SPEC}},
            "status": {
                "observedGeneration": 2,
                "terminatingReplicas": 1,
                "conditions": [{"type": "Progressing", "message": message}],
            },
        }
    )
    assert (workload.replica_set, workload.ending_replicas) == (name, 1)


@pytest.mark.parametrize(
    ("times", "began_at", "at"),
    [
        (
            {"firstTimestamp": "2026-11-24T08:45:02Z", "lastTimestamp": "2026-11-24T08:45:56Z"},
            _at(8, 45, 2),
            _at(8, 45, 56),
        ),
        (
            {"firstTimestamp": None, "lastTimestamp": None, "eventTime": "2026-11-24T08:51:16Z"},
            _at(8, 51, 16),
            _at(8, 51, 16),
        ),
        (
            {
                "eventTime": "2026-11-24T08:51:16Z",
                "series": {"count": 2, "lastObservedTime": "2026-11-24T08:52:16Z"},
            },
            _at(8, 51, 16),
            _at(8, 52, 16),
        ),
    ],
    ids=["kubelet", "scheduler", "scheduler, again"],
)
def test_an_event_tells_when_it_was_seen_first_and_last(
    times: dict[str, Any], began_at: datetime, at: datetime
) -> None:
    about = {"kind": "Pod", "name": "tenant-acme-1", "uid": "eb09237c"}
    event = _parse_event({"involvedObject": about, "type": "Warning", **times})
    assert (event.began_at, event.at, event.uid) == (began_at, at, "eb09237c")


@pytest.mark.parametrize(
    ("name", "is_about"),
    [
        ("tenant-acme", True),
        ("tenant-acme-data", True),
        ("tenant-acme-7b8855b447", True),
        ("tenant-acme-7b8855b447-d4bp7", True),
        ("tenant-acme-7b8855b447d4bp7", True),
        ("tenant-acme-two", False),
        ("tenant-acme-two-7b8855b447-d4bp7", False),
    ],
)
def test_events_are_told_apart_by_name(name: str, is_about: bool) -> None:
    assert _is_about(name, "tenant-acme") is is_about


class _Logs:
    """The log requests of the API, by whether the run before is asked for."""

    def __init__(self, **texts: str) -> None:
        self._texts = texts

    def get_text(self, path: str, *, previous: str, **query: Any) -> str:
        assert path.endswith("/pods/tenant-acme-1/log")
        if previous not in self._texts:
            raise ClusterUnreachableError("no answer", remedy="wait")
        return self._texts[previous]


@pytest.mark.parametrize(
    ("container", "logs", "lines"),
    [
        ({"restarts": 2}, {"false": "last", "true": "before"}, ["last"]),
        ({"restarts": 2}, {"false": "", "true": "last"}, ["last"]),
        ({"restarts": 0}, {"false": ""}, []),
        ({"restarts": 2, "running_since": NOW}, {"false": "now", "true": "last"}, ["last"]),
        ({"restarts": 2}, {"false": "unable to retrieve container logs for containerd://0"}, []),
        ({"restarts": 2}, {}, []),
    ],
    ids=["waiting", "begins again", "first run", "running again", "removed", "no answer"],
)
def test_the_log_is_that_of_the_last_run_that_ended(
    container: dict[str, Any], logs: dict[str, str], lines: list[str]
) -> None:
    cluster = KubernetesCluster(cast("KubernetesApi", _Logs(**logs)), "aware")
    found = cluster.read_log_tail(build_pod(), build_container(**container), lines=3)
    assert list(found) == lines


def test_log_lines_lose_their_colors_and_keep_their_indentation() -> None:
    assert _clean_line("\x1b[31m  at\tx\x1b[0m\x07 \t") == "  at x"
