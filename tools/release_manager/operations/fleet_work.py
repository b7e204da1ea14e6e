"""Changing one tenant of a rollout, from wherever an earlier attempt has left it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

from ..errors import (
    ChangedMeanwhileError,
    ClusterUnreachableError,
    DriftError,
    OperationInterruptedError,
    ReleaseBusyError,
    ReleaseManagerError,
    RolloutFailedError,
)
from ..part import name_command
from ..ports import Clock, Ports, RunOptions, Workloads
from ..rollout.engine import Control
from ..rollout.journal import Outcome, Report
from ..rollout.plan import Kind, Rollout
from ..state import find_writer
from ..tenant import Claim, ReleaseStatus, Revision
from ..workload import Workload
from .baseline import require_baseline
from .deploy import execute_plan, restore_revision, take_back
from .fleet import MakePlan
from .investigation import Investigation
from .observe import (
    CUT_OFF,
    HELM_KILLED,
    Observation,
    observe_tenant,
    refuse_busy,
    repair_stuck,
)
from .plan import Action, Plan
from .readiness import require_ready, wait_until_ready
from .rollback import find_good

# How long the API server may be out of reach before a rollout gives up, resumable.
OUTAGE_SECONDS = 300.0
OUTAGE_POLL_SECONDS = 1.0
# How often it is made sure that this process may go on.
CHECK_SECONDS = 2.0
# Keys of FleetWork.moments that no slug can be.
_CHECKED, _UNREACHABLE = "(checked)", "(unreachable)"
# A canary that is not ready for so long has failed; a probe that once came late has not.
UNREADY_SECONDS = 10.0


class Step(StrEnum):
    """What is left to do for one tenant."""

    CHANGE = "change"
    VERIFY = "verify"
    TAKE_BACK = "take back"
    TAKEN_BACK = "taken back"
    CHANGED = "changed"


def determine_step(
    observation: Observation, rollout: Rollout, describe: Callable[[Revision], str]
) -> tuple[Step, Revision | None]:
    """Return what is left to do for a tenant that nobody is at work on, and the revision it is
    about. Pure.

    describe: reads Helm's description of a revision, for a failed one only.
    """
    planned = rollout.revisions[observation.slug]
    newer = [item for item in observation.revisions if item.number > planned]
    latest = observation.latest
    if latest is None or latest.number < planned:
        return Step.CHANGED, latest
    if not newer:
        return Step.CHANGE, latest
    if rollout.kind is Kind.ROLLBACK:
        return _determine_rollback_step(newer, rollout.id)
    if newer[0].rollout != rollout.id:
        return Step.CHANGED, latest
    return _determine_next_step(newer, rollout.id, describe)


def _determine_next_step(
    newer: Sequence[Revision], id_: str, describe: Callable[[Revision], str]
) -> tuple[Step, Revision]:
    """newer: the revisions since the plan, of which the first is the rollout's own."""
    own = [item for item in newer if item.rollout == id_][-1]
    after = [item for item in newer if item.number > own.number]
    if own.status is not ReleaseStatus.FAILED:
        return (Step.CHANGED, after[-1]) if after else (Step.VERIFY, own)
    if not _was_not_ready(describe(own)):
        # Helm did not get through: nothing is known of the change itself.
        return (Step.CHANGED, after[-1]) if after else (Step.CHANGE, own)
    # After a revision that failed there is our way back, or an operator's.
    is_back = bool(after) and after[-1].status is ReleaseStatus.DEPLOYED
    return (Step.TAKEN_BACK if is_back else Step.TAKE_BACK), own


def _determine_rollback_step(newer: Sequence[Revision], id_: str) -> tuple[Step, Revision]:
    # Until it is relabelled, a rollback carries its target's labels, and none of its own.
    if any(item.writer is not None and item.rollout != id_ for item in newer):
        return Step.CHANGED, newer[-1]
    if newer[-1].status is ReleaseStatus.DEPLOYED:
        return Step.VERIFY, newer[-1]
    return Step.CHANGE, newer[-1]


def _was_not_ready(description: str) -> bool:
    marked = description.removeprefix("failed: ")
    return marked != description and marked not in CUT_OFF


def _is_as_seen(observation: Observation, plan: Plan) -> bool:
    """Whether nobody has set anything by hand since the plan was made."""
    workload = observation.workload
    return (
        plan.revision == observation.next_number
        and workload is not None
        and (plan.is_overwriting or not workload.foreign_fields)
        and not workload.is_scaled_by_hand
    )


@dataclass(frozen=True)
class _Interruptible:
    """Port ``Workloads``, for waits that end when everything is to end."""

    workloads: Workloads
    control: Control

    def read(self, slug: str) -> Workload | None:
        return self.workloads.read(slug)

    def refresh(self, slug: str) -> None:
        self.workloads.refresh(slug)

    def wait(self, slug: str, seconds: float) -> None:
        self.control.check()
        self.workloads.wait(slug, seconds)
        self.control.check()


@dataclass(frozen=True)
class FleetWork:
    """What the engine is handed, see ``rollout.engine.Work``.

    make_plan: what the rollout does to one tenant; None for a rollback. plans: what the survey
    has found, good as long as the tenant has the same revision. writer: this process. moments:
    since when a canary has not been ready, by slug, and what ``check`` remembers. held:
    reasons of holds, by slug, as ``check`` has last seen them.
    """

    ports: Ports
    rollout: Rollout
    writer: str
    control: Control
    workloads: Workloads
    make_plan: MakePlan | None
    plans: Mapping[str, Plan]
    clock: Clock
    moments: dict[str, float] = field(default_factory=dict, repr=False)
    held: dict[str, str] = field(default_factory=dict, repr=False)

    def change(self, slug: str) -> Report:
        """Change one tenant, wait until it is ready, and take it back when it is not."""
        began_at = self.clock.monotonic()
        report = self._outlast_outages(lambda own: self._change(slug, own))
        return replace(report, seconds=self.clock.monotonic() - began_at)

    def take_back(self, slug: str, why: str) -> Report:
        """Take one tenant back that was done, and has failed since."""
        return self._outlast_outages(lambda own: self._take_back(slug, why, own))

    def find_unwell(self, slugs: Sequence[str]) -> Mapping[str, str]:
        """Return which of these tenants are not ready now, and why."""
        investigation = Investigation(self.ports, clock=self.clock)
        try:
            found = {slug: self._explain_unwell(slug, investigation) for slug in slugs}
        except ClusterUnreachableError:
            # An API server that restarts says nothing about a canary; ``check`` counts the time.
            return {}
        return {slug: why for slug, why in found.items() if why}

    def check(self, control: Control) -> None:
        """Make sure that this process may go on, and that nobody asked for the end."""
        now = self.clock.monotonic()
        if now - self.moments.get(_CHECKED, -CHECK_SECONDS) < CHECK_SECONDS:
            return
        self.moments[_CHECKED] = now
        try:
            self.ports.liveness.require_rollouts(self.writer)
            who = self.ports.journals.read_request(self.rollout.id)
            held = {hold.slug: hold.reason for hold in self.ports.holds.list()}
        except ClusterUnreachableError:
            # Nobody can take the rollout over either, as long as nobody reaches the API server.
            if now - self.moments.setdefault(_UNREACHABLE, now) >= OUTAGE_SECONDS:
                raise
            return
        self.moments.pop(_UNREACHABLE, None)
        self.held.clear()
        self.held.update(held)
        if who:
            control.stop(
                OperationInterruptedError(
                    f"{who} asked for its end",
                    remedy=f"See 'release-manager show-rollout {self.rollout.id}'",
                )
            )

    def _run(self) -> RunOptions:
        return RunOptions(
            self.rollout.timeout_seconds,
            progress=lambda _: None,
            clock=Clock(self.clock.monotonic, self.control.sleep),
            workloads=_Interruptible(self.workloads, self.control),
        )

    def _outlast_outages(self, attempt: Callable[[Claim | None], Report]) -> Report:
        """Try again after the API server was out of reach, from what is there then.

        attempt: is given this process's own claim once an attempt was cut off, the only trace
        of who had begun a rollback that is still pending.
        """
        claim = Claim(self.writer, self.ports.cluster.now(), datetime.max.replace(tzinfo=UTC))
        own: Claim | None = None
        since: float | None = None
        while True:
            try:
                return attempt(own)
            except ClusterUnreachableError:
                now = self.clock.monotonic()
                since = now if since is None else since
                if now - since >= OUTAGE_SECONDS:
                    raise
            own = claim
            self.control.sleep(OUTAGE_POLL_SECONDS)

    def _change(self, slug: str, own: Claim | None) -> Report:
        self.control.check()
        if (reason := self.held.get(slug)) is not None:
            held = f"it is held since the rollout was planned: {reason}"
            return Report(slug, Outcome.CHANGED, held, f"See '{name_command('show', slug)}'")
        try:
            with self.ports.liveness.claim(slug, self.writer) as earlier:
                observation = observe_tenant(
                    self.ports,
                    slug,
                    read_claim=lambda _: earlier or own,
                    read_workload=self.workloads.read,
                )
                return self._continue(self._repair(observation))
        except ReleaseBusyError as exc:
            return Report(slug, Outcome.BUSY, exc.problem, exc.remedy)
        except (ChangedMeanwhileError, DriftError) as exc:
            return Report(slug, Outcome.CHANGED, exc.problem, exc.remedy)
        except (ClusterUnreachableError, OperationInterruptedError):
            raise
        except ReleaseManagerError as exc:
            if exc.exit_code not in (1, 2):
                raise
            return Report(slug, Outcome.FAILED, exc.problem, self._advise(slug))

    def _advise(self, slug: str) -> str:
        again = {
            Kind.UPGRADE: f"upgrade-all --only {slug}",
            Kind.STOP: f"stop-tenant {slug}",
            Kind.START: f"start-tenant {slug}",
            Kind.ROLLBACK: f"rollback-tenant {slug}",
        }
        return f"Correct the cause, then run 'release-manager {again[self.rollout.kind]}'"

    def _repair(self, observation: Observation) -> Observation:
        latest = observation.latest
        is_pending = latest is not None and latest.status.value.startswith("pending-")
        if latest and is_pending and find_writer(latest, observation.claim) == self.writer:
            # This very process lost the API server in the middle of it.
            self.ports.releases.mark_failed(latest, reason=HELM_KILLED)
            return observe_tenant(self.ports, observation.slug)
        refuse_busy(observation)
        return repair_stuck(self.ports, observation, self._run())

    def _continue(self, observation: Observation) -> Report:
        step, revision = determine_step(observation, self.rollout, self._describe)
        if step is Step.CHANGE:
            return (
                self._restore(observation) if self.make_plan is None else self._deploy(observation)
            )
        if revision is not None and step is Step.VERIFY:
            return self._verify(observation, revision)
        if revision is not None and step is Step.TAKE_BACK:
            raise self._return_from(observation, revision.number, self._tell_failure(revision))
        return self._report_end(step, revision, observation)

    def _report_end(
        self, step: Step, revision: Revision | None, observation: Observation
    ) -> Report:
        """Return the report where nothing is left to do."""
        if step is not Step.TAKEN_BACK or revision is None:
            return self._report_changed(observation.slug, observation)
        why = self._tell_failure(revision)
        return Report(
            observation.slug,
            Outcome.FAILED,
            f"revision {revision.number} failed and was rolled back: {why}",
            self._advise(observation.slug),
            revision.number,
        )

    def _describe(self, revision: Revision) -> str:
        return self.ports.releases.read_body(revision).description

    def _tell_failure(self, revision: Revision) -> str:
        return self._describe(revision).removeprefix("failed: ")

    def _deploy(self, observation: Observation) -> Report:
        slug = observation.slug
        plan = self._plan(observation)
        if plan.action is Action.NOTHING:
            return Report(slug, Outcome.DONE, "nothing to do", revision=plan.revision)
        result = execute_plan(self.ports, observation, plan, self._run())
        return Report(slug, Outcome.DONE, revision=result.revision)

    def _plan(self, observation: Observation) -> Plan:
        plan = self.plans.get(observation.slug)
        if plan is None or not _is_as_seen(observation, plan):
            if self.make_plan is None:
                raise AssertionError("a rollback has no plan of values")
            plan = self.make_plan(observation, require_baseline(self.ports, observation))
        if plan.labels is None:
            return plan
        labels = replace(plan.labels, writer=self.writer, rollout=self.rollout.id)
        return replace(plan, labels=labels)

    def _verify(self, observation: Observation, revision: Revision) -> Report:
        run = self._run()
        slug, number = revision.slug, revision.number
        readiness = wait_until_ready(self.ports, slug, revision=number, run=run)
        if readiness.is_ready:
            return Report(slug, Outcome.DONE, revision=number)
        raise self._return_from(observation, number, readiness.explain(run))

    def _return_from(self, observation: Observation, number: int, why: str) -> RolloutFailedError:
        good = find_good(self.ports, observation, before=number)
        return take_back(
            self.ports,
            observation.slug,
            number,
            self._run(),
            writer=self.writer,
            good=good,
            why=why,
        )

    def _take_back(self, slug: str, why: str, own: Claim | None) -> Report:
        try:
            with self.ports.liveness.claim(slug, self.writer) as earlier:
                observation = self._repair(
                    observe_tenant(self.ports, slug, read_claim=lambda _: earlier or own)
                )
                step, revision = determine_step(observation, self.rollout, self._describe)
                # After an outage the failure may be in the history already.
                if step not in (Step.VERIFY, Step.TAKE_BACK) or revision is None:
                    return self._report_end(step, revision, observation)
                failure = self._return_from(observation, revision.number, why)
                return Report(slug, Outcome.FAILED, failure.problem, self._advise(slug))
        except ReleaseBusyError as exc:
            return Report(slug, Outcome.FAILED, f"{why}; {exc.problem}", exc.remedy)

    def _restore(self, observation: Observation) -> Report:
        """Return a tenant to what it was before the rollout that is taken back."""
        slug = observation.slug
        planned = self.rollout.revisions[slug]
        good = find_good(self.ports, observation, before=planned)
        if good is None:
            return Report(
                slug,
                Outcome.FAILED,
                "there is no good revision to return to",
                f"See '{name_command('history', slug)}'",
            )
        run = self._run()
        number = restore_revision(
            self.ports, slug, good.number, run, writer=self.writer, rollout=self.rollout.id
        )
        require_ready(self.ports, slug, number, run, f"revision {good.number} was restored")
        return Report(slug, Outcome.DONE, revision=number)

    def _report_changed(self, slug: str, observation: Observation) -> Report:
        latest = observation.latest
        what = (
            "it was uninstalled"
            if latest is None
            else f"somebody else wrote revision {latest.number}"
        )
        return Report(
            slug,
            Outcome.CHANGED,
            f"{what} since the rollout was planned; it was not overwritten",
            f"See '{name_command('history', slug)}'",
        )

    def _explain_unwell(self, slug: str, investigation: Investigation) -> str:
        workload = self.workloads.read(slug)
        if workload is None:
            return "its Deployment is gone"
        pods = self.ports.cluster.list_pods(slug).get(slug, ())
        if workload.is_ready:
            self.moments.pop(slug, None)
            cause = investigation.find_unsettled(workload, pods)
            return cause.sentence if cause is not None else ""
        now = self.clock.monotonic()
        since = self.moments.setdefault(slug, now)
        cause = investigation.diagnose(workload, pods)
        if now - since < UNREADY_SECONDS and not (cause is not None and cause.is_hopeless):
            return ""
        ready = f"{workload.ready_replicas} of {workload.spec_replicas} replicas ready"
        return cause.sentence if cause is not None else f"only {ready}"
