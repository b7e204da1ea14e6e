"""Deployments, pods, events, logs and volumes of one namespace."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from ..errors import ForbiddenError, NamespaceNotFoundError, ReleaseManagerError
from ..ports import Workloads
from ..tenant import Target
from ..workload import Container, Event, Pod, Workload
from .kubernetes_api import Json, KubernetesApi, parse_time
from .workloads import WorkloadWatch, parse_environment, parse_workload, sort_names

_TENANTS = "app=tenant"
# Names that Kubernetes makes up have no vowels.
_HASH = "[bcdfghjklmnpqrstvwxz2456789]"
_COLORS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# The kubelet's answer for a container that it has removed.
_NO_LOG = "unable to retrieve container logs for "
# A node that has just died would hold a log up for half a minute.
_LOG_SECONDS = 3.0


class KubernetesCluster:
    """Port ``Cluster``."""

    def __init__(self, api: KubernetesApi, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._core = f"/api/v1/namespaces/{namespace}"
        self._apps = f"/apis/apps/v1/namespaces/{namespace}"
        self._deployments = f"{self._apps}/deployments"

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

    def list_workloads(self, selector: str = "") -> Sequence[Workload]:
        """Return the Deployments of all tenants, or of those that a label selector matches."""
        wanted = f"{_TENANTS},{selector}" if selector else _TENANTS
        answer = self._api.get(self._deployments, labelSelector=wanted)
        return [parse_workload(item) for item in answer["items"] or ()]

    @contextmanager
    def watch_workloads(self) -> Iterator[Workloads]:
        """Follow the Deployments of all tenants, in one watch, while the context lasts."""
        with WorkloadWatch(self._api, self._deployments, _TENANTS).running() as watch:
            yield watch

    def read_workload(self, slug: str) -> Workload | None:
        """Return a tenant's Deployment, or None."""
        target = Target(slug)
        found = self._api.find(f"{self._apps}/{target.workload_kind}/{target.workload}")
        return parse_workload(found, slug) if found is not None else None

    def list_pods(self, slug: str | None = None) -> dict[str, Sequence[Pod]]:
        """Return the pods of one tenant or of all, by slug, oldest first."""
        selector = _TENANTS if slug is None else Target(slug).selector
        answer = self._api.get(f"{self._core}/pods", labelSelector=selector)
        pods: dict[str, list[Pod]] = {}
        for item in answer["items"] or ():
            tenant = slug or item["metadata"]["labels"].get("tenant", "")
            pods.setdefault(tenant, []).append(_parse_pod(item))
        return {
            tenant: sorted(found, key=lambda pod: pod.created_at) for tenant, found in pods.items()
        }

    def list_job_pods(self, job: str) -> Sequence[Pod]:
        """Return the pods of a Job, oldest first."""
        # https://kubernetes.io/docs/reference/labels-annotations-taints/#batch-kubernetes-io-job-name
        selector = f"batch.kubernetes.io/job-name={job}"
        items = self._api.get(f"{self._core}/pods", labelSelector=selector)["items"] or ()
        return sorted(map(_parse_pod, items), key=lambda pod: pod.created_at)

    def list_events(self, slug: str) -> Sequence[Event]:
        """Return the events about a tenant's objects, oldest first."""
        release = Target(slug).release
        return [event for event in self._list_events() if _is_about(event.name, release)]

    def list_all_events(self) -> Sequence[Event]:
        """Return the events about everything in the namespace, oldest first."""
        return self._list_events()

    def list_pod_events(self, pod: Pod) -> Sequence[Event]:
        """Return the events about one pod, and its claims while no node has it, oldest first."""
        objects = [("Pod", pod.name)]
        if not pod.node:
            objects += [("PersistentVolumeClaim", claim) for claim in pod.claims]
        events: list[Event] = []
        for kind, name in objects:
            about = f"involvedObject.kind={kind},involvedObject.name={name}"
            events += self._list_events(fieldSelector=about)
        return sorted(events, key=lambda event: event.at)

    def _list_events(self, **query: str) -> list[Event]:
        items = self._api.get(f"{self._core}/events", **query)["items"] or ()
        return sorted(map(_parse_event, items), key=lambda event: event.at)

    def read_log_tail(self, pod: Pod, container: Container, *, lines: int) -> Sequence[str]:
        """Return the last lines of a container's last run that ended; empty without any."""
        # What a container that waits shows is its last run, unless it has just begun another.
        is_running = container.running_since is not None
        tail = [] if is_running else self._read_log(pod, container, lines, is_previous=False)
        has_ended_before = container.restarts > 0
        return tail or (
            self._read_log(pod, container, lines, is_previous=True) if has_ended_before else []
        )

    def _read_log(
        self, pod: Pod, container: Container, lines: int, *, is_previous: bool
    ) -> list[str]:
        try:
            text = self._api.get_text(
                f"{self._core}/pods/{pod.name}/log",
                timeout_seconds=_LOG_SECONDS,
                container=container.name,
                tailLines=lines,
                previous=str(is_previous).lower(),
            )
        except ReleaseManagerError:
            return []
        if text.startswith(_NO_LOG):
            return []
        return [_clean_line(line) for line in text.splitlines() if line.strip()]

    def read_config_maps(self, names: Sequence[str]) -> dict[str, str]:
        """Return what the named ConfigMaps hold, by key, as far as they may be read."""
        data: dict[str, str] = {}
        for name in names:
            try:
                found = self._api.find(f"{self._core}/configmaps/{name}")
            except ForbiddenError:
                continue
            data |= (found or {}).get("data") or {}
        return data

    def read_node_outage(self, node: str) -> datetime | None:
        """Return since when a node has not been ready; None when it is or may not be read."""
        try:
            found = self._api.find(f"/api/v1/nodes/{node}") or {}
        except ForbiddenError:
            # A namespaced Role cannot grant this, and nothing depends on it.
            return None
        for condition in found.get("status", {}).get("conditions", ()):
            if condition["type"] == "Ready" and condition["status"] != "True":
                return parse_time(condition.get("lastTransitionTime"))
        return None

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
    # A name that is too long is cut before its last part, dash and all.
    made_up = rf"{re.escape(release)}(-data|-{_HASH}{{6,10}}(-?{_HASH}{{5}})?)?"
    return re.fullmatch(made_up, name) is not None


def _clean_line(line: str) -> str:
    plain = _COLORS.sub("", line).replace("\t", " ")
    return "".join(char for char in plain if char.isprintable()).rstrip()


def _parse_pod(item: Json) -> Pod:
    metadata, spec, status = item["metadata"], item["spec"], item.get("status", {})
    conditions = {entry["type"]: entry for entry in status.get("conditions", ())}
    scheduled, ready = conditions.get("PodScheduled", {}), conditions.get("Ready", {})
    is_ready = ready.get("status") == "True"
    is_scheduled = scheduled.get("reason") != "Unschedulable"
    has_failed = status.get("phase") == "Failed"
    return Pod(
        name=metadata["name"],
        phase=status.get("phase", "Unknown"),
        node=spec.get("nodeName", ""),
        is_ready=is_ready,
        is_deleting="deletionTimestamp" in metadata,
        created_at=parse_time(metadata["creationTimestamp"]),
        uid=metadata.get("uid", ""),
        template_hash=_find_template_hash(metadata.get("labels", {})),
        is_cut_off=_is_cut_off(conditions),
        unready_since=None if is_ready else _parse_moment(ready.get("lastTransitionTime")),
        ends_by=_parse_moment(metadata.get("deletionTimestamp")),
        finalizers=tuple(metadata.get("finalizers", ())),
        failure=(status.get("message") or status.get("reason", "")) if has_failed else "",
        scheduling_message="" if is_scheduled else scheduled.get("message", ""),
        claims=_find_claims(spec),
        requests=_find_requests(spec),
        environment=parse_environment(spec),
        containers=_parse_containers(spec, status),
    )


def _find_template_hash(labels: dict[str, str]) -> str:
    """Return the last part of the name of the ReplicaSet, or of a StatefulSet's revision."""
    revision = labels.get("controller-revision-hash", "").rpartition("-")[2]
    return labels.get("pod-template-hash", revision)


def _is_cut_off(conditions: dict[str, Json]) -> bool:
    """Return whether the node controller, and not the kubelet, took a pod's readiness away.

    It gives no reason, and leaves what the kubelet said of the containers.
    """
    ready, containers = conditions.get("Ready", {}), conditions.get("ContainersReady", {})
    is_alone = containers.get("status") == "True" and not ready.get("reason")
    return ready.get("status") == "False" and is_alone


def _find_claims(spec: Json) -> tuple[str, ...]:
    return sort_names(
        volume.get("persistentVolumeClaim", {}).get("claimName")
        for volume in spec.get("volumes", ())
    )


def _find_requests(spec: Json) -> dict[str, str]:
    # With a second container the sum would count, and only the scheduler knows it.
    containers = spec["containers"]
    if len(containers) > 1 or spec.get("initContainers"):
        return {}
    requests = containers[0].get("resources", {}).get("requests", {})
    return {name: str(amount) for name, amount in requests.items()}


def _parse_containers(spec: Json, status: Json) -> tuple[Container, ...]:
    specs = {item["name"]: item for item in [*spec.get("initContainers", ()), *spec["containers"]]}
    entries = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
    return tuple(_parse_container(entry, specs.get(entry["name"], {})) for entry in entries)


def _parse_container(entry: Json, spec: Json) -> Container:
    state = entry.get("state", {})
    waiting, running = state.get("waiting") or {}, state.get("running")
    ended = state.get("terminated") or entry.get("lastState", {}).get("terminated") or {}
    return Container(
        name=entry["name"],
        image=entry.get("image", ""),
        is_ready=entry.get("ready", False),
        restarts=entry.get("restartCount", 0),
        has_started=entry.get("started") or False,
        startup_seconds=_find_startup_seconds(spec.get("startupProbe")),
        running_since=_parse_moment(running.get("startedAt")) if running is not None else None,
        waiting_reason=waiting.get("reason", ""),
        waiting_message=waiting.get("message", ""),
        exit_code=ended.get("exitCode"),
        exit_reason=ended.get("reason", ""),
        exit_message=ended.get("message", ""),
        exit_began_at=_parse_moment(ended.get("startedAt")),
        exit_at=_parse_moment(ended.get("finishedAt")),
        memory_limit=spec.get("resources", {}).get("limits", {}).get("memory", ""),
    )


def _find_startup_seconds(probe: Json | None) -> int:
    if probe is None:
        return 0
    times = int(probe.get("failureThreshold", 3)) * int(probe.get("periodSeconds", 10))
    return int(probe.get("initialDelaySeconds", 0)) + times


def _parse_moment(text: str | None) -> datetime | None:
    # The runtime writes the epoch for what never was.
    moment = parse_time(text)
    return moment if moment.timestamp() > 0 else None


def _parse_event(item: Json) -> Event:
    about = item["involvedObject"]
    series = item.get("series") or {}
    at = series.get("lastObservedTime") or item.get("lastTimestamp") or item.get("eventTime")
    return Event(
        at=parse_time(at),
        kind=about.get("kind", ""),
        name=about.get("name", ""),
        reason=item.get("reason", ""),
        message=item.get("message", ""),
        is_warning=item.get("type") == "Warning",
        uid=about.get("uid", ""),
        began_at=_parse_moment(item.get("firstTimestamp") or item.get("eventTime")),
    )
