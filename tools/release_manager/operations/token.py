"""A tenant's token: showing it, and replacing it without losing the tenant."""

from __future__ import annotations

import secrets
from dataclasses import replace

from ..errors import (
    ChangedMeanwhileError,
    ForbiddenError,
    InvalidInputError,
    ReleaseBusyError,
    TenantNotFoundError,
)
from ..ports import Ports, RunOptions, TokenSecret
from ..settings import Settings
from ..tenant import Target
from ..values import Layers, coalesce_values, merge_values
from .baseline import Baseline, choose_kept_chart, require_baseline
from .deploy import Result, execute_plan
from .install import TOKEN_BYTES
from .observe import Observation
from .plan import Plan, plan_adjustment
from .work import look_and_plan, look_at, working_on


def read_token(ports: Ports, slug: str) -> TokenSecret:
    """Return the tenant's token, and the one before while a rotation is under way.

    Raises TenantNotFoundError.
    """
    ports.cluster.require_namespace()
    return _require_token(ports, slug)


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


def plan_rotation(ports: Ports, settings: Settings, slug: str, *, writer: str) -> Plan:
    """Look and decide; changes nothing. The plan restarts the pods with a new token."""
    return _plan(ports, settings, look_at(ports, slug), writer)


def _plan(ports: Ports, settings: Settings, observation: Observation, writer: str) -> Plan:
    baseline = require_baseline(ports, observation)
    secret = _require_token(ports, observation.slug)
    number = secret.revision if secret.previous is not None else secret.revision + 1
    chart = choose_kept_chart(
        ports, lambda: ports.charts.load(settings.chart), observation, baseline
    )
    token = coalesce_values(chart.default_values, baseline.values).get("token") or {}
    if token.get("existingSecret") or token.get("key", "token") != "token":
        raise InvalidInputError(
            "field token: the token is in a Secret, or under a key, of your own",
            remedy="Replace it there, then change token.revision to restart the tenant",
            tenant=observation.slug,
        )
    layers = _set_token_revision(baseline, str(number))
    return plan_adjustment(
        observation, baseline, chart, layers, writer=writer, path="token.revision"
    )


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
    with working_on(ports, slug) as work:
        observation, plan = look_and_plan(
            ports, work, run, lambda seen: _plan(ports, settings, seen, work.writer)
        )
        _begin(ports, slug, run)
        try:
            result = execute_plan(
                ports, observation, plan, run, undo=lambda: _put_back(ports, slug, run)
            )
        except (ReleaseBusyError, InvalidInputError, ForbiddenError, ChangedMeanwhileError):
            # Where helm wrote nothing of ours, the pods still have the old token.
            if not _has_written(ports, plan):
                _put_back(ports, slug, run)
            raise
        _forget_old(ports, slug)
        return replace(result, action="rotate", detail="the old token is gone")


def _has_written(ports: Ports, plan: Plan) -> bool:
    writer = plan.labels.writer if plan.labels is not None else None
    revisions = ports.releases.list_revisions(plan.slug)
    return any((item.number, item.writer) == (plan.revision, writer) for item in revisions)


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
