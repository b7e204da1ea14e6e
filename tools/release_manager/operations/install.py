"""Installing a tenant."""

from __future__ import annotations

import secrets

from ..chart import Chart
from ..errors import InvalidValuesError, OperationFailedError, TenantExistsError
from ..ports import Ports, RunOptions
from ..settings import Settings
from ..state import TenantState
from ..tenant import Target
from ..values import Layers, Values, build_defaults, coalesce_values
from .baseline import read_baseline
from .deploy import Result, execute_plan
from .observe import Observation, observe_tenant, refuse_busy, repair_stuck
from .plan import Action, Plan, plan_deployment, verify_templates

TOKEN_BYTES = 32


def build_install_layers(chart: Chart, settings: Settings, overrides: Values) -> Layers:
    """Return the layers of a new tenant."""
    defaults = build_defaults(chart, settings.profile, settings.fleet_values())
    return Layers(profile=settings.profile, defaults=defaults, overrides=overrides)


def plan_install(
    ports: Ports, settings: Settings, slug: str, overrides: Values, *, writer: str
) -> tuple[Observation, Plan]:
    """Look at the cluster and decide; changes nothing.

    A first install that was never deployed is done again, and one whose pods are still
    starting is waited for. Raises TenantExistsError for anything else that exists.
    """
    chart = ports.charts.load(settings.chart)
    layers = build_install_layers(chart, settings, overrides)
    ports.cluster.require_namespace()
    observation = observe_tenant(ports, slug)
    refuse_busy(observation)
    return observation, _plan(ports, observation, chart, layers, writer)


def _plan(
    ports: Ports, observation: Observation, chart: Chart, layers: Layers, writer: str
) -> Plan:
    has_been_deployed = observation.deployed is not None
    baseline = read_baseline(ports, observation) if has_been_deployed else None
    plan = plan_deployment(
        observation, baseline, chart, layers, writer=writer, overwrite_drift=True
    )
    if has_been_deployed:
        _refuse_existing(observation, plan)
    _require_token(ports, plan)
    verify_templates(ports, plan)
    return plan


def _refuse_existing(observation: Observation, plan: Plan) -> None:
    state = observation.verdict().state
    if state is TenantState.PROGRESSING and plan.action is Action.NOTHING:
        return
    raise TenantExistsError(
        f"it exists already and is {state}",
        remedy=f"Change it with 'release-manager upgrade-tenant {observation.slug}'",
        tenant=observation.slug,
    )


def install_tenant(
    ports: Ports,
    settings: Settings,
    slug: str,
    overrides: Values,
    run: RunOptions,
    *,
    is_cleaning_up: bool,
) -> Result:
    """Create the tenant's token, install its release and wait until it is ready.

    A failed install is left for inspection unless is_cleaning_up. Raises TenantExistsError,
    RolloutFailedError.
    """
    ports.cluster.require_namespace()
    with ports.liveness.hold() as writer:
        observation, plan = plan_install(ports, settings, slug, overrides, writer=writer)
        repaired = repair_stuck(ports, observation, run)
        if repaired is not observation:
            observation, plan = plan_install(ports, settings, slug, overrides, writer=writer)
        _ensure_token(ports, plan, run)
        try:
            return execute_plan(
                ports,
                observation,
                plan,
                run,
            )
        except OperationFailedError:
            if is_cleaning_up and observation.deployed is None:
                run.progress("removing the failed release; its volume and token are kept")
                ports.releases.uninstall(slug, timeout_seconds=run.timeout_seconds)
            raise


def _own_secret(plan: Plan) -> tuple[str, str]:
    token = coalesce_values(plan.chart.default_values, plan.values).get("token") or {}
    return str(token.get("existingSecret") or ""), str(token.get("key") or "token")


def _require_token(ports: Ports, plan: Plan) -> None:
    name, key = _own_secret(plan)
    if name and not ports.secrets.has_secret(name, key):
        raise InvalidValuesError(
            f"field token.existingSecret: there is no Secret {name!r} with a key {key!r}",
            remedy="Create it, or leave the field out and a token is made",
            tenant=plan.slug,
        )


def _ensure_token(ports: Ports, plan: Plan, run: RunOptions) -> None:
    name, _ = _own_secret(plan)
    if name:
        return
    if ports.secrets.create_token(plan.slug, secrets.token_urlsafe(TOKEN_BYTES)):
        run.progress(f"Secret {Target(plan.slug).token_secret} created")
    else:
        run.progress(f"Secret {Target(plan.slug).token_secret} is there already and is kept")
