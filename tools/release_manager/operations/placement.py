"""Whether a node has room for a new tenant: asked before anything is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..errors import ForbiddenError, NoRoomError
from ..infrastructure.capacity import Bound, Footprint, Node, count_fitting, count_room
from ..infrastructure.quantities import format_mib, format_millicores
from ..infrastructure.scheduling import ClusterNode, Demand, find_obstacle, read_demand
from ..ports import Ports
from ..values import coalesce_values
from .plan import Action, Plan

# More than these make no sentence.
MAX_NODES_TOLD = 3

UNCHECKED = (
    "whether a node has room for it is not checked: these credentials may not list nodes and the "
    "pods of all namespaces"
)


@dataclass(frozen=True)
class Shortage:
    """Why a tenant's pods have no place, and what helps."""

    problem: str
    remedy: str


def verify_room(ports: Ports, plan: Plan) -> Plan:
    """Refuse a tenant whose pods no node would take; its own earlier pods do not count.

    What may not be looked at is a note of the plan: nobody needs the right to list nodes.
    Raises NoRoomError.
    """
    demand = read_demand(coalesce_values(plan.chart.default_values, plan.values))
    if plan.action is not Action.INSTALL or demand.replicas == 0:
        return plan
    try:
        nodes = ports.nodes.list()
    except ForbiddenError:
        return replace(plan, notes=(*plan.notes, UNCHECKED))
    if shortage := find_shortage(nodes, demand, slug=plan.slug):
        raise NoRoomError(shortage.problem, remedy=shortage.remedy, tenant=plan.slug)
    return plan


def find_shortage(nodes: Sequence[ClusterNode], demand: Demand, *, slug: str) -> Shortage | None:
    """Return why a tenant's pods have no place; None where they have one, or nobody can tell.

    Nodes of which none is ready may come back: then the pods are waited for.
    """
    if not nodes:
        return Shortage("the cluster has no node", "Add one, or give --force to try")
    if not any(node.is_ready for node in nodes):
        return None
    obstacles = {node.name: find_obstacle(node, demand) for node in nodes}
    open_nodes = [node.as_node(without=slug) for node in nodes if not obstacles[node.name]]
    if not open_nodes:
        some = list(obstacles.items())[:MAX_NODES_TOLD]
        told = "; ".join(f"node {name} {obstacle}" for name, obstacle in some)
        return Shortage(
            f"no node takes its pod: {told}",
            "Let one take it, correct nodeSelector or tolerations, or give --force to try",
        )
    if count_fitting(open_nodes, demand.tenant).count:
        return None
    return Shortage(
        _tell_full(open_nodes, demand),
        "Use a larger machine ('release-manager capacity' tells which), stop a tenant, or give "
        "--force to try",
    )


def _tell_full(nodes: Sequence[Node], demand: Demand) -> str:
    closest = max(nodes, key=lambda node: (count_room(node, demand.pod).count, _rank(node, demand)))
    asked = f"it requests {_tell_request(demand.pod)}"
    whose = "no node has room for its pod"
    if demand.replicas > 1:
        placed = sum(count_room(node, demand.pod).count for node in nodes)
        whose = f"there is room for {placed} of its {demand.replicas} pods"
        asked = f"each requests {_tell_request(demand.pod)}"
    left = _tell_left(closest, demand.pod)
    return f"{whose}: {asked}; {_tell_closest(closest.name, len(nodes))} has {left}"


def _rank(node: Node, demand: Demand) -> tuple[int, float]:
    """Return how close a node comes: how many bounds do not bind, then its free memory."""
    room = count_room(node, demand.pod)
    bounds = (room.by_memory, room.by_cpu, room.by_pods)
    return sum(bound != 0 for bound in bounds), node.free_memory_mib


def _tell_closest(name: str, count: int) -> str:
    return f"node {name}" if count == 1 else f"the closest of {count} nodes, {name},"


def _tell_request(pod: Footprint) -> str:
    return (
        f"{format_mib(pod.memory_mib)} of memory and {format_millicores(pod.cpu_millicores)} of CPU"
    )


def _tell_left(node: Node, pod: Footprint) -> str:
    """Return what is left of what binds there; of all, where one more pod would fit."""
    room = count_room(node, pod)
    left = {
        Bound.MEMORY: (room.by_memory, f"{format_mib(node.free_memory_mib)} of memory left"),
        Bound.CPU: (room.by_cpu, f"{format_millicores(node.free_cpu_millicores)} of CPU left"),
        Bound.PODS: (room.by_pods, f"no pod left of the {node.pods} that it may have"),
    }
    binding = [text for count, text in left.values() if count == 0]
    return " and ".join(binding) or f"room for {room.count}"
