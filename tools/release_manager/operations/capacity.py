"""How many tenants fit: on the cluster that is there, and on machines that are planned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..chart import Chart
from ..errors import InvalidSettingsError, InvalidValuesError
from ..infrastructure.capacity import (
    Distribution,
    Fit,
    Footprint,
    Node,
    SizedMachines,
    add_footprints,
    count_fitting,
    fit_cluster,
    plan_cluster,
    plan_node,
    size_machine,
)
from ..infrastructure.instances import InstanceType, find_next_size
from ..infrastructure.scheduling import (
    ClusterNode,
    Demand,
    find_obstacle,
    read_demand,
    read_footprint,
)
from ..ports import Charts, Nodes
from ..settings import Settings
from ..values import Values, coalesce_values, lookup_path, validate_values
from .certificates import needs_cert_manager
from .install import build_install_layers
from .platform import build_platform_values


@dataclass(frozen=True)
class TenantNeeds:
    """What each pod of a tenant requests, and may use; limits are None where there is none."""

    profile: str
    replicas: int
    memory_mib: float
    cpu_millicores: float
    memory_limit_mib: float | None
    cpu_limit_millicores: float | None


@dataclass(frozen=True)
class Amounts:
    """Memory, CPU and pods: allocatable, or taken."""

    memory_mib: int
    cpu_millicores: int
    pods: int


@dataclass(frozen=True)
class Counts:
    """How many fit, and how many would by each bound alone; None where a bound knows no end.

    binding: the bound that ends first; empty without a node. by_memory_limits: how many if all
    used the whole of their memory limits at once, which the scheduler does not count.
    """

    count: int
    binding: str
    by_memory: int | None
    by_cpu: int | None
    by_pods: int
    by_memory_limits: int | None


@dataclass(frozen=True)
class Larger:
    """What a node would hold if it were of the next size, with what is on it."""

    instance_type: str
    count: int


@dataclass(frozen=True)
class NodeCapacity:
    """One node. room: more pods of a tenant. reason: why the node does not count.

    instance_type: empty where the node has no such label. larger: None where nothing is known
    about a next size, or about the node's distribution.
    """

    name: str
    instance_type: str
    is_counted: bool
    reason: str
    allocatable: Amounts
    taken: Amounts
    room: Counts
    larger: Larger | None


@dataclass(frozen=True)
class LiveCapacity:
    """How many more tenants the cluster takes."""

    tenant: TenantNeeds
    room: Counts
    nodes: tuple[NodeCapacity, ...]


@dataclass(frozen=True)
class Machines:
    """So many machines of a type. tenants: how many they hold in all."""

    instance_type: str
    nodes: int
    tenants: int


@dataclass(frozen=True)
class PlanRequest:
    """Machines that are planned, and how many tenants they should hold."""

    instance: InstanceType
    nodes: int
    distribution: Distribution
    tenants: int


@dataclass(frozen=True)
class PlannedCapacity:
    """How many tenants new machines hold in all, beside what all tenants share.

    shared: what that requests. smallest: the least machines that hold as many as wanted; None
    where no machine known here does.
    """

    tenant: TenantNeeds
    distribution: str
    instance_type: str
    nodes: int
    tenants: int
    is_enough: bool
    room: Counts
    allocatable: Amounts
    shared: Amounts
    smallest: Machines | None


def read_tenant_values(charts: Charts, settings: Settings) -> Values:
    """Return all values of a new tenant that has none of its own.

    Raises ChartNotFoundError, InvalidSettingsError.
    """
    chart = charts.load(settings.chart)
    layers = build_install_layers(chart, settings, {})
    return _complete_values(chart, layers.merged(), "defaults")


def read_shared_footprint(charts: Charts, settings: Settings) -> Footprint:
    """Return what everything requests that all tenants share, together.

    A backup counts though it does not always run: it must find its room at night.
    """
    platform, api = charts.load(settings.platform_chart), charts.load(settings.api_chart)
    values = _complete_values(platform, build_platform_values(settings), "platform")
    api_values = _complete_values(api, settings.api, "api")
    return add_footprints((*_list_platform(values), _read_api(api_values)))


def _complete_values(chart: Chart, values: Values, setting: str) -> Values:
    """Return values over the chart's defaults. Raises InvalidSettingsError naming the setting."""
    try:
        validate_values(chart, values, tenant="")
    except InvalidValuesError as exc:
        raise InvalidSettingsError(f"{setting}: {exc.problem}", remedy=exc.remedy) from exc
    return coalesce_values(chart.default_values, values)


def _list_platform(values: Mapping[str, Any]) -> Sequence[Footprint]:
    footprints = []
    if lookup_path(values, "postgres.enabled"):
        footprints.append(read_footprint(lookup_path(values, "postgres.resources")))
    if lookup_path(values, "backups.enabled"):
        footprints.append(read_footprint(lookup_path(values, "backups.resources")))
    if needs_cert_manager(values):
        pinned = lookup_path(values, "certManager.values", {})
        footprints += [
            _read_pinned(pinned),
            _read_pinned(pinned.get("webhook") or {}),
            _read_pinned(pinned.get("cainjector") or {}),
        ]
    if lookup_path(values, "traefik.install"):
        footprints.append(_read_pinned(lookup_path(values, "traefik.pin.values", {})))
    return footprints


def _read_pinned(values: Mapping[str, Any]) -> Footprint:
    replicas = values.get("replicaCount") or lookup_path(values, "deployment.replicas") or 1
    return read_footprint(values.get("resources"), pods=int(replicas))


def _read_api(values: Mapping[str, Any]) -> Footprint:
    is_scaling = lookup_path(values, "autoscaling.enabled")
    replicas = lookup_path(values, "autoscaling.minReplicas" if is_scaling else "replicas", 1)
    # A stopped API takes its room again when it is started.
    return read_footprint(values.get("resources"), pods=max(1, int(replicas)))


def survey_capacity(nodes: Nodes, charts: Charts, settings: Settings) -> LiveCapacity:
    """Return how many more tenants fit on the cluster.

    Raises ForbiddenError, ChartNotFoundError, InvalidSettingsError.
    """
    demand = read_demand(read_tenant_values(charts, settings))
    found = {node.name: node for node in nodes.list()}
    described = tuple(_describe_node(node, demand) for node in found.values())
    counted = [found[node.name].as_node() for node in described if node.is_counted]
    return LiveCapacity(
        tenant=_describe_tenant(settings, demand),
        room=_describe_fit(count_fitting(counted, demand.tenant)),
        nodes=described,
    )


def _describe_node(found: ClusterNode, demand: Demand) -> NodeCapacity:
    node, obstacle = found.as_node(), find_obstacle(found, demand)
    fit = count_fitting([node], demand.pod)
    return NodeCapacity(
        name=node.name,
        instance_type=node.instance_type,
        is_counted=not obstacle,
        reason=obstacle,
        allocatable=_describe_allocatable(node),
        taken=_describe_amounts(node.taken),
        room=_describe_fit(fit),
        larger=_find_larger(node, found.distribution, demand),
    )


def _find_larger(node: Node, distribution: Distribution | None, demand: Demand) -> Larger | None:
    larger = find_next_size(node.instance_type)
    if larger is None or distribution is None:
        return None
    # What the distribution itself runs on each node is among what is taken.
    grown = replace(plan_node(larger, distribution), taken=node.taken)
    return Larger(larger.name, count_fitting([grown], demand.pod).count)


def plan_capacity(charts: Charts, settings: Settings, request: PlanRequest) -> PlannedCapacity:
    """Return how many tenants planned machines hold. Asks no cluster.

    Raises ChartNotFoundError, InvalidSettingsError.
    """
    demand = read_demand(read_tenant_values(charts, settings))
    shared = read_shared_footprint(charts, settings)
    instance, distribution = request.instance, request.distribution
    nodes = plan_cluster(instance, request.nodes, distribution, shared)
    fit = fit_cluster(nodes, demand.tenant)
    smallest = size_machine(
        request.tenants, demand.tenant, shared, distribution, instance.architecture
    )
    return PlannedCapacity(
        tenant=_describe_tenant(settings, demand),
        distribution=distribution.value,
        instance_type=instance.name,
        nodes=request.nodes,
        tenants=request.tenants,
        is_enough=fit.count >= request.tenants,
        room=_describe_fit(fit),
        allocatable=_describe_allocatable(plan_node(instance, distribution)),
        shared=_describe_amounts(shared),
        smallest=_describe_machines(smallest),
    )


def _describe_machines(sized: SizedMachines | None) -> Machines | None:
    if sized is None:
        return None
    return Machines(sized.instance_type.name, sized.count, sized.fit.count)


def _describe_tenant(settings: Settings, demand: Demand) -> TenantNeeds:
    return TenantNeeds(
        profile=settings.profile,
        replicas=max(1, demand.replicas),
        memory_mib=demand.pod.memory_mib,
        cpu_millicores=demand.pod.cpu_millicores,
        memory_limit_mib=demand.pod.memory_limit_mib,
        cpu_limit_millicores=demand.pod.cpu_limit_millicores,
    )


def _describe_allocatable(node: Node) -> Amounts:
    return Amounts(int(node.memory_mib), int(node.cpu_millicores), node.pods)


def _describe_amounts(footprint: Footprint) -> Amounts:
    return Amounts(int(footprint.memory_mib), int(footprint.cpu_millicores), footprint.pods)


def _describe_fit(fit: Fit) -> Counts:
    return Counts(
        count=fit.count,
        binding=fit.binding.value if fit.binding is not None else "",
        by_memory=fit.by_memory,
        by_cpu=fit.by_cpu,
        by_pods=fit.by_pods,
        by_memory_limits=fit.by_memory_limits,
    )
