"""Repairing a release that a dead process or a failed upgrade left behind.

Never uninstalls what was not being uninstalled, and never deletes a volume.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from ..errors import OperationFailedError, ReleaseBusyError
from ..part import name_command
from ..ports import Deployment, Ports, RunOptions
from ..state import HAND_RUN_TIMEOUT, TenantState, Verdict, determine_state, find_writer
from ..tenant import ReleaseStatus, Revision, RevisionLabels
from ..values import read_layers
from .baseline import has_true_labels
from .deploy import Result, forget_oldest, remember_failure, restore_revision
from .observe import CUT_OFF, Observation, diagnose_tenant, observe_tenant, require_release
from .plan import DRIFTED
from .readiness import require_ready
from .rollback import choose_good
from .work import working_on


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


def plan_recovery(
    observation: Observation,
    verdict: Verdict,
    has_failed: Callable[[Revision], bool],
) -> RecoverPlan:
    """Decide the repair. Raises TenantNotFoundError, ReleaseBusyError, OperationFailedError.

    verdict: the tenant's state, its pods considered. has_failed: see ``plan_rollback``.
    """
    latest = require_release(observation)
    slug = observation.slug
    if verdict.state is TenantState.BUSY:
        is_ours = find_writer(latest, observation.claim) in observation.alive
        raise ReleaseBusyError(
            f"it is busy: {verdict.reason}",
            remedy="Wait for it"
            if is_ours
            else "Wait for it; if nobody is at work on it, add --older-than 0s",
            tenant=slug,
        )
    if latest.status is ReleaseStatus.UNINSTALLING:
        return RecoverPlan(slug, Repair.FINISH_UNINSTALL, verdict.reason)
    if verdict.state not in (TenantState.STUCK, TenantState.FAILED):
        return RecoverPlan(slug, Repair.NOTHING, f"it is {verdict.state}")
    good = choose_good(observation, has_failed, before=latest.number)
    if good is not None:
        return RecoverPlan(slug, Repair.ROLL_BACK, verdict.reason, good.number)
    if latest.status is ReleaseStatus.DEPLOYED:
        raise OperationFailedError(
            f"it failed, and there is no good revision to return to: {verdict.reason}",
            remedy=f"Correct the cause with '{name_command('upgrade', slug)}'",
            tenant=slug,
        )
    return RecoverPlan(slug, Repair.FINISH_INSTALL, verdict.reason)


def plan_tenant_recovery(
    ports: Ports, slug: str, *, hand_run_timeout: timedelta = HAND_RUN_TIMEOUT
) -> RecoverPlan:
    """Look at the cluster and decide; changes nothing."""
    ports.cluster.require_namespace()
    observation = observe_tenant(ports, slug)
    return _plan(ports, observation, hand_run_timeout)


def _plan(ports: Ports, observation: Observation, hand_run_timeout: timedelta) -> RecoverPlan:
    verdict = determine_state(
        require_release(observation),
        observation.workload,
        alive=observation.alive,
        now=observation.now,
        claim=observation.claim,
        diagnosis=diagnose_tenant(ports, observation.workload, observation.slug),
        hand_run_timeout=hand_run_timeout,
    )
    return plan_recovery(
        observation, verdict, lambda revision: ports.releases.read_body(revision).has_failed
    )


def recover_tenant(
    ports: Ports,
    slug: str,
    run: RunOptions,
    *,
    hand_run_timeout: timedelta = HAND_RUN_TIMEOUT,
) -> Result:
    """Bring a stuck or failed release back to its last good revision, or finish its install."""
    with working_on(ports, slug) as work:
        observation = work.observe(ports)
        plan = _plan(ports, observation, hand_run_timeout)
        latest = require_release(observation)
        if plan.repair is Repair.NOTHING:
            return Result(slug, "nothing", latest.number, plan.reason)
        run.progress(f"{plan.reason}: {plan.repair}")
        if plan.repair is Repair.FINISH_UNINSTALL:
            ports.releases.uninstall(slug, timeout_seconds=run.timeout_seconds)
            return Result(slug, "recover", latest.number, str(plan.repair))
        if latest.status.is_in_progress:
            ports.releases.mark_failed(latest, reason=CUT_OFF[-1])
        if plan.target is not None:
            restore_revision(ports, slug, plan.target, run, writer=work.writer)
            remember_failure(ports, slug, latest.number, plan.reason)
        else:
            ports.releases.deploy(_rebuild_install(ports, observation, work.writer, run))
            forget_oldest(ports, observation.revisions, run)
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
