"""A fleet of tenants with a history, installed by the release manager itself."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from benchmarks.lab import NAMESPACE, Lab, version_of
from local_cluster.progress import Stopwatch, say
from release_manager.operations import install, scale, upgrade
from release_manager.ports import Ports, RunOptions
from release_manager.settings import Settings
from release_manager.tenant import Target
from release_manager.values import RECORD_KEY, merge_values
from release_manager.wiring import build_ports

WORKERS = 8
REVISIONS = 3
TIMEOUT_SECONDS = 300.0
SETTLE_SECONDS = 600.0
POLL_SECONDS = 0.5
RUN = RunOptions(TIMEOUT_SECONDS, lambda _: None, is_waiting=False)

Change = Callable[[Ports, Settings, str], object]


def build_slug(number: int) -> str:
    """Return the name of the tenant with that number, from 1."""
    return f"t{number:04}"


def build_overrides(number: int) -> dict[str, Any]:
    """Return a tenant's own values: most have none, as in a real fleet."""
    overrides: dict[str, Any] = {}
    if number % 5 == 0:
        overrides["resources"] = {"limits": {"memory": "384Mi"}}
    if number % 7 == 0:
        overrides["env"] = {"TENANT_NUMBER": str(number)}
    if number % 10 == 0:
        overrides["replicas"] = 0
    return overrides


class Fleet:
    """The tenants of one cluster, and the chart that all of them have."""

    def __init__(self, lab: Lab, tenants: int) -> None:
        self.lab = lab
        self.numbers = range(1, tenants + 1)
        self.slugs = [build_slug(number) for number in self.numbers]
        self.chart = lab.make_chart()

    def fill(self) -> None:
        """Install every tenant, and upgrade it until its history is that of a fleet in use."""
        overrides = {build_slug(number): build_overrides(number) for number in self.numbers}
        self.lab.write_defaults(1)
        self._for_each(
            f"installing {len(self.slugs)} tenants",
            self.slugs,
            # Simulated nodes have room for all; looking each time would list the whole fleet.
            lambda ports, settings, slug: install.install_tenant(
                ports, settings, slug, overrides[slug], RUN, is_cleaning_up=False, is_forcing=True
            ),
        )
        self.settle()
        for number in range(2, REVISIONS + 1):
            self.lab.write_defaults(number)
            self.upgrade(self.chart)

    def upgrade(self, chart: Path) -> None:
        """Bring every tenant to this chart and the fleet's defaults, unmeasured; wait for all."""
        self.chart = chart
        request = upgrade.UpgradeRequest()
        self._for_each(
            f"upgrading {len(self.slugs)} tenants",
            self.slugs,
            lambda ports, settings, slug: upgrade.upgrade_tenant(
                ports, settings, slug, request, RUN
            ),
        )
        self.settle()

    def start(self, slugs: Sequence[str]) -> None:
        """Start stopped tenants again; wait for them."""
        self._for_each(
            f"starting {len(slugs)} tenants",
            slugs,
            lambda ports, settings, slug: scale.scale_tenant(ports, settings, slug, None, RUN),
        )
        self.settle()

    def write_values(
        self, slugs: Sequence[str], changes: dict[str, Any] | None = None
    ) -> list[Path]:
        """Write a file for helm with all values of each tenant's release; return the files.

        The release manager's record is among them. changes: overrides beside those that the
        tenant has, in the record as well.
        """
        folder = self.lab.folder / "values"
        folder.mkdir(exist_ok=True)
        releases = build_ports(self.lab.build_settings(self.chart)).releases
        files = []
        for slug in slugs:
            values = releases.read_body(releases.list_revisions(slug)[-1]).values
            changed = merge_values(values, changes or {})
            record = changed[RECORD_KEY]
            record["overrides"] = merge_values(record["overrides"], changes or {})
            file = folder / f"{slug}.yaml"
            file.write_text(yaml.safe_dump(changed))
            files.append(file)
        return files

    def find_unready(self) -> list[str]:
        """Return the Deployments that are not ready, or not yet of the fleet's chart."""
        path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
        chart = f"aware-tenant-{version_of(self.chart)}"
        found = {item["metadata"]["name"]: item for item in self.lab.api.get(path)["items"]}
        names = [Target(slug).release for slug in self.slugs]
        return [name for name in names if not _is_ready(found.get(name), chart)]

    def settle(self) -> None:
        """Wait until every Deployment is ready and the pods before it are gone."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while (unready := self.find_unready()) or self._has_leaving_pods():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not settled: {', '.join(unready[:5]) or 'old pods'}")
            time.sleep(POLL_SECONDS)

    def _has_leaving_pods(self) -> bool:
        pods = self.lab.api.get(f"/api/v1/namespaces/{NAMESPACE}/pods")["items"]
        return any("deletionTimestamp" in pod["metadata"] for pod in pods)

    def _for_each(self, what: str, slugs: Sequence[str], change: Change) -> None:
        watch = Stopwatch(what)
        settings = self.lab.build_settings(self.chart)
        ports = build_ports(settings)
        pool = ThreadPoolExecutor(WORKERS)
        try:
            for _ in pool.map(lambda slug: change(ports, settings, slug), slugs):
                watch.beat()
        finally:
            pool.shutdown(cancel_futures=True)
        say(f"  {what}: {watch.seconds:.0f} s")


def _is_ready(deployment: dict[str, Any] | None, chart: str) -> bool:
    if deployment is None or deployment["metadata"]["labels"].get("helm.sh/chart") != chart:
        return False
    status, wanted = deployment["status"], deployment["spec"]["replicas"]
    counts = (status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas"))
    is_observed = status.get("observedGeneration") == deployment["metadata"]["generation"]
    return is_observed and all(count == wanted for count in counts)
