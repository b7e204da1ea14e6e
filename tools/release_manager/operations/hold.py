"""Holding a tenant: fleet upgrades leave it alone until the hold ends."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InvalidInputError
from ..ports import Ports
from .deploy import Result
from .observe import observe_tenant, require_release

MAX_REASON_LENGTH = 200


@dataclass(frozen=True)
class HoldPlan:
    """What changes about a tenant's hold. action: hold, unhold or nothing."""

    slug: str
    action: str
    reason: str = ""


def plan_hold(ports: Ports, slug: str, reason: str) -> HoldPlan:
    """Look and decide; changes nothing. Raises TenantNotFoundError, InvalidInputError."""
    reason = " ".join(reason.split())
    if not reason or len(reason) > MAX_REASON_LENGTH:
        raise InvalidInputError(
            f"field --reason: it has {len(reason)} characters",
            remedy=f"Say why in 1 to {MAX_REASON_LENGTH}",
            tenant=slug,
        )
    ports.cluster.require_namespace()
    require_release(observe_tenant(ports, slug))
    is_same = any((hold.slug, hold.reason) == (slug, reason) for hold in ports.holds.list())
    return HoldPlan(slug, "nothing" if is_same else "hold", reason)


def hold_tenant(ports: Ports, slug: str, reason: str) -> Result:
    """Hold a tenant, or give its hold another reason. Raises what plan_hold raises."""
    plan = plan_hold(ports, slug, reason)
    if plan.action == "hold":
        ports.holds.put(slug, plan.reason)
    return Result(slug, plan.action, 0, f"held: {plan.reason}")


def plan_unhold(ports: Ports, slug: str) -> HoldPlan:
    """Look and decide; changes nothing. A tenant that is no longer there may still be held."""
    ports.cluster.require_namespace()
    reasons = {hold.slug: hold.reason for hold in ports.holds.list()}
    return HoldPlan(slug, "unhold" if slug in reasons else "nothing", reasons.get(slug, ""))


def unhold_tenant(ports: Ports, slug: str) -> Result:
    """End a tenant's hold."""
    plan = plan_unhold(ports, slug)
    ports.holds.remove(slug)
    is_done = plan.action == "unhold"
    return Result(slug, plan.action, 0, f"was: {plan.reason}" if is_done else "it was not held")
