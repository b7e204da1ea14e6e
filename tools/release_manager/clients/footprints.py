"""Nodes and pods as the API has them, and what pods take of a node."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..infrastructure.capacity import Distribution, Footprint, add_footprints
from ..infrastructure.quantities import parse_mib, parse_millicores, parse_quantity
from ..infrastructure.scheduling import ClusterNode, Taint
from .kubernetes_api import Json

_INSTANCE_TYPE = "node.kubernetes.io/instance-type"


def parse_node(item: Json, pods: Iterable[Json], namespace: str) -> ClusterNode:
    """Return a node with what the pods on it take. namespace: of our tenants."""
    metadata, spec, status = item["metadata"], item.get("spec", {}), item.get("status", {})
    labels, allocatable = metadata.get("labels", {}), status.get("allocatable", {})
    by_slug: dict[str, list[Footprint]] = {}
    for pod in pods:
        by_slug.setdefault(_find_slug(pod, namespace), []).append(parse_footprint(pod["spec"]))
    others = by_slug.pop("", ())
    return ClusterNode(
        name=metadata["name"],
        memory_mib=parse_mib(allocatable.get("memory", 0)),
        cpu_millicores=parse_millicores(allocatable.get("cpu", 0)),
        pods=int(parse_quantity(allocatable.get("pods", 0))),
        is_ready=_is_ready(status),
        is_cordoned=bool(spec.get("unschedulable")),
        labels=labels,
        taints=tuple(map(_parse_taint, spec.get("taints", ()))),
        others=add_footprints(others),
        tenants={slug: add_footprints(found) for slug, found in by_slug.items()},
        distribution=_find_distribution(status),
        instance_type=labels.get(_INSTANCE_TYPE, ""),
    )


def _find_slug(pod: Json, namespace: str) -> str:
    """Return whose pod it is; empty where it is no tenant's of this namespace."""
    metadata = pod["metadata"]
    labels = metadata.get("labels", {})
    is_ours = metadata.get("namespace") == namespace and labels.get("app") == "tenant"
    return str(labels.get("tenant", "")) if is_ours else ""


def _is_ready(status: Json) -> bool:
    conditions = status.get("conditions", ())
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def _parse_taint(item: Json) -> Taint:
    return Taint(item["key"], item["effect"], item.get("value", ""))


def _find_distribution(status: Json) -> Distribution | None:
    version = status.get("nodeInfo", {}).get("kubeletVersion", "")
    if "+k3s" in version:
        return Distribution.K3S
    return Distribution.EKS if "-eks-" in version else None


def parse_footprint(spec: Json) -> Footprint:
    """Return what the scheduler counts for one pod, and what it may use.

    https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers
    """
    memory_mib = _read_effective(spec, "requests", "memory") or 0.0
    return Footprint(
        memory_mib=memory_mib,
        cpu_millicores=_read_effective(spec, "requests", "cpu") or 0.0,
        memory_limit_mib=_read_effective(spec, "limits", "memory"),
        cpu_limit_millicores=_read_effective(spec, "limits", "cpu"),
    )


def _read_effective(spec: Json, kind: str, resource: str) -> float | None:
    """Return the pod's own amount, else what its containers add up to; None for no limit.

    Init containers run one after the other, beside the sidecars that began before them.
    """
    own = _read_amount(spec, kind, resource)
    running = [_read_amount(item, kind, resource) for item in spec["containers"]]
    sidecars: list[float | None] = []
    peaks: list[float | None] = []
    for item in spec.get("initContainers", ()):
        amount = _read_amount(item, kind, resource)
        if item.get("restartPolicy") == "Always":
            sidecars.append(amount)
            peaks.append(_add(sidecars, kind))
        else:
            peaks.append(_add([*sidecars, amount], kind))
    total = own if own is not None else _highest([_add([*running, *sidecars], kind), *peaks])
    overhead = spec.get("overhead", {}).get(resource)
    return total if total is None or overhead is None else total + _parse(overhead, resource)


def _read_amount(item: Json, kind: str, resource: str) -> float | None:
    amount = item.get("resources", {}).get(kind, {}).get(resource)
    return None if amount is None else _parse(amount, resource)


def _parse(amount: str, resource: str) -> float:
    return parse_mib(amount) if resource == "memory" else parse_millicores(amount)


def _add(amounts: Sequence[float | None], kind: str) -> float | None:
    """Return the sum; what one container may use without limit, the pod may, too."""
    if kind == "limits" and None in amounts:
        return None
    return sum(amount or 0.0 for amount in amounts)


def _highest(amounts: Sequence[float | None]) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return max(known) if len(known) == len(amounts) else None
