"""Doubles of the ports, in memory: a cluster whose Helm, pods and clock a test controls.

They keep to what ``tests/contracts.py`` demands of the real clients, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml

from release_manager.chart import Chart, build_digest
from release_manager.errors import (
    ChangedMeanwhileError,
    ChartNotFoundError,
    ClusterUnreachableError,
    ForbiddenError,
    HelmFailedError,
    InvalidValuesError,
    LeaseLostError,
    NamespaceNotFoundError,
    OperationFailedError,
    ReleaseBusyError,
    RevisionNotFoundError,
    RolloutNotFoundError,
    TenantNotFoundError,
)
from release_manager.infrastructure.capacity import Footprint
from release_manager.infrastructure.scheduling import ClusterNode, read_demand
from release_manager.operations.deploy import Result
from release_manager.operations.install import install_tenant
from release_manager.operations.upgrade import UpgradeRequest, upgrade_tenant
from release_manager.part import PARTS
from release_manager.ports import (
    Clock,
    Deployment,
    Ports,
    RunOptions,
    Secret,
    TokenSecret,
    Workloads,
)
from release_manager.rollout.journal import Journal
from release_manager.settings import Settings
from release_manager.tenant import (
    Claim,
    Hold,
    Holder,
    ReleaseStatus,
    Revision,
    RevisionBody,
    RevisionLabels,
    RolloutWorker,
    Target,
)
from release_manager.values import coalesce_values, merge_values
from release_manager.workload import Container, Environment, Event, Pod, Workload

START = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)

_DEFAULT_VALUES: dict[str, Any] = {
    "slug": "",
    "domain": "wareit.ai",
    "host": "",
    "replicas": 1,
    "image": {"registry": "registry.wareit.ai", "repository": "aware-gateway", "tag": ""},
    "token": {"existingSecret": "", "key": "token", "revision": ""},
    "persistence": {"enabled": False},
    "resources": {
        "requests": {"cpu": "50m", "memory": "64Mi"},
        "limits": {"cpu": "250m", "memory": "256Mi"},
    },
    "nodeSelector": {},
    "tolerations": [],
    "env": {},
    "releaseManager": {},
}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "slug": {"type": "string"},
        "domain": {"type": "string"},
        "host": {"type": "string"},
        "replicas": {"type": "integer", "minimum": 0, "description": "a number of pods"},
        "image": {"type": "object", "additionalProperties": {"type": "string"}},
        "token": {"type": "object", "additionalProperties": {"type": "string"}},
        "persistence": {"type": "object", "properties": {"enabled": {"type": "boolean"}}},
        "resources": {"type": "object"},
        "nodeSelector": {"type": "object"},
        "tolerations": {"type": "array"},
        "env": {"type": "object", "additionalProperties": {"type": "string"}},
        "releaseManager": {"type": "object"},
    },
}


def build_chart(version: str = "0.1.0", **default_values: Any) -> Chart:
    """Return a chart with the values of the real one that operations know about."""
    values = merge_values(_DEFAULT_VALUES, default_values)
    return Chart(
        name="aware-tenant",
        version=version,
        reference=f"aware-tenant-{version}.tgz",
        digest=build_digest(version, values),
        default_values=values,
        schema=_SCHEMA,
        profiles={"default": {}, "openclaw": {"env": {"NODE_OPTIONS": "--max-old-space-size=512"}}},
    )


def missing_image(tag: str) -> str:
    """Return the sentence about an image that ``FakeCluster.break_image`` broke."""
    return (
        f"image registry.wareit.ai/aware-gateway:{tag} cannot be pulled: its registry "
        "registry.wareit.ai has no such image; push it, or correct image.repository and image.tag"
    )


class ManagerKilled(BaseException):
    """``kill -9`` while Helm was at work: nothing that follows in the process runs."""


class FakeClock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self._now = START

    def now(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)

    def as_clock(self) -> Clock:
        return Clock(monotonic=lambda: self.now().timestamp(), sleep=self.advance)


class FakeCharts:
    """Port ``Charts``: charts by reference."""

    def __init__(self, **charts: Chart) -> None:
        self.by_reference: dict[str, Chart] = dict(charts)

    def load(self, reference: str) -> Chart:
        try:
            return self.by_reference[reference]
        except KeyError:
            raise ChartNotFoundError(
                f"field chart: {reference} is no chart", remedy="Name a chart"
            ) from None

    def pack(self, chart: Chart) -> bytes:
        self.by_reference[chart.digest] = chart
        return chart.digest.encode()

    def unpack(self, package: bytes) -> Chart:
        return self.load(package.decode())


@dataclass(frozen=True)
class _Applied:
    """A tenant's Deployment: the values it was applied with, and since when its pods start."""

    chart: Chart
    values: dict[str, Any]
    spec_replicas: int
    pods_since: datetime
    generation: int
    applied_at: datetime = START
    has_settled: bool = False

    @property
    def image(self) -> str:
        image = self.values["image"]
        return f"{image['registry']}/{image['repository']}:{image['tag'] or '2026.9.6'}"

    @property
    def pod_template(self) -> object:
        """What restarts the pods when it changes."""
        return self.image, self.values["env"], self.values["token"]


class FakeCluster:
    """Port ``Cluster``. Pods get ready ``start_seconds`` after they were made.

    sick_images: by tag, what the container of such an image shows for ever. restarted: how the
    others show that they have ended before. stop_seconds: how
    long the pods of a tenant that is stopped go on. missed_deadline_at: when the condition
    of a rollout that missed its deadline was written. scheduling_message: why no node takes
    a pod. foreign_fields: by slug. selected: slugs by label selector. node_outages: since when.
    reads: what explains failures and was asked for, in order.
    """

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._applied: dict[str, _Applied] = {}
        self.is_namespace_there = True
        self.start_seconds = 2.0
        self.stop_seconds = 0.0
        self.scheduling_message = ""
        self.missed_deadline_at: datetime | None = None
        self.foreign_fields: dict[str, tuple[str, ...]] = {}
        self.sick_images: dict[str, Container] = {}
        self.restarted: dict[str, Any] = {}
        self.failure_message = ""
        self.events: list[Event] = []
        self.logs: dict[str, list[str]] = {}
        self.config_maps: dict[str, dict[str, str]] = {}
        self.node_outages: dict[str, datetime] = {}
        self.volumes: set[str] = set()
        self.selected: dict[str, set[str]] = {}
        self.job_pods: dict[str, list[Pod]] = {}
        self.pod_lists = 0
        self.reads: list[str] = []

    # What a test does by hand.

    def break_image(self, tag: str, **container: Any) -> None:
        """Let containers with this image tag never get ready: without more, there is no image."""
        image = f"registry.wareit.ai/aware-gateway:{tag}"
        missing = {"waiting_reason": "ImagePullBackOff", "waiting_message": f"{image}: not found"}
        shown = container if "waiting_reason" in container else {**missing, **container}
        self.sick_images[tag] = Container(
            name="gateway",
            image=image,
            is_ready=False,
            restarts=shown.pop("restarts", 0),
            **shown,
        )

    def scale(self, slug: str, replicas: int) -> None:
        """``kubectl scale``."""
        self._applied[slug] = replace(self._applied[slug], spec_replicas=replicas)

    def delete_workload(self, slug: str) -> None:
        """``kubectl delete deployment``."""
        self._applied.pop(slug, None)

    # What Helm does.

    def apply(self, slug: str, chart: Chart, values: dict[str, Any]) -> None:
        seen = coalesce_values(chart.default_values, values)
        old = self._applied.get(slug)
        now = self._clock.now()
        new = _Applied(chart, seen, seen["replicas"], now, 1, applied_at=now)
        if old is not None and old.pod_template == new.pod_template:
            is_growing = new.spec_replicas > old.spec_replicas
            since = new.pods_since if is_growing else old.pods_since
            generation = old.generation + is_growing
            new = replace(new, pods_since=since, generation=generation, has_settled=old.has_settled)
        elif old is not None:
            new = replace(new, generation=old.generation + 1)
        self._applied[slug] = new
        if seen["persistence"]["enabled"]:
            self.volumes.add(slug)

    # The port.

    def require_namespace(self) -> None:
        if not self.is_namespace_there:
            raise NamespaceNotFoundError(
                "field namespace: there is no namespace 'aware'", remedy="Create it"
            )

    def now(self) -> datetime:
        return self._clock.now()

    def list_workloads(self, selector: str = "") -> Sequence[Workload]:
        own = {f"tenant={slug}": {slug} for slug in self._applied}
        chosen = {**own, **self.selected}.get(selector, set()) if selector else self._applied
        return [self._show(slug, self._applied[slug]) for slug in sorted(chosen)]

    @contextmanager
    def watch_workloads(self) -> Iterator[Workloads]:
        yield FakeWorkloads(self, self._clock)

    def read_workload(self, slug: str) -> Workload | None:
        applied = self._applied.get(slug)
        return self._show(slug, applied) if applied is not None else None

    def list_pods(self, slug: str | None = None) -> dict[str, Sequence[Pod]]:
        self.pod_lists += 1
        wanted = sorted(self._applied) if slug is None else [slug]
        pods = {name: self._show_pods(name) for name in wanted if name in self._applied}
        return {name: found for name, found in pods.items() if found}

    def list_job_pods(self, job: str) -> Sequence[Pod]:
        return self.job_pods.get(job, [])

    def list_all_events(self) -> Sequence[Event]:
        self.reads.append("events")
        return list(self.events)

    def list_pod_events(self, pod: Pod) -> Sequence[Event]:
        self.reads.append(f"events of {pod.name}")
        return [event for event in self.events if event.name in (pod.name, *pod.claims)]

    def list_events(self, slug: str) -> Sequence[Event]:
        return [event for event in self.events if Target(slug).release in event.name]

    def read_log_tail(self, pod: Pod, container: Container, *, lines: int) -> Sequence[str]:
        self.reads.append(f"log of {pod.name}")
        return self.logs.get(pod.name.rpartition("-")[0], [])[-lines:]

    def read_config_maps(self, names: Sequence[str]) -> dict[str, str]:
        self.reads += [f"ConfigMap {name}" for name in names]
        found = [self.config_maps.get(name, {}) for name in names]
        return {key: value for data in found for key, value in data.items()}

    def read_node_outage(self, node: str) -> datetime | None:
        self.reads.append(f"node {node}")
        return self.node_outages.get(node)

    def list_footprints(self) -> dict[str, Footprint]:
        """What the pods of each tenant request, by slug."""
        return {
            slug: read_demand(applied.values).pod.multiply(count, pods=count)
            for slug, applied in self._applied.items()
            if (count := applied.spec_replicas)
        }

    def has_volume(self, slug: str) -> bool:
        return slug in self.volumes

    def delete_volume(self, slug: str) -> bool:
        has_been_there = slug in self.volumes
        self.volumes.discard(slug)
        return has_been_there

    def _is_ready(self, applied: _Applied) -> bool:
        if self.failure_message or applied.values["image"]["tag"] in self.sick_images:
            return False
        age = self._clock.now() - applied.pods_since
        return age >= timedelta(seconds=self.start_seconds)

    def _show(self, slug: str, applied: _Applied) -> Workload:
        is_ready = self._is_ready(applied) or not applied.spec_replicas
        stopping_for = (self._clock.now() - applied.applied_at).total_seconds()
        is_stopping = not applied.spec_replicas and stopping_for < self.stop_seconds
        if is_ready and not applied.has_settled:
            self._applied[slug] = replace(applied, has_settled=True)
        has_settled = is_ready or applied.has_settled
        reason = "NewReplicaSetAvailable" if has_settled else "ReplicaSetUpdated"
        if self.missed_deadline_at is not None:
            reason = "ProgressDeadlineExceeded"
        host = applied.values["host"] or f"{slug}.{applied.values['domain']}"
        return Workload(
            slug=slug,
            wanted_replicas=applied.values["replicas"],
            spec_replicas=applied.spec_replicas,
            ready_replicas=applied.spec_replicas if is_ready else 0,
            updated_replicas=applied.spec_replicas,
            existing_replicas=applied.spec_replicas,
            ending_replicas=int(is_stopping),
            replica_set=f"{Target(slug).release}-{applied.generation}",
            is_observed=True,
            image=applied.image,
            host=host,
            chart=f"{applied.chart.name}-{applied.chart.version}",
            progress_reason=reason,
            progress_at=self.missed_deadline_at or applied.pods_since,
            failure_message=self.failure_message,
            foreign_fields=self.foreign_fields.get(slug, ()),
            environment=_build_environment(slug, applied),
        )

    def _show_pods(self, slug: str) -> list[Pod]:
        applied = self._applied[slug]
        if self.failure_message:
            return []
        is_ready = self._is_ready(applied)
        healthy = Container("gateway", applied.image, is_ready, **{"restarts": 0, **self.restarted})
        container = self.sick_images.get(applied.values["image"]["tag"], healthy)
        is_unscheduled = bool(self.scheduling_message) and not is_ready
        return [
            Pod(
                name=f"{Target(slug).release}-{applied.generation}-{number}",
                phase="Running" if is_ready else "Pending",
                node="" if is_unscheduled else "node-0",
                is_ready=is_ready,
                is_deleting=False,
                created_at=applied.pods_since,
                uid=f"{slug}-{applied.generation}-{number}",
                template_hash=str(applied.generation),
                scheduling_message=self.scheduling_message if is_unscheduled else "",
                environment=_build_environment(slug, applied),
                containers=() if is_unscheduled else (container,),
            )
            for number in range(applied.spec_replicas)
        ]


class FakeNodes:
    """Port ``Nodes``. nodes: without the tenants' pods, which are all on the first."""

    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster = cluster
        self.nodes = [ClusterNode("node-0", memory_mib=1e6, cpu_millicores=1e6, pods=5000)]
        self.is_forbidden = False

    def list(self) -> Sequence[ClusterNode]:
        if self.is_forbidden:
            raise ForbiddenError("the API server forbids it", remedy="Bind a ClusterRole")
        tenants = self._cluster.list_footprints()
        return [replace(node, tenants=tenants) for node in self.nodes[:1]] + self.nodes[1:]


class FakeWorkloads:
    """Port ``Workloads``. Waiting lets the time pass."""

    def __init__(self, cluster: FakeCluster, clock: FakeClock) -> None:
        self._cluster = cluster
        self._clock = clock

    def read(self, slug: str) -> Workload | None:
        return self._cluster.read_workload(slug)

    def refresh(self, slug: str) -> None:
        pass

    def wait(self, slug: str, seconds: float) -> None:
        self._clock.advance(seconds)


def _build_environment(slug: str, applied: _Applied) -> Environment:
    own_secret = applied.values["token"]["existingSecret"] or Target(slug).token_secret
    return Environment(applied.values["env"], secret_names=(own_secret,))


@dataclass(frozen=True)
class _Stored:
    """A release Secret."""

    revision: Revision
    description: str
    chart: Chart
    values: dict[str, Any] = field(repr=False)


class FakeReleases:
    """Port ``Releases``, with the ways of Helm 4.

    fail_next, kill_next and lose_next decide how the next write ends; ``*_by_hand`` are an
    operator's own helm, which knows nothing of labels. writes: what was begun, in order.
    bodies: the bodies that were read, as slug and number.
    warnings: what the chart's notes warn of. deployments: what ``deploy`` was given.
    before_helm, after_helm: called once, when the next ``deploy`` begins and ends.
    """

    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster = cluster
        self._stored: dict[str, list[_Stored]] = {}
        self._uids = 0
        self._next_end: str = ""
        self.writes: list[str] = []
        self.bodies: list[tuple[str, int]] = []
        self.warnings: list[str] = []
        self.fail_before_writing = ""
        self.deployments: list[Deployment] = []
        self.before_helm: Callable[[], None] | None = None
        self.after_helm: Callable[[], None] | None = None

    # What a test does by hand.

    def fail_next(self, why: str = "the API server refused an object") -> None:
        """Let Helm fail in the middle of its next write."""
        self._next_end = why

    def kill_next(self) -> None:
        """Let Helm and the manager be killed in the middle of the next write."""
        self._next_end = "killed"

    def lose_next(self) -> None:
        """Let the API server fall silent in the middle of Helm's next write."""
        self._next_end = "lost"

    def upgrade_by_hand(
        self, slug: str, values: dict[str, Any], chart: Chart, *, is_reusing: bool = True
    ) -> None:
        """``helm upgrade --install --set``, with ``--reuse-values`` or without."""
        last = self._stored[slug][-1] if slug in self._stored else None
        old = last.values if last is not None and is_reusing else {}
        labels = last.revision.labels if last is not None else None
        self._upgrade(slug, chart, merge_values(old, values), labels)

    def kill_by_hand(self, slug: str, chart: Chart) -> None:
        """A hand-run upgrade that was killed."""
        self.kill_next()
        with suppress(ManagerKilled):
            self.upgrade_by_hand(slug, {}, chart)

    def set_status(self, slug: str, status: ReleaseStatus) -> None:
        """Put the latest revision into any status."""
        self._set_status(slug, self._stored[slug][-1].revision.number, status)

    # The port.

    def list_latest(self) -> Sequence[Revision]:
        return [found[-1] for found in self.list_current().values()]

    def list_current(self) -> Mapping[str, Sequence[Revision]]:
        superseded = ReleaseStatus.SUPERSEDED
        return {
            slug: [item.revision for item in stored if item.revision.status is not superseded]
            for slug, stored in sorted(self._stored.items())
            if slug not in PARTS
        }

    def list_revisions(self, slug: str) -> Sequence[Revision]:
        return [item.revision for item in self._stored.get(slug, ())]

    def has_revision(self, slug: str, number: int) -> bool:
        return any(revision.number == number for revision in self.list_revisions(slug))

    def read_body(self, revision: Revision) -> RevisionBody:
        self.bodies.append((revision.slug, revision.number))
        stored = self._find(revision.slug, revision.number)
        return RevisionBody(
            revision=revision,
            description=stored.description,
            chart_name=stored.chart.name,
            chart_version=stored.chart.version,
            values=stored.values,
            manifest=self.render(revision.slug, stored.chart, stored.values),
        )

    def extract_chart(self, revision: Revision) -> Chart:
        # Helm keeps values and schema parsed: what comes out has other bytes, no profiles.
        chart = self._find(revision.slug, revision.number).chart
        return replace(chart, digest=f"extracted-{chart.digest}", profiles={})

    def deploy(self, deployment: Deployment) -> Sequence[str]:
        slug, chart, values = deployment.slug, deployment.chart, deployment.values
        self.deployments.append(deployment)
        before, self.before_helm = self.before_helm, None
        after, self.after_helm = self.after_helm, None
        if before is not None:
            before()
        self.render(slug, chart, values)
        if self.fail_before_writing:
            raise HelmFailedError(f"helm failed: {self.fail_before_writing}", remedy="See why")
        self._upgrade(slug, chart, values, deployment.labels)
        if deployment.is_forcing:
            self._cluster.foreign_fields.pop(slug, None)
        if after is not None:
            after()
        return list(self.warnings)

    def render(self, slug: str, chart: Chart, values: dict[str, Any]) -> str:
        seen = coalesce_values(chart.default_values, values)
        seen.pop("releaseManager", None)
        if not (seen["host"] or seen["domain"]).endswith(seen["domain"]):
            raise InvalidValuesError(
                f'host "{seen["host"]}" is outside domain "{seen["domain"]}"',
                remedy="Correct the values",
                tenant=slug,
            )
        if seen["persistence"]["enabled"] and seen["replicas"] > 1:
            raise InvalidValuesError(
                f"replicas is {seen['replicas']}, but a volume has one writer",
                remedy="Correct the values",
                tenant=slug,
            )
        metadata = {"name": Target(slug).release, "chart": chart.version}
        return f"---\n{yaml.safe_dump({'kind': 'Deployment', 'metadata': metadata, **seen})}"

    def rollback(self, slug: str, number: int, *, timeout_seconds: float) -> None:
        if slug not in self._stored:
            raise TenantNotFoundError("there is no such release", remedy="List them", tenant=slug)
        target = self._find(slug, number)
        current = self._stored[slug][-1].revision
        added = self._append(
            slug,
            ReleaseStatus.PENDING_ROLLBACK,
            target.chart,
            target.values,
            target.revision.labels,
            description=f"Rollback to {number}",
        )
        self._end(added, failing=[current.number], superseded=self._numbers_deployed(slug))

    def uninstall(self, slug: str, *, timeout_seconds: float) -> None:
        if slug not in self._stored:
            raise TenantNotFoundError("there is no such release", remedy="List them", tenant=slug)
        self.writes.append(f"uninstall {slug}")
        self.set_status(slug, ReleaseStatus.UNINSTALLING)
        self._die_or_fail()
        self._cluster.delete_workload(slug)
        del self._stored[slug]

    def mark_failed(self, revision: Revision, *, reason: str) -> None:
        stored = self._find(revision.slug, revision.number)
        if stored.revision.status is not revision.status:
            raise ChangedMeanwhileError(
                f"revision {revision.number} was changed by somebody else just now",
                remedy="Look again",
                tenant=revision.slug,
            )
        self._set_status(revision.slug, revision.number, ReleaseStatus.FAILED, f"failed: {reason}")

    def forget(self, revision: Revision) -> None:
        stored = self._stored[revision.slug]
        kept = [item for item in stored if item.revision.uid != revision.uid]
        self._stored[revision.slug] = kept

    def relabel(self, slug: str, number: int, labels: RevisionLabels) -> None:
        stored = self._find(slug, number)
        history = self._stored[slug]
        changed = replace(stored, revision=replace(stored.revision, labels=labels))
        history[history.index(stored)] = changed

    def interrupt(self) -> None:
        self.writes.append("interrupt")

    # Helm inside.

    def _upgrade(
        self, slug: str, chart: Chart, values: dict[str, Any], labels: RevisionLabels | None
    ) -> None:
        last = self._stored[slug][-1].revision if slug in self._stored else None
        if last is None:
            status = ReleaseStatus.PENDING_INSTALL
        elif last.status is ReleaseStatus.UNINSTALLING:
            raise HelmFailedError(
                f"helm failed: {slug} has no deployed releases", remedy="Look", tenant=slug
            )
        elif last.status.is_in_progress:
            raise ReleaseBusyError(
                "another Helm operation is under way", remedy="Wait for it", tenant=slug
            )
        else:
            status = ReleaseStatus.PENDING_UPGRADE
        # With nothing deployed Helm upgrades from the last revision, even a failed one.
        before = self._numbers_deployed(slug) or ([last.number] if last else [])
        added = self._append(slug, status, chart, values, labels, description="Preparing upgrade")
        done = "Install complete" if last is None else "Upgrade complete"
        self._end(added, failing=[], superseded=before, description=done)

    def _append(
        self,
        slug: str,
        status: ReleaseStatus,
        chart: Chart,
        values: dict[str, Any],
        labels: RevisionLabels | None,
        *,
        description: str,
    ) -> _Stored:
        history = self._stored.setdefault(slug, [])
        number = history[-1].revision.number + 1 if history else 1
        now = self._cluster.now()
        self._uids += 1
        revision = Revision(slug, number, status, now, now, labels, uid=f"uid-{self._uids}")
        added = _Stored(revision, description, chart, merge_values(values))
        history.append(added)
        self.writes.append(f"{status.value} {slug}")
        return added

    def _end(
        self,
        added: _Stored,
        *,
        failing: list[int],
        superseded: list[int],
        description: str | None = None,
    ) -> None:
        slug, number = added.revision.slug, added.revision.number
        try:
            self._die_or_fail()
        except OperationFailedError:
            self._set_status(slug, number, ReleaseStatus.FAILED, "failed")
            for other in failing:
                self._set_status(slug, other, ReleaseStatus.SUPERSEDED)
            raise
        self._cluster.apply(slug, added.chart, added.values)
        for other in superseded:
            self._set_status(slug, other, ReleaseStatus.SUPERSEDED)
        self._set_status(slug, number, ReleaseStatus.DEPLOYED, description)

    def _die_or_fail(self) -> None:
        how, self._next_end = self._next_end, ""
        if how == "killed":
            raise ManagerKilled
        if how == "lost":
            raise ClusterUnreachableError("no answer from the API server", remedy="Check it")
        if how:
            raise HelmFailedError(f"helm failed: {how}", remedy="See what it says")

    def _numbers_deployed(self, slug: str) -> list[int]:
        deployed = ReleaseStatus.DEPLOYED
        return [
            item.revision.number
            for item in self._stored.get(slug, ())
            if item.revision.status is deployed
        ]

    def _find(self, slug: str, number: int) -> _Stored:
        for item in self._stored.get(slug, ()):
            if item.revision.number == number:
                return item
        raise RevisionNotFoundError(
            f"revision {number} is no longer there", remedy="See the history", tenant=slug
        )

    def _set_status(
        self, slug: str, number: int, status: ReleaseStatus, description: str | None = None
    ) -> None:
        stored = self._find(slug, number)
        changed = replace(
            stored,
            revision=replace(stored.revision, status=status, changed_at=self._cluster.now()),
            description=stored.description if description is None else description,
        )
        history = self._stored[slug]
        history[history.index(stored)] = changed


class FakeSecrets:
    """Port ``Secrets``. others: Secrets of somebody else, as (name, key).

    before_create: called once, when the next Secret is created.
    """

    def __init__(self) -> None:
        self._tokens: dict[str, TokenSecret] = {}
        self._shared: dict[str, Secret] = {}
        self.before_create: Callable[[], None] | None = None
        self._writes = 0
        self.others: set[tuple[str, str]] = set()

    def read(self, name: str) -> Secret | None:
        return self._shared.get(name)

    def create(self, secret: Secret) -> bool:
        before, self.before_create = self.before_create, None
        if before is not None:
            before()
        if secret.name in self._shared:
            return False
        self._share(secret)
        return True

    def update(self, secret: Secret) -> None:
        current = self._shared.get(secret.name)
        if current is None or current.resource_version != secret.resource_version:
            raise ChangedMeanwhileError(
                f"Secret {secret.name} was changed by somebody else just now", remedy="Again"
            )
        self._share(secret)

    def delete(self, name: str) -> bool:
        return self._shared.pop(name, None) is not None

    def _share(self, secret: Secret) -> None:
        self._writes += 1
        self._shared[secret.name] = replace(secret, resource_version=str(self._writes))

    def read_token(self, slug: str) -> TokenSecret | None:
        return self._tokens.get(slug)

    def create_token(self, slug: str, token: str) -> bool:
        if slug in self._tokens:
            return False
        self._store(slug, TokenSecret(token, None, 1, ""))
        return True

    def update_token(self, slug: str, secret: TokenSecret) -> None:
        current = self._tokens.get(slug)
        if current is None or current.resource_version != secret.resource_version:
            raise ChangedMeanwhileError(
                f"Secret {Target(slug).token_secret} was changed by somebody else just now",
                remedy="Run the command again",
                tenant=slug,
            )
        self._store(slug, secret)

    def delete_token(self, slug: str) -> bool:
        return self._tokens.pop(slug, None) is not None

    def list_values(self, names: Sequence[str]) -> Sequence[str]:
        tokens = {Target(slug).token_secret: secret for slug, secret in self._tokens.items()}
        found = [tokens[name] for name in names if name in tokens]
        shared = [self._shared[name] for name in names if name in self._shared]
        own = [text for secret in found for text in (secret.token, secret.previous) if text]
        return [*own, *(text for secret in shared for text in secret.data.values())]

    def exists(self, name: str) -> bool:
        own = {Target(slug).token_secret for slug in self._tokens}
        return name in own | {other for other, _ in self.others} | self._shared.keys()

    def has_secret(self, name: str, key: str) -> bool:
        own = {(Target(slug).token_secret, "token") for slug in self._tokens}
        return (name, key) in own | self.others

    def _store(self, slug: str, secret: TokenSecret) -> None:
        self._writes += 1
        self._tokens[slug] = replace(secret, resource_version=str(self._writes))


class FakeLiveness:
    """Port ``Liveness``. others: processes elsewhere, by id."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._started = 0
        self._own: dict[str, Holder] = {}
        self.others: dict[str, Holder] = {}
        self.claims: dict[str, Claim] = {}
        self.rollouts: tuple[str, str] | None = None

    @contextmanager
    def hold(self) -> Iterator[str]:
        self._started += 1
        id_ = f"process-{self._started}"
        self._own[id_] = Holder(id_, "operator@here", self._clock.now())
        try:
            yield id_
        finally:
            del self._own[id_]

    @contextmanager
    def claim(self, slug: str, writer: str) -> Iterator[Claim | None]:
        earlier = self.claims.get(slug)
        if earlier is not None and earlier.writer in self.list_alive():
            raise ReleaseBusyError("it is busy", remedy="Wait for it", tenant=slug)
        # The request takes its time: what happened before is not covered by the claim.
        self._clock.advance(0.01)
        now = self._clock.now()
        claim = self.claims[slug] = Claim(writer, now, now + timedelta(hours=1))
        try:
            yield earlier
        except ManagerKilled:
            self.claims[slug] = replace(claim, until=self._clock.now() + timedelta(seconds=20))
            raise
        except BaseException:
            del self.claims[slug]
            raise
        else:
            del self.claims[slug]

    @contextmanager
    def claim_rollouts(self, writer: str, rollout: str) -> Iterator[None]:
        if (worker := self.read_rollouts()) is not None:
            raise ReleaseBusyError(f"rollout {worker.rollout} is under way", remedy="Wait for it")
        self.rollouts = (writer, rollout)
        try:
            yield
        except ManagerKilled:
            raise
        except BaseException:
            self.rollouts = None
            raise
        else:
            self.rollouts = None

    def require_rollouts(self, writer: str) -> None:
        if self.rollouts is None or self.rollouts[0] != writer:
            raise LeaseLostError("another process has taken it over", remedy="Follow it")

    def read_rollouts(self) -> RolloutWorker | None:
        writer, rollout = self.rollouts or ("", "")
        holder = self.list_alive().get(writer)
        return RolloutWorker(rollout, holder.identity, holder.since) if holder else None

    def identity(self) -> str:
        return "operator@here"

    def read_claim(self, slug: str) -> Claim | None:
        return self.claims.get(slug)

    def list_alive(self) -> dict[str, Holder]:
        return {**self._own, **self.others}


class FakeHolds:
    """Port ``Holds``."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._held: dict[str, Hold] = {}

    def list(self) -> Sequence[Hold]:
        return [self._held[slug] for slug in sorted(self._held)]

    def put(self, slug: str, reason: str) -> bool:
        old = self._held.get(slug)
        if old is not None:
            self._held[slug] = replace(old, reason=reason)
            return False
        self._held[slug] = Hold(slug, reason, "operator@here", self._clock.now())
        return True

    def remove(self, slug: str) -> bool:
        return self._held.pop(slug, None) is not None


class FakeJournals:
    """Port ``Journals``. saves: how often any was written after it was created."""

    def __init__(self) -> None:
        self._journals: dict[str, Journal] = {}
        self._charts: dict[str, bytes] = {}
        self.requests: dict[str, str] = {}
        self.saves = 0

    def create(self, journal: Journal, chart: bytes) -> None:
        self._journals[journal.rollout.id] = journal
        self._charts[journal.rollout.id] = chart

    def save(self, journal: Journal) -> None:
        self.saves += 1
        id_, budget = journal.rollout.id, journal.rollout.budget
        kept = replace(self._journals[id_].rollout, budget=budget)
        self._journals[id_] = replace(journal, rollout=kept)

    def read(self, id: str) -> Journal | None:
        return self._journals.get(id)

    def list(self) -> Sequence[Journal]:
        return list(reversed(self._journals.values()))

    def read_chart(self, id: str) -> bytes:
        if id not in self._charts:
            raise RolloutNotFoundError("the chart is no longer there", remedy="Begin anew")
        return self._charts[id]

    def request_end(self, id: str, by: str) -> None:
        self.requests[id] = by

    def read_request(self, id: str) -> str:
        return self.requests.get(id, "")

    def remove(self, id: str) -> None:
        self._journals.pop(id, None)
        self._charts.pop(id, None)


class FakeWorld:
    """All doubles, joined; what an operation gets is ``ports``, ``settings`` and ``run()``."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.chart = build_chart()
        self.clock = clock or FakeClock()
        self.cluster = FakeCluster(self.clock)
        self.releases = FakeReleases(self.cluster)
        self.secrets = FakeSecrets()
        self.liveness = FakeLiveness(self.clock)
        self.charts = FakeCharts(current=self.chart)
        self.holds = FakeHolds(self.clock)
        self.journals = FakeJournals()
        self.nodes = FakeNodes(self.cluster)
        self.settings = Settings(chart="current")
        self.told: list[str] = []

    @property
    def ports(self) -> Ports:
        return Ports(
            self.releases,
            self.cluster,
            self.secrets,
            self.liveness,
            self.charts,
            self.holds,
            self.journals,
            self.nodes,
        )

    def run(self, *, timeout_seconds: float = 300, is_waiting: bool = True) -> RunOptions:
        return RunOptions(
            timeout_seconds, self.told.append, is_waiting=is_waiting, clock=self.clock.as_clock()
        )

    def install(self, slug: str = "acme", *, is_forcing: bool = False, **overrides: Any) -> Result:
        """Install a tenant with values of its own."""
        return install_tenant(
            self.ports,
            self.settings,
            slug,
            overrides,
            self.run(),
            is_cleaning_up=False,
            is_forcing=is_forcing,
        )

    def upgrade(self, slug: str = "acme", **request: Any) -> Result:
        """Upgrade a tenant; the arguments are those of UpgradeRequest."""
        return upgrade_tenant(
            self.ports, self.settings, slug, UpgradeRequest(**request), self.run()
        )

    def change_chart(self, version: str = "0.2.0", **default_values: Any) -> Chart:
        """Let the chart at hand be another one from now on."""
        chart = build_chart(version, **default_values)
        self.charts.by_reference["current"] = chart
        return chart

    def statuses(self, slug: str = "acme") -> list[str]:
        """The statuses of a tenant's revisions, oldest first."""
        return [revision.status.value for revision in self.releases.list_revisions(slug)]

    def values(self, slug: str = "acme") -> dict[str, Any]:
        """The values of the latest revision."""
        return self.releases.read_body(self.releases.list_revisions(slug)[-1]).values

    def replicas(self, slug: str = "acme") -> int:
        """How many replicas the Deployment asks for."""
        workload = self.cluster.read_workload(slug)
        assert workload is not None
        return workload.spec_replicas
