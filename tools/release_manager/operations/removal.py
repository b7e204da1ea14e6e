"""Removing a part. Volumes and Secrets stay unless their deletion was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import InvalidInputError, TenantNotFoundError
from ..part import API, CERT_MANAGER, PLATFORM
from ..ports import Ports, RunOptions
from ..tenant import ReleaseStatus, Target
from .deploy import Result
from .observe import Observation, repair_stuck
from .shared_secrets import PASSWORDS, SHARED
from .uninstall import UninstallPlan, refuse_busy_uninstall
from .work import working_on

MAX_NAMED = 5


@dataclass(frozen=True)
class RemovalRequest:
    """What the removal of a part may do.

    is_forced: although others need it. is_keeping_data: said explicitly that data may stay behind.
    """

    is_forced: bool = False
    is_keeping_data: bool = False
    is_deleting_data: bool = False


def plan_removal(ports: Ports, observation: Observation, request: RemovalRequest) -> UninstallPlan:
    """Decide what is removed. Raises InvalidInputError, ReleaseBusyError, TenantNotFoundError.

    The data of a part that was uninstalled before can be deleted later.
    """
    refuse_busy_uninstall(observation)
    slug = observation.slug
    data = list(_list_data(ports, slug))
    has_release = observation.latest is not None
    if not has_release and not (data and request.is_deleting_data):
        remains = f"; still there: {', '.join(data)}" if data else ""
        raise TenantNotFoundError(
            f"it is not installed{remains}",
            remedy="Delete what remains with --delete-data"
            if data
            else "See 'release-manager show-platform'",
            tenant=slug,
        )
    if not request.is_forced and (users := list(_list_users(ports, slug))):
        raise InvalidInputError(
            f"it is in use by {', '.join(users)}",
            remedy="Remove those first, or add --force to remove it all the same",
            tenant=slug,
        )
    if data and not (request.is_keeping_data or request.is_deleting_data):
        raise InvalidInputError(
            f"there is data: {', '.join(data)}",
            remedy="Say what becomes of it: --keep-data or --delete-data",
            tenant=slug,
        )
    release = [f"release {slug}"] if has_release else []
    return UninstallPlan(
        slug=slug,
        has_release=has_release,
        removed=(*release, *(data if request.is_deleting_data else [])),
        kept=() if request.is_deleting_data else tuple(data),
    )


def _list_data(ports: Ports, slug: str) -> Iterator[str]:
    if slug != PLATFORM.release:
        return
    if ports.cluster.has_volume(slug):
        yield f"volume {Target(slug).volume_claim}"
    for name in (PASSWORDS, SHARED):
        if ports.secrets.exists(name):
            yield f"Secret {name}"


def _list_users(ports: Ports, slug: str) -> Iterator[str]:
    """Return what could not go on without a part."""
    if slug != PLATFORM.release:
        return
    revisions = ports.releases.list_revisions(API.release)
    if revisions and revisions[-1].status is not ReleaseStatus.UNINSTALLED:
        yield API.release
    tenants = [item.slug for item in ports.releases.list_latest()]
    yield from (f"tenant {name}" for name in tenants[:MAX_NAMED])
    if len(tenants) > MAX_NAMED:
        yield f"{len(tenants) - MAX_NAMED} more tenants"


def remove_part(ports: Ports, slug: str, request: RemovalRequest, run: RunOptions) -> Result:
    """Uninstall the release, then delete the data if asked; can be run again at any point."""
    with working_on(ports, slug) as work:
        observation = work.observe(ports)
        plan = plan_removal(ports, observation, request)
        if plan.has_release:
            repair_stuck(ports, observation, run)
            run.progress("helm uninstall")
            ports.releases.uninstall(slug, timeout_seconds=run.timeout_seconds)
        if request.is_deleting_data and slug == PLATFORM.release:
            ports.cluster.delete_volume(slug)
            for name in (PASSWORDS, SHARED):
                ports.secrets.delete(name)
        return Result(slug, "uninstall", 0, plan.describe(_note(slug)))


def _note(slug: str) -> str:
    if slug != PLATFORM.release:
        return ""
    name = CERT_MANAGER.release
    return f"{name} stays: 'helm uninstall {name} -n {name}' removes it"
