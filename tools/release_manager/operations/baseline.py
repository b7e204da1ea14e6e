"""What a tenant's next revision continues: what was asked for, and what was set by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ..chart import Chart
from ..errors import ChartNotFoundError, InvalidInputError
from ..part import PARTS
from ..ports import Ports
from ..tenant import Revision, RevisionBody
from ..values import (
    RECORD_KEY,
    Layers,
    Values,
    build_defaults,
    build_defaults_digest,
    find_drift,
    format_value,
    read_layers,
)
from ..workload import Workload
from .observe import Observation, require_release

CHART_NAME = "aware-tenant"


@dataclass(frozen=True)
class Baseline:
    """What a tenant's release was asked to be, and what somebody set by hand since.

    values: live, without the record. drift: dotted path to live value. has_true_labels:
    whether the revision's labels describe it; a hand-run upgrade copies those of the
    revision before. has_record: whether the layers are its own record's, and not older.
    """

    layers: Layers
    values: dict[str, Any] = field(repr=False)
    drift: dict[str, Any] = field(repr=False)
    chart: str
    has_true_labels: bool
    has_record: bool = True


def require_baseline(ports: Ports, observation: Observation) -> Baseline:
    """Return the baseline of a tenant that must exist. Raises TenantNotFoundError."""
    require_release(observation)
    baseline = read_baseline(ports, observation)
    if baseline is None:
        raise AssertionError("a release has a revision")
    return baseline


def read_baseline(ports: Ports, observation: Observation) -> Baseline | None:
    """Return what the next revision continues, or None for a tenant without a release.

    A hand-run upgrade may have dropped the record of the layers: then the newest older
    revision that has one tells what was asked for, and a release that never had one is
    adopted with its live values as the tenant's own.
    """
    base = observation.base
    if base is None:
        return None
    body = ports.releases.read_body(base)
    if body.chart_name != _name_chart(observation.slug):
        raise InvalidInputError(
            f"its release is of the chart {body.chart_name}, which is none of ours",
            remedy="Use helm for it",
            tenant=observation.slug,
        )
    live = {key: value for key, value in body.values.items() if key != RECORD_KEY}
    own = read_layers(body.values)
    layers = own or _find_older_layers(ports, observation, base)
    if layers is None:
        layers = Layers(profile="default", defaults={}, overrides=live)
    return Baseline(
        layers=layers,
        values=live,
        drift=find_drift(live, layers),
        chart=f"{body.chart_name}-{body.chart_version}",
        has_true_labels=has_true_labels(base, body),
        has_record=own is not None,
    )


def _name_chart(slug: str) -> str:
    part = PARTS.get(slug)
    return part.chart if part is not None else CHART_NAME


def has_true_labels(revision: Revision, body: RevisionBody | None) -> bool:
    """Return whether a revision's labels are its own, or its target's after a rollback.

    body may be None where it was not read; then only the revision's own labels count.
    """
    if revision.labels is None:
        return False
    restored = body.rolled_back_to if body is not None else None
    return revision.labels.written_for in (revision.number, restored)


def _find_older_layers(ports: Ports, observation: Observation, base: Revision) -> Layers | None:
    for revision in reversed(observation.revisions):
        if revision.number < base.number:
            layers = read_layers(ports.releases.read_body(revision).values)
            if layers is not None:
                return layers
    return None


def is_tenant(ports: Ports, revision: Revision, workload: Workload | None) -> bool:
    """Return whether a release named like a tenant's is of the tenants' chart."""
    if revision.labels is not None or (workload and workload.chart.startswith(CHART_NAME)):
        return True
    return ports.releases.read_body(revision).chart_name == CHART_NAME


def build_expected_digest(chart: Chart, fleet: Values) -> Callable[[str], str | None]:
    """Return what tells, by profile, the ``defaults-digest`` of a tenant that is up to date.

    It gives None for a profile that the chart does not have.
    """

    @cache
    def expect(profile: str) -> str | None:
        try:
            return build_defaults_digest(chart, build_defaults(chart, profile, fleet))
        except ChartNotFoundError:
            return None

    return expect


def choose_kept_chart(
    ports: Ports, load: Callable[[], Chart], observation: Observation, baseline: Baseline
) -> Chart:
    """Return the chart of the live revision: the one at hand when it is the same, else its own.

    load: reads the chart at hand.
    """
    base = observation.base
    if baseline.has_true_labels and base is not None and base.labels is not None:
        chart = load()
        at_hand = build_defaults_digest(chart, baseline.layers.defaults)
        if at_hand == base.labels.defaults_digest:
            return chart
    if base is None:
        return load()
    return ports.releases.extract_chart(base)


def format_drift(drift: Mapping[str, Any]) -> str:
    """Return hand-set values as one line."""
    return ", ".join(f"{path}={format_value(value)}" for path, value in drift.items())
