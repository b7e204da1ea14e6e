"""The nodes of the cluster, and what all pods on them request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .kubernetes_api import Json, KubernetesApi

if TYPE_CHECKING:
    from ..infrastructure.scheduling import ClusterNode

# What is over takes nothing of a node, and what no node has taken yet neither.
_PLACED = "spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed"


class KubernetesNodes:
    """Port ``Nodes``."""

    def __init__(self, api: KubernetesApi, namespace: str) -> None:
        self._api = api
        self._namespace = namespace

    def list(self) -> Sequence[ClusterNode]:
        """Return every node of the cluster, by name. Raises ForbiddenError."""
        # Every command has this port, and few ask it.
        from .footprints import parse_node

        nodes = self._list("nodes")
        pods: dict[str, list[Json]] = {}
        for pod in self._list("pods", fieldSelector=_PLACED):
            pods.setdefault(pod["spec"].get("nodeName", ""), []).append(pod)
        found = [
            parse_node(node, pods.get(node["metadata"]["name"], []), self._namespace)
            for node in nodes
        ]
        return sorted(found, key=lambda node: node.name)

    def _list(self, plural: str, **query: str) -> Sequence[Json]:
        # From the API server's cache: of the whole cluster, and a second old is new enough.
        answer = self._api.get(f"/api/v1/{plural}", resourceVersion="0", **query)
        return answer["items"] or ()
