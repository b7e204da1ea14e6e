"""Which nodes a tenant's pods may go to, and what they ask for there.

What Kubernetes' scheduler filters by, as far as a tenant's values have it: readiness, taints,
nodeSelector. Affinity is not judged: a node that only it forbids counts as one that takes pods.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .capacity import NOTHING, Distribution, Footprint, Node, add_footprints
from .quantities import parse_mib, parse_millicores

# https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
_KEEPING_OFF = ("NoSchedule", "NoExecute")


@dataclass(frozen=True)
class Taint:
    """Why a node takes no pods but those that tolerate it."""

    key: str
    effect: str
    value: str = ""

    def __str__(self) -> str:
        """Return it as kubectl writes it."""
        return (
            f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"
        )


CORDON = Taint("node.kubernetes.io/unschedulable", "NoSchedule")


@dataclass(frozen=True)
class Toleration:
    """Which taints a pod tolerates. An empty key or effect stands for all."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""

    def matches(self, taint: Taint) -> bool:
        """Return whether a pod with it may go to a node with that taint."""
        if self.effect not in ("", taint.effect) or self.key not in ("", taint.key):
            return False
        return self.operator == "Exists" or self.value == taint.value


@dataclass(frozen=True)
class Demand:
    """What a tenant asks the scheduler for. pod: each of its pods."""

    pod: Footprint
    replicas: int = 1
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()

    @property
    def tenant(self) -> Footprint:
        """All of its pods; of one that is stopped, the pod that it has when it is started."""
        replicas = max(1, self.replicas)
        return self.pod.multiply(replicas, pods=replicas)


@dataclass(frozen=True)
class ClusterNode:
    """A node that is there. memory_mib, cpu_millicores, pods: allocatable.

    others: what pods take of it that are of no tenant of the namespace. tenants: what each
    tenant's pods take, by slug. distribution: None where nothing tells. instance_type: empty
    where nothing tells.
    """

    name: str
    memory_mib: float
    cpu_millicores: float
    pods: int
    is_ready: bool = True
    is_cordoned: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    others: Footprint = NOTHING
    tenants: Mapping[str, Footprint] = field(default_factory=dict)
    distribution: Distribution | None = None
    instance_type: str = ""

    def as_node(self, *, without: str = "") -> Node:
        """Return what it has, and what is taken. without: a tenant whose pods do not count."""
        taken = (item for slug, item in self.tenants.items() if slug != without)
        return Node(
            name=self.name,
            memory_mib=self.memory_mib,
            cpu_millicores=self.cpu_millicores,
            pods=self.pods,
            taken=add_footprints((self.others, *taken)),
            instance_type=self.instance_type,
        )


def find_obstacle(node: ClusterNode, demand: Demand) -> str:
    """Return why a node takes no pod of a tenant, however much room it has; else nothing."""
    if not node.is_ready:
        return "is not ready"
    if node.is_cordoned and not _is_tolerated(CORDON, demand):
        return "is cordoned"
    for taint in node.taints:
        if taint.effect in _KEEPING_OFF and not _is_tolerated(taint, demand):
            return f"has the taint {taint}"
    for key, value in demand.node_selector.items():
        if node.labels.get(key) != value:
            return f"lacks the label {key}={value}"
    return ""


def _is_tolerated(taint: Taint, demand: Demand) -> bool:
    return any(toleration.matches(taint) for toleration in demand.tolerations)


def read_demand(values: Mapping[str, Any]) -> Demand:
    """Return what a tenant with these values, the chart's defaults among them, asks for.

    Raises InvalidValuesError.
    """
    selector = values.get("nodeSelector") or {}
    return Demand(
        pod=read_footprint(values.get("resources")),
        replicas=int(values.get("replicas", 1)),
        node_selector={str(key): str(value) for key, value in selector.items()},
        tolerations=tuple(map(_read_toleration, values.get("tolerations") or ())),
    )


def _read_toleration(item: Mapping[str, Any]) -> Toleration:
    return Toleration(
        key=str(item.get("key") or ""),
        operator=str(item.get("operator") or "Equal"),
        value=str(item.get("value") or ""),
        effect=str(item.get("effect") or ""),
    )


def read_footprint(resources: Mapping[str, Any] | None, *, pods: int = 1) -> Footprint:
    """Return what pods of one container with these ``resources`` ask for, together.

    A limit without a request is its own request: so does the API server. Raises
    InvalidValuesError.
    """
    given = resources or {}
    limits = {key: value for key, value in (given.get("limits") or {}).items() if value is not None}
    requests = {
        **limits,
        **{k: v for k, v in (given.get("requests") or {}).items() if v is not None},
    }
    one = Footprint(
        memory_mib=parse_mib(requests.get("memory", 0), field="resources.requests.memory"),
        cpu_millicores=parse_millicores(requests.get("cpu", 0), field="resources.requests.cpu"),
        memory_limit_mib=_parse_limit(limits, "memory"),
        cpu_limit_millicores=_parse_limit(limits, "cpu"),
    )
    return one.multiply(pods, pods=pods)


def _parse_limit(limits: Mapping[str, Any], name: str) -> float | None:
    if name not in limits:
        return None
    parse = parse_mib if name == "memory" else parse_millicores
    return parse(limits[name], field=f"resources.limits.{name}")
