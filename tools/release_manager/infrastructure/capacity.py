"""How many tenants fit on machines: by requests and pods, as the scheduler counts.

Sources. The EKS AMI reserves memory and CPU for the kubelet as ``nodeadm/internal/kubelet`` of
https://github.com/awslabs/amazon-eks-ami computes it. What the clusters' own pods request is in
https://github.com/k3s-io/k3s/tree/main/manifests and in the charts of
https://github.com/aws/amazon-vpc-cni-k8s and
https://github.com/kubernetes-sigs/aws-ebs-csi-driver.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from .instances import AMD64, INSTANCE_TYPES, InstanceType

MIB_PER_GIB = 1024
MILLICORES_PER_VCPU = 1000

# Of a machine's memory, what firmware and kernel take before MemTotal is counted. Karpenter
# assumes as much (VM_MEMORY_OVERHEAD_PERCENT, karpenter.sh/docs/reference/settings); a t3.small
# has a little more left.
KERNEL_MEMORY_FRACTION = 0.075

# What the kubelet of a k3s node is told. terraform/modules/k3s-node/templates must say the same.
K3S_SYSTEM_RESERVED_MEMORY_MIB = 200
K3S_SYSTEM_RESERVED_CPU_MILLICORES = 100
K3S_KUBE_RESERVED_MEMORY_MIB = 500
K3S_KUBE_RESERVED_CPU_MILLICORES = 150
K3S_EVICTION_MEMORY_MIB = 100
K3S_MAX_PODS = 110

EKS_RESERVED_MEMORY_MIB = 255
EKS_RESERVED_MEMORY_MIB_PER_POD = 11
EKS_EVICTION_MEMORY_MIB = 100
# The first core, the second, the third and fourth, and each beyond.
EKS_RESERVED_CPU_FRACTIONS = (0.06, 0.01, 0.005, 0.005)
EKS_RESERVED_CPU_FRACTION_BEYOND = 0.0025
EKS_MIN_NODES = 2

# With more machines than this, larger ones are wanted.
MAX_NODES = 100

# What is no difference: requests are sums of fractions.
_TOLERANCE = 1e-6


class Distribution(Enum):
    """What makes machines a cluster."""

    K3S = "k3s"
    EKS = "eks"


class Bound(Enum):
    """What the scheduler counts, and what therefore ends first."""

    MEMORY = "memory requests"
    CPU = "CPU requests"
    PODS = "pods"


@dataclass(frozen=True)
class Footprint:
    """What pods ask for, and may use, together.

    Limits are None where there is none. Of several pods, those without a limit count in
    ``memory_limit_mib`` with their request.
    """

    memory_mib: float
    cpu_millicores: float
    pods: int = 1
    memory_limit_mib: float | None = None
    cpu_limit_millicores: float | None = None

    @property
    def peak_memory_mib(self) -> float:
        """What they may use of memory at most, as far as that is known."""
        return self.memory_mib if self.memory_limit_mib is None else self.memory_limit_mib

    def multiply(self, factor: float, *, pods: int) -> Footprint:
        """Return so many times as much, in so many pods."""
        memory_limit, cpu_limit = self.memory_limit_mib, self.cpu_limit_millicores
        return Footprint(
            memory_mib=self.memory_mib * factor,
            cpu_millicores=self.cpu_millicores * factor,
            pods=pods,
            memory_limit_mib=None if memory_limit is None else memory_limit * factor,
            cpu_limit_millicores=None if cpu_limit is None else cpu_limit * factor,
        )

    def split(self) -> Sequence[Footprint]:
        """Return its pods, each the same; none of what has no pod."""
        return (self.multiply(1 / self.pods, pods=1),) * self.pods if self.pods else ()


NOTHING = Footprint(memory_mib=0, cpu_millicores=0, pods=0)


def add_footprints(footprints: Iterable[Footprint]) -> Footprint:
    """Return what several take together."""
    items = tuple(footprints)
    return Footprint(
        memory_mib=sum(item.memory_mib for item in items),
        cpu_millicores=sum(item.cpu_millicores for item in items),
        pods=sum(item.pods for item in items),
        memory_limit_mib=sum(item.peak_memory_mib for item in items),
        # A core that nobody limits is shared; no sum says how.
        cpu_limit_millicores=None,
    )


@dataclass(frozen=True)
class Node:
    """What pods may take of a machine, and what some have taken already."""

    name: str
    memory_mib: float
    cpu_millicores: float
    pods: int
    taken: Footprint = NOTHING
    instance_type: str = ""

    @property
    def free_memory_mib(self) -> float:
        """Memory that no pod has requested."""
        return max(0.0, self.memory_mib - self.taken.memory_mib)

    @property
    def free_cpu_millicores(self) -> float:
        """CPU that no pod has requested."""
        return max(0.0, self.cpu_millicores - self.taken.cpu_millicores)

    @property
    def free_pods(self) -> int:
        """How many more pods it takes, whatever they request."""
        return max(0, self.pods - self.taken.pods)

    def take(self, footprint: Footprint) -> Node:
        """Return the node with more pods on it."""
        return replace(self, taken=add_footprints((self.taken, footprint)))


@dataclass(frozen=True)
class Room:
    """How many more pods of a tenant one node takes, by each bound.

    None: that bound knows no end, for the pod requests nothing of it. by_memory_limits: how many
    if all pods used the whole of their memory limits at once; no scheduler counts that.
    """

    node: str
    by_memory: int | None
    by_cpu: int | None
    by_pods: int
    by_memory_limits: int | None

    @property
    def count(self) -> int:
        """How many the scheduler places there."""
        return min(value for value in self._by_bound().values() if value is not None)

    @property
    def binding(self) -> Bound:
        """What ends first; memory before CPU before pods where they end together."""
        bounds = self._by_bound()
        return next(bound for bound, value in bounds.items() if value == self.count)

    def _by_bound(self) -> dict[Bound, int | None]:
        return {Bound.MEMORY: self.by_memory, Bound.CPU: self.by_cpu, Bound.PODS: self.by_pods}


@dataclass(frozen=True)
class Fit:
    """How many more tenants fit on several nodes. pods_per_tenant: its replicas.

    A pod fits on one node or on none: what is left over here and there does not add up.
    """

    rooms: tuple[Room, ...]
    pods_per_tenant: int = 1

    @property
    def count(self) -> int:
        """How many the scheduler places."""
        return sum(room.count for room in self.rooms) // self.pods_per_tenant

    @property
    def by_memory(self) -> int | None:
        """How many by memory requests alone."""
        return self._sum(room.by_memory for room in self.rooms)

    @property
    def by_cpu(self) -> int | None:
        """How many by CPU requests alone."""
        return self._sum(room.by_cpu for room in self.rooms)

    @property
    def by_pods(self) -> int:
        """How many by the number of pods alone."""
        return sum(room.by_pods for room in self.rooms) // self.pods_per_tenant

    @property
    def by_memory_limits(self) -> int | None:
        """How many if all used the whole of their limits at once; None without a limit."""
        return self._sum(room.by_memory_limits for room in self.rooms)

    @property
    def binding(self) -> Bound | None:
        """What ends first; None without a node."""
        counts = {Bound.MEMORY: self.by_memory, Bound.CPU: self.by_cpu, Bound.PODS: self.by_pods}
        known = {bound: value for bound, value in counts.items() if value is not None}
        return min(known, key=lambda bound: known[bound]) if self.rooms else None

    def _sum(self, values: Iterable[int | None]) -> int | None:
        known = tuple(values)
        if any(value is None for value in known):
            return None
        return sum(value for value in known if value is not None) // self.pods_per_tenant


@dataclass(frozen=True)
class SizedMachines:
    """Machines that hold what was asked for. fit: how many tenants they hold in all."""

    instance_type: InstanceType
    count: int
    fit: Fit


def plan_node(instance: InstanceType, distribution: Distribution, *, name: str = "") -> Node:
    """Return a new machine as a node: allocatable is what is left after all reservations.

    Taken is what the distribution runs on each node.
    """
    pods = K3S_MAX_PODS if distribution is Distribution.K3S else instance.eks_max_pods
    total_mib = instance.memory_gib * MIB_PER_GIB * (1 - KERNEL_MEMORY_FRACTION)
    total_millicores = instance.vcpus * MILLICORES_PER_VCPU
    return Node(
        name=name or instance.name,
        memory_mib=total_mib - _reserved_memory_mib(distribution, pods),
        cpu_millicores=total_millicores - _reserved_cpu_millicores(distribution, instance.vcpus),
        pods=pods,
        taken=add_footprints(_NODE_PODS[distribution]),
        instance_type=instance.name,
    )


def _reserved_memory_mib(distribution: Distribution, pods: int) -> float:
    if distribution is Distribution.K3S:
        reserved = K3S_SYSTEM_RESERVED_MEMORY_MIB + K3S_KUBE_RESERVED_MEMORY_MIB
        return reserved + K3S_EVICTION_MEMORY_MIB
    reserved = EKS_RESERVED_MEMORY_MIB + EKS_RESERVED_MEMORY_MIB_PER_POD * pods
    return reserved + EKS_EVICTION_MEMORY_MIB


def _reserved_cpu_millicores(distribution: Distribution, vcpus: int) -> float:
    if distribution is Distribution.K3S:
        return K3S_SYSTEM_RESERVED_CPU_MILLICORES + K3S_KUBE_RESERVED_CPU_MILLICORES
    beyond = max(0, vcpus - len(EKS_RESERVED_CPU_FRACTIONS))
    fractions = sum(EKS_RESERVED_CPU_FRACTIONS[:vcpus]) + EKS_RESERVED_CPU_FRACTION_BEYOND * beyond
    return fractions * MILLICORES_PER_VCPU


# kube-system's pods. On every node of EKS: aws-node with its policy agent, kube-proxy, ebs-csi-node
# with two sidecars; of k3s: the service load balancer, which requests nothing.
_NODE_PODS: dict[Distribution, tuple[Footprint, ...]] = {
    Distribution.K3S: (Footprint(memory_mib=0, cpu_millicores=0),),
    Distribution.EKS: (
        Footprint(memory_mib=0, cpu_millicores=50),
        Footprint(memory_mib=0, cpu_millicores=100),
        Footprint(memory_mib=120, cpu_millicores=30, memory_limit_mib=768),
    ),
}
_COREDNS = Footprint(memory_mib=70, cpu_millicores=100, memory_limit_mib=170)
_WITHOUT_REQUESTS = Footprint(memory_mib=0, cpu_millicores=0)
# Once in a cluster of k3s: coredns, metrics-server, local-path-provisioner, Traefik; of EKS: two of
# coredns and of ebs-csi-controller with five sidecars, Traefik.
_CLUSTER_PODS: dict[Distribution, tuple[Footprint, ...]] = {
    Distribution.K3S: (
        _COREDNS,
        Footprint(memory_mib=70, cpu_millicores=100),
        _WITHOUT_REQUESTS,
        _WITHOUT_REQUESTS,
    ),
    Distribution.EKS: (
        *(_COREDNS,) * 2,
        *(Footprint(memory_mib=240, cpu_millicores=60, memory_limit_mib=1536),) * 2,
        _WITHOUT_REQUESTS,
    ),
}


def plan_cluster(
    instance: InstanceType, count: int, distribution: Distribution, shared: Footprint
) -> Sequence[Node] | None:
    """Return new nodes with everything on them but tenants; None where that does not fit.

    shared: what the parts ask for. What the distribution itself runs is added here.
    """
    nodes = [
        plan_node(instance, distribution, name=f"{instance.name} #{number}")
        for number in range(1, count + 1)
    ]
    pods = sorted(
        (*_CLUSTER_PODS[distribution], *shared.split()),
        key=lambda pod: (pod.memory_mib, pod.cpu_millicores),
        reverse=True,
    )
    return nodes if all(_place(nodes, pod) for pod in pods) else None


def _place(nodes: list[Node], pod: Footprint) -> bool:
    """Put a pod on the emptiest node that has room, as the scheduler's default scoring does."""
    candidates = [node for node in nodes if count_room(node, pod).count > 0]
    if not candidates:
        return False
    best = max(candidates, key=lambda node: (node.free_memory_mib, node.free_pods))
    nodes[nodes.index(best)] = best.take(pod)
    return True


def count_room(node: Node, pod: Footprint) -> Room:
    """Return how many more of one pod a node takes."""
    peak_left_mib = node.memory_mib - node.taken.peak_memory_mib
    return Room(
        node=node.name,
        by_memory=_divide(node.free_memory_mib, pod.memory_mib),
        by_cpu=_divide(node.free_cpu_millicores, pod.cpu_millicores),
        by_pods=node.free_pods,
        by_memory_limits=_divide(max(0.0, peak_left_mib), pod.memory_limit_mib or 0),
    )


def _divide(left: float, each: float) -> int | None:
    return None if each <= 0 else math.floor(left / each + _TOLERANCE)


def count_fitting(nodes: Iterable[Node], tenant: Footprint) -> Fit:
    """Return how many more tenants fit on nodes. tenant: all of its pods, which are alike."""
    replicas = max(1, tenant.pods)
    pod = tenant.multiply(1 / replicas, pods=1)
    return Fit(tuple(count_room(node, pod) for node in nodes), pods_per_tenant=replicas)


def fit_cluster(nodes: Sequence[Node] | None, tenant: Footprint) -> Fit:
    """Return the same of what ``plan_cluster`` gave; no tenant fits where the parts do not."""
    return count_fitting(nodes or (), tenant)


def size_machine(
    tenants: int,
    tenant: Footprint,
    shared: Footprint,
    distribution: Distribution,
    architecture: str = AMD64,
) -> SizedMachines | None:
    """Return the smallest machines that hold so many tenants; None where none known here do.

    On k3s one machine; on EKS at least two of one type, those with the least memory in all, and
    fewer rather than more. shared: as for ``plan_cluster``.
    """
    sized = [
        found
        for instance in INSTANCE_TYPES
        if instance.architecture == architecture
        and (found := _count_machines(tenants, tenant, shared, distribution, instance))
    ]
    return min(sized, key=_rank, default=None)


def _rank(machines: SizedMachines) -> tuple[float, int, int]:
    instance, count = machines.instance_type, machines.count
    return count * instance.memory_gib, count * instance.vcpus, count


def _count_machines(
    tenants: int,
    tenant: Footprint,
    shared: Footprint,
    distribution: Distribution,
    instance: InstanceType,
) -> SizedMachines | None:
    is_single = distribution is Distribution.K3S
    counts = range(1, 2) if is_single else range(EKS_MIN_NODES, MAX_NODES + 1)

    def fit_on(count: int) -> Fit:
        return fit_cluster(plan_cluster(instance, count, distribution, shared), tenant)

    def count_tenants(count: int) -> int:
        fit = fit_on(count)
        # Where the shared parts do not fit there is not even room for no tenant.
        return fit.count if fit.rooms else -1

    index = bisect_left(counts, tenants, key=count_tenants)
    if index == len(counts):
        return None
    return SizedMachines(instance, counts[index], fit_on(counts[index]))
