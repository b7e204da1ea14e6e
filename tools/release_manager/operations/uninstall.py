"""Removing a tenant. Its volume and its token stay unless their deletion was asked for."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import TenantNotFoundError
from ..ports import Ports, RunOptions
from ..state import TenantState
from ..tenant import ReleaseStatus, Target
from .deploy import Result
from .observe import Observation, refuse_busy, repair_stuck
from .work import working_on


@dataclass(frozen=True)
class UninstallPlan:
    """What goes and what stays, by name."""

    slug: str
    has_release: bool
    removed: tuple[str, ...]
    kept: tuple[str, ...]

    def describe(self, note: str = "") -> str:
        """Return what was done, in a few words. note: what else there is to say."""
        kept = [f"kept: {', '.join(self.kept)}"] if self.kept else []
        return "; ".join([f"removed: {', '.join(self.removed)}", *kept, *([note] if note else [])])


def plan_uninstall(
    ports: Ports, observation: Observation, *, is_deleting_data: bool
) -> UninstallPlan:
    """Decide what is removed. Raises ReleaseBusyError, TenantNotFoundError for nothing at all.

    The data of a tenant that was uninstalled before can be deleted later.
    """
    refuse_busy_uninstall(observation)
    target = Target(observation.slug)
    data = [
        name
        for name, exists in (
            (f"volume {target.volume_claim}", ports.cluster.has_volume(observation.slug)),
            (f"Secret {target.token_secret}", _has_token(ports, observation.slug)),
        )
        if exists
    ]
    has_release = observation.latest is not None
    if not has_release and not (data and is_deleting_data):
        remains = f"; still there: {', '.join(data)}" if data else ""
        raise TenantNotFoundError(
            f"there is no such tenant{remains}",
            remedy="Delete what remains with --delete-data"
            if data
            else "See 'release-manager list-tenants'",
            tenant=observation.slug,
        )
    release = [f"release {target.release}"] if has_release else []
    return UninstallPlan(
        slug=observation.slug,
        has_release=has_release,
        removed=(*release, *(data if is_deleting_data else [])),
        kept=() if is_deleting_data else tuple(data),
    )


def _has_token(ports: Ports, slug: str) -> bool:
    return ports.secrets.read_token(slug) is not None


def uninstall_tenant(
    ports: Ports,
    slug: str,
    run: RunOptions,
    *,
    is_deleting_data: bool,
) -> Result:
    """Uninstall the release, then delete the data if asked; can be run again at any point."""
    with working_on(ports, slug) as work:
        observation = work.observe(ports)
        plan = plan_uninstall(ports, observation, is_deleting_data=is_deleting_data)
        if plan.has_release:
            repair_stuck(ports, observation, run)
            run.progress("helm uninstall")
            ports.releases.uninstall(slug, timeout_seconds=run.timeout_seconds)
        # Another tenant of this name would begin with it.
        ports.holds.remove(slug)
        if is_deleting_data:
            ports.cluster.delete_volume(slug)
            ports.secrets.delete_token(slug)
        return Result(slug, "uninstall", 0, plan.describe())


def refuse_busy_uninstall(observation: Observation) -> None:
    """Raise ReleaseBusyError, but not for an uninstall that was cut off."""
    latest = observation.latest
    is_uninstalling = latest is not None and latest.status is ReleaseStatus.UNINSTALLING
    # An uninstall that was cut off is finished by doing it again.
    if not is_uninstalling or observation.verdict().state is TenantState.BUSY:
        refuse_busy(observation)
