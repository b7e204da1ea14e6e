"""Which nodes a tenant's pods may go to."""

from __future__ import annotations

from typing import Any

import pytest

from release_manager.infrastructure.capacity import Footprint
from release_manager.infrastructure.scheduling import (
    CORDON,
    ClusterNode,
    Demand,
    Taint,
    Toleration,
    find_obstacle,
    read_demand,
    read_footprint,
)

POD = Footprint(memory_mib=64, cpu_millicores=50)
DEDICATED = Taint("dedicated", "NoSchedule", "gpu")


def build_node(**fields: Any) -> ClusterNode:
    return ClusterNode("a", memory_mib=1000, cpu_millicores=1000, pods=10, **fields)


@pytest.mark.parametrize(
    ("node", "obstacle"),
    [
        (build_node(), ""),
        (build_node(is_ready=False), "is not ready"),
        (build_node(is_cordoned=True), "is cordoned"),
        (build_node(taints=(DEDICATED,)), "has the taint dedicated=gpu:NoSchedule"),
        (build_node(taints=(Taint("old", "NoExecute"),)), "has the taint old:NoExecute"),
        (build_node(taints=(Taint("old", "PreferNoSchedule"),)), ""),
    ],
    ids=["none", "not ready", "cordoned", "taint", "NoExecute", "PreferNoSchedule"],
)
def test_a_node_that_takes_no_pods_tells_why(node: ClusterNode, obstacle: str) -> None:
    assert find_obstacle(node, Demand(POD)) == obstacle


@pytest.mark.parametrize(
    ("toleration", "is_tolerated"),
    [
        (Toleration("dedicated", "Equal", "gpu", "NoSchedule"), True),
        (Toleration("dedicated", "Equal", "gpu"), True),
        (Toleration("dedicated", "Exists"), True),
        (Toleration(operator="Exists"), True),
        (Toleration("dedicated", "Equal", "cpu"), False),
        (Toleration("other", "Exists"), False),
        (Toleration("dedicated", "Exists", effect="NoExecute"), False),
    ],
)
def test_a_taint_is_tolerated_as_kubernetes_does(
    toleration: Toleration, *, is_tolerated: bool
) -> None:
    demand = Demand(POD, tolerations=(toleration,))
    assert (find_obstacle(build_node(taints=(DEDICATED,)), demand) == "") is is_tolerated


def test_a_cordon_can_be_tolerated() -> None:
    demand = Demand(POD, tolerations=(Toleration(CORDON.key, "Exists"),))
    assert find_obstacle(build_node(is_cordoned=True, taints=(CORDON,)), demand) == ""


def test_a_node_selector_wants_the_label() -> None:
    demand = Demand(POD, node_selector={"disk": "ssd"})
    assert find_obstacle(build_node(labels={"disk": "ssd"}), demand) == ""
    assert find_obstacle(build_node(labels={"disk": "hdd"}), demand) == "lacks the label disk=ssd"


def test_a_tenants_own_pods_can_be_left_out() -> None:
    node = build_node(others=POD, tenants={"acme": POD, "globex": POD})
    assert node.as_node().taken.pods == 3
    assert node.as_node(without="acme").taken.pods == 2


def test_values_tell_what_a_tenant_asks_for() -> None:
    demand = read_demand(
        {
            "replicas": 2,
            "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": 1}},
            "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"key": "dedicated", "operator": "Exists"}],
        }
    )
    assert demand.pod == Footprint(64, 50, cpu_limit_millicores=1000)
    assert (demand.replicas, demand.node_selector) == (2, {"disk": "ssd"})
    assert demand.tolerations == (Toleration("dedicated", "Exists"),)
    assert (demand.tenant.memory_mib, demand.tenant.pods) == (128, 2)


def test_a_stopped_tenant_is_counted_as_if_it_were_started() -> None:
    assert read_demand({"replicas": 0}).tenant.pods == 1


def test_a_limit_without_a_request_is_a_request() -> None:
    footprint = read_footprint({"limits": {"memory": "1Gi", "cpu": None}})
    assert footprint == Footprint(1024, 0, memory_limit_mib=1024)


def test_resources_that_nobody_gives_are_none() -> None:
    assert read_footprint(None) == Footprint(0, 0)
