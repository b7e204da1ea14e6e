"""One tenant in full: state, cause, pods, overrides, events; and its history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..ports import Ports
from ..settings import Settings
from ..tenant import ReleaseStatus
from ..workload import Event, Pod
from .baseline import read_baseline
from .investigation import Investigation
from .listing import Freshness, TenantSummary, explain_state, read_holds, summarise_tenant
from .observe import observe_tenant, require_release

MAX_EVENTS = 10


@dataclass(frozen=True)
class TenantDetail:
    """What ``show-tenant`` tells. drift: hand-set values by dotted path."""

    summary: TenantSummary
    profile: str
    overrides: dict[str, Any]
    drift: dict[str, Any]
    pods: Sequence[Pod]
    events: Sequence[Event]
    resources: dict[str, Any] = field(default_factory=dict)


def show_tenant(ports: Ports, settings: Settings, slug: str) -> TenantDetail:
    """Look at a tenant closely. Raises TenantNotFoundError."""
    ports.cluster.require_namespace()
    observation = observe_tenant(ports, slug)
    latest = require_release(observation)
    workload = observation.workload
    pods = ports.cluster.list_pods(slug).get(slug, ())
    events = ports.cluster.list_events(slug)[-MAX_EVENTS:]
    investigation = Investigation(ports)
    verdict = explain_state(
        ports,
        latest,
        workload,
        observation.alive,
        observation.now,
        diagnosis=investigation.diagnose(workload, pods),
    )
    redactor = investigation.build_redactor(workload, pods)
    baseline = read_baseline(ports, observation)
    return TenantDetail(
        summary=summarise_tenant(
            latest,
            workload,
            verdict,
            Freshness(ports, settings),
            hold=read_holds(ports).get(slug),
        ),
        profile=baseline.layers.profile if baseline else "",
        overrides=baseline.layers.overrides if baseline else {},
        drift=baseline.drift if baseline else {},
        pods=[redactor.clean_pod(pod) for pod in pods],
        events=[redactor.clean_event(event) for event in events],
        resources=workload.resources if workload else {},
    )


@dataclass(frozen=True)
class HistoryEntry:
    """One revision. written_by: ``release-manager``, or ``helm`` for a hand-run one."""

    revision: int
    status: ReleaseStatus
    chart: str
    written_by: str
    updated_at: datetime
    description: str


def read_history(ports: Ports, slug: str) -> list[HistoryEntry]:
    """Return a tenant's revisions, oldest first. Raises TenantNotFoundError."""
    ports.cluster.require_namespace()
    observation = observe_tenant(ports, slug)
    require_release(observation)
    entries = []
    for revision in observation.revisions:
        body = ports.releases.read_body(revision)
        entries.append(
            HistoryEntry(
                revision=revision.number,
                status=revision.status,
                chart=f"{body.chart_name}-{body.chart_version}",
                written_by="release-manager" if revision.writer else "helm",
                updated_at=revision.created_at,
                description=body.description,
            )
        )
    return entries
