"""Starting, stopping and scaling a tenant: each a Helm revision, never a scale patch."""

from __future__ import annotations

from dataclasses import replace

from ..ports import Ports, RunOptions
from ..settings import Settings
from ..values import Layers, coalesce_values, merge_values, without_key
from .baseline import Baseline, choose_kept_chart, read_baseline
from .deploy import Result, execute_plan
from .observe import (
    Observation,
    observe_tenant,
    refuse_busy,
    repair_stuck,
    require_release,
)
from .plan import Action, Plan, plan_adjustment


def plan_scale(
    ports: Ports, settings: Settings, slug: str, replicas: int | None, *, writer: str
) -> tuple[Observation, Plan]:
    """Look and decide; changes nothing. replicas: 0 stops, None starts as it was before."""
    ports.cluster.require_namespace()
    observation = observe_tenant(ports, slug)
    refuse_busy(observation)
    return observation, _plan(ports, settings, observation, replicas, writer)


def _plan(
    ports: Ports, settings: Settings, observation: Observation, replicas: int | None, writer: str
) -> Plan:
    require_release(observation)
    baseline = read_baseline(ports, observation)
    assert baseline is not None, "a release has a revision"  # noqa: S101
    chart = choose_kept_chart(ports, settings.chart, observation, baseline)
    live = coalesce_values(chart.default_values, baseline.values)
    current = int(live.get("replicas", 1))
    wanted = determine_replicas(baseline.layers, current, replicas)
    return plan_adjustment(
        observation,
        baseline,
        chart,
        _change_layers(baseline, current, wanted),
        writer=writer,
        key="replicas",
    )


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
    remembered = current if current > 1 else layers.start_replicas
    return replace(layers, overrides=overrides, start_replicas=remembered)


def scale_tenant(
    ports: Ports,
    settings: Settings,
    slug: str,
    replicas: int | None,
    run: RunOptions,
) -> Result:
    """Ask for a number of replicas and wait for them. replicas: see plan_scale."""
    ports.cluster.require_namespace()
    with ports.liveness.hold() as writer:
        observation, plan = plan_scale(ports, settings, slug, replicas, writer=writer)
        repaired = repair_stuck(ports, observation, run)
        if repaired is not observation:
            observation, plan = repaired, _plan(ports, settings, repaired, replicas, writer)
        result = execute_plan(ports, observation, plan, run)
        return replace(result, action=_name_action(plan, replicas))


def _name_action(plan: Plan, replicas: int | None) -> str:
    if plan.action is Action.NOTHING:
        return plan.action
    return {None: "start", 0: "stop"}.get(replicas, "scale")
