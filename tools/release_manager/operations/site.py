"""Everything that tenants share, in one table: each part's state, version and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..diagnosis import Diagnosis
from ..errors import ForbiddenError
from ..part import API, CERT_MANAGER, PLATFORM, Part
from ..ports import Condition, Ports, Site
from ..settings import Settings
from ..state import TenantState, Verdict, determine_state
from ..tenant import ReleaseStatus
from ..values import coalesce_values
from .backups import BACKUP, judge_backups
from .certificates import is_from_elsewhere, needs_cert_manager
from .investigation import Investigation
from .listing import describe_drift
from .observe import Observation, observe_tenant


class PartState(StrEnum):
    """The states that ``show-platform`` shows.

    ready: it does its work. missing: it is not there. off: the values switch it off.
    progressing, degraded, failed, busy, stuck: as for a tenant.
    """

    READY = "ready"
    MISSING = "missing"
    OFF = "off"
    PROGRESSING = "progressing"
    DEGRADED = "degraded"
    FAILED = "failed"
    BUSY = "busy"
    STUCK = "stuck"


@dataclass(frozen=True)
class PartSummary:
    """One row of ``show-platform``. version: of the chart, or of what runs."""

    part: str
    state: PartState
    version: str = ""
    reason: str = ""


_STATES = {
    TenantState.RUNNING: PartState.READY,
    TenantState.STOPPED: PartState.OFF,
    **{state: PartState(state.value) for state in TenantState if state.value in set(PartState)},
}


def show_site(site: Site, settings: Settings) -> list[PartSummary]:
    """Return every part, in the order in which they are installed."""
    labels = site.surroundings.read_namespace_labels()
    if labels is None:
        remedy = "run 'release-manager install-platform'"
        return [PartSummary("namespace", PartState.MISSING, settings.namespace, remedy)]
    return list(_iter_parts(site, settings))


def _iter_parts(site: Site, settings: Settings) -> Iterator[PartSummary]:
    yield PartSummary("namespace", PartState.READY, settings.namespace)
    platform = _look_at(site.ports, PLATFORM)
    yield _summarise_cert_manager(site, platform)
    yield _summarise_release(platform)
    if platform.values:
        yield _summarise_database(platform)
        yield _summarise_backups(site)
        yield from map(_summarise_condition, _list_conditions(site))
    yield _summarise_release(_look_at(site.ports, API))


@dataclass(frozen=True)
class _Seen:
    """A part as it was seen. values: the live ones, with the chart's defaults."""

    part: Part
    observation: Observation
    verdict: Verdict | None
    chart: str
    values: Mapping[str, Any]
    drift: str = ""


def _look_at(ports: Ports, part: Part) -> _Seen:
    observation = observe_tenant(ports, part.release)
    if observation.latest is None:
        return _Seen(part, observation, None, "", {})
    body = ports.releases.read_body(observation.latest)
    defaults = ports.releases.extract_chart(observation.latest).default_values
    values = coalesce_values(defaults, body.values)
    return _Seen(
        part,
        observation,
        _judge(ports, observation, body.description),
        body.chart_version,
        values,
        describe_drift(body) if part.is_ours else "",
    )


def _judge(ports: Ports, observation: Observation, description: str) -> Verdict:
    latest, workload = observation.latest, observation.workload
    if latest is None:
        raise AssertionError("only a part that is there is judged")
    has_failed = latest.status is ReleaseStatus.FAILED
    return determine_state(
        latest,
        workload,
        alive=observation.alive,
        now=observation.now,
        claim=observation.claim,
        diagnosis=_diagnose(ports, observation),
        failure=description if has_failed else "",
    )


def _diagnose(ports: Ports, observation: Observation) -> Diagnosis | None:
    workload = observation.workload
    if workload is None or workload.is_ready:
        return None
    pods = ports.cluster.list_pods(observation.slug).get(observation.slug, ())
    return Investigation(ports).diagnose(workload, pods)


def _summarise_release(seen: _Seen) -> PartSummary:
    name = seen.part.release
    if seen.verdict is None:
        return PartSummary(name, PartState.MISSING, reason=f"run 'release-manager install-{name}'")
    state, reason = _STATES[seen.verdict.state], seen.verdict.reason
    latest = seen.observation.latest
    is_deployed = latest is not None and latest.status is ReleaseStatus.DEPLOYED
    if seen.part is PLATFORM and is_deployed:
        # Its pods have a row of their own.
        state, reason = PartState.READY, ""
    reasons = [text for text in (reason, seen.drift) if text]
    return PartSummary(name, state, seen.chart, "; ".join(reasons))


def _summarise_database(platform: _Seen) -> PartSummary:
    values = platform.values
    if not values["postgres"]["enabled"]:
        host = values["externalDatabase"]["host"]
        return PartSummary("postgres", PartState.READY, "external", f"at {host}")
    workload = platform.observation.workload
    version = workload.image.partition("@")[0].rpartition(":")[2] if workload is not None else ""
    if platform.verdict is None or workload is None:
        return PartSummary("postgres", PartState.MISSING, version, "its StatefulSet is missing")
    if workload.is_ready:
        return PartSummary("postgres", PartState.READY, version)
    return PartSummary(
        "postgres", _STATES[platform.verdict.state], version, platform.verdict.reason
    )


def _summarise_backups(site: Site) -> PartSummary:
    schedule = site.jobs.read_schedule(BACKUP)
    if schedule is None:
        return PartSummary("backups", PartState.OFF, reason="backups.enabled is false")
    verdict = judge_backups(schedule, site.jobs.list(BACKUP), site.ports.cluster.now())
    state = PartState.READY if verdict.is_ok else PartState.FAILED
    return PartSummary("backups", state, reason=verdict.detail)


def _summarise_cert_manager(site: Site, platform: _Seen) -> PartSummary:
    name = CERT_MANAGER.release
    values = platform.values
    if values and not needs_cert_manager(values):
        return PartSummary(name, PartState.OFF, reason="the platform has no certificate issued")
    namespace = values["certManager"]["namespace"] if values else CERT_MANAGER.release
    latest = observe_tenant(site.elsewhere(namespace).ports, name).latest
    if latest is None and not is_from_elsewhere(site, namespace):
        return PartSummary(name, PartState.MISSING, reason="run 'release-manager install-platform'")
    version = latest.labels.chart_version if latest and latest.labels else "not ours"
    if problem := site.surroundings.find_certificates_problem():
        return PartSummary(name, PartState.FAILED, version, problem)
    return PartSummary(name, PartState.READY, version)


def _list_conditions(site: Site) -> list[Condition]:
    try:
        return list(site.surroundings.list_conditions())
    except ForbiddenError as exc:
        return [Condition("certificates", "", is_ready=False, reason=exc.problem)]


def _summarise_condition(condition: Condition) -> PartSummary:
    name = f"{condition.kind} {condition.name}".strip()
    state = PartState.READY if condition.is_ready else PartState.FAILED
    return PartSummary(name, state, reason=condition.reason)
