"""Holds: one ConfigMap for each tenant that fleet upgrades leave alone."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from ..tenant import LABEL_DOMAIN, Hold, Target
from .kubernetes_api import (
    MANAGED,
    ApiStatusError,
    Json,
    KubernetesApi,
    format_time,
    parse_time,
)
from .leases import describe_identity

_LABEL = f"{LABEL_DOMAIN}/hold"


class KubernetesHolds:
    """Port ``Holds``."""

    def __init__(self, api: KubernetesApi, namespace: str) -> None:
        self._api = api
        self._path = f"/api/v1/namespaces/{namespace}/configmaps"

    def list(self) -> Sequence[Hold]:
        """Return every hold, by slug."""
        items = self._api.get(self._path, labelSelector=_LABEL)["items"] or ()
        return sorted(map(_parse_hold, items), key=lambda hold: hold.slug)

    def put(self, slug: str, reason: str) -> bool:
        """Hold a tenant; False when it was held already, and only the reason is new."""
        body: Json = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": _name(slug), "labels": {**MANAGED, _LABEL: slug}},
            "data": {
                "reason": reason,
                "by": describe_identity(),
                "since": format_time(self._api.now()),
            },
        }
        try:
            self._api.create(self._path, body)
        except ApiStatusError as exc:
            if exc.code != HTTPStatus.CONFLICT:
                raise
            self._api.patch(f"{self._path}/{_name(slug)}", {"data": {"reason": reason}})
            return False
        return True

    def remove(self, slug: str) -> bool:
        """End a hold; False when there was none."""
        return self._api.delete(f"{self._path}/{_name(slug)}")


def _name(slug: str) -> str:
    return f"{Target(slug).release}-hold"


def _parse_hold(item: Json) -> Hold:
    data = item.get("data") or {}
    return Hold(
        slug=item["metadata"]["labels"][_LABEL],
        reason=data.get("reason", ""),
        by=data.get("by", ""),
        since=parse_time(data.get("since")),
    )
