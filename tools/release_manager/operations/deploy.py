"""Deploying one tenant: the plan, and what carries it out.

Install, upgrade, start, stop, scale and token rotation differ only in the layers and the
chart that they ask for; all of them end here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ..chart import Chart
from ..errors import DriftError, OperationFailedError, ReleaseManagerError, RolloutFailedError
from ..ports import Deployment, Ports, RunOptions
from ..tenant import ReleaseStatus, Revision, RevisionBody, RevisionLabels
from ..values import (
    RECORD_KEY,
    Layers,
    build_config_digest,
    build_defaults_digest,
    coalesce_values,
    diff_paths,
    find_drift,
    find_undone,
    format_value,
    iter_leaves,
    read_layers,
    validate_values,
    without_key,
)
from .observe import Observation
from .readiness import wait_until_ready

# Written instead of a digest on a revision that carries hand-set values along, so that one
# metadata LIST tells that its body is worth reading.
DRIFTED = "drifted"


class Action(StrEnum):
    """What a plan does."""

    INSTALL = "install"
    UPGRADE = "upgrade"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Baseline:
    """What a tenant's release was asked to be, and what somebody set by hand since.

    values: live, without the record. drift: dotted path to live value. has_true_labels:
    whether the revision's labels describe it; a hand-run upgrade copies those of the
    revision before.
    """

    layers: Layers
    values: dict[str, Any] = field(repr=False)
    drift: dict[str, Any] = field(repr=False)
    chart: str
    has_true_labels: bool


@dataclass(frozen=True)
class Change:
    """One value that a plan changes; None where there is none."""

    path: str
    old: Any
    new: Any


@dataclass(frozen=True)
class Plan:
    """What would be done to one tenant. ``--dry-run`` prints it, a real run executes it."""

    slug: str
    action: Action
    revision: int
    chart: Chart
    values: dict[str, Any] = field(repr=False)
    labels: RevisionLabels | None
    changes: tuple[Change, ...] = ()
    chart_before: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """How an operation on one tenant ended."""

    slug: str
    action: str
    revision: int
    detail: str = ""


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
    live = {key: value for key, value in body.values.items() if key != RECORD_KEY}
    layers = read_layers(body.values) or _find_older_layers(ports, observation, base)
    if layers is None:
        layers = Layers(profile="default", defaults={}, overrides=live)
    return Baseline(
        layers=layers,
        values=live,
        drift=find_drift(live, layers),
        chart=f"{body.chart_name}-{body.chart_version}",
        has_true_labels=has_true_labels(base, body),
    )


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


def plan_deployment(
    observation: Observation,
    baseline: Baseline | None,
    chart: Chart,
    layers: Layers,
    *,
    writer: str,
    overwrite_drift: bool = False,
) -> Plan:
    """Decide what it takes to make a tenant what ``layers`` and ``chart`` ask for.

    Raises InvalidValuesError, and DriftError when something set by hand would be undone.
    """
    slug = observation.slug
    values = layers.to_values()
    validate_values(chart, values, tenant=slug)
    labels = RevisionLabels(
        config_digest=build_config_digest(chart, layers),
        defaults_digest=build_defaults_digest(chart, layers.defaults),
        chart_version=chart.version,
        profile=layers.profile,
        writer=writer,
        written_for=observation.next_number,
    )
    if baseline is None:
        number = observation.next_number
        return Plan(slug, Action.INSTALL, number, chart, values, labels, _list_values(layers))
    notes: tuple[str, ...] = ()
    if _is_up_to_date(observation, baseline, labels):
        return _plan_nothing(observation, chart, values)
    if not overwrite_drift:
        _refuse_drift(observation, baseline, chart, values)
    elif baseline.drift:
        notes = (f"overwrites what was set by hand: {format_drift(baseline.drift)}",)
    changes = _list_changes(baseline.values, layers.merged())
    return Plan(
        slug,
        Action.UPGRADE,
        observation.next_number,
        chart,
        values,
        labels,
        changes,
        baseline.chart,
        notes,
    )


def plan_adjustment(
    observation: Observation,
    baseline: Baseline,
    chart: Chart,
    layers: Layers,
    *,
    writer: str,
    key: str,
) -> Plan:
    """Decide how to change one top-level value and nothing else: no chart, default or drift.

    layers: as they were, with the change of ``key``.
    """
    slug = observation.slug
    live = without_key(baseline.values, key)
    live |= {name: value for name, value in layers.merged().items() if name == key}
    values = {**live, RECORD_KEY: layers.to_values()[RECORD_KEY]}
    validate_values(chart, values, tenant=slug)
    undone = {} if key == "replicas" else _find_undone_scaling(observation, chart, values)
    if undone:
        raise _build_drift_error(
            slug, undone, remedy="Scale it with 'release-manager scale-tenant'"
        )
    has_changes = bool(_list_changes(baseline.values, live))
    if not has_changes and _is_settled(observation) and not _is_scaled_by_hand(observation):
        return _plan_nothing(observation, chart, values)
    labels = RevisionLabels(
        config_digest=build_config_digest(chart, layers),
        defaults_digest=_carry_defaults_digest(observation, baseline),
        chart_version=chart.version,
        profile=layers.profile,
        writer=writer,
        written_for=observation.next_number,
    )
    return Plan(
        slug,
        Action.UPGRADE,
        observation.next_number,
        chart,
        values,
        labels,
        _list_changes(baseline.values, live),
        baseline.chart,
    )


def _carry_defaults_digest(observation: Observation, baseline: Baseline) -> str:
    base = observation.base
    if baseline.drift or not baseline.has_true_labels or base is None or base.labels is None:
        return DRIFTED
    return base.labels.defaults_digest


def _plan_nothing(observation: Observation, chart: Chart, values: dict[str, Any]) -> Plan:
    number = observation.latest.number if observation.latest else 0
    return Plan(observation.slug, Action.NOTHING, number, chart, values, None)


def _is_settled(observation: Observation) -> bool:
    """Whether Helm has nothing left to do: deployed, and its Deployment exists."""
    latest = observation.latest
    return (
        latest is not None
        and latest.status is ReleaseStatus.DEPLOYED
        and observation.workload is not None
    )


def _is_up_to_date(observation: Observation, baseline: Baseline, labels: RevisionLabels) -> bool:
    latest = observation.latest
    return (
        _is_settled(observation)
        and latest is not None
        and latest.labels is not None
        and latest.labels.config_digest == labels.config_digest
        and not baseline.drift
        and baseline.has_true_labels
    )


def _refuse_drift(
    observation: Observation, baseline: Baseline, chart: Chart, values: dict[str, Any]
) -> None:
    undone = find_undone(baseline.drift, live=baseline.values, planned=values)
    undone |= _find_undone_scaling(observation, chart, values)
    if undone:
        raise _build_drift_error(
            observation.slug,
            undone,
            remedy="Keep it by giving it with --set, or undo it with --overwrite-drift",
        )


def _is_scaled_by_hand(observation: Observation) -> bool:
    workload = observation.workload
    return workload is not None and workload.spec_replicas != workload.wanted_replicas


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


def format_drift(drift: Mapping[str, Any]) -> str:
    """Return hand-set values as one line."""
    return ", ".join(f"{path}={format_value(value)}" for path, value in drift.items())


def _list_values(layers: Layers) -> tuple[Change, ...]:
    return tuple(Change(path, None, value) for path, value in iter_leaves(layers.merged()))


def _list_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    before, after = dict(iter_leaves(old)), dict(iter_leaves(new))
    return tuple(
        Change(path, before.get(path), after.get(path))
        for path in sorted({*before, *after})
        if before.get(path) != after.get(path)
    ) or tuple(Change(path, None, None) for path in diff_paths(old, new))


def choose_kept_chart(
    ports: Ports, reference: str, observation: Observation, baseline: Baseline
) -> Chart:
    """Return the chart of the live revision: the one at hand when it is the same, else its own."""
    base = observation.base
    if baseline.has_true_labels and base is not None and base.labels is not None:
        chart = ports.charts.load(reference)
        at_hand = build_defaults_digest(chart, baseline.layers.defaults)
        if at_hand == base.labels.defaults_digest:
            return chart
    if base is None:
        return ports.charts.load(reference)
    return ports.releases.extract_chart(base)


def verify_templates(ports: Ports, plan: Plan) -> None:
    """Let the chart's own rules, which no schema can say, refuse a plan before any write.

    Raises InvalidValuesError.
    """
    if plan.labels is not None:
        ports.releases.render(plan.slug, plan.chart, plan.values)


def execute_plan(
    ports: Ports,
    observation: Observation,
    plan: Plan,
    run: RunOptions,
    *,
    undo: Callable[[], None] = lambda: None,
) -> Result:
    """Carry a plan out, wait for the pods, and go back to the last good revision on failure.

    undo: called first on failure, before pods of the older revision start again. Raises
    RolloutFailedError, or what Helm failed with.
    """
    if plan.labels is not None:
        run.progress(f"helm {plan.action} to revision {plan.revision}, chart {plan.chart.version}")
        deployment = Deployment(
            plan.slug, plan.chart, plan.values, plan.labels, run.timeout_seconds
        )
        try:
            for warning in ports.releases.deploy(deployment):
                run.progress(f"warning: {warning}")
        except OperationFailedError as exc:
            undo()
            _return_after_helm_failure(ports, observation, plan, exc, run)
            raise
    if not run.is_waiting:
        return Result(plan.slug, plan.action, plan.revision, "not waited for")
    readiness = wait_until_ready(
        ports,
        plan.slug,
        revision=plan.revision,
        run=run,
    )
    if readiness.is_ready:
        return Result(plan.slug, plan.action, plan.revision)
    why = readiness.explain(run)
    undo()
    raise _fail_rollout(ports, observation, plan, why, run)


def _fail_rollout(
    ports: Ports,
    observation: Observation,
    plan: Plan,
    why: str,
    run: RunOptions,
) -> RolloutFailedError:
    good = observation.deployed
    if plan.labels is None or good is None:
        return RolloutFailedError(
            f"revision {plan.revision} is not ready: {why}",
            remedy=f"Look with 'release-manager show-tenant {plan.slug}', correct the cause with "
            f"'release-manager upgrade-tenant {plan.slug}', or remove it with "
            f"'release-manager uninstall-tenant {plan.slug}'",
            tenant=plan.slug,
        )
    run.progress(f"revision {plan.revision} failed: {why}")
    run.progress(f"rolling back to revision {good.number}")
    ports.releases.rollback(plan.slug, good.number, timeout_seconds=run.timeout_seconds)
    return RolloutFailedError(
        f"revision {plan.revision} failed and was rolled back to revision {good.number}: {why}",
        remedy="Correct the cause and run the upgrade again",
        tenant=plan.slug,
    )


def _return_after_helm_failure(
    ports: Ports,
    observation: Observation,
    plan: Plan,
    failure: ReleaseManagerError,
    run: RunOptions,
) -> None:
    """Restore the last good revision when helm failed after it had begun to write."""
    revisions = ports.releases.list_revisions(plan.slug)
    good = observation.deployed
    latest = revisions[-1] if revisions else None
    if good is None or latest is None or latest.number != plan.revision:
        return
    if latest.status is not ReleaseStatus.FAILED or plan.labels is None:
        return
    if latest.writer != plan.labels.writer:
        return
    run.progress(f"helm failed: {failure.problem}; rolling back to revision {good.number}")
    ports.releases.rollback(plan.slug, good.number, timeout_seconds=run.timeout_seconds)
