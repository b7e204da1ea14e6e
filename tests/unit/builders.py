"""Frozen data for tests of pure functions, with one thing changed at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from release_manager.rollout.plan import Kind, Rollout
from release_manager.tenant import Holder, ReleaseStatus, Revision, RevisionLabels
from release_manager.workload import Container, Event, Pod, Workload
from tests.unit.fakes import START

NOW = START
MINUTE = timedelta(minutes=1)


def build_revision(
    status: str = "deployed",
    *,
    number: int = 3,
    age: timedelta = MINUTE,
    unchanged_for: timedelta | None = None,
    writer: str | None = None,
    written_for: int | None = None,
    rollout: str = "",
) -> Revision:
    """A revision of acme; with a writer it has labels, written for its own number.

    unchanged_for: since when it has its status, when that is not its age.
    """
    labels = None
    if writer is not None:
        labels = RevisionLabels(
            "digest", "defaults", "0.1.0", "default", writer, written_for or number, rollout
        )
    changed_at = NOW - (age if unchanged_for is None else unchanged_for)
    return Revision("acme", number, ReleaseStatus(status), NOW - age, changed_at, labels)


def build_workload(ready: int = 1, wanted: int = 1, **changes: Any) -> Workload:
    """A Deployment whose last rollout completed."""
    workload = Workload(
        slug="acme",
        wanted_replicas=wanted,
        spec_replicas=wanted,
        ready_replicas=ready,
        updated_replicas=wanted,
        existing_replicas=wanted,
        is_observed=True,
        image="aware-gateway:1",
        host="acme.wareit.ai",
        chart="aware-tenant-0.1.0",
        progress_reason="NewReplicaSetAvailable",
    )
    return replace(workload, **changes)


def build_pod(name: str = "tenant-acme-1", *containers: Container, **changes: Any) -> Pod:
    """A pod that is not ready and gives no reason."""
    pod = Pod(
        name=name,
        phase="Pending",
        node="node-0",
        is_ready=False,
        is_deleting=False,
        created_at=NOW,
        containers=containers,
    )
    return replace(pod, **changes)


def build_container(**changes: Any) -> Container:
    """A gateway that is not ready."""
    return replace(Container("gateway", "aware-gateway:1", is_ready=False, restarts=0), **changes)


def build_event(reason: str, message: str, **changes: Any) -> Event:
    """A warning about the pod tenant-acme-1."""
    event = Event(NOW, "Pod", "tenant-acme-1", reason, message, is_warning=True)
    return replace(event, **changes)


def build_holder(id_: str = "process-1") -> Holder:
    """A process that is alive."""
    return Holder(id_, "operator@here (process 7)", NOW - MINUTE)


def build_waves(*waves: str, **changes: Any) -> Rollout:
    """An upgrade of tenants, by wave and separated by spaces, that were planned at revision 1."""
    tenants = tuple(tuple(wave.split()) for wave in waves)
    rollout = Rollout(
        id="20260301-030000-abcd",
        kind=Kind.UPGRADE,
        by="operator@here",
        started_at=NOW,
        waves=tenants,
        revisions={slug: 1 for wave in tenants for slug in wave},
    )
    return replace(rollout, **changes)
