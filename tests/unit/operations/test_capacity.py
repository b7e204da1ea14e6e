"""How many tenants fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from release_manager.errors import ForbiddenError, InvalidSettingsError
from release_manager.infrastructure.capacity import Distribution, Footprint
from release_manager.infrastructure.instances import find_instance_type
from release_manager.infrastructure.scheduling import ClusterNode
from release_manager.operations.capacity import (
    LiveCapacity,
    PlannedCapacity,
    PlanRequest,
    plan_capacity,
    read_shared_footprint,
    survey_capacity,
)
from release_manager.settings import Settings
from release_manager.wiring import build_charts, complete_settings
from tests.unit.fakes import FakeWorld


def build_node(name: str = "node-0", **fields: Any) -> ClusterNode:
    return ClusterNode(name, **{"memory_mib": 200, "cpu_millicores": 1000, "pods": 10, **fields})


def survey(world: FakeWorld) -> LiveCapacity:
    return survey_capacity(world.nodes, world.charts, world.settings)


def build_settings(**fields: Any) -> Settings:
    return complete_settings(Settings(**fields))


def plan(settings: Settings, **fields: Any) -> PlannedCapacity:
    request = {
        "instance": find_instance_type("t3.medium"),
        "nodes": 1,
        "distribution": Distribution.K3S,
        "tenants": 10,
    }
    return plan_capacity(build_charts(settings), settings, PlanRequest(**{**request, **fields}))


def test_what_fits_is_what_a_tenants_values_request(world: FakeWorld) -> None:
    world.nodes.nodes = [build_node()]
    found = survey(world)
    assert (found.tenant.memory_mib, found.tenant.cpu_millicores) == (64, 50)
    assert (found.room.count, found.room.binding) == (3, "memory requests")


def test_tenants_that_are_there_take_their_room(world: FakeWorld) -> None:
    world.nodes.nodes = [build_node()]
    world.install()
    found = survey(world)
    assert found.room.count == 2
    assert (found.nodes[0].taken.memory_mib, found.nodes[0].taken.pods) == (64, 1)


def test_the_fleets_defaults_count(world: FakeWorld) -> None:
    world.nodes.nodes = [build_node()]
    defaults = {"resources": {"requests": {"memory": "100Mi"}}}
    world.settings = replace(world.settings, defaults=defaults)
    assert survey(world).room.count == 2


def test_defaults_that_the_chart_refuses_are_refused(world: FakeWorld) -> None:
    world.settings = replace(world.settings, defaults={"replica": 2})
    with pytest.raises(InvalidSettingsError, match=r"defaults: field replica"):
        survey(world)


def test_a_node_that_takes_no_pods_does_not_count_and_tells_why(world: FakeWorld) -> None:
    world.nodes.nodes = [build_node("a"), build_node("b", is_cordoned=True)]
    found = survey(world)
    assert found.room.count == 3
    assert [(node.is_counted, node.reason) for node in found.nodes] == [
        (True, ""),
        (False, "is cordoned"),
    ]


def test_nodes_add_up_by_whole_tenants(world: FakeWorld) -> None:
    world.nodes.nodes = [build_node("a", memory_mib=100), build_node("b", memory_mib=100)]
    found = survey(world)
    assert found.room.count == 2
    assert [node.room.count for node in found.nodes] == [1, 1]


def test_memory_limits_are_told_beside_it(world: FakeWorld) -> None:
    world.nodes.nodes = [build_node(memory_mib=600)]
    assert survey(world).room.by_memory_limits == 2


def test_the_next_size_is_told_where_type_and_distribution_are_known(world: FakeWorld) -> None:
    known = {"instance_type": "t3.small", "distribution": Distribution.K3S}
    taken = Footprint(1000, 1000, pods=5)
    world.nodes.nodes = [build_node(**known, others=taken), build_node("b", instance_type="k3s")]
    first, second = survey(world).nodes
    assert first.larger is not None
    # 2988Mi and 1750m are allocatable: the CPU ends first.
    assert (first.larger.instance_type, first.larger.count) == ("t3.medium", 15)
    assert second.larger is None


def test_no_node_is_no_room(world: FakeWorld) -> None:
    world.nodes.nodes = []
    assert (survey(world).room.count, survey(world).room.binding) == (0, "")


def test_who_may_not_list_nodes_is_told(world: FakeWorld) -> None:
    world.nodes.is_forbidden = True
    with pytest.raises(ForbiddenError):
        survey(world)


def test_what_all_tenants_share_is_read_from_the_charts() -> None:
    settings = build_settings()
    shared = read_shared_footprint(build_charts(settings), settings)
    # Postgres, a backup, three of cert-manager, the API.
    assert (shared.memory_mib, shared.pods) == (256 + 128 + 48 + 32 + 48 + 128, 6)
    assert shared.cpu_millicores == pytest.approx(100 + 50 + 10 + 10 + 10 + 100)


def test_what_the_fleet_file_says_of_the_parts_counts() -> None:
    settings = build_settings(
        platform={
            "postgres": {"enabled": False},
            "externalDatabase": {"host": "db.example.com"},
            "backups": {"enabled": False},
            "certificates": {"enabled": False},
            "traefik": {"install": True},
        },
        api={"replicas": 2},
    )
    shared = read_shared_footprint(build_charts(settings), settings)
    assert (shared.memory_mib, shared.pods) == (256, 3)


def test_a_planned_machine_holds_what_is_left_beside_the_parts() -> None:
    planned = plan(build_settings())
    # 1750m without 200m of the cluster's own and 280m of the parts.
    assert (planned.room.count, planned.room.binding) == (25, "CPU requests")
    assert planned.is_enough


def test_the_smallest_machines_that_hold_them_are_told() -> None:
    planned = plan(build_settings(profile="openclaw"), tenants=5)
    assert (planned.is_enough, planned.room.count) == (False, 2)
    assert planned.smallest is not None
    assert (planned.smallest.instance_type, planned.smallest.nodes) == ("t3.large", 1)
    assert planned.smallest.tenants >= 5


def test_parts_that_do_not_fit_leave_nothing_that_binds() -> None:
    large = {
        "postgres": {"resources": {"requests": {"memory": "3Gi"}, "limits": {"memory": "3Gi"}}}
    }
    planned = plan(build_settings(platform=large))
    assert (planned.room.count, planned.room.binding) == (0, "")


def test_more_than_any_machine_holds_has_no_smallest() -> None:
    assert plan(build_settings(), tenants=500).smallest is None
