"""Upgrading a tenant: a new chart, new defaults of the fleet, new values of its own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..errors import InvalidValuesError
from ..ports import Ports, RunOptions
from ..settings import Settings
from ..values import Layers, Values, build_defaults, merge_values, remove_path
from .baseline import read_baseline
from .deploy import Result, execute_plan
from .observe import (
    Observation,
    observe_tenant,
    refuse_busy,
    repair_stuck,
    require_release,
)
from .plan import Plan, plan_deployment, verify_templates


@dataclass(frozen=True)
class UpgradeRequest:
    """What an upgrade changes, beside chart and defaults.

    profile: None keeps the tenant's. unset: dotted paths of overrides to drop.
    """

    overrides: Values = field(default_factory=dict, repr=False)
    unset: tuple[str, ...] = ()
    profile: str | None = None
    overwrite_drift: bool = False


def plan_upgrade(
    ports: Ports, settings: Settings, slug: str, request: UpgradeRequest, *, writer: str
) -> tuple[Observation, Plan]:
    """Look at the cluster and decide; changes nothing.

    Raises TenantNotFoundError, InvalidValuesError, DriftError.
    """
    ports.cluster.require_namespace()
    observation = observe_tenant(ports, slug)
    refuse_busy(observation)
    return observation, _plan(ports, settings, observation, request, writer)


def _plan(
    ports: Ports, settings: Settings, observation: Observation, request: UpgradeRequest, writer: str
) -> Plan:
    require_release(observation)
    baseline = read_baseline(ports, observation)
    chart = ports.charts.load(settings.chart)
    old = baseline.layers if baseline is not None else Layers(settings.profile, {}, {})
    profile = request.profile or old.profile
    layers = replace(
        old,
        profile=profile,
        defaults=build_defaults(chart, profile, settings.fleet_values()),
        overrides=_change_overrides(observation.slug, old.overrides, request),
    )
    plan = plan_deployment(
        observation,
        baseline,
        chart,
        layers,
        writer=writer,
        overwrite_drift=request.overwrite_drift,
    )
    verify_templates(ports, plan)
    return plan


def _change_overrides(slug: str, overrides: Values, request: UpgradeRequest) -> Values:
    kept = merge_values(overrides)
    for path in request.unset:
        if not remove_path(kept, path):
            raise InvalidValuesError(
                f"field --unset: {path} is no override of this tenant",
                remedy=f"See 'release-manager show-tenant {slug}'",
                tenant=slug,
            )
    return merge_values(kept, request.overrides)


def upgrade_tenant(
    ports: Ports,
    settings: Settings,
    slug: str,
    request: UpgradeRequest,
    run: RunOptions,
) -> Result:
    """Upgrade a tenant's release and wait; a failure is explained and rolled back.

    Raises what plan_upgrade raises, and RolloutFailedError.
    """
    ports.cluster.require_namespace()
    with ports.liveness.hold() as writer:
        # Planned before anything is repaired: bad input changes nothing.
        observation, plan = plan_upgrade(ports, settings, slug, request, writer=writer)
        repaired = repair_stuck(ports, observation, run)
        if repaired is not observation:
            observation, plan = repaired, _plan(ports, settings, repaired, request, writer)
        return execute_plan(
            ports,
            observation,
            plan,
            run,
        )
