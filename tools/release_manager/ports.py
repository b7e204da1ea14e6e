"""What operations need from the outside, as Protocols.

Each port has a client in ``clients`` and a double in ``tests/unit/fakes``; one contract
test runs against both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from .chart import Chart
from .rollout.journal import Journal
from .tenant import Claim, Hold, Holder, Revision, RevisionBody, RevisionLabels, RolloutWorker
from .workload import Container, Event, Pod, Workload

if TYPE_CHECKING:
    # What counts room is loaded where somebody asks for it.
    from .infrastructure.scheduling import ClusterNode

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Clock:
    """What waits are measured with; a test passes one that only sleeping moves."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class RunOptions:
    """How an operation that changes something is run.

    workloads: a watch that many waits share; without one, each asks for itself.
    """

    timeout_seconds: float
    progress: Progress
    is_waiting: bool = True
    clock: Clock = field(default_factory=Clock)
    workloads: Workloads | None = None


@dataclass(frozen=True)
class Deployment:
    """One ``helm upgrade --install``: what to deploy, and the labels of its revision.

    is_forcing: take back fields that another program has set on the objects. is_install: whether
    there may be no release yet; an upgrade does not bring back one that somebody uninstalls.
    """

    slug: str
    chart: Chart
    values: dict[str, Any] = field(repr=False)
    labels: RevisionLabels
    timeout_seconds: float
    is_forcing: bool = False
    is_install: bool = True


class Charts(Protocol):
    """Where charts come from."""

    def load(self, reference: str) -> Chart:
        """Read a folder, a package or an ``oci://`` reference. Raises ChartNotFoundError."""
        ...

    def pack(self, chart: Chart) -> bytes:
        """Return a package of a chart that was loaded. Raises ChartNotFoundError."""
        ...

    def unpack(self, package: bytes) -> Chart:
        """Return the chart of a package, kept for as long as this process lives."""
        ...


class Releases(Protocol):
    """The Helm releases of one namespace: reads by the API, writes by Helm."""

    def list_latest(self) -> Sequence[Revision]:
        """Return the latest revision of every tenant, by slug, from one metadata-only LIST."""
        ...

    def list_current(self) -> Mapping[str, Sequence[Revision]]:
        """Return, by slug, all revisions that no later one supersedes, oldest first.

        Costs one metadata-only LIST for the whole fleet.
        """
        ...

    def list_revisions(self, slug: str) -> Sequence[Revision]:
        """Return a tenant's revisions, oldest first; empty when it has none."""
        ...

    def has_revision(self, slug: str, number: int) -> bool:
        """Return whether a tenant has the revision of that number. Costs less than a list."""
        ...

    def read_body(self, revision: Revision) -> RevisionBody:
        """Return what only the body tells. Raises RevisionNotFoundError."""
        ...

    def deploy(self, deployment: Deployment) -> Sequence[str]:
        """Install or upgrade, without waiting for pods; return the chart's warnings."""
        ...

    def render(self, slug: str, chart: Chart, values: dict[str, Any]) -> str:
        """Return the manifest Helm would send; needs no cluster."""
        ...

    def rollback(self, slug: str, number: int, *, timeout_seconds: float) -> None:
        """Restore revision ``number`` as a new revision, without waiting for pods."""
        ...

    def uninstall(self, slug: str, *, timeout_seconds: float) -> None:
        """Remove the release; what the chart marks as kept stays."""
        ...

    def extract_chart(self, revision: Revision) -> Chart:
        """Return the chart that a revision carries in its body. Raises RevisionNotFoundError."""
        ...

    def mark_failed(self, revision: Revision, *, reason: str) -> None:
        """Set a revision to failed, unless it has changed since it was read.

        Its description becomes ``failed: reason``.

        Raises ChangedMeanwhileError.
        """
        ...

    def forget(self, revision: Revision) -> None:
        """Remove a revision from the history, unless it is gone already."""
        ...

    def relabel(self, slug: str, number: int, labels: RevisionLabels) -> None:
        """Write other labels on a revision: helm gives a rollback those of its target."""
        ...

    def interrupt(self) -> None:
        """End every helm that runs now; those that cannot be ended safely are left to finish."""
        ...


class Workloads(Protocol):
    """Tenants' Deployments, as whoever waits for them sees them."""

    def read(self, slug: str) -> Workload | None:
        """Return a tenant's Deployment, or None. Raises ClusterUnreachableError."""
        ...

    def refresh(self, slug: str) -> None:
        """See to it that ``read`` shows at least what there is now."""
        ...

    def wait(self, slug: str, seconds: float) -> None:
        """Return when the Deployment may have changed, at the latest after so long."""
        ...


class Cluster(Protocol):
    """The Kubernetes objects of one namespace, beside the releases themselves."""

    def require_namespace(self) -> None:
        """Raise NamespaceNotFoundError when the namespace does not exist."""
        ...

    def now(self) -> datetime:
        """Return the time by the API server's clock."""
        ...

    def list_workloads(self, selector: str = "") -> Sequence[Workload]:
        """Return the Deployments of all tenants, or of those that a label selector matches."""
        ...

    def watch_workloads(self) -> AbstractContextManager[Workloads]:
        """Follow the Deployments of all tenants, in one watch, while the context lasts."""
        ...

    def read_workload(self, slug: str) -> Workload | None:
        """Return a tenant's Deployment, or None."""
        ...

    def list_pods(self, slug: str | None = None) -> dict[str, Sequence[Pod]]:
        """Return the pods of one tenant or of all, by slug, oldest first."""
        ...

    def list_job_pods(self, job: str) -> Sequence[Pod]:
        """Return the pods of a Job, oldest first."""
        ...

    def list_events(self, slug: str) -> Sequence[Event]:
        """Return the events about a tenant's objects, oldest first."""
        ...

    def list_all_events(self) -> Sequence[Event]:
        """Return the events about everything in the namespace, oldest first."""
        ...

    def list_pod_events(self, pod: Pod) -> Sequence[Event]:
        """Return the events about one pod, and its claims while no node has it, oldest first."""
        ...

    def read_log_tail(self, pod: Pod, container: Container, *, lines: int) -> Sequence[str]:
        """Return the last lines of a container's last run that ended; empty without any."""
        ...

    def read_config_maps(self, names: Sequence[str]) -> dict[str, str]:
        """Return what the named ConfigMaps hold, by key, as far as they may be read."""
        ...

    def read_node_outage(self, node: str) -> datetime | None:
        """Return since when a node has not been ready; None when it is or may not be read."""
        ...

    def has_volume(self, slug: str) -> bool:
        """Return whether the tenant's PersistentVolumeClaim exists."""
        ...

    def delete_volume(self, slug: str) -> bool:
        """Delete a tenant's PersistentVolumeClaim; False when there was none."""
        ...


@dataclass(frozen=True)
class TokenSecret:
    """A tenant's token Secret. previous: the token before, while a rotation is under way."""

    token: str = field(repr=False)
    previous: str | None = field(repr=False)
    revision: int
    resource_version: str


@dataclass(frozen=True)
class Secret:
    """A Secret that several share: text by key.

    resource_version: of the read, which makes an update a compare-and-swap.
    """

    name: str
    data: Mapping[str, str] = field(repr=False)
    resource_version: str = ""


class Secrets(Protocol):
    """The Secrets of one namespace: tenants' tokens, and what the parts share."""

    def read(self, name: str) -> Secret | None:
        """Return a Secret, or None."""
        ...

    def create(self, secret: Secret) -> bool:
        """Create a Secret; False when there is one of that name already."""
        ...

    def update(self, secret: Secret) -> None:
        """Replace all that a Secret holds. Raises ChangedMeanwhileError."""
        ...

    def delete(self, name: str) -> bool:
        """Delete a Secret; False when there was none."""
        ...

    def read_token(self, slug: str) -> TokenSecret | None:
        """Return the tenant's token, or None."""
        ...

    def create_token(self, slug: str, token: str) -> bool:
        """Create the Secret; False when there is one already."""
        ...

    def update_token(self, slug: str, secret: TokenSecret) -> None:
        """Replace the Secret's content. Raises ChangedMeanwhileError."""
        ...

    def delete_token(self, slug: str) -> bool:
        """Delete the Secret; False when there was none."""
        ...

    def list_values(self, names: Sequence[str]) -> Sequence[str]:
        """Return everything that the named Secrets hold, so that it can be redacted."""
        ...

    def exists(self, name: str) -> bool:
        """Return whether a Secret of that name exists."""
        ...

    def has_secret(self, name: str, key: str) -> bool:
        """Return whether a Secret of that name has that key."""
        ...


class Liveness(Protocol):
    """Tells which release-manager processes are alive, and that this one is."""

    def hold(self) -> AbstractContextManager[str]:
        """Make this process visible while the context lasts; gives its id."""
        ...

    def claim(self, slug: str, writer: str) -> AbstractContextManager[Claim | None]:
        """Keep other processes off one tenant while the context lasts.

        writer: what ``hold`` gave. Gives the claim of a dead process that this one replaced,
        the only trace of who had begun what is still pending. Raises ReleaseBusyError.
        """
        ...

    def claim_rollouts(self, writer: str, rollout: str) -> AbstractContextManager[None]:
        """Keep other rollouts off this namespace while the context lasts.

        Raises ReleaseBusyError naming the rollout that is under way.
        """
        ...

    def require_rollouts(self, writer: str) -> None:
        """Make sure that nobody has taken over what ``claim_rollouts`` gave.

        Raises LeaseLostError.
        """
        ...

    def read_rollouts(self) -> RolloutWorker | None:
        """Return the process that has claimed rollouts and is alive, or None."""
        ...

    def identity(self) -> str:
        """Return who runs this process, and where."""
        ...

    def read_claim(self, slug: str) -> Claim | None:
        """Return who has the tenant, or had it when it died."""
        ...

    def list_alive(self) -> dict[str, Holder]:
        """Return the processes that are alive, by id."""
        ...


class Holds(Protocol):
    """The tenants that fleet upgrades leave alone."""

    def list(self) -> Sequence[Hold]:
        """Return every hold, by slug."""
        ...

    def put(self, slug: str, reason: str) -> bool:
        """Hold a tenant; False when it was held already, and only the reason is new."""
        ...

    def remove(self, slug: str) -> bool:
        """End a hold; False when there was none."""
        ...


class Journals(Protocol):
    """The journals of rollouts."""

    def create(self, journal: Journal, chart: bytes) -> None:
        """Write a new journal, and the chart that its rollout goes to."""
        ...

    def save(self, journal: Journal) -> None:
        """Write what became of a rollout. Only who has claimed rollouts may."""
        ...

    def read(self, id: str) -> Journal | None:
        """Return a journal, or None."""
        ...

    def list(self) -> Sequence[Journal]:
        """Return all journals, newest first."""
        ...

    def read_chart(self, id: str) -> bytes:
        """Return the package of the chart. Raises RolloutNotFoundError."""
        ...

    def request_end(self, id: str, by: str) -> None:
        """Ask the process that is at work on a rollout to end it; nobody (empty) does not."""
        ...

    def read_request(self, id: str) -> str:
        """Return who asked for a rollout's end; empty when nobody did."""
        ...

    def remove(self, id: str) -> None:
        """Remove a journal and its chart."""
        ...


class Nodes(Protocol):
    """The nodes of the whole cluster, and what the pods on them request."""

    def list(self) -> Sequence[ClusterNode]:
        """Return every node, by name. Raises ForbiddenError.

        Of pods those count that are on a node and not over, in all namespaces.
        """
        ...


@dataclass(frozen=True)
class Ports:
    """All that an operation on tenants works with."""

    releases: Releases
    cluster: Cluster
    secrets: Secrets
    liveness: Liveness
    charts: Charts
    holds: Holds
    journals: Journals
    nodes: Nodes


@dataclass(frozen=True)
class Condition:
    """Whether an object that another controller looks after is ready, and why not."""

    kind: str
    name: str
    is_ready: bool
    reason: str = ""


class Surroundings(Protocol):
    """What the parts find, and need, beside their releases."""

    def read_namespace_labels(self) -> Mapping[str, str] | None:
        """Return the labels of the namespace, or None where it does not exist."""
        ...

    def create_namespace(self, labels: Mapping[str, str]) -> bool:
        """Create the namespace; False when it is there already."""
        ...

    def label_namespace(self, labels: Mapping[str, str]) -> None:
        """Write labels on the namespace, and keep its others."""
        ...

    def find_release_of(self, definition: str) -> tuple[str, str] | None:
        """Return namespace and name of the Helm release that a CustomResourceDefinition is of.

        Both are empty where it is of none, or may not be read; None where it is not there.
        """
        ...

    def find_certificates_problem(self) -> str:
        """Return why cert-manager's API does not take objects yet; empty when it does."""
        ...

    def list_conditions(self) -> Sequence[Condition]:
        """Return the issuers and certificates of the platform, in whatever namespace."""
        ...


class JobState(StrEnum):
    """How far a Job is."""

    ACTIVE = "active"
    COMPLETE = "complete"
    FAILED = "failed"


@dataclass(frozen=True)
class Job:
    """One run of a CronJob's template. reason: why it failed, in Kubernetes' words."""

    name: str
    state: JobState
    created_at: datetime
    reason: str = ""


@dataclass(frozen=True)
class Schedule:
    """A CronJob. last_success: when a run of it last succeeded, if one ever did.

    alert_after_hours: how long the last success may be ago; 0 where nobody said.
    """

    name: str
    schedule: str
    is_suspended: bool
    created_at: datetime
    last_success: datetime | None
    alert_after_hours: int


class Jobs(Protocol):
    """The CronJobs of one namespace, and the Jobs that are made from them."""

    def read_schedule(self, name: str) -> Schedule | None:
        """Return a CronJob, or None."""
        ...

    def start(self, template: str, environment: Mapping[str, str]) -> str:
        """Make a Job from a CronJob's template; return its name.

        environment: for all of its containers, beside what the template says; nothing secret.
        Raises JobTemplateNotFoundError.
        """
        ...

    def read(self, name: str) -> Job | None:
        """Return a Job, or None."""
        ...

    def list(self, template: str) -> Sequence[Job]:
        """Return the Jobs made from a CronJob, by it or by anybody, newest first."""
        ...

    def read_output(self, name: str) -> Sequence[str]:
        """Return the lines that the containers of a Job's newest pod have printed so far.

        Empty where it has no pod. Raises ClusterUnavailableError, OperationFailedError.
        """
        ...


@dataclass(frozen=True)
class Site:
    """All that operations on the parts work with. elsewhere: the same in another namespace."""

    ports: Ports
    surroundings: Surroundings
    jobs: Jobs
    elsewhere: Callable[[str], Site]
