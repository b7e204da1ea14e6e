"""What a tenant is: its names, its revisions, and who is at work on it.

Only frozen data and the rules for slugs; nothing here looks at a cluster.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from .errors import InvalidSlugError
from .part import PARTS, WorkloadKind

LABEL_DOMAIN = "wareit.ai"
MAX_SLUG_LENGTH = 40
RELEASE_PREFIX = "tenant-"

# Hosts and objects of our own that a tenant of that name would shadow. The chart's
# values.schema.json holds the same list; a test compares the two.
RESERVED_SLUGS = frozenset(
    (
        *("admin", "alertmanager", "api", "app", "auth", "autoconfig", "autodiscover", "billing"),
        *("blog", "cdn", "cert-manager", "console", "dashboard", "dns", "docs", "ftp", "grafana"),
        *("help", "imap", "internal", "localhost", "login", "mail", "metrics", "mta-sts", "mx"),
        *("ns", "ns1", "ns2", "platform", "pop", "postgres", "prometheus", "registry", "root"),
        *("smtp", "sso"),
        *("staging", "static", "status", "support", "system", "traefik", "webmail", "wildcard"),
        *("wpad", "www"),
    )
)

_SLUG = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", re.ASCII)


def validate_slug(text: str) -> str:
    """Return ``text`` when it is a slug: a DNS label of at most 40 characters, not reserved.

    Raises InvalidSlugError with the first rule that is broken.
    """
    problem = _slug_problem(text)
    if problem is None:
        return text
    raise InvalidSlugError(
        f"field slug: {text!r} {problem}",
        remedy="A slug is 1 to 40 lower-case letters, digits and inner dashes, such as acme-2",
    )


def _slug_problem(text: str) -> str | None:  # noqa: PLR0911 - one rule a line
    if not text:
        return "is empty"
    if not text.isascii():
        return "has a character outside ASCII"
    if len(text) > MAX_SLUG_LENGTH:
        return f"is {len(text)} characters long, at most {MAX_SLUG_LENGTH} are allowed"
    if "/" in text or "\\" in text:
        return "looks like a path"
    if text != text.lower():
        return "has an upper-case letter"
    if text.startswith("-") or text.endswith("-"):
        return "starts or ends with a dash"
    if not _SLUG.fullmatch(text):
        wrong = sorted(set(re.findall(r"[^a-z0-9-]", text)))
        return f"has a character that a DNS label cannot have: {' '.join(wrong)}"
    if text in RESERVED_SLUGS:
        return "is reserved for the platform itself"
    return None


@dataclass(frozen=True)
class Target:
    """The names of one tenant's objects in the cluster, or of a part's."""

    slug: str

    @property
    def release(self) -> str:
        """Name of the Helm release; a tenant's Deployment, Service and IngressRoute share it."""
        return self.slug if self.slug in PARTS else f"{RELEASE_PREFIX}{self.slug}"

    @property
    def workload(self) -> str:
        """Name of the object whose pods must be ready."""
        part = PARTS.get(self.slug)
        return part.workload if part is not None else self.release

    @property
    def workload_kind(self) -> WorkloadKind:
        """What that object is."""
        part = PARTS.get(self.slug)
        return part.kind if part is not None else WorkloadKind.DEPLOYMENT

    @property
    def selector(self) -> str:
        """The label selector of its pods."""
        part = PARTS.get(self.slug)
        return part.selector if part is not None else f"app=tenant,tenant={self.slug}"

    @property
    def token_secret(self) -> str:
        """Name of the Secret that holds the gateway's token."""
        return f"{self.release}-token"

    @property
    def volume_claim(self) -> str:
        """Name of the PersistentVolumeClaim, where there is one."""
        part = PARTS.get(self.slug)
        return part.volume_claim if part is not None else f"{self.release}-data"


class ReleaseStatus(StrEnum):
    """Status of one revision, in Helm's own words."""

    UNKNOWN = "unknown"
    DEPLOYED = "deployed"
    SUPERSEDED = "superseded"
    FAILED = "failed"
    UNINSTALLED = "uninstalled"
    UNINSTALLING = "uninstalling"
    PENDING_INSTALL = "pending-install"
    PENDING_UPGRADE = "pending-upgrade"
    PENDING_ROLLBACK = "pending-rollback"

    @property
    def is_in_progress(self) -> bool:
        """Whether a Helm that is still alive may be at work on the release."""
        return self.value.startswith("pending-") or self is ReleaseStatus.UNINSTALLING


@dataclass(frozen=True)
class RevisionLabels:
    """What this program writes on a revision with Helm's ``--labels``.

    A hand-run ``helm upgrade`` copies the labels of the revision before and a rollback
    those of its target, so ``writer`` counts only where ``written_for`` is the revision's
    own number. rollout: the rollout that it was written in, or nothing.
    """

    config_digest: str
    defaults_digest: str
    chart_version: str
    profile: str
    writer: str
    written_for: int
    rollout: str = ""


@dataclass(frozen=True)
class Revision:
    """One revision of a tenant's release, as its Secret's metadata tells it.

    changed_at: when the status last changed; an uninstall does no more than that. uid: the
    Secret's own, which a revision of the same number in a later release does not have.
    """

    slug: str
    number: int
    status: ReleaseStatus
    created_at: datetime
    changed_at: datetime
    labels: RevisionLabels | None = None
    uid: str = field(default="", repr=False)

    @property
    def writer(self) -> str | None:
        """Id of the release-manager process that wrote exactly this revision, if one did."""
        if self.labels is None or self.labels.written_for != self.number:
            return None
        return self.labels.writer

    @property
    def rollout(self) -> str:
        """Id of the rollout that wrote exactly this revision, if one did."""
        return self.labels.rollout if self.labels is not None and self.writer is not None else ""


@dataclass(frozen=True)
class RevisionBody:
    """What only the body of a release Secret tells.

    values: what was passed to Helm, without the chart's defaults. manifest: YAML documents.
    """

    revision: Revision
    description: str
    chart_name: str
    chart_version: str
    values: dict[str, Any] = field(repr=False)
    manifest: str = field(repr=False)

    @property
    def has_failed(self) -> bool:
        """Whether it never stood, by Helm's own description or by ``mark_failed``."""
        return re.search(r"\bfailed\b", self.description) is not None

    @property
    def rolled_back_to(self) -> int | None:
        """Number of the revision that this one restored, when it came from a rollback."""
        match = re.fullmatch(r"Rollback to (\d+)", self.description)
        return int(match[1]) if match else None


@dataclass(frozen=True)
class Claim:
    """A release-manager process has, or had when it died, one tenant for itself.

    writer: its id. since, until: when it took the tenant, and until when it may have lived.
    """

    writer: str
    since: datetime
    until: datetime

    def covers(self, moment: datetime) -> bool:
        """Return whether the process may have done what happened at that moment."""
        return self.since <= moment <= self.until


@dataclass(frozen=True)
class Hold:
    """A tenant that fleet upgrades leave alone: why, and who said so when."""

    slug: str
    reason: str
    by: str
    since: datetime


@dataclass(frozen=True)
class Holder:
    """A release-manager process that is alive: who runs it and since when."""

    id: str
    identity: str
    since: datetime


@dataclass(frozen=True)
class RolloutWorker:
    """The process that is at work on a rollout."""

    rollout: str
    identity: str
    since: datetime
