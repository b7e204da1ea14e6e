"""Deciding what it takes to make one tenant what was asked for.

Install, upgrade, start, stop, scale and token rotation differ only in the layers and the
chart that they ask for; all of them become a ``Plan``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol

from ..chart import Chart
from ..errors import DriftError
from ..part import name_command
from ..ports import Ports
from ..tenant import ReleaseStatus, RevisionLabels
from ..values import (
    RECORD_KEY,
    Layers,
    build_config_digest,
    build_defaults_digest,
    coalesce_values,
    diff_paths,
    find_undone,
    iter_leaves,
    lookup_path,
    replace_path,
    validate_values,
    without_key,
)
from .baseline import Baseline, format_drift
from .observe import Observation

# Written instead of a digest on a revision that carries hand-set values along, so that one
# metadata LIST tells that its body is worth reading.
DRIFTED = "drifted"


class Validate(Protocol):
    """Refuses values that do not fit a chart's schema, see ``validate_values``."""

    def __call__(self, chart: Chart, values: Mapping[str, Any], *, tenant: str) -> None:
        """Raise InvalidValuesError."""
        ...


class Action(StrEnum):
    """What a plan does."""

    INSTALL = "install"
    UPGRADE = "upgrade"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Change:
    """One value that a plan changes; None where there is none."""

    path: str
    old: Any
    new: Any


@dataclass(frozen=True)
class Plan:
    """What would be done to one tenant. ``--dry-run`` prints it, a real run executes it.

    has_workload: whether the release has pods to wait for.
    """

    slug: str
    action: Action
    revision: int
    chart: Chart
    values: dict[str, Any] = field(repr=False)
    labels: RevisionLabels | None
    values_before: Mapping[str, Any] | None = field(default=None, repr=False)
    chart_before: str = ""
    notes: tuple[str, ...] = ()
    is_overwriting: bool = False
    has_workload: bool = True

    @property
    def changes(self) -> tuple[Change, ...]:
        """The values that it changes."""
        if self.action is Action.NOTHING:
            return ()
        planned = without_key(self.values, RECORD_KEY)
        if self.values_before is None:
            return tuple(Change(path, None, value) for path, value in iter_leaves(planned))
        return _list_changes(self.chart, self.values_before, planned)


def plan_deployment(
    observation: Observation,
    baseline: Baseline | None,
    chart: Chart,
    layers: Layers,
    *,
    writer: str,
    overwrite_drift: bool = False,
    validate: Validate = validate_values,
    has_workload: bool = True,
) -> Plan:
    """Decide what it takes to make a tenant what ``layers`` and ``chart`` ask for.

    has_workload: whether the release has pods. Raises InvalidValuesError, and DriftError when
    something set by hand would be undone.
    """
    slug = observation.slug
    values = layers.to_values()
    validate(chart, values, tenant=slug)
    labels = _build_labels(
        observation, chart, layers, build_defaults_digest(chart, layers.defaults), writer
    )
    if baseline is None:
        return Plan(
            slug,
            Action.INSTALL,
            observation.next_number,
            chart,
            values,
            labels,
            has_workload=has_workload,
        )
    notes: tuple[str, ...] = ()
    if _is_up_to_date(observation, baseline, labels, has_workload=has_workload):
        return replace(_plan_nothing(observation, chart, values), has_workload=has_workload)
    if not overwrite_drift:
        _refuse_drift(observation, baseline, chart, values)
    else:
        drift = baseline.drift | _find_foreign(observation)
        notes = (f"overwrites what was set by hand: {format_drift(drift)}",) if drift else ()
    return Plan(
        slug,
        Action.UPGRADE,
        observation.next_number,
        chart,
        values,
        labels,
        baseline.values,
        baseline.chart,
        notes,
        overwrite_drift,
        has_workload,
    )


def plan_adjustment(
    observation: Observation,
    baseline: Baseline,
    chart: Chart,
    layers: Layers,
    *,
    writer: str,
    path: str,
    validate: Validate = validate_values,
) -> Plan:
    """Decide how to change one value and nothing else: no chart, no default, no drift.

    layers: as they were, with the change at the dotted ``path``.
    """
    slug = observation.slug
    live = replace_path(baseline.values, path, lookup_path(layers.merged(), path))
    values = {**live, RECORD_KEY: layers.to_values()[RECORD_KEY]}
    validate(chart, values, tenant=slug)
    undone = {} if path == "replicas" else _find_undone_scaling(observation, chart, values)
    undone |= _find_foreign(observation)
    if undone:
        raise _build_drift_error(
            slug,
            undone,
            remedy=f"Undo it with '{name_command('upgrade', slug)} --overwrite-drift' first",
        )
    has_changes = bool(diff_paths(baseline.values, live))
    if not has_changes and _is_settled(observation) and not _is_scaled_by_hand(observation):
        return _plan_nothing(observation, chart, values)
    labels = _build_labels(
        observation, chart, layers, _carry_defaults_digest(observation, baseline), writer
    )
    return Plan(
        slug,
        Action.UPGRADE,
        observation.next_number,
        chart,
        values,
        labels,
        baseline.values,
        baseline.chart,
        # Whoever scales means to end what was scaled by hand, whose field it is since.
        is_overwriting=path == "replicas" and _is_scaled_by_hand(observation),
    )


def _build_labels(
    observation: Observation, chart: Chart, layers: Layers, defaults_digest: str, writer: str
) -> RevisionLabels:
    return RevisionLabels(
        config_digest=build_config_digest(chart, layers),
        defaults_digest=defaults_digest,
        chart_version=chart.version,
        profile=layers.profile,
        writer=writer,
        written_for=observation.next_number,
    )


def _carry_defaults_digest(observation: Observation, baseline: Baseline) -> str:
    base = observation.base
    if baseline.drift or not baseline.has_true_labels or base is None or base.labels is None:
        return DRIFTED
    return base.labels.defaults_digest


def _plan_nothing(observation: Observation, chart: Chart, values: dict[str, Any]) -> Plan:
    number = observation.latest.number if observation.latest else 0
    return Plan(observation.slug, Action.NOTHING, number, chart, values, None)


def _is_settled(observation: Observation, *, has_workload: bool = True) -> bool:
    """Whether Helm has nothing left to do: deployed, and its Deployment exists."""
    latest = observation.latest
    return (
        latest is not None
        and latest.status is ReleaseStatus.DEPLOYED
        and (observation.workload is not None or not has_workload)
    )


def _is_up_to_date(
    observation: Observation, baseline: Baseline, labels: RevisionLabels, *, has_workload: bool
) -> bool:
    latest = observation.latest
    return (
        _is_settled(observation, has_workload=has_workload)
        and latest is not None
        and latest.labels is not None
        and latest.labels.config_digest == labels.config_digest
        and not baseline.drift
        and not _is_scaled_by_hand(observation)
        and not _find_foreign(observation)
        and baseline.has_true_labels
    )


def _refuse_drift(
    observation: Observation, baseline: Baseline, chart: Chart, values: dict[str, Any]
) -> None:
    undone = find_undone(baseline.drift, live=baseline.values, planned=values)
    undone |= _find_undone_scaling(observation, chart, values) | _find_foreign(observation)
    if undone:
        raise _build_drift_error(
            observation.slug,
            undone,
            remedy="Keep a value by giving it with --set, or undo it with --overwrite-drift",
        )


def _is_scaled_by_hand(observation: Observation) -> bool:
    workload = observation.workload
    return workload is not None and workload.is_scaled_by_hand


def _find_foreign(observation: Observation) -> dict[str, Any]:
    workload = observation.workload
    fields = workload.foreign_fields if workload is not None else ()
    return {f"Deployment {field}": "changed" for field in fields}


def _find_undone_scaling(
    observation: Observation, chart: Chart, values: dict[str, Any]
) -> dict[str, Any]:
    workload = observation.workload
    planned = coalesce_values(chart.default_values, values).get("replicas")
    if workload is None or not _is_scaled_by_hand(observation) or planned == workload.spec_replicas:
        return {}
    return {"replicas": workload.spec_replicas}


def _build_drift_error(slug: str, undone: Mapping[str, Any], *, remedy: str) -> DriftError:
    return DriftError(
        f"set by hand and about to be undone: {format_drift(undone)}", remedy=remedy, tenant=slug
    )


def _list_changes(
    chart: Chart, old: Mapping[str, Any], new: Mapping[str, Any]
) -> tuple[Change, ...]:
    """Return what differs; where one side says nothing, the chart's default stands for it."""
    leaves = {path for values in (old, new) for path, _ in iter_leaves(values)}
    # An empty map is a leaf on one side and the parent of leaves on the other.
    paths = {path for path in leaves if not any(leaf.startswith(f"{path}.") for leaf in leaves)}
    before, after = (coalesce_values(chart.default_values, values) for values in (old, new))
    changes = (
        Change(path, lookup_path(before, path), lookup_path(after, path)) for path in sorted(paths)
    )
    return tuple(change for change in changes if change.old != change.new)


def verify_templates(ports: Ports, plan: Plan) -> None:
    """Let the chart's own rules, which no schema can say, refuse a plan before any write.

    Raises InvalidValuesError.
    """
    if plan.labels is not None:
        ports.releases.render(plan.slug, plan.chart, plan.values)
