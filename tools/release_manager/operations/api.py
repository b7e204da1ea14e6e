"""Installing and upgrading the product's API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..errors import HelmFailedError, InvalidInputError, RolloutFailedError
from ..part import API, PLATFORM
from ..ports import Ports, RunOptions
from ..settings import Settings
from ..values import (
    Values,
    build_defaults_digest,
    coalesce_values,
    merge_values,
    validate_values,
)
from .baseline import choose_kept_chart, require_baseline
from .deploy import Result, execute_plan
from .investigation import read_job_log
from .observe import Observation, observe_tenant, refuse_busy
from .parts import PartRequest, Wanted, build_part_layers, deploy_part, plan_part
from .plan import DRIFTED, Plan, plan_adjustment
from .shared_secrets import SHARED, read_checksum
from .work import Work, look_and_plan, look_at, working_on

MIGRATIONS_JOB = "api-migrations"


def plan_api(ports: Ports, settings: Settings, request: PartRequest, *, writer: str) -> Plan:
    """Look at the cluster and decide; changes nothing.

    Raises InvalidValuesError, TenantExistsError, TenantNotFoundError, DriftError.
    """
    observation = look_at(ports, API.release)
    wanted = _want(ports, settings, observation, request)
    return plan_part(ports, observation, wanted, request, writer=writer)


def _want(
    ports: Ports, settings: Settings, observation: Observation, request: PartRequest
) -> Wanted:
    chart = ports.charts.load(settings.api_chart)
    fleet = build_api_values(ports, settings)
    layers = build_part_layers(ports, observation, chart, fleet, request)
    validate_values(chart, layers.merged(), tenant=API.release)
    values = coalesce_values(chart.default_values, layers.merged())
    name = (values.get("secrets") or {}).get("name", "")
    checksum = {"secrets": {"checksum": read_checksum(ports, str(name))}}
    return Wanted(API, chart, merge_values(fleet, checksum))


def build_api_values(ports: Ports, settings: Settings) -> Values:
    """Return the values that the settings, and the platform that is there, mean for the API."""
    own: Values = {"domain": settings.domain, "image": {"registry": settings.registry}}
    if authority := _find_database_authority(ports):
        own["database"] = {"caConfigMap": authority}
    return merge_values(own, settings.api)


def restart_api(
    ports: Ports,
    settings: Settings,
    work: Work,
    run: RunOptions,
    *,
    undo: Callable[[], None] = lambda: None,
) -> Result:
    """Let the API read its Secret anew: nothing of it changes but the checksum.

    undo: puts the Secret back when the API does not get ready with what is in it now; the API
    then goes back to it, too. Raises RolloutFailedError.
    """
    observation, plan = look_and_plan(
        ports, work, run, lambda seen: _plan_restart(ports, settings, seen, work.writer)
    )
    try:
        return execute_plan(ports, observation, plan, run, undo=undo)
    except RolloutFailedError:
        if plan.labels is None:
            # A process that has died since has restarted it: there is no revision to go back from.
            restart_api(ports, settings, work, replace(run, is_waiting=False))
        raise


def plan_api_restart(ports: Ports, settings: Settings, work: Work | None = None) -> bool:
    """Return whether there is an API to restart, and make sure that nothing is in the way.

    work: of a process that has the API for itself. Raises ReleaseBusyError, DriftError, and
    InvalidInputError where it reads another Secret.
    """
    observation = work.observe(ports) if work is not None else observe_tenant(ports, API.release)
    refuse_busy(observation)
    if observation.base is None:
        return False
    name = _read_secret_name(ports, observation)
    if name != SHARED:
        raise InvalidInputError(
            f"field secrets.name: the API reads the Secret {name}, and this would change {SHARED}",
            remedy=f"Let it read {SHARED} with 'release-manager upgrade-api --unset secrets.name', "
            "or change its own Secret by hand, then run 'release-manager upgrade-api'",
            tenant=API.release,
        )
    _plan_restart(ports, settings, observation, work.writer if work is not None else "")
    return True


def _read_secret_name(ports: Ports, observation: Observation) -> str:
    live = require_baseline(ports, observation).values
    return str((live.get("secrets") or {}).get("name") or SHARED)


def _plan_restart(ports: Ports, settings: Settings, observation: Observation, writer: str) -> Plan:
    baseline = require_baseline(ports, observation)
    chart = choose_kept_chart(
        ports, lambda: ports.charts.load(settings.api_chart), observation, baseline
    )
    live = coalesce_values(chart.default_values, baseline.values)
    checksum = {"secrets": {"checksum": read_checksum(ports, str(live["secrets"]["name"]))}}
    layers = replace(baseline.layers, defaults=merge_values(baseline.layers.defaults, checksum))
    plan = plan_adjustment(
        observation, baseline, chart, layers, writer=writer, path="secrets.checksum"
    )
    if plan.labels is None or plan.labels.defaults_digest == DRIFTED:
        return plan
    digest = build_defaults_digest(chart, layers.defaults)
    return replace(plan, labels=replace(plan.labels, defaults_digest=digest))


def _find_database_authority(ports: Ports) -> str:
    """Return the ConfigMap with the certificate authority of an external database."""
    base = observe_tenant(ports, PLATFORM.release).base
    values: Mapping[str, Any] = ports.releases.read_body(base).values if base is not None else {}
    return str((values.get("externalDatabase") or {}).get("caConfigMap") or "")


def deploy_api(ports: Ports, settings: Settings, request: PartRequest, run: RunOptions) -> Result:
    """Make the API what was asked for and wait; a failure is explained and rolled back.

    Raises what ``plan_api`` raises, RolloutFailedError, and HelmFailedError with the last lines
    of a database migration that failed.
    """
    with working_on(ports, API.release) as work:
        wanted = _want(ports, settings, work.observe(ports), request)
        try:
            return deploy_part(ports, work, run, wanted, request)
        except HelmFailedError as exc:
            if lines := read_job_log(ports, MIGRATIONS_JOB):
                exc.problem = f"{exc.problem}; the database migration said: {' | '.join(lines)}"
            raise
