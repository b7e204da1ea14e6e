"""A site in memory: a world for each namespace, and charts with the values that matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from release_manager.chart import Chart, build_digest
from release_manager.errors import JobTemplateNotFoundError
from release_manager.operations.api import deploy_api
from release_manager.operations.deploy import Result
from release_manager.operations.parts import PartRequest
from release_manager.operations.platform import PlatformRequest, deploy_platform
from release_manager.operations.removal import RemovalRequest, remove_part
from release_manager.ports import Condition, Job, JobState, Ports, Schedule, Site
from release_manager.settings import Settings
from release_manager.values import merge_values
from tests.unit.fakes import FakeClock, FakeWorld, build_chart

CERTIFICATE = Condition("Certificate", "wildcard", is_ready=True)
PINNED = "oci://charts.example/cert-manager:v1.21.1"
PINNED_TRAEFIK = "oci://charts.example/traefik:41.6.1@sha256:0123"
_PLATFORM: dict[str, Any] = {
    "image": {"registry": "docker.io", "repository": "postgres", "tag": "18.6"},
    "postgres": {"enabled": True, "existingSecret": "", "role": "aware", "database": "aware"},
    "externalDatabase": {"host": "", "caConfigMap": ""},
    "certificates": {"enabled": True, "domain": "", "existingSecret": ""},
    "certManager": {
        "chart": "oci://charts.example/cert-manager",
        "version": "v1.21.1",
        "digest": "",
        "namespace": "cert-manager",
        "values": {"crds": {"enabled": True}},
    },
    "traefik": {
        "install": False,
        "namespace": "kube-system",
        "pin": {
            "chart": "oci://charts.example/traefik",
            "version": "41.6.1",
            "digest": "sha256:0123",
            "values": {},
        },
    },
}
_API: dict[str, Any] = {"secrets": {"name": "aware-secrets"}, "database": {"caConfigMap": ""}}


def build_part_chart(name: str, values: Mapping[str, Any], version: str = "0.1.0") -> Chart:
    """Return a chart of a part: what every chart here needs, and values of its own."""
    own = build_chart(version)
    properties: dict[str, Any] = {key: {} for key in [*own.default_values, *values]}
    return replace(
        own,
        name=name,
        digest=build_digest(name, version),
        default_values=merge_values(own.default_values, values),
        schema={"type": "object", "additionalProperties": False, "properties": properties},
    )


class FakeSurroundings:
    """Port ``Surroundings``. problems: what cert-manager's API says, one for each look."""

    def __init__(self, *, labels: Mapping[str, str] | None = None) -> None:
        self.labels: dict[str, str] | None = dict(labels) if labels is not None else None
        self.releases: dict[str, tuple[str, str]] = {}
        self.problems: list[str] = []
        self.conditions: list[Condition] = [CERTIFICATE]

    def read_namespace_labels(self) -> Mapping[str, str] | None:
        return self.labels

    def create_namespace(self, labels: Mapping[str, str]) -> bool:
        if self.labels is not None:
            return False
        self.labels = dict(labels)
        return True

    def label_namespace(self, labels: Mapping[str, str]) -> None:
        self.labels = {**(self.labels or {}), **labels}

    def find_release_of(self, definition: str) -> tuple[str, str] | None:
        return self.releases.get(definition)

    def find_certificates_problem(self) -> str:
        return self.problems.pop(0) if self.problems else ""

    def list_conditions(self) -> Sequence[Condition]:
        return self.conditions


class FakeJobs:
    """Port ``Jobs``: each ends ``seconds`` after it began, as its test says.

    outputs: what jobs print, by the template that they are made from. failures: why those of a
    template fail. started: template and environment, in order.
    """

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._jobs: dict[str, tuple[str, datetime]] = {}
        self.seconds = 5.0
        self.templates = {"postgres-backup", "postgres-list-backups", "postgres-restore"}
        self.templates.add("postgres-set-password")
        self.schedules: dict[str, Schedule] = {}
        self.outputs: dict[str, list[str]] = {}
        self.failures: dict[str, str] = {}
        self.started: list[tuple[str, dict[str, str]]] = []

    def read_schedule(self, name: str) -> Schedule | None:
        return self.schedules.get(name)

    def start(self, template: str, environment: Mapping[str, str]) -> str:
        if template not in self.templates:
            raise JobTemplateNotFoundError(f"there is no CronJob {template}", remedy="Enable it")
        self.started.append((template, dict(environment)))
        name = f"{template}-{len(self.started)}"
        self._jobs[name] = (template, self._clock.now())
        return name

    def read(self, name: str) -> Job | None:
        if name not in self._jobs:
            return None
        template, created_at = self._jobs[name]
        if (self._clock.now() - created_at).total_seconds() < self.seconds:
            return Job(name, JobState.ACTIVE, created_at)
        if why := self.failures.get(template):
            return Job(name, JobState.FAILED, created_at, why)
        return Job(name, JobState.COMPLETE, created_at)

    def list(self, template: str) -> Sequence[Job]:
        names = [name for name, (of, _) in self._jobs.items() if of == template]
        return [job for name in reversed(names) if (job := self.read(name)) is not None]

    def read_output(self, name: str) -> Sequence[str]:
        template, created_at = self._jobs[name]
        return self.outputs.get(template, ["done"]) if self._clock.now() > created_at else []


class FakeSite:
    """Two namespaces: the tenants' one, which is not there yet, and cert-manager's."""

    def __init__(self) -> None:
        self.world = FakeWorld()
        self.other = FakeWorld(self.world.clock)
        self.surroundings = FakeSurroundings()
        self.other_surroundings = FakeSurroundings()
        self.jobs = FakeJobs(self.world.clock)
        self.settings = Settings(
            chart="current", platform_chart="platform-chart", api_chart="api-chart"
        )
        self.offer("platform-chart", build_part_chart("platform", _PLATFORM))
        self.offer("api-chart", build_part_chart("aware-api", _API))
        self.offer(PINNED_TRAEFIK, build_part_chart("traefik", {}, "41.6.1"))
        self.offer(PINNED, build_part_chart("cert-manager", {"crds": {}}, "v1.21.1"))

    def offer(self, reference: str, chart: Chart) -> None:
        """Let a chart be found under that reference."""
        for world in (self.world, self.other):
            world.charts.by_reference[reference] = chart

    @property
    def site(self) -> Site:
        there = Site(self.other.ports, self.other_surroundings, self.jobs, lambda _: there)
        return Site(self.ports, self.surroundings, self.jobs, lambda _: there)

    @property
    def ports(self) -> Ports:
        return self.world.ports

    def install(self, **overrides: Any) -> Result:
        """``install-platform``."""
        return self._deploy(PartRequest(overrides))

    def upgrade(self, **overrides: Any) -> Result:
        """``upgrade-platform``."""
        return self._deploy(PartRequest(overrides, is_upgrade=True))

    def _deploy(self, request: PartRequest) -> Result:
        given = PlatformRequest(request)
        return deploy_platform(self.site, self.settings, given, self.world.run())

    def install_api(self, **overrides: Any) -> Result:
        """``install-api``."""
        return deploy_api(self.ports, self.settings, PartRequest(overrides), self.world.run())

    def upgrade_api(self, **overrides: Any) -> Result:
        """``upgrade-api``."""
        request = PartRequest(overrides, is_upgrade=True)
        return deploy_api(self.ports, self.settings, request, self.world.run())

    def remove(self, slug: str = "platform", **request: bool) -> Result:
        """``uninstall-platform`` or ``uninstall-api``."""
        return remove_part(self.ports, slug, RemovalRequest(**request), self.world.run())

    def read_secrets(self) -> dict[str, Mapping[str, str]]:
        """What the shared Secrets hold, by name, as far as they are there."""
        found = map(self.ports.secrets.read, ("postgres-passwords", "aware-secrets"))
        return {secret.name: secret.data for secret in found if secret is not None}
