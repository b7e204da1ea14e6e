"""Installing a tenant."""

from __future__ import annotations

import secrets

from ..chart import Chart
from ..errors import InvalidValuesError, OperationFailedError, TenantExistsError
from ..part import name_command
from ..ports import Ports, RunOptions
from ..settings import Settings
from ..state import TenantState
from ..tenant import Target
from ..values import Layers, Values, build_defaults, coalesce_values
from .baseline import read_baseline
from .deploy import Result, execute_plan
from .observe import Observation
from .plan import Action, Plan, plan_deployment, verify_templates
from .work import look_and_plan, look_at, working_on

TOKEN_BYTES = 32


def build_install_layers(chart: Chart, settings: Settings, overrides: Values) -> Layers:
    """Return the layers of a new tenant."""
    defaults = build_defaults(chart, settings.profile, settings.fleet_values())
    return Layers(profile=settings.profile, defaults=defaults, overrides=overrides)


def plan_install(
    ports: Ports,
    settings: Settings,
    slug: str,
    overrides: Values,
    *,
    writer: str,
    is_forcing: bool = False,
) -> Plan:
    """Look at the cluster and decide; changes nothing.

    A first install that was never deployed is done again, and one whose pods are still
    starting is waited for. is_forcing: install it even where no node has room for it. Raises
    TenantExistsError for anything else that exists, NoRoomError.
    """
    observation = look_at(ports, slug)
    return _plan(ports, settings, observation, overrides, writer=writer, is_forcing=is_forcing)


def _plan(
    ports: Ports,
    settings: Settings,
    observation: Observation,
    overrides: Values,
    *,
    writer: str,
    is_forcing: bool,
) -> Plan:
    chart = ports.charts.load(settings.chart)
    layers = build_install_layers(chart, settings, overrides)
    has_been_deployed = observation.deployed is not None
    baseline = read_baseline(ports, observation) if has_been_deployed else None
    plan = plan_deployment(
        observation, baseline, chart, layers, writer=writer, overwrite_drift=True
    )
    if has_been_deployed:
        _refuse_existing(observation, plan)
    require_token(ports, plan)
    verify_templates(ports, plan)
    if is_forcing:
        return plan
    # Upgrades import this module, too, and never ask for room.
    from .placement import verify_room

    return verify_room(ports, plan)


def _refuse_existing(observation: Observation, plan: Plan) -> None:
    state = observation.verdict().state
    if state is TenantState.PROGRESSING and plan.action is Action.NOTHING:
        return
    raise TenantExistsError(
        f"it exists already and is {state}",
        remedy=f"Change it with '{name_command('upgrade', observation.slug)}'",
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
    is_forcing: bool = False,
) -> Result:
    """Create the tenant's token, install its release and wait until it is ready.

    A failed install is left for inspection unless is_cleaning_up. is_forcing: install it even
    where no node has room for it. Raises TenantExistsError, NoRoomError, RolloutFailedError.
    """
    with working_on(ports, slug) as work:

        def decide(seen: Observation) -> Plan:
            return _plan(
                ports, settings, seen, overrides, writer=work.writer, is_forcing=is_forcing
            )

        observation, plan = look_and_plan(ports, work, run, decide)
        for note in plan.notes:
            run.progress(note)
        _ensure_token(ports, plan, run)
        try:
            return execute_plan(ports, observation, plan, run)
        except OperationFailedError as exc:
            if is_cleaning_up and observation.deployed is None:
                run.progress("removing the failed release; its volume and token are kept")
                ports.releases.uninstall(slug, timeout_seconds=run.timeout_seconds)
                exc.remedy = "The release was removed again; correct the cause and install anew"
            raise


def require_token(ports: Ports, plan: Plan) -> None:
    """Refuse a tenant whose pods would wait for a Secret for ever."""
    token = coalesce_values(plan.chart.default_values, plan.values).get("token") or {}
    name, key = str(token.get("existingSecret") or ""), str(token.get("key") or "token")
    own = Target(plan.slug).token_secret
    if not name and key != "token":
        raise InvalidValuesError(
            f"field token.key: the Secret {own} has the key 'token', not {key!r}",
            remedy="Leave it out, or name a Secret of your own in token.existingSecret",
            tenant=plan.slug,
        )
    if name and not ports.secrets.has_secret(name, key):
        raise InvalidValuesError(
            f"field token.existingSecret: there is no Secret {name!r} with a key {key!r}",
            remedy="Create it, or leave the field out and a token is made",
            tenant=plan.slug,
        )
    if not name and ports.secrets.exists(own) and ports.secrets.read_token(plan.slug) is None:
        raise InvalidValuesError(
            f"the Secret {own} is there already, without a key 'token'",
            remedy="Give it that key, or delete it and a new one is made",
            tenant=plan.slug,
        )


def _ensure_token(ports: Ports, plan: Plan, run: RunOptions) -> None:
    token = coalesce_values(plan.chart.default_values, plan.values).get("token") or {}
    if token.get("existingSecret"):
        return
    own = Target(plan.slug).token_secret
    if ports.secrets.create_token(plan.slug, secrets.token_urlsafe(TOKEN_BYTES)):
        run.progress(f"Secret {own} created")
    else:
        run.progress(f"Secret {own} is there already and is kept")
