"""Deployments, pods, events, logs and volumes of one namespace."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from ..errors import ForbiddenError, NamespaceNotFoundError, ReleaseManagerError
from ..tenant import LABEL_DOMAIN, Container, Event, Pod, Target, Workload
from .kubernetes_api import Json, KubernetesApi, parse_time

_TENANTS = "app=tenant"
_OWN_MANAGERS = ("helm", "kube-controller-manager")
_RESTART = "kubectl.kubernetes.io/restartedAt"
# Names that Kubernetes makes up have no vowels.
_HASH = "[bcdfghjklmnpqrstvwxz2456789]"


class KubernetesCluster:
    """Port ``Cluster``."""

    def __init__(self, api: KubernetesApi, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._core = f"/api/v1/namespaces/{namespace}"
        self._deployments = f"/apis/apps/v1/namespaces/{namespace}/deployments"

    def require_namespace(self) -> None:
        """Raise NamespaceNotFoundError when the namespace does not exist."""
        try:
            namespace = self._api.find(self._core)
        except ForbiddenError:
            # A namespaced Role cannot grant this; later requests will tell.
            return
        if namespace is None:
            raise NamespaceNotFoundError(
                f"field namespace: there is no namespace {self._namespace!r}",
                remedy=f"Create it with 'kubectl create namespace {self._namespace}', or name "
                "another with --namespace",
            )

    def now(self) -> datetime:
        """Return the time by the API server's clock."""
        return self._api.now()

    def list_workloads(self) -> Sequence[Workload]:
        """Return the Deployments of all tenants."""
        answer = self._api.get(self._deployments, labelSelector=_TENANTS)
        return [_parse_workload(item) for item in answer["items"] or ()]

    def read_workload(self, slug: str) -> Workload | None:
        """Return a tenant's Deployment, or None."""
        deployment = self._api.find(f"{self._deployments}/{Target(slug).release}")
        return _parse_workload(deployment) if deployment is not None else None

    def list_pods(self, slug: str | None = None) -> dict[str, Sequence[Pod]]:
        """Return the pods of one tenant or of all, by slug, oldest first."""
        selector = _TENANTS if slug is None else f"{_TENANTS},tenant={slug}"
        answer = self._api.get(f"{self._core}/pods", labelSelector=selector)
        pods: dict[str, list[Pod]] = {}
        for item in answer["items"] or ():
            pods.setdefault(item["metadata"]["labels"].get("tenant", ""), []).append(
                _parse_pod(item)
            )
        return {
            tenant: sorted(found, key=lambda pod: pod.created_at) for tenant, found in pods.items()
        }

    def list_events(self, slug: str) -> Sequence[Event]:
        """Return the events about a tenant's objects, oldest first."""
        release = Target(slug).release
        return [event for event in self._list_events() if _is_about(event.name, release)]

    def list_pod_events(self, pod: Pod) -> Sequence[Event]:
        """Return the events about one pod, oldest first."""
        about = f"involvedObject.kind=Pod,involvedObject.name={pod.name}"
        return self._list_events(fieldSelector=about)

    def _list_events(self, **query: str) -> list[Event]:
        items = self._api.get(f"{self._core}/events", **query)["items"] or ()
        return sorted(map(_parse_event, items), key=lambda event: event.at)

    def read_log_tail(self, pod: Pod, *, is_previous: bool, lines: int) -> Sequence[str]:
        """Return the last log lines of a pod's gateway; empty when there are none."""
        try:
            text = self._api.get_text(
                f"{self._core}/pods/{pod.name}/log",
                container="gateway",
                tailLines=lines,
                previous=str(is_previous).lower(),
            )
        except ReleaseManagerError:
            return ()
        return [line.strip() for line in text.splitlines() if line.strip()]

    def has_volume(self, slug: str) -> bool:
        """Return whether the tenant's PersistentVolumeClaim exists."""
        return self._api.find(self._volume_path(slug)) is not None

    def delete_volume(self, slug: str) -> bool:
        """Delete a tenant's PersistentVolumeClaim; False when there was none."""
        return self._api.delete(self._volume_path(slug))

    def _volume_path(self, slug: str) -> str:
        return f"{self._core}/persistentvolumeclaims/{Target(slug).volume_claim}"


def _is_about(name: str, release: str) -> bool:
    # The release's own objects, its ReplicaSets and their pods; not those of tenant-acme-two.
    made_up = rf"{re.escape(release)}(-data|-{_HASH}{{6,10}}(-{_HASH}{{5}})?)?"
    return re.fullmatch(made_up, name) is not None


def _parse_workload(item: Json) -> Workload:
    metadata, spec, status = item["metadata"], item["spec"], item.get("status", {})
    annotations = metadata.get("annotations", {})
    conditions = {entry["type"]: entry for entry in status.get("conditions", ())}
    spec_replicas = spec.get("replicas", 1)
    progressing = conditions.get("Progressing", {})
    container = spec["template"]["spec"]["containers"][0]
    return Workload(
        slug=metadata.get("labels", {}).get("tenant", ""),
        wanted_replicas=int(annotations.get(f"{LABEL_DOMAIN}/replicas", spec_replicas)),
        spec_replicas=spec_replicas,
        ready_replicas=status.get("readyReplicas", 0),
        updated_replicas=status.get("updatedReplicas", 0),
        existing_replicas=status.get("replicas", 0),
        is_observed=status.get("observedGeneration", 0) >= metadata.get("generation", 0),
        image=container["image"],
        host=annotations.get(f"{LABEL_DOMAIN}/host", ""),
        chart=metadata.get("labels", {}).get("helm.sh/chart", ""),
        progress_reason=progressing.get("reason", ""),
        progress_at=parse_time(progressing.get("lastUpdateTime")),
        failure_message=conditions.get("ReplicaFailure", {}).get("message", ""),
        foreign_fields=_find_foreign_fields(metadata),
        secret_names=_find_secret_names(spec["template"]["spec"]["containers"]),
        resources=container.get("resources", {}),
    )


def _find_foreign_fields(metadata: Json) -> tuple[str, ...]:
    """Return the spec's fields that somebody other than helm set, as ``kubectl set`` does.

    Scaling has its own subresource, and is seen in the replicas. What Kubernetes itself and
    ``kubectl rollout restart`` write is no drift.
    """
    fields: set[str] = set()
    for entry in metadata.get("managedFields", ()):
        is_ours = entry.get("manager") in _OWN_MANAGERS or entry.get("subresource")
        if not is_ours:
            fields |= set(_iter_field_paths(entry.get("fieldsV1", {}).get("f:spec", {}), "spec"))
    return tuple(sorted(field for field in fields if not field.endswith(_RESTART)))


def _iter_field_paths(node: Json, path: str) -> Iterator[str]:
    # https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
    children = {key: value for key, value in node.items() if key != "."}
    if not children:
        yield path
    for key, value in children.items():
        kind, _, name = key.partition(":")
        yield from _iter_field_paths(value, f"{path}.{name}" if kind == "f" else f"{path}[]")


def _find_secret_names(containers: Sequence[Json]) -> tuple[str, ...]:
    names = set()
    for container in containers:
        for entry in container.get("env", ()):
            names.add(entry.get("valueFrom", {}).get("secretKeyRef", {}).get("name"))
        for entry in container.get("envFrom", ()):
            names.add(entry.get("secretRef", {}).get("name"))
    return tuple(sorted(name for name in names if name))


def _parse_pod(item: Json) -> Pod:
    metadata, spec, status = item["metadata"], item["spec"], item.get("status", {})
    conditions = {entry["type"]: entry for entry in status.get("conditions", ())}
    scheduled = conditions.get("PodScheduled", {})
    limits = {
        container["name"]: container.get("resources", {}).get("limits", {}).get("memory", "")
        for container in spec["containers"]
    }
    return Pod(
        name=metadata["name"],
        phase=status.get("phase", "Unknown"),
        node=spec.get("nodeName", ""),
        is_ready=conditions.get("Ready", {}).get("status") == "True",
        is_deleting="deletionTimestamp" in metadata,
        created_at=parse_time(metadata["creationTimestamp"]),
        scheduling_message=(
            scheduled.get("message", "") if scheduled.get("reason") == "Unschedulable" else ""
        ),
        containers=tuple(
            _parse_container(entry, limits) for entry in status.get("containerStatuses", ())
        ),
    )


def _parse_container(entry: Json, limits: dict[str, str]) -> Container:
    state = entry.get("state", {})
    waiting = state.get("waiting") or {}
    ended = state.get("terminated") or entry.get("lastState", {}).get("terminated") or {}
    return Container(
        name=entry["name"],
        image=entry.get("image", ""),
        is_ready=entry.get("ready", False),
        restarts=entry.get("restartCount", 0),
        waiting_reason=waiting.get("reason", ""),
        waiting_message=waiting.get("message", ""),
        exit_code=ended.get("exitCode"),
        exit_reason=ended.get("reason", ""),
        memory_limit=limits.get(entry["name"], ""),
    )


def _parse_event(item: Json) -> Event:
    about = item["involvedObject"]
    return Event(
        at=parse_time(item.get("lastTimestamp") or item.get("eventTime")),
        kind=about.get("kind", ""),
        name=about.get("name", ""),
        reason=item.get("reason", ""),
        message=item.get("message", ""),
        is_warning=item.get("type") == "Warning",
    )
