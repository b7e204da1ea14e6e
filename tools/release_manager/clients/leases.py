"""One Lease per release-manager process tells the others that it is alive."""

from __future__ import annotations

import getpass
import logging
import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

from ..errors import ReleaseManagerError
from ..tenant import Holder
from .kubernetes_api import ApiStatusError, Json, KubernetesApi, parse_time

RENEW_SECONDS = 5.0
DURATION_SECONDS = 20
# A dead process's Lease says no more than a missing one: it is swept after this time.
SWEEP_AFTER = timedelta(hours=1)

_LABEL = "app.kubernetes.io/managed-by=release-manager"
_log = logging.getLogger(__name__)


class LeaseLiveness:
    """Port ``Liveness``. All times are by the API server's clock, so that skew is harmless."""

    def __init__(self, api: KubernetesApi, namespace: str) -> None:
        self._api = api
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"

    @contextmanager
    def hold(self) -> Iterator[str]:
        """Make this process visible while the context lasts; gives its id."""
        id_ = uuid.uuid4().hex[:12]
        # One request before the first write teaches us the server's clock.
        self._sweep()
        self._api.create(self._path, self._build_lease(id_))
        ended = threading.Event()
        renewer = threading.Thread(target=self._renew, args=(id_, ended), daemon=True)
        renewer.start()
        try:
            yield id_
        finally:
            ended.set()
            renewer.join(timeout=RENEW_SECONDS)
            with suppress(ReleaseManagerError, ApiStatusError):
                self._api.delete(f"{self._path}/{_name(id_)}")

    def list_alive(self) -> dict[str, Holder]:
        """Return the processes that are alive, by id."""
        leases = self._list()
        now = self._api.now()
        return {
            holder.id: holder
            for holder, renewed_at in leases
            if now - renewed_at < timedelta(seconds=DURATION_SECONDS)
        }

    def _list(self) -> list[tuple[Holder, datetime]]:
        answer = self._api.get(self._path, labelSelector=_LABEL)
        return [_parse_lease(item) for item in answer["items"] or ()]

    def _sweep(self) -> None:
        leases = self._list()
        now = self._api.now()
        for holder, renewed_at in leases:
            if now - renewed_at > SWEEP_AFTER:
                self._api.delete(f"{self._path}/{_name(holder.id)}")

    def _renew(self, id_: str, ended: threading.Event) -> None:
        path = f"{self._path}/{_name(id_)}"
        while not ended.wait(RENEW_SECONDS):
            try:
                lease = self._api.get(path)
                lease["spec"]["renewTime"] = _format_time(self._api.now())
                self._api.replace(path, lease)
            except (ReleaseManagerError, ApiStatusError) as exc:
                _log.warning("the Lease of this process could not be renewed: %s", exc)

    def _build_lease(self, id_: str) -> Json:
        now = _format_time(self._api.now())
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": _name(id_),
                "labels": {"app.kubernetes.io/managed-by": "release-manager"},
            },
            "spec": {
                "holderIdentity": _identity(),
                "leaseDurationSeconds": DURATION_SECONDS,
                "acquireTime": now,
                "renewTime": now,
            },
        }


def _parse_lease(item: Json) -> tuple[Holder, datetime]:
    spec = item["spec"]
    holder = Holder(
        id=item["metadata"]["name"].removeprefix("release-manager-"),
        identity=spec.get("holderIdentity", ""),
        since=parse_time(spec.get("acquireTime")),
    )
    return holder, parse_time(spec.get("renewTime"))


def _name(id_: str) -> str:
    return f"release-manager-{id_}"


def _identity() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()} (process {os.getpid()})"


def _format_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
