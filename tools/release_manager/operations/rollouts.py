"""Rollouts: beginning one, going on with one, ending one, and telling what became of it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..chart import Chart
from ..errors import (
    ClusterUnreachableError,
    InvalidInputError,
    InvalidValuesError,
    LeaseLostError,
    ReleaseBusyError,
    ReleaseManagerError,
    RolloutNotFoundError,
)
from ..ports import Clock, Ports
from ..rollout.engine import Control, Ending, Listener, Progress, run_rollout
from ..rollout.journal import Journal, Outcome, Report, State, build_rollout_busy_error
from ..rollout.plan import (
    Candidate,
    Kind,
    Limits,
    Rollout,
    Share,
    Standing,
    count_standings,
    plan_waves,
)
from ..tenant import ReleaseStatus, Revision
from .fleet import MakePlan, list_invalid
from .fleet_work import FleetWork
from .plan import Plan

KEPT_JOURNALS = 10
# What a tenant takes while nothing has been measured: helm, and a pod that starts soon.
GUESSED_SECONDS = 10.0
POLL_SECONDS = 0.5
# How often the journal is written while nothing fails.
SAVE_SECONDS = 10.0
# How long the last words of a rollout wait for an API server that is out of reach.
LAST_SAVE_SECONDS = 30.0


@dataclass(frozen=True)
class FleetPlan:
    """What a rollout would do; ``--dry-run`` prints it, a real run carries it out.

    pace: seconds that a tenant took in the last rollout of the kind, None without one.
    """

    rollout: Rollout
    candidates: Sequence[Candidate]
    make_plan: MakePlan | None
    plans: Mapping[str, Plan] = field(default_factory=dict, repr=False)
    chart: Chart | None = None
    pace: float | None = None

    @property
    def seconds_per_tenant(self) -> float:
        """What a tenant takes, from the last rollout or a guess."""
        return GUESSED_SECONDS if self.pace is None else self.pace

    def require_valid(self) -> None:
        """Raise InvalidValuesError for the first tenant whose values do not fit."""
        invalid = list_invalid(self.candidates)
        if not invalid:
            return
        others = len(invalid) - 1
        more = f" ({others} more in the plan above)" if others else ""
        slugs = ",".join(item.slug for item in invalid[:5])
        raise InvalidValuesError(
            f"{invalid[0].reason}{more}",
            remedy="Correct its values with 'release-manager upgrade-tenant "
            f"{invalid[0].slug}', or leave it out with --exclude {slugs}",
            tenant=invalid[0].slug,
        )


def build_rollout(
    ports: Ports,
    kind: Kind,
    candidates: Sequence[Candidate],
    limits: Limits,
    *,
    by: str,
    **target: object,
) -> Rollout:
    """Return the rollout of a survey. target: further fields of ``Rollout``.

    Raises InvalidInputError, see ``plan_waves``.
    """
    waves, has_canary = plan_waves(candidates, limits)
    changed = [item for item in candidates if item.standing.is_changed]
    now = ports.cluster.now()
    return Rollout(
        id=f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
        kind=kind,
        by=by,
        started_at=now,
        waves=waves,
        has_canary=has_canary,
        revisions={item.slug: item.revision for item in changed},
        unwell=frozenset(item.slug for item in changed if not item.is_well),
        budget=limits.failure_budget.of(len(changed)),
        concurrency=limits.concurrency,
        bake_seconds=limits.bake_seconds,
        timeout_seconds=limits.timeout_seconds,
        left_alone={
            name: number
            for name, number in count_standings(candidates).items()
            if not Standing(name).is_changed
        },
        **target,  # type: ignore[arg-type]
    )


def read_pace(ports: Ports, kind: Kind) -> float | None:
    """Return how long a tenant took in the last rollout of a kind, None without one."""
    for journal in ports.journals.list():
        ended = journal.done + journal.count(Outcome.FAILED)
        # Where all have failed their timeouts were measured.
        if journal.rollout.kind is kind and journal.done and journal.seconds:
            baking = journal.rollout.bake_seconds if journal.has_baked else 0.0
            at_once = min(journal.rollout.at_once, ended)
            return max(0.1, journal.seconds - baking) * at_once / ended
    return None


@dataclass(frozen=True)
class Ended:
    """How a run of a rollout ended. progress: every report, also of tenants that are done."""

    journal: Journal
    ending: Ending
    progress: Progress


def begin_rollout(
    ports: Ports, plan: FleetPlan, *, control: Control, listener: Listener, clock: Clock
) -> Ended:
    """Carry a plan out to its end, or until it has to stop.

    Raises InvalidValuesError and InvalidInputError before anything is changed, and
    ReleaseBusyError while another rollout is under way.
    """
    plan.require_valid()
    rollout = plan.rollout
    with ports.liveness.hold() as writer, ports.liveness.claim_rollouts(writer, rollout.id):
        earlier = ports.journals.list()
        _require_nothing_unfinished(earlier)
        _close_stopped(ports, earlier, rollout.id)
        journal = Journal(rollout)
        ports.journals.create(journal, ports.charts.pack(plan.chart) if plan.chart else b"")
        for old in earlier[KEPT_JOURNALS - 1 :]:
            ports.journals.remove(old.rollout.id)
        with ports.cluster.watch_workloads() as workloads:
            work = FleetWork(
                ports, rollout, writer, control, workloads, plan.make_plan, plan.plans, clock
            )
            progress = Progress(rollout, {})
            return _run(ports, journal, progress, work, listener)


def require_free(ports: Ports) -> None:
    """Refuse to begin while a rollout is under way, or has left tenants in the air.

    Raises ReleaseBusyError, InvalidInputError.
    """
    worker = ports.liveness.read_rollouts()
    if worker is not None:
        raise build_rollout_busy_error(worker)
    _require_nothing_unfinished(ports.journals.list())


def _close_stopped(ports: Ports, journals: Sequence[Journal], id_: str) -> None:
    """Let nobody go on with a rollout that stopped itself, once a later one has begun."""
    for journal in journals:
        if journal.state is State.STOPPED:
            problem = f"rollout {id_} took its place"
            ports.journals.save(replace(journal, state=State.ABORTED, problem=problem))


def _require_nothing_unfinished(journals: Sequence[Journal]) -> None:
    for journal in journals:
        if journal.state in (State.RUNNING, State.INTERRUPTED):
            raise InvalidInputError(
                f"rollout {journal.rollout.id} was not finished",
                remedy="Go on with 'release-manager resume-rollout', or give it up with "
                "'release-manager abort-rollout'",
            )


def _run(
    ports: Ports, journal: Journal, progress: Progress, work: FleetWork, listener: Listener
) -> Ended:
    recorder = _Recorder(ports, journal, progress, work)
    ending = run_rollout(progress, work, control=work.control, listener=recorder.listen(listener))
    problem = work.control.problem
    if ending is Ending.STOPPED:
        said = _explain_stop(progress)
    else:
        said = problem.problem if problem is not None else ""
    # Whoever has taken the rollout over writes its journal now.
    if not isinstance(problem, LeaseLostError):
        recorder.save_at_last(State(ending.value), said)
    return Ended(recorder.journal, ending, progress)


def _explain_stop(progress: Progress) -> str:
    if progress.lost_canaries:
        return f"the canary failed: {', '.join(progress.lost_canaries)}"
    return f"{progress.failures} failed, {progress.rollout.budget} may"


class _Recorder:
    """Writes the journal of a rollout while it runs."""

    def __init__(self, ports: Ports, journal: Journal, progress: Progress, work: FleetWork) -> None:
        self._ports = ports
        self._progress = progress
        self._work = work
        self._clock = work.clock
        self._earlier_seconds = journal.seconds
        self._began_at = self._saved_at = self._clock.monotonic()
        self._is_due = False
        self.journal = journal

    def listen(self, listener: Listener) -> Listener:
        """Return a listener that writes the journal, and tells another one."""

        def end_tenant(progress: Progress, report: Report) -> None:
            if report.outcome is not Outcome.DONE:
                self._save()
            listener.end_tenant(progress, report)

        def end_wave(progress: Progress) -> None:
            self._save()
            listener.end_wave(progress)

        def tick(progress: Progress) -> None:
            if self._is_due or self._clock.monotonic() - self._saved_at >= SAVE_SECONDS:
                self._save()
            listener.tick(progress)

        return replace(listener, end_tenant=end_tenant, end_wave=end_wave, tick=tick)

    def _save(self, state: State = State.RUNNING, problem: str = "") -> None:
        self._saved_at = self._clock.monotonic()
        self.journal = replace(
            self.journal.with_reports(self._progress.reports),
            state=state,
            has_baked=self._progress.has_baked,
            seconds=self._earlier_seconds + self._saved_at - self._began_at,
            problem=problem,
        )
        self._is_due = True
        try:
            # After a pause of this process another one may have taken the journal over.
            self._ports.liveness.require_rollouts(self._work.writer)
            self._ports.journals.save(self.journal)
            self._is_due = False
        except ClusterUnreachableError:
            return
        except ReleaseManagerError as exc:
            self._work.control.stop(exc)

    def save_at_last(self, state: State, problem: str) -> None:
        """Write how it ended; an API server that is out of reach is waited for, for a while."""
        deadline = self._clock.monotonic() + LAST_SAVE_SECONDS
        self._save(state, problem)
        while self._is_due and self._clock.monotonic() < deadline:
            self._clock.sleep(POLL_SECONDS)
            self._save(state, problem)


def find_journal(ports: Ports, id_: str | None, *, is_resumable: bool = False) -> Journal:
    """Return a rollout's journal; without an id, the newest. Raises RolloutNotFoundError."""
    ports.cluster.require_namespace()
    if id_ is not None:
        found = ports.journals.read(id_)
        if found is None:
            raise RolloutNotFoundError(
                f"field ID: there is no rollout {id_!r}",
                remedy="See 'release-manager list-rollouts'",
            )
        return found
    for journal in ports.journals.list():
        if not is_resumable or journal.state.is_resumable:
            return journal
    what = "no rollout that could go on" if is_resumable else "no rollout yet"
    raise RolloutNotFoundError(f"there is {what}", remedy="See 'release-manager list-rollouts'")


def read_progress(ports: Ports, journal: Journal) -> dict[str, Report]:
    """Return how far a rollout is, by slug, from its journal and from the cluster's labels.

    Costs two LISTs. A tenant is done when its latest revision is the rollout's own, and ready.
    """
    rollout = journal.rollout
    current = ports.releases.list_current()
    workloads = {item.slug: item for item in ports.cluster.list_workloads()}
    reports = dict(journal.reports)
    for slug in rollout.slugs:
        revisions = current.get(slug, ())
        workload = workloads.get(slug)
        is_ready = workload is not None and workload.is_ready
        if slug not in reports and is_ready and revisions and _is_done(revisions[-1], rollout):
            reports[slug] = Report(slug, Outcome.DONE, revision=revisions[-1].number)
    return reports


def _is_done(latest: Revision, rollout: Rollout) -> bool:
    if latest.status is not ReleaseStatus.DEPLOYED:
        return False
    if rollout.kind is Kind.ROLLBACK:
        is_ours = latest.writer is None or latest.rollout == rollout.id
        return latest.number > rollout.revisions[latest.slug] and is_ours
    return latest.rollout == rollout.id


def resume_rollout(
    ports: Ports,
    journal: Journal,
    make_plan: MakePlan | None,
    *,
    control: Control,
    listener: Listener,
    clock: Clock,
    budget: int | None = None,
) -> Ended:
    """Go on with a rollout from where it is, whoever began it.

    What is in the air is looked at first; nothing is done twice. budget: a new one, with which
    it also goes on after a canary was lost. Raises RolloutNotFoundError, ReleaseBusyError while
    its process lives, and InvalidInputError over its budget.
    """
    if budget is not None:
        journal = replace(journal, rollout=replace(journal.rollout, budget=budget))
    rollout = journal.rollout
    with ports.liveness.hold() as writer, ports.liveness.claim_rollouts(writer, rollout.id):
        # Another process may have written it, or ended it, since it was looked at.
        journal = replace(find_journal(ports, rollout.id), rollout=rollout)
        if not journal.state.is_resumable:
            raise RolloutNotFoundError(
                f"rollout {rollout.id} is {journal.state}", remedy="There is nothing to go on with"
            )
        progress = Progress(
            rollout,
            read_progress(ports, journal),
            has_baked=journal.has_baked,
            is_past_canary=budget is not None,
        )
        _require_within_budget(progress)
        if ports.journals.read_request(rollout.id):
            # Whoever asked for its end has not waited for it, or this claim had not been given.
            ports.journals.request_end(rollout.id, "")
        ports.journals.save(replace(journal, state=State.RUNNING, problem=""))
        with ports.cluster.watch_workloads() as workloads:
            work = FleetWork(ports, rollout, writer, control, workloads, make_plan, {}, clock)
            return _run(ports, journal, progress, work, listener)


def _require_within_budget(progress: Progress) -> None:
    """Refuse to go on where nothing could be started. Raises InvalidInputError."""
    if progress.is_over_budget:
        raise InvalidInputError(
            f"field --failure-budget: rollout {progress.rollout.id} stopped itself: "
            f"{_explain_stop(progress)}",
            remedy="Give a budget that is large enough to go on; or give it up with "
            "'release-manager abort-rollout', correct the cause and begin anew",
        )


def abort_rollout(ports: Ports, journal: Journal, *, by: str, clock: Clock) -> Journal:
    """Give a rollout up: nothing more is changed by it, and it cannot be resumed.

    A process that is at work on it ends what is in flight first. Raises RolloutNotFoundError,
    and ReleaseBusyError when that process does not end in time.
    """
    rollout = journal.rollout
    if not journal.state.is_resumable:
        raise RolloutNotFoundError(
            f"rollout {rollout.id} is {journal.state}", remedy="There is nothing to abort"
        )
    ports.journals.request_end(rollout.id, by)
    # What is in flight may need its whole timeout twice: for the change and for the way back.
    deadline = clock.monotonic() + 2 * rollout.timeout_seconds + POLL_SECONDS
    with ports.liveness.hold() as writer:
        while True:
            try:
                with ports.liveness.claim_rollouts(writer, rollout.id):
                    return _give_up(ports, find_journal(ports, rollout.id), by)
            except ReleaseBusyError:
                if clock.monotonic() >= deadline:
                    raise
            clock.sleep(POLL_SECONDS)


def _give_up(ports: Ports, journal: Journal, by: str) -> Journal:
    if journal.state is State.FINISHED:
        return journal
    seen = journal.with_reports(read_progress(ports, journal))
    aborted = replace(seen, state=State.ABORTED, problem=f"given up by {by}")
    ports.journals.save(aborted)
    return aborted


def plan_way_back(ports: Ports, journal: Journal, *, by: str) -> FleetPlan:
    """Plan to return every tenant that a rollout has moved to what it was before."""
    origin = journal.rollout
    current = ports.releases.list_current()
    workloads = {item.slug: item for item in ports.cluster.list_workloads()}
    candidates = []
    for slug in origin.slugs:
        latest = current[slug][-1] if slug in current else None
        if latest is not None and latest.rollout == origin.id:
            workload = workloads.get(slug)
            is_well = workload is not None and workload.is_ready
            candidates.append(Candidate(slug, Standing.DUE, latest.number, "", is_well=is_well))
    # The way back is not stopped by those that cannot go it.
    limits = Limits(
        canary=0,
        wave_size=Share(max(map(len, origin.waves), default=1)),
        concurrency=origin.concurrency,
        failure_budget=Share(100, is_percentage=True),
        timeout_seconds=origin.timeout_seconds,
    )
    rollout = build_rollout(ports, Kind.ROLLBACK, candidates, limits, by=by, origin=origin.id)
    return FleetPlan(rollout, candidates, None, pace=read_pace(ports, origin.kind))
