"""Stopping all tenants, and starting again those that were stopped that way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

from ..chart import Chart
from ..ports import Ports
from ..rollout.plan import Kind, Limits
from ..settings import Settings
from ..tenant import ReleaseStatus
from .baseline import Baseline, choose_kept_chart
from .fleet import MakePlan, Selection, Survey, look_at_fleet
from .observe import Observation
from .plan import DRIFTED, Action, Plan
from .rollouts import FleetPlan, build_rollout, read_pace
from .scale import plan_replicas


@dataclass(frozen=True)
class ScaleAllRequest:
    """What ``stop-all`` or ``start-all`` was asked for."""

    kind: Kind
    selection: Selection = field(default_factory=Selection)
    limits: Limits = field(default_factory=Limits)


def plan_scale_all(
    ports: Ports, settings: Settings, request: ScaleAllRequest, *, by: str
) -> FleetPlan:
    """Look at the whole fleet and decide; changes nothing. Chart and drift of a tenant stay."""
    fleet = look_at_fleet(ports, request.selection)
    make_plan = build_scaling(ports, settings, request.kind)
    survey = Survey(ports, fleet, make_plan, is_current=_build_is_current(request.kind))
    candidates = survey.judge_all()
    rollout = build_rollout(ports, request.kind, candidates, request.limits, by=by)
    pace = read_pace(ports, request.kind) if rollout.waves else None
    return FleetPlan(rollout, candidates, make_plan, survey.plans, pace=pace)


def build_scaling(ports: Ports, settings: Settings, kind: Kind) -> MakePlan:
    """Return what plans one tenant's stop or start."""
    keep_chart = _build_keep_chart(ports, settings)

    def make_plan(observation: Observation, baseline: Baseline) -> Plan:
        chart = keep_chart(observation, baseline)
        is_stopping = kind is Kind.STOP
        plan = plan_replicas(
            observation,
            baseline,
            chart,
            0 if is_stopping else None,
            writer="",
            is_fleet=is_stopping,
        )
        if not is_stopping and not baseline.layers.is_stopped_by_fleet:
            note = "it was stopped on its own; start-tenant starts it"
            return replace(plan, action=Action.NOTHING, labels=None, notes=(note,))
        return plan

    return make_plan


def _build_keep_chart(ports: Ports, settings: Settings) -> Callable[[Observation, Baseline], Chart]:
    """Return what gives each tenant the chart that it has; tenants of one chart share it."""
    charts: dict[str, Chart] = {}
    at_hand = cache(lambda: ports.charts.load(settings.chart))

    def keep(observation: Observation, baseline: Baseline) -> Chart:
        base = observation.base
        labels = base.labels if base is not None else None
        digest = labels.defaults_digest if labels is not None and baseline.has_true_labels else ""
        # Of a tenant with drift the labels do not tell the chart.
        key = "" if digest == DRIFTED else digest
        if key not in charts or not key:
            charts[key] = choose_kept_chart(ports, at_hand, observation, baseline)
        return charts[key]

    return keep


def _build_is_current(kind: Kind) -> Callable[[Observation], bool]:
    def is_current(observation: Observation) -> bool:
        latest, workload = observation.latest, observation.workload
        if latest is None or latest.status is not ReleaseStatus.DEPLOYED or workload is None:
            return False
        has_replicas = workload.wanted_replicas > 0
        return not workload.is_scaled_by_hand and has_replicas == (kind is Kind.START)

    return is_current
