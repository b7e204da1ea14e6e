"""Where a fleet is measured: a cluster of its own, and what one at its terminal would have."""

import functools
import itertools
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from local_cluster import clusters
from local_cluster.clusters import Cluster
from release_manager.clients.kubernetes_api import KubernetesApi, connect
from release_manager.settings import Settings, read_settings
from release_manager.wiring import bundled_chart

NAMESPACE = "bench"


@dataclass(frozen=True)
class Lab:
    """A cluster, and a folder for everything else that is written."""

    cluster: Cluster
    folder: Path
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def home(self) -> Path:
        """The home of whoever is measured: caches that stay warm, and nothing of this machine."""
        return self.folder / "home"

    @property
    def fleet_file(self) -> Path:
        """The release manager's fleet file."""
        return self.folder / "fleet.yaml"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every program that is measured."""
        return {
            "PATH": f"{self.cluster.bin}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "KUBECONFIG": str(self.cluster.kubeconfig),
            "RELEASE_MANAGER_NAMESPACE": NAMESPACE,
            "RELEASE_MANAGER_SETTINGS": str(self.fleet_file),
            "LANG": "C.UTF-8",
        }

    @functools.cached_property
    def api(self) -> KubernetesApi:
        """The cluster's API."""
        return connect(str(self.cluster.kubeconfig), "")

    def write_defaults(self, number: int) -> None:
        """Change a default of the whole fleet."""
        defaults = {"env": {"BENCH_DEFAULT": str(number)}}
        self.fleet_file.write_text(yaml.safe_dump({"defaults": defaults}))

    def build_settings(self, chart: Path) -> Settings:
        """Return what the release manager would be told by the environment."""
        flags = {
            "namespace": NAMESPACE,
            "chart": str(chart),
            "kubeconfig": str(self.cluster.kubeconfig),
            "helm": str(self.cluster.bin / "helm"),
        }
        return read_settings(flags, {}, fleet_file=self.fleet_file)

    def make_chart(self) -> Path:
        """Return a new version of the tenants' chart, which replaces every pod."""
        number = next(self._numbers)
        folder = self.folder / "charts" / str(number) / "aware-tenant"
        shutil.copytree(bundled_chart(), folder)
        _replace(folder / "Chart.yaml", r"^version: .*$", f"version: {version_of(folder)}")
        annotation = f'podAnnotations: {{"bench.wareit.ai/change": "{number}"}}'
        _replace(folder / "values.yaml", r"^podAnnotations: \{\}$", annotation)
        return folder


def version_of(chart: Path) -> str:
    """Return the version of a chart that `make_chart` made: newer than any real one."""
    return f"1000.0.{chart.parent.name}"


def _replace(path: Path, pattern: str, text: str) -> None:
    changed, count = re.subn(pattern, text, path.read_text(), flags=re.MULTILINE)
    if count != 1:
        raise ValueError(f"{path} has {count} lines like {pattern}, not one")
    path.write_text(changed)


@contextmanager
def open_lab() -> Iterator[Lab]:
    """Start a cluster; end it and remove everything when the context ends."""
    name = f"bench-{os.getpid()}"
    try:
        cluster = clusters.start(name, containers="simulated", owner_pid=os.getpid())
        # In the cluster's own folder, which goes with it even when this process is killed.
        lab = Lab(cluster, cluster.folder / "bench")
        lab.folder.mkdir()
        # helm is called by this process, too, and shares the cache of those measured.
        os.environ["KUBECACHEDIR"] = str(lab.home / ".kube" / "cache")
        restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
        body = {"metadata": {"name": NAMESPACE, "labels": restricted}}
        lab.api.create("/api/v1/namespaces", body)
        yield lab
    finally:
        clusters.stop(name)
