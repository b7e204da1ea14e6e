"""Installing and upgrading the platform: from an empty cluster to one that tenants can live on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..part import CERT_MANAGER, PLATFORM, TRAEFIK
from ..ports import Ports, RunOptions, Site
from ..settings import Settings
from ..values import Values, coalesce_values, merge_values, validate_values
from .certificates import (
    Pin,
    ensure_foreign,
    needs_cert_manager,
    plan_foreign,
    read_pin,
    wait_for_certificate,
    wait_for_certificates_api,
)
from .deploy import Result
from .observe import Observation, observe_tenant, refuse_busy
from .parts import PartRequest, Wanted, build_part_layers, deploy_part, plan_part
from .plan import Action, Plan
from .shared_secrets import ensure_secrets, plan_secrets
from .work import working_on

# https://kubernetes.io/docs/concepts/security/pod-security-admission/
POD_SECURITY = {
    f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")
}


@dataclass(frozen=True)
class PlatformRequest:
    """What an install or upgrade of the platform asks for.

    cert_manager_chart: takes the place of the pinned chart, for clusters without internet.
    """

    part: PartRequest
    cert_manager_chart: str = ""


@dataclass(frozen=True)
class Step:
    """One thing that would be done, in its order."""

    part: str
    action: str
    detail: str = ""


@dataclass(frozen=True)
class PlatformPlan:
    """What would be done: everything before the release itself, and the release."""

    steps: tuple[Step, ...]
    release: Plan = field(repr=False)


@dataclass(frozen=True)
class _Decided:
    """The plan of the release, and the values that decide about all the rest."""

    wanted: Wanted
    release: Plan
    values: Mapping[str, Any]
    pins: tuple[Pin, ...]


def build_platform_values(settings: Settings) -> Values:
    """Return the values that the settings mean for the platform."""
    return merge_values({"certificates": {"domain": settings.domain}}, settings.platform)


def plan_platform(
    site: Site, settings: Settings, request: PlatformRequest, *, writer: str
) -> PlatformPlan:
    """Look at the cluster and decide; changes nothing.

    Raises InvalidValuesError, TenantExistsError, TenantNotFoundError, DriftError.
    """
    observation = observe_tenant(site.ports, PLATFORM.release)
    refuse_busy(observation)
    decided = _decide(site.ports, settings, observation, request, writer)
    return PlatformPlan(tuple(_list_steps(site, decided)), decided.release)


def _decide(
    ports: Ports,
    settings: Settings,
    observation: Observation,
    request: PlatformRequest,
    writer: str,
) -> _Decided:
    wanted, values = _want(ports, settings, observation, request)
    release = plan_part(ports, observation, wanted, request.part, writer=writer)
    return _Decided(wanted, release, values, _read_pins(values, request))


def _want(
    ports: Ports, settings: Settings, observation: Observation, request: PlatformRequest
) -> tuple[Wanted, Mapping[str, Any]]:
    chart = ports.charts.load(settings.platform_chart)
    fleet = build_platform_values(settings)
    layers = build_part_layers(ports, observation, chart, fleet, request.part)
    # Before anything is read in them.
    validate_values(chart, layers.to_values(), tenant=PLATFORM.release)
    values = coalesce_values(chart.default_values, layers.merged())
    has_workload = bool(values["postgres"]["enabled"])
    return Wanted(PLATFORM, chart, fleet, has_workload), values


def _read_pins(values: Mapping[str, Any], request: PlatformRequest) -> tuple[Pin, ...]:
    pins = []
    if needs_cert_manager(values):
        chart = request.cert_manager_chart
        pins.append(read_pin(CERT_MANAGER, values["certManager"], chart=chart))
    traefik = values["traefik"]
    if traefik["install"]:
        pins.append(read_pin(TRAEFIK, {**traefik["pin"], "namespace": traefik["namespace"]}))
    return tuple(pins)


def _list_steps(site: Site, decided: _Decided) -> Iterator[Step]:
    labels = site.surroundings.read_namespace_labels()
    if labels is None:
        yield Step("namespace", "create", "with Pod Security restricted")
    elif missing := _find_missing_labels(labels):
        yield Step("namespace", "label", ", ".join(sorted(missing)))
    for pin in decided.pins:
        found = plan_foreign(site, pin, writer="")
        action = found.plan.action if found.plan is not None else Action.NOTHING
        yield Step(pin.part.release, action, found.detail)
    secrets = plan_secrets(site.ports, decided.values).describe()
    yield Step("secrets", "create" if secrets else "nothing", secrets)
    release = decided.release
    yield Step("platform", release.action, f"revision {release.revision}, {_name_chart(release)}")


def _name_chart(plan: Plan) -> str:
    return f"chart {plan.chart.version}"


def _find_missing_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the Pod Security labels that nobody has decided about yet."""
    return {name: level for name, level in POD_SECURITY.items() if name not in labels}


def deploy_platform(
    site: Site, settings: Settings, request: PlatformRequest, run: RunOptions
) -> Result:
    """Make the platform what was asked for, in an order that can be begun anew at any point.

    Raises what ``plan_platform`` raises before anything is changed; then RolloutFailedError and
    whatever helm fails with.
    """
    plan_platform(site, settings, request, writer="")
    _ensure_namespace(site, run)
    with working_on(site.ports, PLATFORM.release) as work:
        decided = _decide(site.ports, settings, work.observe(site.ports), request, work.writer)
        for pin in decided.pins:
            ensure_foreign(site, pin, run)
        has_certificates = needs_cert_manager(decided.values)
        if has_certificates:
            wait_for_certificates_api(site, run)
        ensure_secrets(site.ports, decided.values, run)
        result = deploy_part(site.ports, work, run, decided.wanted, request.part)
        if run.is_waiting and has_certificates:
            wait_for_certificate(site, run)
        return result


def _ensure_namespace(site: Site, run: RunOptions) -> None:
    labels = site.surroundings.read_namespace_labels()
    if labels is None and site.surroundings.create_namespace(POD_SECURITY):
        run.progress("namespace created, with Pod Security restricted")
        return
    if missing := _find_missing_labels(labels or {}):
        site.surroundings.label_namespace(missing)
        run.progress("namespace labelled: Pod Security restricted")
