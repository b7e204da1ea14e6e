"""A tenant's token: showing it, and replacing it without losing the tenant."""

from __future__ import annotations

import secrets
from dataclasses import replace

from ..errors import InvalidInputError, TenantNotFoundError
from ..ports import Ports, RunOptions, TokenSecret
from ..settings import Settings
from ..tenant import Target
from ..values import Layers, coalesce_values, merge_values
from .baseline import Baseline, choose_kept_chart, read_baseline
from .deploy import Result, execute_plan
from .install import TOKEN_BYTES
from .observe import (
    Observation,
    observe_tenant,
    refuse_busy,
    repair_stuck,
    require_release,
)
from .plan import Plan, plan_adjustment


def read_token(ports: Ports, slug: str) -> str:
    """Return the tenant's token. Raises TenantNotFoundError."""
    ports.cluster.require_namespace()
    return _require_token(ports, slug).token


def _require_token(ports: Ports, slug: str) -> TokenSecret:
    secret = ports.secrets.read_token(slug)
    if secret is None:
        raise TenantNotFoundError(
            f"there is no Secret {Target(slug).token_secret} with a key 'token'",
            remedy="Check the slug with 'release-manager list-tenants'; a tenant with "
            "token.existingSecret has its token there",
            tenant=slug,
        )
    return secret


def plan_rotation(
    ports: Ports, settings: Settings, slug: str, *, writer: str
) -> tuple[Observation, Plan]:
    """Look and decide; changes nothing. The plan restarts the pods with a new token."""
    ports.cluster.require_namespace()
    observation = observe_tenant(ports, slug)
    refuse_busy(observation)
    require_release(observation)
    secret = _require_token(ports, slug)
    number = secret.revision if secret.previous is not None else secret.revision + 1
    return observation, _plan(ports, settings, observation, str(number), writer)


def _plan(
    ports: Ports, settings: Settings, observation: Observation, number: str, writer: str
) -> Plan:
    baseline = read_baseline(ports, observation)
    assert baseline is not None, "a release has a revision"  # noqa: S101
    chart = choose_kept_chart(ports, settings.chart, observation, baseline)
    live = coalesce_values(chart.default_values, baseline.values)
    if (live.get("token") or {}).get("existingSecret"):
        raise InvalidInputError(
            "field token.existingSecret: the token is in a Secret of your own",
            remedy="Replace it there, then change token.revision to restart the tenant",
            tenant=observation.slug,
        )
    layers = _set_token_revision(baseline, number)
    return plan_adjustment(observation, baseline, chart, layers, writer=writer, key="token")


def _set_token_revision(baseline: Baseline, number: str) -> Layers:
    layers = baseline.layers
    overrides = merge_values(layers.overrides, {"token": {"revision": number}})
    return replace(layers, overrides=overrides)


def rotate_token(
    ports: Ports,
    settings: Settings,
    slug: str,
    run: RunOptions,
) -> Result:
    """Put a new token into the Secret, restart the tenant, verify, and forget the old one.

    The old token stays beside the new one until the tenant is ready, so that a failure puts
    it back, and a rotation that was killed goes on with the same new token.
    """
    ports.cluster.require_namespace()
    with ports.liveness.hold() as writer:
        # Planned before anything is written: bad input changes nothing.
        observation, plan = plan_rotation(ports, settings, slug, writer=writer)
        repaired = repair_stuck(ports, observation, run)
        if repaired is not observation:
            observation, plan = plan_rotation(ports, settings, slug, writer=writer)
        _begin(ports, slug, run)
        result = execute_plan(
            ports, observation, plan, run, undo=lambda: _put_back(ports, slug, run)
        )
        _forget_old(ports, slug)
        return replace(result, action="rotate", detail="the old token is gone")


def _begin(ports: Ports, slug: str, run: RunOptions) -> None:
    secret = _require_token(ports, slug)
    if secret.previous is not None:
        run.progress("going on with a rotation that was interrupted")
        return
    ports.secrets.update_token(
        slug,
        replace(
            secret,
            token=secrets.token_urlsafe(TOKEN_BYTES),
            previous=secret.token,
            revision=secret.revision + 1,
        ),
    )
    run.progress(f"Secret {Target(slug).token_secret} holds a new token")


def _put_back(ports: Ports, slug: str, run: RunOptions) -> None:
    secret = _require_token(ports, slug)
    if secret.previous is not None:
        run.progress("putting the old token back")
        ports.secrets.update_token(slug, replace(secret, token=secret.previous, previous=None))


def _forget_old(ports: Ports, slug: str) -> None:
    ports.secrets.update_token(slug, replace(_require_token(ports, slug), previous=None))
