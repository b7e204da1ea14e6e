"""Starting, stopping and scaling a tenant: each a Helm revision, never a scale patch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..chart import Chart
from ..ports import Ports, RunOptions
from ..settings import Settings
from ..values import (
    Layers,
    coalesce_values,
    lookup_path,
    merge_values,
    validate_values,
    without_key,
)
from .baseline import Baseline, choose_kept_chart, require_baseline
from .deploy import Result, execute_plan
from .observe import Observation
from .plan import Action, Plan, Validate, plan_adjustment, verify_templates
from .work import look_and_plan, look_at, working_on


def plan_scale(
    ports: Ports, settings: Settings, slug: str, replicas: int | None, *, writer: str
) -> Plan:
    """Look and decide; changes nothing. replicas: 0 stops, None starts as it was before."""
    return _plan(ports, settings, look_at(ports, slug), replicas, writer)


def _plan(
    ports: Ports, settings: Settings, observation: Observation, replicas: int | None, writer: str
) -> Plan:
    baseline = require_baseline(ports, observation)
    chart = choose_kept_chart(
        ports, lambda: ports.charts.load(settings.chart), observation, baseline
    )
    # None and one always fit, and what there was before has fitted.
    validate = _leave_to_helm if replicas in (None, 0, 1) else validate_values
    plan = plan_replicas(observation, baseline, chart, replicas, writer=writer, validate=validate)
    if lookup_path(plan.values, "replicas", 1) > 1:
        # None and one are always possible; more may not be, beside a volume.
        verify_templates(ports, plan)
    return plan


def plan_replicas(
    observation: Observation,
    baseline: Baseline,
    chart: Chart,
    replicas: int | None,
    *,
    writer: str,
    is_fleet: bool = False,
    validate: Validate = validate_values,
) -> Plan:
    """Decide how to run a tenant with a number of replicas; None starts it as it was before.

    is_fleet: whether all tenants are stopped, so that all can be started again. Raises what
    ``plan_adjustment`` raises.
    """
    live = coalesce_values(chart.default_values, baseline.values)
    current = int(live.get("replicas", 1))
    wanted = determine_replicas(baseline.layers, current, replicas)
    layers = _change_layers(baseline, current, wanted)
    layers = replace(layers, is_stopped_by_fleet=is_fleet and not wanted)
    return plan_adjustment(
        observation,
        baseline,
        chart,
        layers,
        writer=writer,
        path="replicas",
        validate=validate,
    )


def _leave_to_helm(chart: Chart, values: Mapping[str, Any], *, tenant: str) -> None:
    """Check nothing: Helm took all but the replicas once, and checks them before it writes.

    What reads a schema takes as long to load as all requests to the API server together.
    """
    del chart, values, tenant


def determine_replicas(layers: Layers, current: int, requested: int | None) -> int:
    """Return how many replicas to ask for; ``start`` (None) brings back what there was."""
    if requested is not None:
        return requested
    return current or layers.start_replicas or 1


def _change_layers(baseline: Baseline, current: int, wanted: int) -> Layers:
    layers = baseline.layers
    overrides = merge_values(without_key(layers.overrides, "replicas"), {"replicas": wanted})
    if wanted:
        # One is what every tenant gets by itself: then the override has served its purpose.
        is_default = wanted == layers.defaults.get("replicas", 1)
        kept = without_key(overrides, "replicas") if is_default else overrides
        return replace(layers, overrides=kept, start_replicas=None)
    remembered = current or layers.start_replicas
    return replace(layers, overrides=overrides, start_replicas=remembered)


def scale_tenant(
    ports: Ports,
    settings: Settings,
    slug: str,
    replicas: int | None,
    run: RunOptions,
) -> Result:
    """Ask for a number of replicas and wait for them. replicas: see plan_scale."""
    with working_on(ports, slug) as work:
        observation, plan = look_and_plan(
            ports, work, run, lambda seen: _plan(ports, settings, seen, replicas, work.writer)
        )
        result = execute_plan(ports, observation, plan, run)
        return replace(result, action=_name_action(plan, replicas))


def _name_action(plan: Plan, replicas: int | None) -> str:
    if plan.action is Action.NOTHING:
        return plan.action
    return {None: "start", 0: "stop"}.get(replicas, "scale")
