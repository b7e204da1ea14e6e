"""What a rollout does to a tenant, found again on another machine."""

from __future__ import annotations

from ..ports import Ports
from ..rollout.plan import Kind, Rollout
from ..settings import Settings
from .fleet import MakePlan
from .scale_all import build_scaling
from .upgrade_all import rebuild_upgrade


def rebuild_make_plan(ports: Ports, settings: Settings, rollout: Rollout) -> MakePlan | None:
    """Return what plans one tenant's change; None for a rollback, which has no values.

    Raises RolloutNotFoundError when the chart is no longer there.
    """
    match rollout.kind:
        case Kind.UPGRADE:
            return rebuild_upgrade(ports, rollout)
        case Kind.STOP | Kind.START:
            return build_scaling(ports, settings, rollout.kind)
        case Kind.ROLLBACK:
            return None
