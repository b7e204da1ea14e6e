"""Upgrading every tenant to a chart and to defaults of the fleet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from ..chart import Chart
from ..ports import Ports
from ..rollout.plan import Kind, Limits, Rollout
from ..settings import Settings
from ..tenant import ReleaseStatus
from ..values import (
    build_defaults,
    coalesce_values,
    validate_values,
)
from .baseline import Baseline, build_expected_digest, has_true_labels
from .fleet import MakePlan, Selection, Survey, ValidateOnce, look_at_fleet
from .install import require_token
from .observe import Observation
from .plan import Plan, plan_deployment
from .rollouts import FleetPlan, build_rollout, read_pace


@dataclass(frozen=True)
class UpgradeAllRequest:
    """What ``upgrade-all`` was asked for, beside chart and defaults, which are settings."""

    selection: Selection = field(default_factory=Selection)
    limits: Limits = field(default_factory=Limits)
    is_overwriting_drift: bool = False


def plan_upgrade_all(
    ports: Ports, settings: Settings, request: UpgradeAllRequest, *, by: str
) -> FleetPlan:
    """Look at the whole fleet and decide; changes nothing.

    Every tenant that would change is planned, and its merged values are validated. A fleet that
    is up to date costs three LISTs and no body. Raises ChartNotFoundError, TenantNotFoundError,
    InvalidInputError.
    """
    fleet = look_at_fleet(ports, request.selection)
    # As it is now: whoever edits the folder meanwhile does not change half of the fleet.
    chart = ports.charts.unpack(ports.charts.pack(ports.charts.load(settings.chart)))
    defaults = settings.fleet_values()
    # What is wrong for all is no single tenant's fault.
    validate_values(chart, defaults, tenant=None)
    make_plan = build_make_plan(
        ports, chart, defaults, is_overwriting_drift=request.is_overwriting_drift
    )
    survey = Survey(ports, fleet, make_plan, is_current=_build_is_current(chart, defaults))
    candidates = survey.judge_and_verify(request.limits.concurrency)
    rollout = build_rollout(
        ports,
        Kind.UPGRADE,
        candidates,
        request.limits,
        by=by,
        chart_name=chart.name,
        chart_version=chart.version,
        chart_digest=chart.digest,
        defaults=defaults,
        is_overwriting_drift=request.is_overwriting_drift,
    )
    pace = read_pace(ports, Kind.UPGRADE) if rollout.waves else None
    return FleetPlan(rollout, candidates, make_plan, survey.plans, chart, pace)


def build_make_plan(
    ports: Ports, chart: Chart, defaults: Mapping[str, Any], *, is_overwriting_drift: bool
) -> MakePlan:
    """Return what plans one tenant's upgrade. Raises what ``plan_deployment`` raises."""
    validate = ValidateOnce()
    build = cache(lambda profile: build_defaults(chart, profile, dict(defaults)))

    def make_plan(observation: Observation, baseline: Baseline) -> Plan:
        layers = replace(baseline.layers, defaults=build(baseline.layers.profile))
        plan = plan_deployment(
            observation,
            baseline,
            chart,
            layers,
            writer="",
            overwrite_drift=is_overwriting_drift,
            validate=validate,
        )
        if _read_token(chart, plan.values) != _read_token(chart, baseline.values):
            require_token(ports, plan)
        return plan

    return make_plan


def _read_token(chart: Chart, values: Mapping[str, Any]) -> object:
    return coalesce_values(chart.default_values, values).get("token")


def _build_is_current(chart: Chart, defaults: Mapping[str, Any]) -> Callable[[Observation], bool]:
    expect = build_expected_digest(chart, dict(defaults))

    def is_current(observation: Observation) -> bool:
        latest, workload = observation.latest, observation.workload
        return (
            latest is not None
            and latest.labels is not None
            and latest.status is ReleaseStatus.DEPLOYED
            and has_true_labels(latest, None)
            and latest.labels.defaults_digest == expect(latest.labels.profile)
            and workload is not None
            and not workload.foreign_fields
            and not workload.is_scaled_by_hand
        )

    return is_current


def rebuild_upgrade(ports: Ports, rollout: Rollout) -> MakePlan:
    """Return the same as when the rollout began, out of its journal.

    Raises RolloutNotFoundError when the chart is no longer there.
    """
    chart = ports.charts.unpack(ports.journals.read_chart(rollout.id))
    return build_make_plan(
        ports, chart, rollout.defaults, is_overwriting_drift=rollout.is_overwriting_drift
    )
