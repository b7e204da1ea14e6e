"""Deployments and StatefulSets: what one looks like, and one watch for all of the tenants'."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ..errors import ClusterUnreachableError, ReleaseManagerError
from ..tenant import LABEL_DOMAIN, Target
from ..workload import Environment, Workload
from .kubernetes_api import Json, KubernetesApi, parse_time

_OWN_MANAGERS = ("helm", "kube-controller-manager")
_RESTART = "kubectl.kubernetes.io/restartedAt"
# The server ends a watch after so long, so that one whose connection died unseen is replaced.
WATCH_SECONDS = 60
RETRY_SECONDS = 0.5

_log = logging.getLogger(__name__)


class WorkloadWatch:
    """Port ``Workloads``: what one watch on all tenants' Deployments has shown so far."""

    def __init__(self, api: KubernetesApi, path: str, selector: str) -> None:
        self._api = api
        self._path = path
        self._selector = selector
        self._lock = threading.Lock()
        self._seen: dict[str, _Seen] = {}
        # Set while there is more to read of a Deployment, one for each that is waited for.
        self._news: dict[str, threading.Event] = {}
        self._problem: ReleaseManagerError | None = None
        self._has_ended = False

    @contextmanager
    def running(self) -> Iterator[WorkloadWatch]:
        """Follow the Deployments while the context lasts."""
        version = self._list()
        # It ends with the process, at the latest when the server ends the watch.
        threading.Thread(target=self._follow, args=(version,), daemon=True).start()
        try:
            yield self
        finally:
            self._has_ended = True

    def read(self, slug: str) -> Workload | None:
        """Return a tenant's Deployment, or None. Raises ClusterUnreachableError."""
        with self._lock:
            if self._problem is not None:
                raise ClusterUnreachableError(self._problem.problem, remedy=self._problem.remedy)
            self._news.setdefault(slug, threading.Event()).clear()
            seen = self._seen.get(slug)
            return seen.workload if seen is not None else None

    def refresh(self, slug: str) -> None:
        """Read one Deployment now: what was just written may not have come by the watch yet."""
        found = self._api.find(f"{self._path}/{Target(slug).workload}")
        with self._lock:
            if found is None:
                self._seen.pop(slug, None)
            else:
                self._take(slug, _Seen(found))

    def wait(self, slug: str, seconds: float) -> None:
        """Return when the Deployment has changed since it was read, at the latest after so long."""
        with self._lock:
            news = self._news.setdefault(slug, threading.Event())
        news.wait(seconds)

    def _follow(self, version: str) -> None:
        told = ""
        while not self._has_ended:
            try:
                version = version or self._list()
                version = self._watch(version)
            except ReleaseManagerError as exc:
                # Too old a version, or no connection: what was missed is in the next list.
                version = ""
                if isinstance(exc, ClusterUnreachableError):
                    self._problem = exc
            except Exception as exc:
                # Whoever waits has to hear of it; a thread would end silently.
                version, problem = "", f"the watch on Deployments failed: {exc!r}"
                if problem != told:
                    _log.exception(problem)
                    told = problem
                self._problem = ClusterUnreachableError(problem, remedy="Try again in a moment")
            if not version:
                threading.Event().wait(RETRY_SECONDS)

    def _list(self) -> str:
        answer = self._api.get(self._path, labelSelector=self._selector)
        version = str(answer["metadata"]["resourceVersion"])
        listed = {_read_slug(item): _Seen(item) for item in answer["items"] or ()}
        with self._lock:
            # What ``refresh`` has read while the list was on its way is newer than the list.
            newer = {slug: it for slug, it in self._seen.items() if it.version > int(version)}
            self._seen = listed | newer
            self._problem = None
            for news in self._news.values():
                news.set()
        return version

    def _watch(self, version: str) -> str:
        events = self._api.watch(
            self._path,
            timeout_seconds=WATCH_SECONDS,
            labelSelector=self._selector,
            resourceVersion=version,
            allowWatchBookmarks="true",
        )
        for event in events:
            if self._has_ended:
                break
            item = event["object"]
            version = item["metadata"]["resourceVersion"]
            if event["type"] != "BOOKMARK":
                with self._lock:
                    self._take(_read_slug(item), _Seen(item, is_gone=event["type"] == "DELETED"))
        return version

    def _take(self, slug: str, new: _Seen) -> None:
        """Keep what is newer than what is known: ``refresh`` and the watch overtake each other."""
        known = self._seen.get(slug)
        if known is None or new.version >= known.version:
            self._seen[slug] = new
        if slug in self._news:
            self._news[slug].set()


class _Seen:
    """A Deployment as it came; it is parsed when somebody asks for it.

    is_gone: this version is its end.
    """

    def __init__(self, item: Json, *, is_gone: bool = False) -> None:
        self._item = item
        self._is_gone = is_gone
        self._workload: Workload | None = None
        # Versions of a kind grow, from one object to the next that has its name, too:
        # kubernetes.io/docs/reference/using-api/api-concepts.
        self.version = int(item["metadata"]["resourceVersion"])

    @property
    def workload(self) -> Workload | None:
        if self._workload is None and not self._is_gone:
            self._workload = parse_workload(self._item)
        return self._workload


def _read_slug(item: Json) -> str:
    return str(item["metadata"]["labels"].get("tenant", ""))


def parse_workload(item: Json, slug: str | None = None) -> Workload:
    """Return what a Deployment or a StatefulSet tells. slug: else the one in its labels."""
    metadata, spec, status = item["metadata"], item["spec"], item.get("status", {})
    annotations = metadata.get("annotations", {})
    conditions = {entry["type"]: entry for entry in status.get("conditions", ())}
    spec_replicas = spec.get("replicas", 1)
    progressing = conditions.get("Progressing", {})
    container = spec["template"]["spec"]["containers"][0]
    return Workload(
        slug=slug or metadata.get("labels", {}).get("tenant", ""),
        wanted_replicas=int(annotations.get(f"{LABEL_DOMAIN}/replicas", spec_replicas)),
        spec_replicas=spec_replicas,
        ready_replicas=status.get("readyReplicas", 0),
        updated_replicas=status.get("updatedReplicas", 0),
        existing_replicas=status.get("replicas", 0),
        ending_replicas=status.get("terminatingReplicas", 0),
        is_observed=status.get("observedGeneration", 0) >= metadata.get("generation", 0),
        image=container["image"],
        host=annotations.get(f"{LABEL_DOMAIN}/host", ""),
        chart=metadata.get("labels", {}).get("helm.sh/chart", ""),
        replica_set=status.get("updateRevision")
        or _find_replica_set(progressing.get("message", "")),
        progress_reason=progressing.get("reason", ""),
        progress_at=parse_time(progressing.get("lastUpdateTime")),
        failure_message=conditions.get("ReplicaFailure", {}).get("message", ""),
        foreign_fields=_find_foreign_fields(metadata),
        environment=parse_environment(spec["template"]["spec"]),
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
        spec = entry.get("fieldsV1", {}).get("f:spec", {})
        if spec and not is_ours:
            fields |= set(_iter_field_paths(spec, "spec"))
    return tuple(sorted(field for field in fields if not field.endswith(_RESTART)))


def _iter_field_paths(node: Json, path: str) -> Iterator[str]:
    # https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
    children = {key: value for key, value in node.items() if key != "."}
    if not children:
        yield path
    for key, value in children.items():
        kind, _, name = key.partition(":")
        yield from _iter_field_paths(value, f"{path}.{name}" if kind == "f" else f"{path}[]")


def _find_replica_set(message: str) -> str:
    # 'ReplicaSet "x" is progressing.', 'Created new replica set "x"': always the newest one.
    match = re.search(r'replica ?set "([^"]+)"', message, re.IGNORECASE)
    return match[1] if match else ""


def parse_environment(spec: Json) -> Environment:
    """Return where the containers of a pod get their environment and files from."""
    values: dict[str, str] = {}
    secrets, config_maps = set(), set()
    for container in [*spec.get("initContainers", ()), *spec["containers"]]:
        entries = container.get("env", ())
        values |= {entry["name"]: entry["value"] for entry in entries if entry.get("value")}
        sources = [entry.get("valueFrom", {}) for entry in entries]
        secrets |= {source.get("secretKeyRef", {}).get("name") for source in sources}
        config_maps |= {source.get("configMapKeyRef", {}).get("name") for source in sources}
        whole = container.get("envFrom", ())
        secrets |= {entry.get("secretRef", {}).get("name") for entry in whole}
        config_maps |= {entry.get("configMapRef", {}).get("name") for entry in whole}
    for volume in spec.get("volumes", ()):
        parts = [volume, *volume.get("projected", {}).get("sources", ())]
        secrets |= {part.get("secret", {}).get("secretName") for part in parts}
        secrets |= {part.get("secret", {}).get("name") for part in parts}
    return Environment(values, sort_names(secrets), sort_names(config_maps))


def sort_names(names: Iterable[str | None]) -> tuple[str, ...]:
    """Return the names that there are, in order."""
    return tuple(sorted(name for name in names if name))
