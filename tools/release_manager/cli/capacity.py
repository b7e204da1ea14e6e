"""How many tenants fit, on the cluster that is there or on machines that are planned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from ..errors import InvalidInputError
from . import options
from .output import print_data, print_fields, print_table, print_text, to_plain

if TYPE_CHECKING:
    from ..operations.capacity import (
        Amounts,
        Counts,
        LiveCapacity,
        Machines,
        NodeCapacity,
        PlannedCapacity,
        PlanRequest,
        TenantNeeds,
    )
    from ..settings import Settings

# Terraform makes one machine of k3s, and two of EKS.
_DEFAULT_NODES = {"k3s": 1, "eks": 2}
_DEFAULT_DISTRIBUTION = "k3s"


@dataclass(frozen=True)
class _Planned:
    """The flags that only ``--plan`` has; None where not given."""

    instance_type: str | None
    nodes: int | None
    distribution: str | None
    tenants: int | None


@click.command()
@click.option("--profile", help="Profile of the tenants, such as openclaw")
@click.option("--plan", "is_planning", is_flag=True, help="Count for new machines; asks no cluster")
@click.option("--instance-type", help="With --plan: type of the machines, such as t3.medium")
@click.option(
    "--nodes", type=click.IntRange(1, 100), help="With --plan: how many  [default: 1, of eks 2]"
)
@click.option(
    "--distribution",
    type=click.Choice(["k3s", "eks"]),
    help="With --plan: what runs on them  [default: k3s]",
)
@click.option("--tenants", type=click.IntRange(1, 10_000), help="With --plan: how many should fit")
@options.output_option
@options.settings_options
def capacity(
    *,
    profile: str | None,
    is_planning: bool,
    instance_type: str | None,
    nodes: int | None,
    distribution: str | None,
    tenants: int | None,
    form: str,
    **shared: Any,
) -> None:
    """Show how many more tenants fit on the cluster, and what ends first.

    \b
    Counts as the scheduler does: memory requests, CPU requests, pods. How many fit if all
    used their whole memory limits at once is told beside it. Exit code 0 whatever the answer.

    \b
    Example:
      release-manager capacity --profile openclaw
      release-manager capacity --plan --instance-type t3.medium --tenants 50
    """
    settings = options.build_settings(shared, profile=profile)
    planned = _Planned(instance_type, nodes, distribution, tenants)
    if not is_planning:
        _refuse_plan_flags(planned)
        return _survey(settings, form)
    return _plan(settings, _build_request(planned), form)


def _refuse_plan_flags(planned: _Planned) -> None:
    for name, value in vars(planned).items():
        if value is not None:
            flag = f"--{name.replace('_', '-')}"
            raise InvalidInputError(
                f"field {flag}: it is about machines that are planned, not about a cluster",
                remedy=f"Add --plan, or leave {flag} out",
            )


def _build_request(planned: _Planned) -> PlanRequest:
    from ..infrastructure.capacity import Distribution
    from ..infrastructure.instances import find_instance_type
    from ..operations.capacity import PlanRequest

    if planned.instance_type is None:
        raise InvalidInputError(
            "field --instance-type: --plan needs to know what machines are planned",
            remedy="Name one, such as --instance-type t3.medium",
        )
    if planned.tenants is None:
        raise InvalidInputError(
            "field --tenants: --plan needs to know how many tenants should fit",
            remedy="Say it, such as --tenants 50",
        )
    distribution = planned.distribution or _DEFAULT_DISTRIBUTION
    return PlanRequest(
        instance=find_instance_type(planned.instance_type),
        nodes=planned.nodes or _DEFAULT_NODES[distribution],
        distribution=Distribution(distribution),
        tenants=planned.tenants,
    )


def _survey(settings: Settings, form: str) -> None:
    from .. import wiring
    from ..operations.capacity import survey_capacity

    ports = wiring.build_ports(settings, is_writing=False)
    found = survey_capacity(ports.nodes, ports.charts, settings)
    if form != "table":
        return print_data(to_plain(found), form)
    return print_live(found)


def _plan(settings: Settings, request: PlanRequest, form: str) -> None:
    from .. import wiring
    from ..operations.capacity import plan_capacity

    found = plan_capacity(wiring.build_charts(settings), settings, request)
    if form != "table":
        return print_data(to_plain(found), form)
    return print_planned(found)


def print_live(found: LiveCapacity) -> None:
    """Print how many more tenants fit, and each node."""
    print_fields(
        [
            ("tenant", _tell_tenant(found.tenant)),
            ("more tenants", _tell_count(found.room)),
            ("by limits", _tell_limits(found.room)),
        ]
    )
    if not found.nodes:
        return print_text("the cluster has no node")
    print_text("")
    headings = (
        "NODE",
        "TYPE",
        "MEMORY",
        "CPU",
        "PODS",
        "MORE",
        "ENDS FIRST",
        "NEXT SIZE",
        "REASON",
    )
    return print_table(headings, [_build_row(node) for node in found.nodes])


def _build_row(node: NodeCapacity) -> tuple[str, ...]:
    taken, whole, larger = node.taken, node.allocatable, node.larger
    return (
        node.name,
        node.instance_type or "unknown",
        f"{taken.memory_mib}/{whole.memory_mib}Mi",
        f"{taken.cpu_millicores}/{whole.cpu_millicores}m",
        f"{taken.pods}/{whole.pods}",
        str(node.room.count) if node.is_counted else "-",
        node.room.binding if node.is_counted else "-",
        f"{larger.instance_type}: {larger.count}" if larger is not None else "unknown",
        f"does not count: it {node.reason}" if node.reason else "",
    )


def print_planned(found: PlannedCapacity) -> None:
    """Print what the machines hold, by each bound, and whether that is enough."""
    machines = f"{found.nodes} x {found.instance_type}, {found.distribution}"
    print_fields(
        [
            ("machines", f"{machines}; each has {_tell_amounts(found.allocatable)} for pods"),
            ("shared", f"{_tell_amounts(found.shared)} of all tenants, beside the cluster's own"),
            ("tenant", _tell_tenant(found.tenant)),
        ]
    )
    print_text("")
    print_table(("BOUND", "TENANTS", ""), _list_bounds(found.room))
    print_text("")
    print_text(_tell_verdict(found))


def _list_bounds(room: Counts) -> list[tuple[str, str, str]]:
    bounds = {
        "memory requests": room.by_memory,
        "CPU requests": room.by_cpu,
        "pods": room.by_pods,
    }
    rows = [
        (name, _tell_number(count), "ends first" if name == room.binding else "")
        for name, count in bounds.items()
    ]
    return [*rows, ("memory limits", _tell_number(room.by_memory_limits), "not enforced")]


def _tell_verdict(found: PlannedCapacity) -> str:
    verdict = f"{found.tenants} tenants fit" if found.is_enough else _tell_shortage(found)
    return f"{verdict}; {_tell_smallest(found.smallest, found.tenants)}"


def _tell_shortage(found: PlannedCapacity) -> str:
    if not found.room.binding:
        return f"{found.tenants} tenants do not fit: not even what they share does"
    return f"{found.tenants} tenants do not fit: {found.room.count} do"


def _tell_smallest(smallest: Machines | None, tenants: int) -> str:
    if smallest is None:
        return f"no machine known here holds {tenants}"
    holds = f"{smallest.nodes} x {smallest.instance_type}, for {smallest.tenants}"
    return f"the smallest that holds {tenants} is {holds}"


def _tell_tenant(tenant: TenantNeeds) -> str:
    from ..infrastructure.quantities import format_mib, format_millicores

    memory, cpu = format_mib(tenant.memory_mib), format_millicores(tenant.cpu_millicores)
    most = (
        f"at most {format_mib(tenant.memory_limit_mib)}" if tenant.memory_limit_mib else "no limit"
    )
    pods = f", {tenant.replicas} pods each" if tenant.replicas > 1 else ""
    return f"profile {tenant.profile}: requests {memory} of memory ({most}) and {cpu} of CPU{pods}"


def _tell_amounts(amounts: Amounts) -> str:
    from ..infrastructure.quantities import format_mib, format_millicores

    memory, cpu = format_mib(amounts.memory_mib), format_millicores(amounts.cpu_millicores)
    return f"{memory}, {cpu} and {amounts.pods} pods"


def _tell_count(room: Counts) -> str:
    return f"{room.count}, {room.binding} end first" if room.binding else "0"


def _tell_limits(room: Counts) -> str:
    if room.by_memory_limits is None:
        return "unlimited: a tenant has no memory limit, and may take what others need"
    return f"{room.by_memory_limits} if all used the whole of their memory limits at once"


def _tell_number(count: int | None) -> str:
    return "unlimited" if count is None else str(count)


COMMANDS: tuple[click.Command, ...] = (capacity,)
