"""Upgrading a tenant: a new chart, new defaults of the fleet, new values of its own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..errors import InvalidValuesError
from ..part import name_command
from ..ports import Ports, RunOptions
from ..settings import Settings
from ..values import Values, build_defaults, merge_values, remove_path
from .baseline import require_baseline
from .deploy import Result, execute_plan
from .install import require_token
from .observe import Observation
from .plan import Plan, plan_deployment, verify_templates
from .work import look_and_plan, look_at, working_on


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
    observation = look_at(ports, slug)
    return observation, _plan(ports, settings, observation, request, writer)


def _plan(
    ports: Ports, settings: Settings, observation: Observation, request: UpgradeRequest, writer: str
) -> Plan:
    baseline = require_baseline(ports, observation)
    chart = ports.charts.load(settings.chart)
    old = baseline.layers
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
    require_token(ports, plan)
    verify_templates(ports, plan)
    return plan


def _change_overrides(slug: str, overrides: Values, request: UpgradeRequest) -> Values:
    kept = merge_values(overrides)
    for path in request.unset:
        if not remove_path(kept, path):
            raise InvalidValuesError(
                f"field --unset: {path} is none of this tenant's own values",
                remedy=f"See '{name_command('show', slug)}'",
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
    with working_on(ports, slug) as work:
        observation, plan = look_and_plan(
            ports, work, run, lambda seen: _plan(ports, settings, seen, request, work.writer)
        )
        return execute_plan(
            ports,
            observation,
            plan,
            run,
        )
