"""Repairing a release that a dead process or a failed upgrade left behind.

Never uninstalls what was not being uninstalled, and never deletes a volume.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from ..errors import ReleaseBusyError
from ..ports import Deployment, Ports, RunOptions
from ..state import HAND_RUN_TIMEOUT, TenantState
from ..tenant import ReleaseStatus, RevisionLabels
from ..values import read_layers
from .baseline import has_true_labels
from .deploy import Result, restore_revision
from .observe import Observation, observe_tenant, require_release
from .plan import DRIFTED
from .readiness import require_ready


class Repair(StrEnum):
    """What ``recover-tenant`` does, by what it finds."""

    NOTHING = "nothing"
    ROLL_BACK = "roll back to the last good revision"
    FINISH_INSTALL = "finish the first install"
    FINISH_UNINSTALL = "finish the uninstall"


@dataclass(frozen=True)
class RecoverPlan:
    """What is repaired and why. target: revision that is restored, where one is."""

    slug: str
    repair: Repair
    reason: str
    target: int | None = None


def plan_recovery(observation: Observation, *, hand_run_timeout: timedelta) -> RecoverPlan:
    """Decide the repair. Raises TenantNotFoundError, ReleaseBusyError."""
    latest = require_release(observation)
    slug = observation.slug
    verdict = observation.verdict(hand_run_timeout=hand_run_timeout)
    if verdict.state is TenantState.BUSY:
        is_ours = latest.writer in observation.alive
        raise ReleaseBusyError(
            f"it is busy: {verdict.reason}",
            remedy="Wait for it"
            if is_ours
            else "Wait for it; if nobody is at work on it, add --older-than 0s",
            tenant=slug,
        )
    if latest.status is ReleaseStatus.UNINSTALLING:
        return RecoverPlan(slug, Repair.FINISH_UNINSTALL, verdict.reason)
    if verdict.state is not TenantState.STUCK and latest.status is not ReleaseStatus.FAILED:
        return RecoverPlan(slug, Repair.NOTHING, f"it is {verdict.state}")
    good = observation.deployed
    if good is not None:
        return RecoverPlan(slug, Repair.ROLL_BACK, verdict.reason, good.number)
    return RecoverPlan(slug, Repair.FINISH_INSTALL, verdict.reason)


def recover_tenant(
    ports: Ports,
    slug: str,
    run: RunOptions,
    *,
    hand_run_timeout: timedelta = HAND_RUN_TIMEOUT,
) -> Result:
    """Bring a stuck or failed release back to its last good revision, or finish its install."""
    ports.cluster.require_namespace()
    with ports.liveness.hold() as writer:
        observation = observe_tenant(ports, slug)
        plan = plan_recovery(observation, hand_run_timeout=hand_run_timeout)
        latest = require_release(observation)
        if plan.repair is Repair.NOTHING:
            return Result(slug, "nothing", latest.number, plan.reason)
        run.progress(f"{plan.reason}: {plan.repair}")
        if plan.repair is Repair.FINISH_UNINSTALL:
            ports.releases.uninstall(slug, timeout_seconds=run.timeout_seconds)
            return Result(slug, "recover", latest.number, str(plan.repair))
        if latest.status is not ReleaseStatus.FAILED:
            ports.releases.mark_failed(latest, reason="the process that was changing it is gone")
        if plan.target is not None:
            restore_revision(ports, slug, plan.target, run)
        else:
            ports.releases.deploy(_rebuild_install(ports, observation, writer, run))
        if run.is_waiting:
            require_ready(ports, slug, observation.next_number, run, "it was repaired")
        return Result(slug, "recover", observation.next_number, str(plan.repair))


def _rebuild_install(
    ports: Ports, observation: Observation, writer: str, run: RunOptions
) -> Deployment:
    """Return the same deployment once more: chart and values out of the revision's body."""
    latest = require_release(observation)
    body = ports.releases.read_body(latest)
    chart = ports.releases.extract_chart(latest)
    layers = read_layers(body.values)
    labels = latest.labels if has_true_labels(latest, body) else None
    return Deployment(
        slug=observation.slug,
        chart=chart,
        values=body.values,
        labels=RevisionLabels(
            config_digest=labels.config_digest if labels else DRIFTED,
            defaults_digest=labels.defaults_digest if labels else DRIFTED,
            chart_version=body.chart_version,
            profile=layers.profile if layers else "default",
            writer=writer,
            written_for=observation.next_number,
        ),
        timeout_seconds=run.timeout_seconds,
    )
