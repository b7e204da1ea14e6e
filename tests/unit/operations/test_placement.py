"""Whether a node has room for a new tenant."""

from __future__ import annotations

from typing import Any

import pytest

from release_manager.errors import NoRoomError
from release_manager.infrastructure.capacity import Footprint
from release_manager.infrastructure.scheduling import ClusterNode, Taint
from release_manager.operations.install import plan_install
from tests.unit.fakes import FakeWorld


def build_node(name: str = "node-0", **fields: Any) -> ClusterNode:
    """A node with room for one tenant, as far as nothing else is said."""
    return ClusterNode(name, **{"memory_mib": 100, "cpu_millicores": 100, "pods": 10, **fields})


def read_refusal(world: FakeWorld, **overrides: Any) -> str:
    """Return why an install is refused, and insist that it has changed nothing."""
    before = world.statuses()
    with pytest.raises(NoRoomError) as caught:
        world.install(**overrides)
    assert (world.statuses(), world.secrets.read_token("acme")) == (before, None)
    assert caught.value.tenant == "acme"
    return caught.value.problem


def test_a_tenant_that_finds_room_is_installed(world: FakeWorld) -> None:
    world.nodes.nodes = [build_node()]
    assert world.install().action == "install"


def test_a_node_without_memory_is_told(world: FakeWorld) -> None:
    world.nodes.nodes = [build_node(memory_mib=50)]
    assert read_refusal(world) == (
        "no node has room for its pod: it requests 64Mi of memory and 50m of CPU; node node-0 "
        "has 50Mi of memory left"
    )


def test_the_remedy_names_the_command_that_counts_and_the_flag_that_tries(
    world: FakeWorld,
) -> None:
    world.nodes.nodes = [build_node(memory_mib=50)]
    with pytest.raises(NoRoomError, match="no node has room") as caught:
        world.install()
    assert caught.value.exit_code == 2
    assert "release-manager capacity" in caught.value.remedy
    assert "--force" in caught.value.remedy


def test_a_node_without_cpu_is_told(world: FakeWorld) -> None:
    world.nodes.nodes = [build_node(cpu_millicores=20)]
    assert read_refusal(world).endswith("node node-0 has 20m of CPU left")


def test_a_node_with_all_the_pods_it_may_have_is_told(world: FakeWorld) -> None:
    world.nodes.nodes = [build_node(pods=3, others=Footprint(0, 0, pods=3))]
    assert read_refusal(world).endswith("has no pod left of the 3 that it may have")


def test_all_that_binds_is_told(world: FakeWorld) -> None:
    world.nodes.nodes = [build_node(memory_mib=30, cpu_millicores=20)]
    assert read_refusal(world).endswith("has 30Mi of memory left and 20m of CPU left")


def test_other_tenants_pods_take_room(world: FakeWorld) -> None:
    world.nodes.nodes = [build_node()]
    world.install("globex")
    assert "has 36Mi of memory left" in read_refusal(world)


def test_of_several_nodes_the_closest_is_told(world: FakeWorld) -> None:
    world.nodes.nodes = [build_node("a", memory_mib=10), build_node("b", memory_mib=60)]
    assert "the closest of 2 nodes, b, has 60Mi of memory left" in read_refusal(world)


def test_two_halves_are_no_room(world: FakeWorld) -> None:
    world.nodes.nodes = [build_node("a", memory_mib=40), build_node("b", memory_mib=40)]
    read_refusal(world)


def test_every_replica_needs_room(world: FakeWorld) -> None:
    world.nodes.nodes = [build_node()]
    assert read_refusal(world, replicas=2).startswith(
        "there is room for 1 of its 2 pods: each requests 64Mi of memory"
    )
    world.nodes.nodes = [build_node("a"), build_node("b")]
    assert world.install(replicas=2).action == "install"


def test_a_node_that_takes_no_pods_has_no_room(world: FakeWorld) -> None:
    world.nodes.nodes = [build_node(is_cordoned=True)]
    assert read_refusal(world) == "no node takes its pod: node node-0 is cordoned"


def test_what_keeps_a_pod_off_each_node_is_told(world: FakeWorld) -> None:
    nodes = [build_node(f"n{number}", is_cordoned=True) for number in range(4)]
    world.nodes.nodes = [build_node("a", is_ready=False), *nodes]
    assert read_refusal(world) == (
        "no node takes its pod: node a is not ready; node n0 is cordoned; node n1 is cordoned"
    )


def test_selector_and_tolerations_of_the_tenant_are_honoured(world: FakeWorld) -> None:
    taints = (Taint("dedicated", "NoSchedule", "tenants"),)
    world.nodes.nodes = [build_node(labels={"disk": "ssd"}, taints=taints)]
    assert "has the taint dedicated=tenants:NoSchedule" in read_refusal(world)
    tolerations = [{"key": "dedicated", "operator": "Exists"}]
    problem = read_refusal(world, tolerations=tolerations, nodeSelector={"disk": "hdd"})
    assert "lacks the label disk=hdd" in problem
    installed = world.install(tolerations=tolerations, nodeSelector={"disk": "ssd"})
    assert installed.action == "install"


def test_a_cluster_without_a_node_is_refused(world: FakeWorld) -> None:
    world.nodes.nodes = []
    assert read_refusal(world) == "the cluster has no node"


def test_nodes_of_which_none_is_ready_may_come_back(world: FakeWorld) -> None:
    world.nodes.nodes = [build_node(is_ready=False, memory_mib=1)]
    assert world.install().action == "install"


def test_force_installs_it_anyway(world: FakeWorld) -> None:
    world.nodes.nodes = [build_node(memory_mib=50)]
    assert world.install(is_forcing=True).action == "install"


def test_a_stopped_tenant_needs_no_room(world: FakeWorld) -> None:
    world.nodes.nodes = []
    assert world.install(replicas=0).action == "install"


def test_a_dry_run_is_refused_too(world: FakeWorld) -> None:
    world.nodes.nodes = [build_node(memory_mib=50)]
    with pytest.raises(NoRoomError):
        plan_install(world.ports, world.settings, "acme", {}, writer="dry-run")


def test_the_tenants_own_earlier_pods_do_not_count_against_it(world: FakeWorld) -> None:
    world.nodes.nodes = [build_node()]
    world.cluster.apply("acme", world.chart, {})
    assert world.install().action == "install"


def test_who_may_not_list_nodes_is_told_and_installs(world: FakeWorld) -> None:
    world.nodes.is_forbidden = True
    assert world.install().action == "install"
    assert (
        "whether a node has room for it is not checked: these credentials may not list nodes "
        "and the pods of all namespaces"
    ) in world.told


def test_who_may_not_list_nodes_reads_so_in_the_plan(world: FakeWorld) -> None:
    world.nodes.is_forbidden = True
    plan = plan_install(world.ports, world.settings, "acme", {}, writer="dry-run")
    assert any("is not checked" in note for note in plan.notes)
