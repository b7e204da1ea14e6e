"""What so many tenants cost a month on the old stack, on k3s and on EKS.

Each stack is a list of lines: so much of something, at the price of one. What is counted is what
``terraform`` makes; of the old stack, what ECS Fargate behind an ALB needs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from .capacity import (
    MIB_PER_GIB,
    MILLICORES_PER_VCPU,
    Distribution,
    Footprint,
    SizedMachines,
    size_machine,
)
from .prices import Assumptions, PriceBook

# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html:
# no increase can be asked for.
ALB_TARGET_GROUPS = 100

RDS_CLASS = "db.t4g.micro"

NOT_COUNTED = (
    "CPU of burstable machines beyond their credits",
    "traffic between availability zones",
    "requests to DNS, S3, KMS and Secrets Manager",
    "Fargate's storage beyond 20 GB a task",
    "discounts (Savings Plans, reserved instances, Spot), free tiers, support and taxes",
    "work",
)


class Stack(Enum):
    """What tenants run on."""

    ECS = "ecs"
    K3S = "k3s"
    EKS = "eks"


@dataclass(frozen=True)
class FargateSize:
    """A size that a Fargate task may have."""

    vcpus: float
    memory_gb: float


# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html, from the
# cheapest to the dearest of each number of vCPUs.
FARGATE_SIZES: tuple[FargateSize, ...] = tuple(
    FargateSize(vcpus, memory_gb)
    for vcpus, memories in (
        (0.25, (0.5, 1, 2)),
        (0.5, range(1, 5)),
        (1, range(2, 9)),
        (2, range(4, 17)),
        (4, range(8, 31)),
        (8, range(16, 61, 4)),
        (16, range(32, 121, 8)),
    )
    for memory_gb in memories
)


@dataclass(frozen=True)
class Demand:
    """What is to be paid for. tenant: all pods of one; volume_gib: 0 for tenants without a volume.

    k3s_shared, eks_shared: what all tenants share there, beside the cluster's own.
    """

    tenants: int
    tenant: Footprint
    volume_gib: int
    k3s_shared: Footprint
    eks_shared: Footprint


@dataclass(frozen=True)
class CostLine:
    """So much of something. price: the key of its price."""

    item: str
    price: str
    quantity: float
    unit: str
    usd_per_unit: float
    usd_per_month: float
    assumption: str


@dataclass(frozen=True)
class StackCost:
    """What one stack costs. machines: empty where none known here hold so many tenants.

    The sums are None where it cannot be, or without a tenant to divide by.
    """

    stack: Stack
    machines: str
    usd_per_month: float | None
    usd_per_tenant: float | None
    lines: tuple[CostLine, ...]


@dataclass(frozen=True)
class Comparison:
    """What each stack costs for so many tenants."""

    tenants: int
    stacks: tuple[StackCost, ...]


def compare_costs(book: PriceBook, demand: Demand) -> Comparison:
    """Return the costs of all stacks."""
    plans = (_plan_ecs, _plan_k3s, _plan_eks)
    return Comparison(demand.tenants, tuple(plan(_Bill(book, demand)) for plan in plans))


def find_fargate_size(pod: Footprint) -> FargateSize | None:
    """Return the smallest size with a pod's memory limit and its CPU request; None without one."""
    fitting = (
        size
        for size in FARGATE_SIZES
        if size.memory_gb * MIB_PER_GIB >= pod.peak_memory_mib
        and size.vcpus * MILLICORES_PER_VCPU >= pod.cpu_millicores
    )
    return next(fitting, None)


class _Bill:
    """Lines as they are counted."""

    def __init__(self, book: PriceBook, demand: Demand) -> None:
        self.book = book
        self.demand = demand
        self.lines: list[CostLine] = []

    @property
    def assumed(self) -> Assumptions:
        """What is assumed."""
        return self.book.assumptions

    def add(self, item: str, price: str, quantity: float, assumption: str) -> None:
        """Add a line; nothing costs nothing."""
        if not quantity:
            return
        found = self.book.prices[price]
        usd = round(quantity * found.usd, 6)
        self.lines.append(
            CostLine(item, price, round(quantity, 6), found.unit, found.usd, usd, assumption)
        )

    def add_hours(self, item: str, price: str, count: float, assumption: str) -> None:
        """Add a line for what runs all month."""
        hours = self.assumed.hours_per_month
        self.add(item, price, count * hours, f"{assumption}, {hours:g} hours")

    def add_up(self, stack: Stack, machines: str) -> StackCost:
        """Return all lines and their sum."""
        total = round(sum(line.usd_per_month for line in self.lines), 2)
        tenants = self.demand.tenants
        each = round(total / tenants, 2) if tenants else None
        return StackCost(stack, machines, total, each, tuple(self.lines))


def _refuse(stack: Stack) -> StackCost:
    return StackCost(stack, "", None, None, ())


def _plan_ecs(bill: _Bill) -> StackCost:
    pods = bill.demand.tenant.split()
    size = find_fargate_size(pods[0])
    if size is None:
        return _refuse(Stack.ECS)
    tasks = bill.demand.tenants * len(pods)
    _add_tasks(bill, "tenants", tasks, size)
    _add_tasks(bill, "the API", bill.assumed.ecs_api_tasks, FARGATE_SIZES[0])
    _add_ecs_network(bill, tasks)
    _add_ecs_data(bill)
    _add_everywhere(bill)
    return bill.add_up(Stack.ECS, f"{tasks} x {size.vcpus:g} vCPU, {size.memory_gb:g} GB")


def _add_tasks(bill: _Bill, whose: str, count: int, size: FargateSize) -> None:
    why = f"{count} x {size.vcpus:g} vCPU and {size.memory_gb:g} GB"
    bill.add_hours(f"Fargate CPU of {whose}", "fargate-vcpu-hour", count * size.vcpus, why)
    bill.add_hours(f"Fargate memory of {whose}", "fargate-gb-hour", count * size.memory_gb, why)


def _add_ecs_network(bill: _Bill, tasks: int) -> None:
    assumed = bill.assumed
    # The API is a target, too.
    balancers = math.ceil((bill.demand.tenants + 1) / ALB_TARGET_GROUPS)
    why = f"{ALB_TARGET_GROUPS} target groups each, one for the API"
    bill.add_hours("ALB", "alb-hour", balancers, why)
    _add_balancer_units(bill, "ALB", "alb-lcu-hour")
    _add_nat(bill, assumed.ecs_nat_gateways)
    zones = assumed.availability_zones
    own = (tasks + assumed.ecs_api_tasks) * assumed.ecs_public_addresses_per_task
    addresses = balancers * zones + assumed.ecs_nat_gateways + own
    why = f"one a zone and ALB, of {zones} zones, one a NAT gateway"
    bill.add_hours("public IPv4 addresses", "public-ipv4-hour", addresses, why)


def _add_balancer_units(bill: _Bill, name: str, price: str) -> None:
    each = bill.assumed.load_balancer_units_per_tenant
    units = bill.demand.tenants * each
    bill.add_hours(f"{name} capacity units", price, units, f"{each:g} a tenant")


def _add_nat(bill: _Bill, count: int) -> None:
    each = bill.assumed.nat_gib_per_tenant
    bill.add_hours("NAT gateways", "nat-gateway-hour", count, f"{count} for all zones")
    data = bill.demand.tenants * each if count else 0
    bill.add("NAT gateway data", "nat-gateway-gb", data, f"{each:g} GiB a tenant, both ways")


def _add_ecs_data(bill: _Bill) -> None:
    assumed, tenants = bill.assumed, bill.demand.tenants
    secrets = tenants * assumed.secrets_per_tenant + assumed.shared_secrets
    why = f"{assumed.secrets_per_tenant:g} a tenant, {assumed.shared_secrets} shared"
    bill.add("secrets", "secret-month", secrets, why)
    _add_logs(
        bill, tenants * assumed.logs_gib_per_tenant, f"{assumed.logs_gib_per_tenant:g} GiB a tenant"
    )
    if bill.demand.volume_gib:
        used = assumed.used_gib_per_tenant
        why = f"{used:g} GiB used a tenant, on EFS"
        bill.add("tenants' volumes", "efs-gib-month", tenants * used, why)
    _add_database(bill)


def _add_logs(bill: _Bill, gib: float, why: str) -> None:
    kept = bill.assumed.logs_kept_months
    bill.add("logs ingested", "logs-ingested-gb", gib, why)
    bill.add("logs kept", "logs-stored-gib-month", gib * kept, f"{kept:g} x what a month ingests")


def _add_database(bill: _Bill) -> None:
    gib = bill.assumed.rds_volume_gib
    bill.add_hours("RDS Postgres", f"rds-{RDS_CLASS}-hour", 1, f"one {RDS_CLASS} in one zone")
    why = f"{gib:g} GiB; backups of as much are included"
    bill.add("RDS storage", "rds-gp3-gib-month", gib, why)


def _add_everywhere(bill: _Bill) -> None:
    assumed = bill.assumed
    each = assumed.egress_gib_per_tenant
    bill.add("DNS zone", "route53-zone-month", 1, "one")
    bill.add("images", "ecr-gib-month", assumed.ecr_gib, f"{assumed.ecr_gib:g} GiB in ECR")
    data = bill.demand.tenants * each
    bill.add("data to the Internet", "data-out-gb", data, f"{each:g} GiB a tenant")


def _size(bill: _Bill, distribution: Distribution, shared: Footprint) -> SizedMachines | None:
    return size_machine(bill.demand.tenants, bill.demand.tenant, shared, distribution)


def _add_machines(bill: _Bill, machines: SizedMachines) -> None:
    name, count = machines.instance_type.name, machines.count
    why = f"{count} x {name}, for at most {machines.fit.count} tenants"
    bill.add_hours("EC2", f"ec2-{name}-hour", count, why)


def _add_backups(bill: _Bill) -> None:
    gib = bill.assumed.backup_gib
    bill.add("backups", "s3-gib-month", gib, f"{gib:g} GiB in S3")


def _plan_k3s(bill: _Bill) -> StackCost:
    machines = _size(bill, Distribution.K3S, bill.demand.k3s_shared)
    if machines is None:
        return _refuse(Stack.K3S)
    _add_machines(bill, machines)
    _add_k3s_volumes(bill)
    _add_backups(bill)
    bill.add_hours("public IPv4 addresses", "public-ipv4-hour", 1, "the node's")
    bill.add("alarms", "alarm-month", bill.assumed.k3s_alarms, "recover and reboot the node")
    bill.add("parameters", "ssm-standard-parameter-month", 2, "kubeconfig and server token")
    _add_everywhere(bill)
    return bill.add_up(Stack.K3S, machines.instance_type.name)


def _add_k3s_volumes(bill: _Bill) -> None:
    assumed, demand = bill.assumed, bill.demand
    root, data = assumed.k3s_root_volume_gib, assumed.k3s_data_volume_gib
    of_tenants = demand.tenants * demand.volume_gib
    why = f"{data:g} GiB, and {demand.volume_gib} GiB a tenant"
    bill.add("root volume", "ebs-gp3-gib-month", root, f"{root:g} GiB")
    bill.add("data volume", "ebs-gp3-gib-month", data + of_tenants, why)
    part = assumed.snapshot_fraction
    stored = (data + of_tenants) * part
    bill.add("snapshots", "ebs-snapshot-gib-month", stored, f"{part:g} of the data volume")


def _plan_eks(bill: _Bill) -> StackCost:
    machines = _size(bill, Distribution.EKS, bill.demand.eks_shared)
    if machines is None:
        return _refuse(Stack.EKS)
    bill.add_hours("EKS control plane", "eks-cluster-hour", 1, "one cluster")
    _add_machines(bill, machines)
    _add_eks_volumes(bill, machines.count)
    _add_backups(bill)
    _add_eks_network(bill)
    bill.add("KMS keys", "kms-key-month", 1, "the cluster's Secrets")
    _add_logs(bill, bill.assumed.eks_logs_gib, "the control plane's")
    _add_database(bill)
    _add_everywhere(bill)
    return bill.add_up(Stack.EKS, f"{machines.count} x {machines.instance_type.name}")


def _add_eks_volumes(bill: _Bill, nodes: int) -> None:
    each, demand = bill.assumed.eks_node_volume_gib, bill.demand
    why = f"{each:g} GiB a node"
    bill.add("root volumes", "ebs-gp3-gib-month", nodes * each, why)
    gib = demand.tenants * demand.volume_gib
    bill.add("tenants' volumes", "ebs-gp3-gib-month", gib, f"{demand.volume_gib} GiB a tenant")


def _add_eks_network(bill: _Bill) -> None:
    assumed = bill.assumed
    zones, gateways = assumed.availability_zones, assumed.eks_nat_gateways
    bill.add_hours("NLB", "nlb-hour", 1, "one, before Traefik")
    _add_balancer_units(bill, "NLB", "nlb-lcu-hour")
    _add_nat(bill, gateways)
    why = f"the NLB's in {zones} zones, one a NAT gateway"
    bill.add_hours("public IPv4 addresses", "public-ipv4-hour", zones + gateways, why)
