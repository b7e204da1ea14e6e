"""What a rollout is: which tenants, in which waves, within which limits. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from ..errors import InvalidInputError

_SHARE = re.compile(r"(\d{1,6})(%?)")


class Kind(StrEnum):
    """What a rollout does to each tenant."""

    UPGRADE = "upgrade"
    STOP = "stop"
    START = "start"
    ROLLBACK = "rollback"


class Standing(StrEnum):
    """How a rollout takes a tenant: the first two are changed, the others are left alone."""

    DUE = "due"
    STOPPED = "stopped"
    UP_TO_DATE = "up to date"
    HELD = "held"
    DRIFTED = "drifted"
    BUSY = "busy"
    STUCK = "stuck"
    INVALID = "invalid"

    @property
    def is_changed(self) -> bool:
        """Whether the rollout will change such a tenant."""
        return self in (Standing.DUE, Standing.STOPPED)


@dataclass(frozen=True)
class Share:
    """A number of tenants, or a percentage of those that a rollout changes."""

    number: int
    is_percentage: bool = False

    def of(self, total: int) -> int:
        """Return how many of ``total`` that is; a part of a tenant makes a whole one."""
        return -(-total * self.number // 100) if self.is_percentage else self.number

    def __str__(self) -> str:
        """Return it as it is written on the command line."""
        return f"{self.number}%" if self.is_percentage else str(self.number)


def parse_share(text: str) -> Share | None:
    """Return what ``5`` or ``10%`` means; None for anything else, also above 100 %."""
    match = _SHARE.fullmatch(text)
    if match is None:
        return None
    share = Share(int(match[1]), is_percentage=bool(match[2]))
    return None if share.is_percentage and share.number > 100 else share  # noqa: PLR2004


@dataclass(frozen=True)
class Candidate:
    """A tenant as the plan found it. revision: its latest one. is_well: see ``Rollout.unwell``."""

    slug: str
    standing: Standing
    revision: int
    reason: str = ""
    is_well: bool = True


@dataclass(frozen=True)
class Limits:
    """How carefully a rollout goes. canary: how many, or which tenants go first."""

    canary: int | tuple[str, ...] = 1
    bake_seconds: float = 60.0
    wave_size: Share = Share(25, is_percentage=True)
    concurrency: int = 10
    failure_budget: Share = Share(10, is_percentage=True)
    timeout_seconds: float = 300.0


@dataclass(frozen=True)
class Rollout:
    """A rollout as it was planned; it never changes.

    waves: slugs, the canaries first when has_canary. revisions: by slug, the latest revision
    that was planned with; what somebody else writes after it is not overwritten. unwell: were
    not ready before, so that their failures say nothing about the change. budget: failures that
    are allowed. chart_digest, defaults and is_overwriting_drift: what an upgrade goes to. origin:
    the rollout that a rollback takes back.
    """

    id: str
    kind: Kind
    by: str
    started_at: datetime
    waves: tuple[tuple[str, ...], ...]
    revisions: Mapping[str, int] = field(repr=False)
    has_canary: bool = False
    unwell: frozenset[str] = frozenset()
    budget: int = 0
    concurrency: int = 10
    bake_seconds: float = 0.0
    timeout_seconds: float = 300.0
    chart_name: str = ""
    chart_version: str = ""
    chart_digest: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict, repr=False)
    is_overwriting_drift: bool = False
    origin: str = ""
    left_alone: Mapping[str, int] = field(default_factory=dict)

    @property
    def slugs(self) -> tuple[str, ...]:
        """Every tenant that it changes, in order."""
        return tuple(slug for wave in self.waves for slug in wave)

    @property
    def at_once(self) -> int:
        """How many tenants may be in flight, canaries apart, while none has failed."""
        return min(self.concurrency, self.budget + 1)

    def name_wave(self, index: int) -> str:
        """Return what people call a wave."""
        if self.has_canary and index == 0:
            return "canary"
        return f"wave {index if self.has_canary else index + 1}"


def plan_waves(
    candidates: Sequence[Candidate], limits: Limits
) -> tuple[tuple[tuple[str, ...], ...], bool]:
    """Return the waves, and whether the first of them is the canary.

    Tenants that are not well come last: they would fail for reasons of their own. Canaries that
    are counted, not named, are tenants that run. Raises InvalidInputError for a canary that the
    rollout does not change.
    """
    due = [item for item in candidates if item.standing.is_changed]
    ordered = sorted(due, key=lambda item: (not item.is_well, item.slug))
    canaries = _choose_canaries(ordered, limits.canary)
    rest = [item.slug for item in ordered if item.slug not in canaries]
    size = max(1, limits.wave_size.of(len(ordered)))
    waves = [tuple(rest[start : start + size]) for start in range(0, len(rest), size)]
    return ((canaries, *waves) if canaries else tuple(waves)), bool(canaries)


def _choose_canaries(
    ordered: Sequence[Candidate], canary: int | tuple[str, ...]
) -> tuple[str, ...]:
    if isinstance(canary, int):
        # A stopped tenant tells nothing; a canary beside nobody protects nobody.
        telling = [item.slug for item in ordered if item.is_well and _runs(item)]
        return tuple(telling[:canary]) if len(ordered) > canary else ()
    changed = {item.slug for item in ordered}
    for slug in canary:
        if slug not in changed:
            raise InvalidInputError(
                "field --canary: this rollout would not change it",
                remedy="Name tenants that the plan changes, see --dry-run",
                tenant=slug,
            )
    return tuple(dict.fromkeys(canary))


def _runs(candidate: Candidate) -> bool:
    return candidate.standing is Standing.DUE


def count_standings(candidates: Collection[Candidate]) -> dict[str, int]:
    """Return how many tenants there are of each standing, in the order of ``Standing``."""
    counts = {standing.value: 0 for standing in Standing}
    for item in candidates:
        counts[item.standing.value] += 1
    return {name: number for name, number in counts.items() if number}


def estimate_seconds(rollout: Rollout, seconds_per_tenant: float) -> float:
    """Return how long a rollout takes when each tenant takes so long."""
    busy = sum(-(-len(wave) // rollout.at_once) * seconds_per_tenant for wave in rollout.waves)
    return busy + (rollout.bake_seconds if rollout.has_canary else 0.0)
