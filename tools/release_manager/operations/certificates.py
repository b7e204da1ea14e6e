"""cert-manager and Traefik: charts of somebody else, pinned in the platform's values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import OperationFailedError, RolloutFailedError
from ..part import CERT_MANAGER, PLATFORM, Part
from ..ports import RunOptions, Site
from .deploy import execute_plan
from .observe import observe_tenant, refuse_busy
from .parts import is_as_pinned, plan_foreign_part
from .plan import Action, Plan
from .work import look_and_plan, working_on

DEFINITION = "certificates.cert-manager.io"
POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Pin:
    """Which chart of somebody else to install.

    chart: a reference for ``Charts.load``. version: empty for a chart that takes the pin's place.
    """

    part: Part
    chart: str
    version: str
    namespace: str
    values: Mapping[str, Any] = field(repr=False)


def read_pin(part: Part, values: Mapping[str, Any], *, chart: str = "") -> Pin:
    """Return the pin from its block of the platform's values. chart: takes its chart's place."""
    digest = f"@{values['digest']}" if values["digest"] else ""
    reference = chart or f"{values['chart']}:{values['version']}{digest}"
    version = "" if chart else str(values["version"])
    return Pin(part, reference, version, values["namespace"], values["values"])


def needs_cert_manager(values: Mapping[str, Any]) -> bool:
    """Return whether a platform with these values has a certificate issued."""
    certificates = values["certificates"]
    return bool(certificates["enabled"]) and not certificates["existingSecret"]


@dataclass(frozen=True)
class ForeignPlan:
    """What becomes of a chart of somebody else. plan: None where it is left alone."""

    pin: Pin
    plan: Plan | None
    detail: str


def plan_foreign(site: Site, pin: Pin, *, writer: str) -> ForeignPlan:
    """Look and decide; changes nothing. What the cluster has from elsewhere is left alone."""
    slug = pin.part.release
    ports = site.elsewhere(pin.namespace).ports
    observation = observe_tenant(ports, slug)
    refuse_busy(observation)
    latest = observation.latest
    if latest is not None and latest.labels is None:
        return ForeignPlan(pin, None, f"the release {slug} in {pin.namespace} is not ours")
    if latest is None and pin.part is CERT_MANAGER and is_from_elsewhere(site, pin.namespace):
        return ForeignPlan(pin, None, "the cluster has it from elsewhere")
    if is_as_pinned(observation, pin.version, pin.values):
        # Without asking a registry that may be out of reach.
        return ForeignPlan(pin, None, "up to date")
    plan = plan_foreign_part(observation, ports.charts.load(pin.chart), pin.values, writer=writer)
    if plan.action is Action.NOTHING:
        is_ours = latest is not None and latest.writer is not None
        return ForeignPlan(pin, plan, "up to date" if is_ours else "changed by hand, left alone")
    return ForeignPlan(pin, plan, f"{plan.action} chart {plan.chart.version} in {pin.namespace}")


def is_from_elsewhere(site: Site, namespace: str) -> bool:
    """Return whether the cluster has a cert-manager that is none of ours.

    Definitions stay when our release is uninstalled, and are still of it.
    """
    owner = site.surroundings.find_release_of(DEFINITION)
    return owner is not None and owner != (namespace, CERT_MANAGER.release)


def ensure_foreign(site: Site, pin: Pin, run: RunOptions) -> None:
    """Install or upgrade a chart of somebody else, unless the cluster has it from elsewhere.

    Raises what helm failed with, RolloutFailedError.
    """
    slug = pin.part.release
    found = plan_foreign(site, pin, writer="")
    if found.plan is None:
        run.progress(f"{slug} is left as it is: {found.detail}")
        return
    there = site.elsewhere(pin.namespace)
    if there.surroundings.create_namespace({}):
        run.progress(f"namespace {pin.namespace} created")
    with working_on(there.ports, slug) as work:
        chart = there.ports.charts.load(pin.chart)
        observation, plan = look_and_plan(
            there.ports,
            work,
            run,
            lambda seen: plan_foreign_part(seen, chart, pin.values, writer=work.writer),
        )
        run.progress(f"{slug}: {found.detail}")
        execute_plan(there.ports, observation, plan, run)


def wait_for_certificates_api(site: Site, run: RunOptions) -> None:
    """Wait until cert-manager takes objects. Raises OperationFailedError."""
    deadline = run.clock.monotonic() + run.timeout_seconds
    told = ""
    while problem := site.surroundings.find_certificates_problem():
        if run.clock.monotonic() >= deadline:
            raise OperationFailedError(
                f"its API does not answer after {run.timeout_seconds:.0f} seconds: {problem}",
                remedy="Look with 'kubectl get pods -n cert-manager', then run the command again",
                tenant=CERT_MANAGER.release,
            )
        if problem != told:
            run.progress(f"waiting for cert-manager's API: {problem}")
            told = problem
        run.clock.sleep(POLL_SECONDS)


def wait_for_certificate(site: Site, run: RunOptions) -> None:
    """Wait until the platform's certificate is there. Raises RolloutFailedError."""
    deadline = run.clock.monotonic() + run.timeout_seconds
    told = ""
    while problem := _find_certificate_problem(site):
        if run.clock.monotonic() >= deadline:
            raise RolloutFailedError(
                f"it is installed, but after {run.timeout_seconds:.0f} seconds {problem}",
                remedy="Look with 'release-manager show-platform'; cert-manager goes on trying",
                tenant=PLATFORM.release,
            )
        if problem != told:
            run.progress(f"waiting: {problem}")
            told = problem
        run.clock.sleep(POLL_SECONDS)


def _find_certificate_problem(site: Site) -> str:
    found = [item for item in site.surroundings.list_conditions() if item.kind == "Certificate"]
    if not found:
        return "its certificate is missing"
    waiting = [item for item in found if not item.is_ready]
    return f"its certificate {waiting[0].name} is not ready: {waiting[0].reason}" if waiting else ""
