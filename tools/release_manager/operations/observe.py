"""Looking at one tenant, and making sure that nobody else is working on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ..diagnosis import Diagnosis
from ..errors import ChangedMeanwhileError, ReleaseBusyError, TenantNotFoundError
from ..part import PARTS, name_command
from ..ports import Ports, RunOptions
from ..state import TenantState, Verdict, determine_state, find_writer
from ..tenant import Claim, Holder, ReleaseStatus, Revision
from ..workload import Workload
from .investigation import Investigation

# Why a revision was marked failed that helm did not get through with: nothing is known of what
# it would have come to.
HELM_KILLED, PROCESS_DIED = "its helm was killed", "its release-manager process died"
CUT_OFF = (HELM_KILLED, PROCESS_DIED, "the process that was changing it is gone")


@dataclass(frozen=True)
class Observation:
    """One tenant as it was seen. revisions: oldest first, empty when there is no release."""

    slug: str
    revisions: Sequence[Revision]
    workload: Workload | None
    alive: Mapping[str, Holder]
    now: datetime
    claim: Claim | None = None

    @property
    def latest(self) -> Revision | None:
        """The latest revision, unless the release was uninstalled."""
        last = self.revisions[-1] if self.revisions else None
        is_gone = last is not None and last.status is ReleaseStatus.UNINSTALLED
        return None if is_gone else last

    @property
    def deployed(self) -> Revision | None:
        """The revision that Helm considers deployed: the one that a failure returns to."""
        found = [item for item in self.revisions if item.status is ReleaseStatus.DEPLOYED]
        return found[-1] if found else None

    @property
    def base(self) -> Revision | None:
        """The revision whose values the next one continues."""
        return self.deployed or self.latest

    @property
    def next_number(self) -> int:
        """The number that Helm gives to the next revision."""
        return self.revisions[-1].number + 1 if self.revisions else 1

    def verdict(self) -> Verdict:
        """Return the tenant's state without looking at its pods."""
        latest = require_release(self)
        return determine_state(
            latest,
            self.workload,
            alive=self.alive,
            now=self.now,
            claim=self.claim,
        )


def observe_tenant(
    ports: Ports,
    slug: str,
    *,
    read_claim: Callable[[str], Claim | None] | None = None,
    read_workload: Callable[[str], Workload | None] | None = None,
) -> Observation:
    """Read a tenant's revisions and Deployment, and who is at work on it.

    read_claim: for a process that has the tenant itself, who had it before. read_workload: for
    one that watches all of them.
    """
    read_claim = read_claim or ports.liveness.read_claim
    read_workload = read_workload or ports.cluster.read_workload
    revisions = ports.releases.list_revisions(slug)
    is_in_progress = bool(revisions) and revisions[-1].status.is_in_progress
    return Observation(
        slug=slug,
        revisions=revisions,
        workload=read_workload(slug),
        alive=ports.liveness.list_alive() if is_in_progress else {},
        now=ports.cluster.now(),
        claim=read_claim(slug) if is_in_progress else None,
    )


def find_later_revision(ports: Ports, slug: str, number: int) -> int | None:
    """Return the number of the latest revision where there is one after ``number``."""
    # Helm counts without gaps, and a list of one tenant's revisions goes through those of all.
    if not ports.releases.has_revision(slug, number + 1):
        return None
    revisions = ports.releases.list_revisions(slug)
    return max((revision.number for revision in revisions), default=number + 1)


def require_release(observation: Observation) -> Revision:
    """Return the latest revision. Raises TenantNotFoundError when there is no release."""
    if observation.latest is None:
        install = f"nstall it with '{name_command('install', observation.slug)}'"
        if observation.slug in PARTS:
            raise TenantNotFoundError(
                "it is not installed", remedy=f"I{install}", tenant=observation.slug
            )
        raise TenantNotFoundError(
            "there is no such tenant",
            remedy=f"See 'release-manager list-tenants', or i{install}",
            tenant=observation.slug,
        )
    return observation.latest


def judge_pending(observation: Observation) -> Verdict | None:
    """Return why a release cannot be worked on now: somebody is, or what they left is not ours.

    A pending revision of a hand-run helm, and an uninstall that was cut off, stay in the way
    when they are old: only ``recover-tenant`` repairs those. What a dead process of ours
    left pending passes, for ``repair_stuck``.
    """
    latest = observation.latest
    if latest is None or not latest.status.is_in_progress:
        return None
    verdict = observation.verdict()
    # The labels of a release that is being uninstalled tell who wrote it, not who removes it.
    is_ours = find_writer(latest, observation.claim) is not None
    is_uninstall = latest.status is ReleaseStatus.UNINSTALLING
    is_in_the_way = verdict.state is TenantState.BUSY or not is_ours or is_uninstall
    return verdict if is_in_the_way else None


def refuse_busy(observation: Observation) -> None:
    """Raise ReleaseBusyError where ``judge_pending`` finds something in the way."""
    verdict = judge_pending(observation)
    if verdict is None:
        return
    slug = observation.slug
    if verdict.state is TenantState.BUSY:
        raise ReleaseBusyError(
            f"it is busy: {verdict.reason}",
            remedy=f"Wait for it; after a crash '{name_command('recover', slug)}' repairs it",
            tenant=slug,
        )
    raise ReleaseBusyError(
        f"it is stuck: {verdict.reason}",
        remedy=f"Repair it with '{name_command('recover', slug)}'",
        tenant=slug,
    )


def repair_stuck(ports: Ports, observation: Observation, run: RunOptions) -> Observation:
    """Set to failed what a dead process of ours left pending; return how it looks then.

    The caller must have passed ``refuse_busy``.
    """
    latest = observation.latest
    if latest is None or not latest.status.value.startswith("pending-"):
        return observation
    run.progress(f"revision {latest.number} was left pending by a process that died: set to failed")
    try:
        ports.releases.mark_failed(latest, reason=PROCESS_DIED)
    except ChangedMeanwhileError:
        # Its helm ends with the process, a moment later, and has set it to failed itself.
        run.progress(f"revision {latest.number} has ended meanwhile")
    repaired = observe_tenant(ports, observation.slug)
    refuse_busy(repaired)
    return repaired


def diagnose_tenant(ports: Ports, workload: Workload | None, slug: str) -> Diagnosis | None:
    """Return why a tenant's pods are not ready, asking for events and logs as needed."""
    pods = ports.cluster.list_pods(slug).get(slug, ())
    return Investigation(ports).diagnose(workload, pods)
