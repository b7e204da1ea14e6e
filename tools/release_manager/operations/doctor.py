"""Whether everything that the release manager relies on is there: one line each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from ..errors import ForbiddenError, ReleaseManagerError
from ..ports import Job, Schedule
from .backups import BACKUP, judge_backups

MAX_CLOCK_SKEW_SECONDS = 5.0

# What the release manager asks of its ServiceAccount or user: group, resource, verbs.
RIGHTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("", "secrets", ("get", "list", "create", "update", "patch", "delete")),
    ("", "services", ("get", "create", "patch", "delete")),
    ("", "configmaps", ("get", "list", "create", "patch", "delete")),
    ("", "serviceaccounts", ("get", "create", "patch", "delete")),
    ("", "persistentvolumeclaims", ("get", "create", "patch", "delete")),
    ("", "pods", ("get", "list")),
    ("", "pods/log", ("get",)),
    ("", "events", ("list",)),
    ("apps", "deployments", ("get", "list", "watch", "create", "patch", "delete")),
    ("coordination.k8s.io", "leases", ("get", "list", "create", "update", "delete")),
    ("networking.k8s.io", "networkpolicies", ("get", "create", "patch", "delete")),
    ("policy", "poddisruptionbudgets", ("get", "create", "patch", "delete")),
    ("traefik.io", "ingressroutes", ("get", "create", "patch", "delete")),
    ("traefik.io", "middlewares", ("get", "create", "patch", "delete")),
)


class Inspection(Protocol):
    """Facts about the cluster and the tools, each of which may raise ReleaseManagerError."""

    def read_helm_version(self) -> str: ...  # noqa: D102
    def read_cluster(self) -> str: ...  # noqa: D102
    def has_namespace(self) -> bool: ...  # noqa: D102
    def list_missing_rights(self) -> list[str]: ...  # noqa: D102
    def list_missing_definitions(self) -> list[str]: ...  # noqa: D102
    def count_ingress_pods(self) -> int: ...  # noqa: D102
    def find_default_storage_class(self) -> str: ...  # noqa: D102
    def read_clock_offset_seconds(self) -> float: ...  # noqa: D102
    def count_ready_nodes(self) -> int: ...  # noqa: D102
    def has_platform(self) -> bool: ...  # noqa: D102
    def read_schedule(self, name: str) -> Schedule | None: ...  # noqa: D102
    def list_jobs(self, template: str) -> Sequence[Job]: ...  # noqa: D102
    def now(self) -> datetime: ...  # noqa: D102


@dataclass(frozen=True)
class Check:
    """One line of ``doctor``. is_required: whether tenants cannot be managed without it."""

    name: str
    is_ok: bool
    detail: str
    remedy: str = ""
    is_required: bool = True


Finding = tuple[str, str]  # what was found, and the remedy; an empty remedy means all is well


def examine(inspection: Inspection, namespace: str) -> Iterator[Check]:
    """Yield the checks, one after the other, as soon as each is known."""
    yield _check("helm", lambda: (inspection.read_helm_version(), ""))
    cluster = _check("cluster", lambda: (inspection.read_cluster(), ""))
    yield cluster
    if not cluster.is_ok:
        return
    yield _check("namespace", lambda: _find_namespace(inspection, namespace))
    yield _check("rights", lambda: _find_rights(inspection))
    yield _check("definitions", lambda: _find_definitions(inspection))
    yield _advise("nodes", lambda: _find_nodes(inspection))
    yield _advise("ingress", lambda: _find_ingress(inspection))
    yield _advise("storage", lambda: _find_storage(inspection))
    yield _advise("backups", lambda: _find_backups(inspection))
    yield _advise("clock", lambda: _find_clock(inspection))


def _check(name: str, find: Callable[[], Finding]) -> Check:
    try:
        detail, remedy = find()
    except ReleaseManagerError as exc:
        detail, remedy = exc.problem, exc.remedy
    return Check(name, not remedy, detail, remedy)


def _advise(name: str, find: Callable[[], Finding]) -> Check:
    return replace(_check(name, find), is_required=False)


def _find_namespace(inspection: Inspection, namespace: str) -> Finding:
    try:
        is_there = inspection.has_namespace()
    except ForbiddenError:
        # A namespaced Role cannot grant this look, and nothing else needs it.
        return f"{namespace}, as far as these credentials may tell", ""
    if is_there:
        return namespace, ""
    return f"{namespace} does not exist", f"kubectl create namespace {namespace}"


def _find_rights(inspection: Inspection) -> Finding:
    missing = inspection.list_missing_rights()
    if missing:
        return f"missing: {', '.join(missing)}", "Bind a Role that grants them"
    return "all that tenants need", ""


def _find_definitions(inspection: Inspection) -> Finding:
    missing = inspection.list_missing_definitions()
    if missing:
        return f"missing: {', '.join(missing)}", "Install Traefik and its custom resources"
    return "Traefik's custom resources are known", ""


def _find_nodes(inspection: Inspection) -> Finding:
    count = inspection.count_ready_nodes()
    return (f"{count} ready", "") if count else ("none is ready", "Look with 'kubectl get nodes'")


def _find_ingress(inspection: Inspection) -> Finding:
    count = inspection.count_ingress_pods()
    if count:
        return f"{count} Traefik pods are ready", ""
    return "no Traefik pod is ready", "Install Traefik, or no request reaches a tenant"


def _find_storage(inspection: Inspection) -> Finding:
    name = inspection.find_default_storage_class()
    if name:
        return f"default StorageClass {name}", ""
    return "there is no default StorageClass", "Mark one as default, or name one per tenant"


def _find_backups(inspection: Inspection) -> Finding:
    if not inspection.has_platform():
        return "no platform here whose database would need them", ""
    schedule = inspection.read_schedule(BACKUP)
    if schedule is None:
        return "none are made", "Set backups.enabled with 'release-manager upgrade-platform'"
    verdict = judge_backups(schedule, inspection.list_jobs(BACKUP), inspection.now())
    remedy = "" if verdict.is_ok else "Make one now with 'release-manager backup-database'"
    return verdict.detail, remedy


def _find_clock(inspection: Inspection) -> Finding:
    offset = inspection.read_clock_offset_seconds()
    if abs(offset) <= MAX_CLOCK_SKEW_SECONDS:
        return "agrees with the API server's", ""
    direction = "behind" if offset > 0 else "ahead of"
    return f"{abs(offset):.0f} seconds {direction} the API server's", "Start an NTP client here"
