"""The fleet in one table: states, reasons and what is not up to date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from ..chart import Chart
from ..diagnosis import Diagnosis
from ..errors import ForbiddenError, ReleaseManagerError
from ..ports import Ports
from ..settings import Settings
from ..state import TenantState, Verdict, determine_state
from ..tenant import Holder, ReleaseStatus, Revision, RevisionBody
from ..values import find_drift, read_layers
from ..workload import Event, Pod, Workload
from .baseline import build_expected_digest, format_drift, has_true_labels, is_tenant
from .investigation import Investigation
from .plan import DRIFTED

_HEALTHY = (TenantState.RUNNING, TenantState.STOPPED)
# Where more crash, it is for one reason, and a table at 3 a.m. must not take minutes.
MAX_LOGS = 50


@dataclass(frozen=True)
class TenantSummary:
    """One row of ``list-tenants``.

    is_up_to_date: chart, profile and fleet defaults are the current ones and nothing was
    set by hand; None when the current chart cannot be read. hold: why fleet upgrades leave it
    alone, None when they do not.
    """

    slug: str
    state: TenantState
    reason: str
    revision: int
    chart: str
    image: str
    replicas: int
    ready_replicas: int
    host: str
    is_up_to_date: bool | None
    updated_at: datetime
    hold: str | None = None


def list_tenants(ports: Ports, settings: Settings) -> list[TenantSummary]:
    """Return every tenant, by slug.

    Costs one metadata-only LIST of release Secrets, and one each of Deployments and holds; pods,
    events, Leases, single bodies and logs are read only where something is wrong.
    """
    ports.cluster.require_namespace()
    revisions = [item for item in ports.releases.list_latest() if _exists(item)]
    workloads = {item.slug: item for item in ports.cluster.list_workloads()}
    is_in_progress = any(item.status.is_in_progress for item in revisions)
    alive = ports.liveness.list_alive() if is_in_progress else {}
    now = ports.cluster.now()
    verdicts = {
        item.slug: determine_state(item, workloads.get(item.slug), alive=alive, now=now)
        for item in revisions
    }
    if any(verdict.state not in _HEALTHY for verdict in verdicts.values()):
        pods = ports.cluster.list_pods()
        list_events = cache(ports.cluster.list_all_events)
        investigation = Investigation(
            ports, read_events=lambda pod: _select_events(pod, list_events()), max_logs=MAX_LOGS
        )
        verdicts |= {
            item.slug: explain_state(
                ports,
                item,
                workloads.get(item.slug),
                alive,
                now,
                diagnosis=investigation.diagnose(workloads.get(item.slug), pods.get(item.slug, ())),
            )
            for item in revisions
            if verdicts[item.slug].state not in _HEALTHY
        }
    freshness = Freshness(ports, settings)
    holds = read_holds(ports)
    return [
        summarise_tenant(
            item,
            workloads.get(item.slug),
            verdicts[item.slug],
            freshness,
            hold=holds.get(item.slug),
        )
        for item in revisions
        if is_tenant(ports, item, workloads.get(item.slug))
    ]


def read_holds(ports: Ports) -> dict[str, str]:
    """Return the reasons of all holds, by slug; none where they may not be read."""
    with suppress(ForbiddenError):
        return {hold.slug: hold.reason for hold in ports.holds.list()}
    return {}


def _exists(revision: Revision) -> bool:
    return revision.status is not ReleaseStatus.UNINSTALLED


def _select_events(pod: Pod, events: Sequence[Event]) -> Sequence[Event]:
    names = (pod.name, *pod.claims)
    return [event for event in events if event.name in names]


def explain_state(
    ports: Ports,
    revision: Revision,
    workload: Workload | None,
    alive: Mapping[str, Holder],
    now: datetime,
    *,
    diagnosis: Diagnosis | None,
) -> Verdict:
    """Return the state of a tenant that is not well, with what only its body or claim tells."""
    has_failed = revision.status is ReleaseStatus.FAILED
    is_in_progress = revision.status.is_in_progress
    return determine_state(
        revision,
        workload,
        alive=alive,
        now=now,
        claim=ports.liveness.read_claim(revision.slug) if is_in_progress else None,
        diagnosis=diagnosis,
        failure=ports.releases.read_body(revision).description if has_failed else "",
    )


class Freshness:
    """Compares revisions with the chart and the defaults that an upgrade would use now."""

    def __init__(self, ports: Ports, settings: Settings) -> None:
        self._ports = ports
        chart = _load_or_none(ports, settings)
        fleet = settings.fleet_values()
        self._expect = build_expected_digest(chart, fleet) if chart is not None else None

    def compare(self, revision: Revision) -> tuple[bool | None, str]:
        """Return whether the revision is up to date, and what was set by hand."""
        labels = revision.labels
        if has_true_labels(revision, None) and labels and labels.defaults_digest != DRIFTED:
            return self._is_current(labels.profile, labels.defaults_digest), ""
        body = self._ports.releases.read_body(revision)
        drift = describe_drift(body)
        if drift or labels is None or not has_true_labels(revision, body):
            return (False if self._expect else None), drift or "changed by hand-run helm"
        return self._is_current(labels.profile, labels.defaults_digest), ""

    def _is_current(self, profile: str, digest: str) -> bool | None:
        return self._expect(profile) == digest if self._expect is not None else None


def _load_or_none(ports: Ports, settings: Settings) -> Chart | None:
    # A table at 3 a.m. must not depend on a registry.
    try:
        return ports.charts.load(settings.chart)
    except ReleaseManagerError:
        return None


def describe_drift(body: RevisionBody) -> str:
    """Return what was set by hand in a revision, as one line; empty when nothing was."""
    layers = read_layers(body.values)
    if layers is None:
        return "installed or upgraded by hand-run helm, without a record of its layers"
    drift = find_drift(body.values, layers)
    return f"set by hand: {format_drift(drift)}" if drift else ""


def summarise_tenant(
    revision: Revision,
    workload: Workload | None,
    verdict: Verdict,
    freshness: Freshness,
    *,
    hold: str | None,
) -> TenantSummary:
    """Return the row of one tenant."""
    is_up_to_date, drift = freshness.compare(revision)
    if workload is not None and workload.foreign_fields:
        changed = f"changed by hand: Deployment {', '.join(workload.foreign_fields)}"
        drift = f"{drift}; {changed}" if drift else changed
    is_scaled = workload is not None and workload.is_scaled_by_hand
    is_as_written = revision.status is ReleaseStatus.DEPLOYED and not drift and not is_scaled
    chart_version = revision.labels.chart_version if revision.labels else ""
    chart = workload.chart if workload else f"aware-tenant-{chart_version}".rstrip("-")
    return TenantSummary(
        slug=revision.slug,
        state=verdict.state,
        reason="; ".join(text for text in (verdict.reason, drift) if text),
        revision=revision.number,
        chart=chart,
        image=workload.image if workload else "",
        replicas=workload.wanted_replicas if workload else 0,
        ready_replicas=workload.ready_replicas if workload else 0,
        host=workload.host if workload else "",
        is_up_to_date=is_up_to_date and is_as_written,
        updated_at=revision.created_at,
        hold=hold,
    )
