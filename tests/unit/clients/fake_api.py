"""The Kubernetes API in memory, as far as ConfigMaps and Deployments go."""

from __future__ import annotations

import copy
import queue
from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast

from release_manager.clients.kubernetes_api import ApiStatusError, Json, KubernetesApi
from release_manager.errors import ClusterUnreachableError
from tests.unit.fakes import START

SILENT = ClusterUnreachableError("no answer from the API server", remedy="Check it")


class FakeApi:
    """Objects by path. requests: what was asked for, as method and path."""

    def __init__(self) -> None:
        self.objects: dict[str, Json] = {}
        self.requests: list[tuple[str, str]] = []

    @property
    def door(self) -> KubernetesApi:
        """Itself, as the type that clients ask for."""
        return cast("KubernetesApi", self)

    def now(self) -> datetime:
        return START

    def get(self, path: str, *, labelSelector: str = "", **_query: Any) -> Json:  # noqa: N803
        self.requests.append(("GET", path))
        found = [item for name, item in self.objects.items() if name.startswith(f"{path}/")]
        chosen = [item for item in found if _matches(item, labelSelector)]
        # Kubernetes writes an empty list as null.
        return {"items": copy.deepcopy(chosen) or None, "metadata": {"resourceVersion": "1"}}

    def find(self, path: str, **_query: Any) -> Json | None:
        self.requests.append(("GET", path))
        return copy.deepcopy(self.objects.get(path))

    def create(self, path: str, body: Json) -> Json:
        name = f"{path}/{body['metadata']['name']}"
        self.requests.append(("POST", name))
        if name in self.objects:
            raise ApiStatusError(409, "it is there already")
        self.objects[name] = copy.deepcopy(body)
        return body

    def patch(self, path: str, body: Json) -> Json:
        self.requests.append(("PATCH", path))
        if path not in self.objects:
            raise ApiStatusError(404, "it is not there")
        _merge(self.objects[path], body)
        return self.objects[path]

    def delete(self, path: str) -> bool:
        self.requests.append(("DELETE", path))
        return self.objects.pop(path, None) is not None


def _matches(item: Json, selector: str) -> bool:
    labels = item["metadata"].get("labels", {})
    for part in filter(None, selector.split(",")):
        name, is_equal, value = part.partition("=")
        if name not in labels or (is_equal and labels[name] != value):
            return False
    return True


def _merge(target: Json, patch: Json) -> None:
    """RFC 7386."""
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            _merge(target.setdefault(key, {}), value)
        else:
            target[key] = value


def build_deployment(slug: str = "acme", *, version: int, uid: str = "one") -> Json:
    """A Deployment whose image tells its version."""
    container = {"name": "gateway", "image": f"gateway:{version}"}
    return {
        "metadata": {
            "name": f"tenant-{slug}",
            "uid": uid,
            "resourceVersion": str(version),
            "labels": {"tenant": slug},
        },
        "spec": {"replicas": 1, "template": {"spec": {"containers": [container]}}},
    }


class FakeDeployments(FakeApi):
    """Deployments that a test lets happen.

    listed: what a LIST shows. version: the list's own. events: what a watch tells; an error ends
    it, and None ends it in good order. lists: since which versions watches were opened. problem:
    what every request ends with.
    """

    def __init__(self, *listed: Json, version: int = 1) -> None:
        super().__init__()
        self.listed = list(listed)
        self.version = version
        self.events: queue.Queue[Json | Exception | None] = queue.Queue()
        self.watched_from: list[str] = []
        self.lists = 0
        self.problem: Exception | None = None
        self.while_listing: list[Any] = []

    def get(self, path: str, *, labelSelector: str = "", **_query: Any) -> Json:  # noqa: N803
        self.lists += 1
        if self.problem is not None:
            raise self.problem
        answer = {"items": list(self.listed), "metadata": {"resourceVersion": str(self.version)}}
        for happen in self.while_listing:
            happen()
        return answer

    def tell(self, kind: str, item: Json) -> None:
        """Let the watch tell of one Deployment."""
        self.events.put({"type": kind, "object": item})

    def watch(self, path: str, *, timeout_seconds: int, **query: Any) -> Iterator[Json]:
        if self.problem is not None:
            raise self.problem
        self.watched_from.append(query["resourceVersion"])
        while (event := self.events.get()) is not None:
            if isinstance(event, Exception):
                raise event
            yield event
