"""What all tenants share, part by part: names, and how sentences and commands speak of them.

A part is one Helm release. It takes the place of a tenant wherever one is looked at, changed
and waited for: its release's name stands for the slug, which no tenant may have.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class WorkloadKind(StrEnum):
    """What makes a part's pods, as the API's path names it."""

    DEPLOYMENT = "deployments"
    STATEFUL_SET = "statefulsets"


@dataclass(frozen=True)
class Part:
    """One release that all tenants share.

    workload: the object whose pods make it ready. selector: of those pods. is_ours: whether its
    chart is one of this project's, which keep the record of a release's layers.
    """

    release: str
    chart: str
    workload: str
    selector: str
    kind: WorkloadKind = WorkloadKind.DEPLOYMENT
    volume_claim: str = ""
    is_ours: bool = True


CERT_MANAGER = Part(
    "cert-manager",
    "cert-manager",
    "cert-manager-webhook",
    "app.kubernetes.io/instance=cert-manager,app.kubernetes.io/component=webhook",
    is_ours=False,
)
TRAEFIK = Part(
    "traefik",
    "traefik",
    "traefik",
    "app.kubernetes.io/name=traefik",
    is_ours=False,
)
PLATFORM = Part(
    "platform",
    "platform",
    "postgres",
    "app=postgres",
    WorkloadKind.STATEFUL_SET,
    volume_claim="data-postgres-0",
)
API = Part("api", "aware-api", "api", "app=api")

PARTS = {part.release: part for part in (CERT_MANAGER, TRAEFIK, PLATFORM, API)}

# The command of a part that does what one of a tenant's does; for the others there is helm's.
_COMMANDS = {
    "install": {"platform": "install-platform", "api": "install-api"},
    "upgrade": {"platform": "upgrade-platform", "api": "upgrade-api"},
    "uninstall": {"platform": "uninstall-platform", "api": "uninstall-api"},
    "recover": {"platform": "upgrade-platform", "api": "upgrade-api"},
}


def tell_subject(slug: str) -> str:
    """Return how a sentence calls a tenant or a part."""
    return slug if slug in PARTS else f"tenant {slug}"


def name_command(verb: str, slug: str) -> str:
    """Return the command line that does something to a tenant or a part.

    verb: of the tenants' commands, such as ``show`` of ``show-tenant``.
    """
    if slug not in PARTS:
        return f"release-manager {verb}" + (f" {slug}" if verb == "history" else f"-tenant {slug}")
    if verb == "show":
        return "release-manager show-platform"
    if slug in _COMMANDS.get(verb, {}):
        return f"release-manager {_COMMANDS[verb][slug]}"
    if verb in ("history", "uninstall"):
        return f"helm {verb} {slug}"
    return "release-manager install-platform"
