"""Looking at all tenants at once, and finding out which of them a rollout would change."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ..chart import Chart, build_digest
from ..errors import DriftError, InvalidInputError, InvalidValuesError, TenantNotFoundError
from ..ports import Ports
from ..rollout.plan import Candidate, Standing
from ..state import TenantState, determine_state
from ..tenant import Hold, Holder, ReleaseStatus, Revision
from ..values import coalesce_values, validate_values
from ..workload import Workload
from .baseline import Baseline, is_tenant, read_baseline
from .observe import Observation, judge_pending, observe_tenant
from .plan import Action, Plan, verify_templates

MakePlan = Callable[[Observation, Baseline], Plan]
# Bodies are read by few: this process has one core's worth of Python.
READERS = 4


@dataclass(frozen=True)
class Selection:
    """Which tenants an operator means. only: empty for all. selector: labels of Deployments."""

    only: frozenset[str] = frozenset()
    selector: str = ""
    exclude: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Fleet:
    """All selected tenants as they were seen: three LISTs, whatever their number."""

    revisions: Mapping[str, Sequence[Revision]]
    workloads: Mapping[str, Workload]
    alive: Mapping[str, Holder]
    holds: Mapping[str, Hold]
    now: datetime

    def observe(self, slug: str) -> Observation:
        """Return one tenant; of its revisions those that no later one supersedes."""
        return Observation(
            slug=slug,
            revisions=self.revisions[slug],
            workload=self.workloads.get(slug),
            alive=self.alive,
            now=self.now,
        )


def look_at_fleet(ports: Ports, selection: Selection) -> Fleet:
    """Look at the selected tenants. Raises NamespaceNotFoundError, TenantNotFoundError."""
    ports.cluster.require_namespace()
    existing = {
        slug: revisions
        for slug, revisions in ports.releases.list_current().items()
        if revisions[-1].status is not ReleaseStatus.UNINSTALLED
    }
    workloads = {item.slug: item for item in ports.cluster.list_workloads(selection.selector)}
    _require_known(existing, selection)
    chosen = {
        slug: revisions
        for slug, revisions in existing.items()
        if slug not in selection.exclude
        and (not selection.only or slug in selection.only)
        and (not selection.selector or slug in workloads)
    }
    is_in_progress = any(items[-1].status.is_in_progress for items in chosen.values())
    return Fleet(
        revisions=chosen,
        workloads=workloads,
        alive=ports.liveness.list_alive() if is_in_progress else {},
        holds={hold.slug: hold for hold in ports.holds.list()},
        now=ports.cluster.now(),
    )


def _require_known(existing: Collection[str], selection: Selection) -> None:
    for name, slugs in (("--only", selection.only), ("--exclude", selection.exclude)):
        for slug in sorted(slugs):
            if slug not in existing:
                raise TenantNotFoundError(
                    f"field {name}: there is no such tenant",
                    remedy="See 'release-manager list-tenants'",
                    tenant=slug,
                )


class Survey:
    """Finds out, for each tenant of a fleet, whether a rollout changes it and how.

    make_plan: what the rollout would do to one tenant. is_current: tells without the body
    that nothing is to be done.
    """

    def __init__(
        self,
        ports: Ports,
        fleet: Fleet,
        make_plan: MakePlan,
        *,
        is_current: Callable[[Observation], bool] = lambda _: False,
    ) -> None:
        self._ports = ports
        self._fleet = fleet
        self._make_plan = make_plan
        self._is_current = is_current
        self._values: dict[str, dict[str, Any]] = {}
        self._renderers: ThreadPoolExecutor | None = None
        self._refused: dict[str, Future[str]] = {}
        self._lock = threading.Lock()
        self.plans: dict[str, Plan] = {}

    def judge_all(self) -> list[Candidate]:
        """Return every tenant, by slug."""
        with ThreadPoolExecutor(READERS) as pool:
            found = pool.map(self._judge, sorted(self._fleet.revisions))
            return [candidate for candidate in found if candidate is not None]

    def judge_and_verify(self, concurrency: int) -> list[Candidate]:
        """Return every tenant, by slug; the chart's own rules have their say, too.

        Templates see nothing of a tenant but its name and its values, so one of each set of
        values is enough. concurrency: how many are rendered at once.
        """
        with ThreadPoolExecutor(concurrency) as pool:
            self._renderers = pool
            try:
                candidates = self.judge_all()
                refused = {digest: future.result() for digest, future in self._refused.items()}
            finally:
                self._renderers = None
                # Whoever gives up does not wait for what has not begun.
                pool.shutdown(cancel_futures=True)
        return [self._correct(candidate, refused) for candidate in candidates]

    def _correct(self, candidate: Candidate, refused: Mapping[str, str]) -> Candidate:
        plan = self.plans.get(candidate.slug)
        problem = refused.get(plan.labels.config_digest) if plan and plan.labels else None
        if not problem:
            return candidate
        return Candidate(candidate.slug, Standing.INVALID, candidate.revision, problem)

    def _find_refusal(self, plan: Plan) -> str:
        try:
            verify_templates(self._ports, plan)
        except InvalidValuesError as exc:
            return exc.problem
        return ""

    def _judge(self, slug: str) -> Candidate | None:
        observation = self._fleet.observe(slug)
        latest = observation.revisions[-1]
        if not is_tenant(self._ports, latest, observation.workload):
            return None
        hold = self._fleet.holds.get(slug)
        if hold is not None:
            return Candidate(slug, Standing.HELD, latest.number, hold.reason)
        if latest.status.is_in_progress and (left := self._judge_pending(observation, latest)):
            return left
        if self._is_current(observation):
            return Candidate(slug, Standing.UP_TO_DATE, latest.number)
        return self._judge_values(observation, latest)

    def _judge_values(self, observation: Observation, latest: Revision) -> Candidate:
        slug = observation.slug
        try:
            plan = self._plan(observation)
        except DriftError as exc:
            return Candidate(slug, Standing.DRIFTED, latest.number, exc.problem)
        except InvalidInputError as exc:
            return Candidate(slug, Standing.INVALID, latest.number, exc.problem)
        if plan.action is Action.NOTHING:
            return Candidate(slug, Standing.UP_TO_DATE, latest.number, "; ".join(plan.notes))
        self.plans[slug] = plan = self._share_values(plan)
        self._begin_rendering(plan)
        return self._describe(observation, latest, plan)

    def _judge_pending(self, observation: Observation, latest: Revision) -> Candidate | None:
        """Return a tenant that somebody is at work on, unless a dead process of ours was."""
        claim = self._ports.liveness.read_claim(observation.slug)
        verdict = judge_pending(replace(observation, claim=claim))
        if verdict is None:
            return None
        standing = Standing.BUSY if verdict.state is TenantState.BUSY else Standing.STUCK
        return Candidate(observation.slug, standing, latest.number, verdict.reason)

    def _plan(self, observation: Observation) -> Plan:
        baseline = read_baseline(self._ports, observation)
        if baseline is None or not baseline.has_record:
            # What was asked for is told by an older revision, which the LIST leaves out.
            observation = observe_tenant(self._ports, observation.slug)
            baseline = read_baseline(self._ports, observation)
        if baseline is None:
            raise AssertionError("a release has a revision")
        return self._make_plan(observation, baseline)

    def _share_values(self, plan: Plan) -> Plan:
        """Keep equal values once: a thousand tenants mostly differ in nothing but their name."""
        if plan.labels is None:
            return plan
        values = self._values.setdefault(plan.labels.config_digest, plan.values)
        return replace(plan, values=values, values_before=None)

    def _begin_rendering(self, plan: Plan) -> None:
        """Ask the chart's own rules about a plan, unless they were asked about its values."""
        if self._renderers is None or plan.labels is None:
            return
        digest = plan.labels.config_digest
        with self._lock:
            if digest not in self._refused:
                self._refused[digest] = self._renderers.submit(self._find_refusal, plan)

    def _describe(self, observation: Observation, latest: Revision, plan: Plan) -> Candidate:
        seen = coalesce_values(plan.chart.default_values, plan.values)
        verdict = determine_state(
            latest, observation.workload, alive=observation.alive, now=observation.now
        )
        is_well = verdict.state in (TenantState.RUNNING, TenantState.STOPPED)
        workload = observation.workload
        was_stopped = workload is not None and workload.spec_replicas == 0
        is_stopped = was_stopped and not seen.get("replicas", 1)
        standing = Standing.STOPPED if is_stopped else Standing.DUE
        reason = "" if is_well else f"it is {verdict.state}: {verdict.reason}".rstrip(": ")
        return Candidate(observation.slug, standing, latest.number, reason, is_well=is_well)


class ValidateOnce:
    """``validate_values``, but equal values are checked once only."""

    def __init__(self) -> None:
        self._valid: set[str] = set()

    def __call__(self, chart: Chart, values: Mapping[str, Any], *, tenant: str) -> None:
        """Check values. Raises InvalidValuesError."""
        key = build_digest(chart.digest, values) if not values.get("slug") else ""
        if key in self._valid:
            return
        validate_values(chart, values, tenant=tenant)
        if key:
            self._valid.add(key)


def list_invalid(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return the tenants that a rollout cannot begin with."""
    return [item for item in candidates if item.standing is Standing.INVALID]
