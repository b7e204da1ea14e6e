"""The layers of a tenant's values, and how they travel inside its release.

Order: chart defaults < profile < fleet < the tenant's own overrides. The last three are
kept in each revision under one key that the templates ignore, so that one revision tells
what was asked for, and a rollback also rolls the overrides back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..chart import DEFAULT_PROFILE, Chart, build_digest
from ..errors import ChartNotFoundError, InvalidValuesError
from .trees import Values, diff_paths, lookup_path, merge_values

RECORD_KEY = "releaseManager"


@dataclass(frozen=True)
class Layers:
    """What a tenant's release was asked to be.

    defaults: profile and fleet values, merged. overrides: the tenant's own.
    start_replicas: how many replicas ``start-tenant`` brings back; None for the default.
    is_stopped_by_fleet: whether ``stop-all`` stopped it, so that ``start-all`` starts it again.
    """

    profile: str
    defaults: Values = field(repr=False)
    overrides: Values = field(repr=False)
    start_replicas: int | None = None
    is_stopped_by_fleet: bool = False

    def merged(self) -> Values:
        """Return what the templates see, beside the chart's own defaults."""
        return merge_values(self.defaults, self.overrides)

    def to_values(self) -> Values:
        """Return the values for Helm: the merged ones, and this record of the layers."""
        record: Values = {
            "profile": self.profile,
            "defaults": self.defaults,
            "overrides": self.overrides,
        }
        if self.start_replicas is not None:
            record["startReplicas"] = self.start_replicas
        if self.is_stopped_by_fleet:
            record["stoppedByFleet"] = True
        return {**self.merged(), RECORD_KEY: record}


def read_layers(values: Mapping[str, Any]) -> Layers | None:
    """Return the layers that a revision's values carry, or None when it has no record."""
    record = values.get(RECORD_KEY)
    if not isinstance(record, dict) or not {"defaults", "overrides"} <= record.keys():
        return None
    return Layers(
        profile=str(record.get("profile", DEFAULT_PROFILE)),
        defaults=record["defaults"] or {},
        overrides=record["overrides"] or {},
        start_replicas=record.get("startReplicas"),
        is_stopped_by_fleet=record.get("stoppedByFleet") is True,
    )


def build_defaults(chart: Chart, profile: str, fleet: Values) -> Values:
    """Return profile and fleet values, merged. Raises ChartNotFoundError for no such profile."""
    if profile not in chart.profiles:
        raise ChartNotFoundError(
            f"field profile: chart {chart.name} {chart.version} has no profile {profile!r}",
            remedy=f"Choose one of: {', '.join(sorted(chart.profiles))}",
        )
    return merge_values(chart.profiles[profile], fleet)


def build_defaults_digest(chart: Chart, defaults: Values) -> str:
    """Return the digest of all that a tenant does not decide itself: chart, profile, fleet."""
    return build_digest(chart.digest, defaults)


def build_config_digest(chart: Chart, layers: Layers) -> str:
    """Return the digest of everything that a revision is made of."""
    return build_digest(chart.digest, layers.to_values())


def find_drift(values: Mapping[str, Any], layers: Layers) -> Values:
    """Return what was set by hand: the live value by dotted path, None where it was removed."""
    live = {key: value for key, value in values.items() if key != RECORD_KEY}
    expected = layers.merged()
    return {path: lookup_path(live, path) for path in diff_paths(expected, live)}


def find_undone(drift: Values, *, live: Values, planned: Values) -> Values:
    """Return the part of ``drift`` that deploying the ``planned`` values would undo.

    A null is not the same as nothing: it drops the chart's default.
    """
    return {
        path: value
        for path, value in drift.items()
        if lookup_path(planned, path, ...) != lookup_path(live, path, ...)
    }


def reject_record_key(
    layers: Sequence[tuple[str, Mapping[str, Any]]], *, tenant: str | None
) -> None:
    """Refuse the key that this program keeps for itself in any of the named layers."""
    for name, layer in layers:
        if RECORD_KEY in layer:
            raise InvalidValuesError(
                f"field {RECORD_KEY}: {name} sets it, but it belongs to the release manager",
                remedy="Remove it",
                tenant=tenant,
            )
