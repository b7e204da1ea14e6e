"""Installing and upgrading one part: as a tenant, except that it is there once and for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..chart import DEFAULT_PROFILE, Chart, build_digest
from ..errors import InvalidValuesError, TenantExistsError
from ..part import Part, name_command
from ..ports import Ports, RunOptions
from ..tenant import ReleaseStatus, RevisionLabels
from ..values import Layers, Values, build_defaults, merge_values, remove_path
from .baseline import Baseline, read_baseline, require_baseline
from .deploy import Result, execute_plan
from .observe import Observation
from .plan import Action, Plan, plan_deployment, verify_templates
from .work import Work, look_and_plan


@dataclass(frozen=True)
class PartRequest:
    """What an install or an upgrade asks of a part, beside its chart and the fleet file.

    unset: dotted paths of overrides to drop. is_upgrade: whether an installed one may change.
    """

    overrides: Values = field(default_factory=dict, repr=False)
    unset: tuple[str, ...] = ()
    overwrite_drift: bool = False
    is_upgrade: bool = False


@dataclass(frozen=True)
class Wanted:
    """What a part is to be: its chart, and the values of the fleet file.

    has_workload: whether a release with such values has pods.
    """

    part: Part
    chart: Chart
    fleet: Values = field(repr=False)
    has_workload: bool = True


def build_part_layers(
    ports: Ports, observation: Observation, chart: Chart, fleet: Values, request: PartRequest
) -> Layers:
    """Return the layers that a part is to have: what it was given before is kept.

    Raises InvalidValuesError for an ``unset`` path that is not there.
    """
    defaults = build_defaults(chart, DEFAULT_PROFILE, fleet)
    baseline = _read_baseline(ports, observation, request)
    old = baseline.layers if baseline is not None else Layers(DEFAULT_PROFILE, {}, {})
    kept = merge_values(old.overrides)
    for path in request.unset:
        if not remove_path(kept, path):
            raise InvalidValuesError(
                f"field --unset: {path} is none of its own values",
                remedy=f"See 'helm get values {observation.slug}'",
                tenant=observation.slug,
            )
    overrides = merge_values(kept, request.overrides)
    return replace(old, defaults=defaults, overrides=overrides)


def _read_baseline(ports: Ports, observation: Observation, request: PartRequest) -> Baseline | None:
    """Return what is continued. An install begins anew where none has ever succeeded."""
    if not request.is_upgrade and observation.deployed is None:
        return None
    return read_baseline(ports, observation)


def plan_part(
    ports: Ports, observation: Observation, wanted: Wanted, request: PartRequest, *, writer: str
) -> Plan:
    """Decide what it takes; changes nothing.

    Raises TenantExistsError where an install would change what is there, TenantNotFoundError
    where there is nothing to upgrade, InvalidValuesError, DriftError.
    """
    has_been_deployed = observation.deployed is not None
    if request.is_upgrade:
        require_baseline(ports, observation)
    layers = build_part_layers(ports, observation, wanted.chart, wanted.fleet, request)
    plan = plan_deployment(
        observation,
        _read_baseline(ports, observation, request),
        wanted.chart,
        layers,
        writer=writer,
        overwrite_drift=request.overwrite_drift or not request.is_upgrade,
        has_workload=wanted.has_workload,
    )
    if has_been_deployed and not request.is_upgrade and plan.action is not Action.NOTHING:
        raise TenantExistsError(
            "it is installed already, and this would change it",
            remedy=f"Change it with '{name_command('upgrade', observation.slug)}'",
            tenant=observation.slug,
        )
    verify_templates(ports, plan)
    return plan


def deploy_part(
    ports: Ports, work: Work, run: RunOptions, wanted: Wanted, request: PartRequest
) -> Result:
    """Carry out what ``plan_part`` decides, and wait; a failure is explained and rolled back."""
    observation, plan = look_and_plan(
        ports,
        work,
        run,
        lambda seen: plan_part(ports, seen, wanted, request, writer=work.writer),
    )
    return execute_plan(ports, observation, plan, run)


def is_as_pinned(observation: Observation, version: str, values: Mapping[str, Any]) -> bool:
    """Return whether this program has deployed that version with those values, as labels tell."""
    latest = observation.latest
    return (
        latest is not None
        and latest.status is ReleaseStatus.DEPLOYED
        and latest.labels is not None
        and latest.writer is not None
        and (latest.labels.chart_version, latest.labels.defaults_digest)
        == (version, build_digest(values))
    )


def plan_foreign_part(
    observation: Observation, chart: Chart, values: Mapping[str, Any], *, writer: str
) -> Plan:
    """Decide what a chart of somebody else needs, which keeps no record of layers.

    What was changed by hand since is left alone, as is a release that this program did not make.
    """
    slug, latest = observation.slug, observation.latest
    digest = build_digest(chart.digest, values)
    labels = RevisionLabels(
        digest,
        build_digest(values),
        chart.version,
        DEFAULT_PROFILE,
        writer,
        observation.next_number,
    )
    given = dict(values)
    if latest is None or observation.deployed is None:
        return Plan(slug, Action.INSTALL, observation.next_number, chart, given, labels)
    is_as_written = latest.labels is not None and latest.writer is not None
    is_wanted = latest.labels is not None and latest.labels.config_digest == digest
    is_deployed = latest.status is ReleaseStatus.DEPLOYED
    if not is_as_written or (is_wanted and is_deployed):
        return Plan(slug, Action.NOTHING, latest.number, chart, given, None)
    before = latest.labels.chart_version if latest.labels is not None else ""
    return Plan(
        slug,
        Action.UPGRADE,
        observation.next_number,
        chart,
        given,
        labels,
        chart_before=f"{chart.name}-{before}",
    )
