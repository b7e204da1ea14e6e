"""What the Kubernetes API says of nodes, and of what pods request."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from release_manager.clients.footprints import parse_footprint
from release_manager.clients.nodes import KubernetesNodes
from release_manager.infrastructure.capacity import Distribution, Footprint
from release_manager.infrastructure.scheduling import Taint
from tests.unit.clients.fake_api import FakeApi


def build_container(cpu: str, memory: str, **more: Any) -> dict[str, Any]:
    return {"resources": {"requests": {"cpu": cpu, "memory": memory}}, **more}


def build_node(name: str = "n1", **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"node.kubernetes.io/instance-type": "t3.medium"}},
        "spec": {},
        "status": {
            "allocatable": {"cpu": "1750m", "memory": "2Gi", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True"}],
            "nodeInfo": {"kubeletVersion": "v1.34.1+k3s1"},
            **status,
        },
    }


def build_pod(name: str, node: str = "n1", **labels: str) -> dict[str, Any]:
    spec = {"containers": [build_container("50m", "64Mi")], **({"nodeName": node} if node else {})}
    return {"metadata": {"name": name, "namespace": "aware", "labels": labels}, "spec": spec}


@pytest.fixture
def api() -> FakeApi:
    api = FakeApi()
    api.objects["/api/v1/nodes/n1"] = build_node()
    return api


def test_a_node_tells_what_it_has(api: FakeApi) -> None:
    (node,) = KubernetesNodes(api.door, "aware").list()
    assert (node.memory_mib, node.cpu_millicores, node.pods) == (2048, 1750, 110)
    assert (node.is_ready, node.is_cordoned, node.taints) == (True, False, ())
    assert (node.instance_type, node.distribution) == ("t3.medium", Distribution.K3S)


def test_a_node_tells_why_it_takes_no_pods(api: FakeApi) -> None:
    item = build_node(conditions=[{"type": "Ready", "status": "Unknown"}])
    item["spec"] = {"unschedulable": True, "taints": [{"key": "a", "effect": "NoSchedule"}]}
    api.objects["/api/v1/nodes/n1"] = item
    (node,) = KubernetesNodes(api.door, "aware").list()
    assert (node.is_ready, node.is_cordoned) == (False, True)
    assert node.taints == (Taint("a", "NoSchedule"),)


@pytest.mark.parametrize(
    ("version", "distribution"),
    [("v1.34.1-eks-113cf36", Distribution.EKS), ("v1.34.1", None)],
)
def test_the_kubelet_tells_the_distribution(
    api: FakeApi, version: str, distribution: Distribution | None
) -> None:
    api.objects["/api/v1/nodes/n1"] = build_node(nodeInfo={"kubeletVersion": version})
    (node,) = KubernetesNodes(api.door, "aware").list()
    assert node.distribution is distribution


def test_pods_count_on_their_node_and_tenants_of_the_namespace_by_slug(api: FakeApi) -> None:
    api.objects["/api/v1/nodes/n2"] = build_node("n2")
    elsewhere = build_pod("c", app="tenant", tenant="acme")
    elsewhere["metadata"]["namespace"] = "other"
    pods = (
        build_pod("a", app="tenant", tenant="acme"),
        build_pod("b"),
        elsewhere,
        build_pod("d", node=""),
    )
    for pod in pods:
        api.objects[f"/api/v1/pods/{pod['metadata']['name']}"] = pod
    first, second = KubernetesNodes(api.door, "aware").list()
    assert (first.others.pods, first.tenants["acme"].pods) == (2, 1)
    assert second.as_node().taken.pods == 0


def test_containers_add_up() -> None:
    spec = {"containers": [build_container("50m", "64Mi"), build_container("100m", "32Mi")]}
    assert parse_footprint(spec) == Footprint(96, 150)


def test_the_largest_init_container_counts_where_it_asks_for_more() -> None:
    spec = {
        "containers": [build_container("50m", "64Mi")],
        "initContainers": [build_container("10m", "256Mi"), build_container("10m", "128Mi")],
    }
    assert parse_footprint(spec) == Footprint(256, 50)


def test_a_sidecar_runs_beside_the_others() -> None:
    sidecar = build_container("10m", "32Mi", restartPolicy="Always")
    spec = {
        "containers": [build_container("50m", "64Mi")],
        "initContainers": [sidecar, build_container("10m", "128Mi")],
    }
    assert parse_footprint(spec) == Footprint(160, 60)


def test_overhead_counts() -> None:
    spec = {
        "containers": [build_container("50m", "64Mi")],
        "overhead": {"cpu": "250m", "memory": "120Mi"},
    }
    assert parse_footprint(spec) == Footprint(184, 300)


def test_what_the_pod_itself_requests_wins() -> None:
    spec = {
        "containers": [build_container("50m", "64Mi")],
        "resources": {"requests": {"memory": "100Mi"}},
    }
    assert parse_footprint(spec) == Footprint(100, 50)


def test_one_container_without_a_limit_leaves_the_pod_without_one() -> None:
    limited = {"resources": {"limits": {"memory": "1Gi"}, "requests": {"memory": "1Gi"}}}
    assert parse_footprint({"containers": [limited]}).memory_limit_mib == 1024
    assert parse_footprint({"containers": [limited, {}]}).memory_limit_mib is None


def test_commands_that_ask_for_no_node_do_not_load_what_counts_them() -> None:
    modules = "release_manager.operations.upgrade_all, release_manager.clients.nodes"
    program = f"import sys, {modules}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "release_manager.clients.nodes" in loaded
    assert not [name for name in loaded if name.startswith("release_manager.infrastructure")]
