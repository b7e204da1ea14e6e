"""One Lease per release-manager process tells the others that it is alive.

A second kind of Lease, one per tenant, names the process that has the tenant for itself.
All times are by the API server's clock, so that skew is harmless.
"""

from __future__ import annotations

import getpass
import logging
import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path

from ..errors import LeaseLostError, ReleaseBusyError, ReleaseManagerError
from ..rollout.journal import build_rollout_busy_error
from ..tenant import LABEL_DOMAIN, Claim, Holder, RolloutWorker
from .kubernetes_api import (
    MANAGED,
    ApiStatusError,
    Json,
    KubernetesApi,
    format_time,
    parse_time,
)

RENEW_SECONDS = 5.0
DURATION = timedelta(seconds=20)
# A dead process's Lease says no more than a missing one: it is swept after this time.
SWEEP_AFTER = timedelta(hours=1)

_SELECTOR = ",".join(f"{name}={value}" for name, value in MANAGED.items())
_PREFIX = "release-manager-"
_TENANT_PREFIX = f"{_PREFIX}tenant-"
_ROLLOUTS = f"{_PREFIX}rollouts"
_PROCESS = f"{LABEL_DOMAIN}/process"
_ROLLOUT = f"{LABEL_DOMAIN}/rollout"
_log = logging.getLogger(__name__)
# What is raised while somebody has a Lease, and by which process, as far as they are known.
Refuse = Callable[[Json | None, Holder | None], ReleaseBusyError]


@dataclass(frozen=True)
class _ProcessLease:
    holder: Holder
    renewed_at: datetime
    process: str

    def is_alive(self, now: datetime) -> bool:
        return now - self.renewed_at < DURATION and not _is_known_dead(self.process)


class LeaseLiveness:
    """Port ``Liveness``."""

    def __init__(self, api: KubernetesApi, namespace: str) -> None:
        self._api = api
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"

    @contextmanager
    def hold(self) -> Iterator[str]:
        """Make this process visible while the context lasts; gives its id."""
        id_ = uuid.uuid4().hex[:12]
        # One request before the first write teaches us the server's clock.
        self._sweep()
        path = f"{self._path}/{_PREFIX}{id_}"
        self._api.create(self._path, self._build_lease(f"{_PREFIX}{id_}", describe_identity()))
        ended = threading.Event()
        renewer = threading.Thread(target=self._renew, args=(path, ended), daemon=True)
        renewer.start()
        try:
            yield id_
        finally:
            ended.set()
            renewer.join(timeout=RENEW_SECONDS)
            with suppress(ReleaseManagerError):
                self._api.delete(path)

    @contextmanager
    def claim(self, slug: str, writer: str) -> Iterator[Claim | None]:
        """Keep other processes off one tenant; gives a dead process's claim that it replaced."""
        lease = self._build_lease(f"{_TENANT_PREFIX}{slug}", writer)
        dead = self._take(lease, lambda _, holder: _build_busy_error(slug, holder))
        try:
            yield self._parse_claim(dead)
        finally:
            with suppress(ReleaseManagerError):
                self._api.delete(f"{self._path}/{_TENANT_PREFIX}{slug}")

    @contextmanager
    def claim_rollouts(self, writer: str, rollout: str) -> Iterator[None]:
        """Keep other rollouts off this namespace while the context lasts."""
        lease = self._build_lease(_ROLLOUTS, writer)
        lease["metadata"]["annotations"][_ROLLOUT] = rollout
        self._take(lease, _build_rollouts_error)
        try:
            yield
        finally:
            with suppress(ReleaseManagerError):
                # Not what another process has taken over meanwhile.
                self.require_rollouts(writer)
                self._api.delete(f"{self._path}/{_ROLLOUTS}")

    def require_rollouts(self, writer: str) -> None:
        """Make sure that nobody has taken over what ``claim_rollouts`` gave."""
        taken = self._api.find(f"{self._path}/{_ROLLOUTS}")
        if taken is None or taken["spec"].get("holderIdentity") != writer:
            raise LeaseLostError(
                "another process has taken the rollout over from this one",
                remedy="Follow it with 'release-manager show-rollout --watch'",
            )

    def read_rollouts(self) -> RolloutWorker | None:
        """Return the process that has claimed rollouts and is alive, or None."""
        taken = self._api.find(f"{self._path}/{_ROLLOUTS}")
        return _build_worker(taken, self._find_holder(taken)) if taken is not None else None

    def identity(self) -> str:
        """Return who runs this process, and where."""
        return describe_identity()

    def _take(self, lease: Json, refuse: Refuse) -> Json | None:
        """Create a Lease, or take it from a process that died; return what that one had left.

        refuse: builds what is raised while somebody has it; his process is not always known.
        """
        try:
            self._api.create(self._path, lease)
        except ApiStatusError as exc:
            if exc.code != HTTPStatus.CONFLICT:
                raise
            return self._take_over(lease, refuse)
        return None

    def _take_over(self, lease: Json, refuse: Refuse) -> Json | None:
        path = f"{self._path}/{lease['metadata']['name']}"
        taken = self._api.find(path)
        if taken is None:
            raise refuse(None, None)
        if taken["spec"].get("holderIdentity") == lease["spec"]["holderIdentity"]:
            # The API server was out of reach when this very process gave it back.
            return None
        holder = self._find_holder(taken)
        if holder is not None:
            raise refuse(taken, holder)
        lease["metadata"]["resourceVersion"] = taken["metadata"]["resourceVersion"]
        try:
            self._api.replace(path, lease)
        except ApiStatusError as exc:
            raise refuse(None, None) from exc
        return taken

    def _find_holder(self, taken: Json) -> Holder | None:
        """Return the process that has a Lease, if it is alive."""
        return self.list_alive().get(taken["spec"].get("holderIdentity", ""))

    def read_claim(self, slug: str) -> Claim | None:
        """Return who has the tenant, or had it when it died."""
        return self._parse_claim(self._api.find(f"{self._path}/{_TENANT_PREFIX}{slug}"))

    def _parse_claim(self, taken: Json | None) -> Claim | None:
        if taken is None:
            return None
        writer = taken["spec"].get("holderIdentity", "")
        process = next((item for item in self._list() if item.holder.id == writer), None)
        if process is None:
            return None
        since = parse_time(taken["spec"].get("acquireTime"))
        return Claim(writer, since, process.renewed_at + DURATION)

    def list_alive(self) -> dict[str, Holder]:
        """Return the processes that are alive, by id."""
        processes = self._list()
        now = self._api.now()
        return {item.holder.id: item.holder for item in processes if item.is_alive(now)}

    def _list(self) -> list[_ProcessLease]:
        return [_parse_process(item) for item in self._list_items() if _is_process(item)]

    def _list_items(self) -> list[Json]:
        return list(self._api.get(self._path, labelSelector=_SELECTOR)["items"] or ())

    def _sweep(self) -> None:
        items = self._list_items()
        now = self._api.now()
        kept = set()
        for process in map(_parse_process, filter(_is_process, items)):
            if now - process.renewed_at > SWEEP_AFTER:
                self._api.delete(f"{self._path}/{_PREFIX}{process.holder.id}")
            else:
                kept.add(process.holder.id)
        for item in items:
            is_young = now - parse_time(item["spec"].get("acquireTime")) <= SWEEP_AFTER
            if not (_is_process(item) or is_young or item["spec"]["holderIdentity"] in kept):
                self._api.delete(f"{self._path}/{item['metadata']['name']}")

    def _renew(self, path: str, ended: threading.Event) -> None:
        while not ended.wait(RENEW_SECONDS):
            try:
                lease = self._api.get(path)
                lease["spec"]["renewTime"] = format_time(self._api.now())
                self._api.replace(path, lease)
            except ReleaseManagerError as exc:
                _log.warning("the Lease of this process could not be renewed: %s", exc)

    def _build_lease(self, name: str, identity: str) -> Json:
        now = format_time(self._api.now())
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": name,
                "labels": MANAGED,
                "annotations": {_PROCESS: _describe_process(os.getpid())},
            },
            "spec": {
                "holderIdentity": identity,
                "leaseDurationSeconds": round(DURATION.total_seconds()),
                "acquireTime": now,
                "renewTime": now,
            },
        }


def _build_busy_error(slug: str, holder: Holder | None) -> ReleaseBusyError:
    who = f" by {holder.identity} since {holder.since:%H:%M:%S} UTC" if holder else ""
    return ReleaseBusyError(
        f"it is busy: another release-manager is changing it{who}",
        remedy="Wait for it and try again",
        tenant=slug,
    )


def _build_worker(taken: Json, holder: Holder | None) -> RolloutWorker | None:
    if holder is None:
        return None
    rollout = str(taken["metadata"].get("annotations", {}).get(_ROLLOUT, ""))
    return RolloutWorker(rollout, holder.identity, holder.since)


def _build_rollouts_error(taken: Json | None, holder: Holder | None) -> ReleaseBusyError:
    return build_rollout_busy_error(_build_worker(taken, holder) if taken else None)


def _is_process(item: Json) -> bool:
    return not item["metadata"]["name"].startswith((_TENANT_PREFIX, _ROLLOUTS))


def _parse_process(item: Json) -> _ProcessLease:
    metadata, spec = item["metadata"], item["spec"]
    holder = Holder(
        id=metadata["name"].removeprefix(_PREFIX),
        identity=spec.get("holderIdentity", ""),
        since=parse_time(spec.get("acquireTime")),
    )
    process = metadata.get("annotations", {}).get(_PROCESS, "")
    return _ProcessLease(holder, parse_time(spec.get("renewTime")), process)


def describe_identity() -> str:
    """Return who runs this process, and where."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()} (process {os.getpid()})"


def _describe_process(pid: int) -> str:
    """Return what names a process on Linux for good: boot, pid namespace, pid, start time.

    Empty where the kernel does not tell, or there is no such process.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = Path("/proc/self/ns/pid").readlink()
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    is_zombie = fields[0] == "Z"
    return "" if is_zombie else f"{boot} {namespace} {pid} {fields[19]}"


def _is_known_dead(process: str) -> bool:
    """Return whether a process of this very machine has ended; others only time can tell."""
    ours = _describe_process(os.getpid())
    if not ours or not process or process.split()[:2] != ours.split()[:2]:
        return False
    return _describe_process(int(process.split()[2])) != process
