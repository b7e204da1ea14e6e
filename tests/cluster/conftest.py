"""A namespace of its own for each test, and the three programs an operator would use in it."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from local_cluster.simulated import Cluster
from release_manager.ports import Ports
from release_manager.settings import Settings
from release_manager.wiring import build_ports, complete_settings

MANAGER = Path(sys.executable).parent / "release-manager"
Completed = subprocess.CompletedProcess[str]
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Operator:
    """Somebody at a terminal: runs release-manager, helm and kubectl in one namespace."""

    namespace: str
    environment: Mapping[str, str] = field(repr=False)

    def run(self, *arguments: object, exit_code: int = 0, **options: Any) -> Completed:
        """Run release-manager and insist on its exit code."""
        result = self.call(MANAGER, *arguments, **options)
        said = f"{arguments}\n{result.stdout}\n{result.stderr}"
        assert result.returncode == exit_code, said
        assert "Traceback" not in result.stderr, said
        return result

    def call_manager(self, *arguments: object) -> Completed:
        """Run release-manager; its exit code is for the test to judge."""
        return self.call(MANAGER, *arguments)

    def read(self, *arguments: object) -> Any:
        """Run release-manager and return what it prints as JSON."""
        return json.loads(self.run(*arguments, "-o", "json").stdout)

    def tenant(self, slug: str) -> dict[str, Any]:
        """Return the tenant's row of list-tenants."""
        rows = [row for row in self.read("list-tenants") if row["slug"] == slug]
        assert len(rows) == 1, rows
        return dict(rows[0])

    def helm(self, *arguments: object, exit_code: int = 0) -> Completed:
        """Run helm by hand."""
        result = self.call("helm", "--namespace", self.namespace, *arguments)
        assert result.returncode == exit_code, result.stderr
        return result

    def helm_values(self, slug: str) -> dict[str, Any]:
        """Return the values that Helm has for a tenant, without the chart's defaults."""
        values = self.helm("get", "values", f"tenant-{slug}", "-o", "json").stdout
        return dict(json.loads(values) or {})

    def kubectl(self, *arguments: object, exit_code: int = 0, **options: Any) -> str:
        """Run kubectl and return its output."""
        result = self.call("kubectl", "--namespace", self.namespace, *arguments, **options)
        assert result.returncode == exit_code, result.stderr
        return result.stdout

    def get(self, kind: str, name: str) -> Any:
        """Return one object as JSON."""
        return json.loads(self.kubectl("get", kind, name, "-o", "json"))

    def exists(self, kind: str, name: str) -> bool:
        """Tell whether an object is there."""
        return bool(self.kubectl("get", kind, name, "--ignore-not-found", "-o", "name").strip())

    def call(self, program: object, *arguments: object, **options: Any) -> Completed:
        """Run any program with this operator's environment."""
        return subprocess.run(
            [str(program), *map(str, arguments)],
            env=dict(self.environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
            **options,
        )

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        """Start release-manager and leave it running."""
        return subprocess.Popen(
            [str(MANAGER), *map(str, arguments)],
            env=dict(self.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def write_dead_kubeconfig(operator: Operator, folder: Path) -> Path:
    """Return a kubeconfig whose API server does not answer."""
    config = json.loads(operator.kubectl("config", "view", "--raw", "-o", "json"))
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    path = folder / "dead.kubeconfig"
    path.write_text(json.dumps(config))
    path.chmod(0o600)
    return path


def wait_for(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Poll until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.05)


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace that enforces the restricted Pod Security level, like production."""
    name = f"test-{next(_numbers)}"
    kubectl = [str(cluster.bin / "kubectl"), "--kubeconfig", str(cluster.kubeconfig)]
    subprocess.run([*kubectl, "create", "namespace", name], check=True, capture_output=True)
    label = ["label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted"]
    subprocess.run([*kubectl, *label], check=True, capture_output=True)
    yield name
    delete = ["delete", "namespace", name, "--wait=false"]
    subprocess.run([*kubectl, *delete], check=True, capture_output=True)


@pytest.fixture
def environment(cluster: Cluster, namespace: str, tmp_path: Path) -> dict[str, str]:
    """What an operator's shell has: the demo's two lines, and nothing of this machine."""
    return {
        "PATH": f"{cluster.bin}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "KUBECONFIG": str(cluster.kubeconfig),
        "RELEASE_MANAGER_NAMESPACE": namespace,
        "LANG": "C.UTF-8",
    }


@pytest.fixture
def operator(namespace: str, environment: dict[str, str]) -> Operator:
    """Somebody at a terminal."""
    return Operator(namespace, environment)


@pytest.fixture
def settings(cluster: Cluster, namespace: str) -> Settings:
    """Settings for operations that a test calls without a process of their own."""
    return complete_settings(
        Settings(
            namespace=namespace,
            kubeconfig=str(cluster.kubeconfig),
            helm=str(cluster.bin / "helm"),
        )
    )


@pytest.fixture
def ports(settings: Settings) -> Ports:
    """Real clients in the test's own namespace."""
    return build_ports(settings)


@pytest.fixture
def slug() -> str:
    """A tenant that does not exist yet."""
    return "acme"


@pytest.fixture(scope="session")
def chart() -> Path:
    """The chart of all tenants."""
    return Path(__file__).parents[2] / "charts" / "aware-tenant"


@pytest.fixture
def changed_chart(chart: Path, tmp_path: Path) -> Path:
    """The same chart as version 0.2.0, with one more label on the pods."""
    folder = tmp_path / "aware-tenant"
    subprocess.run(["cp", "-r", str(chart), str(folder)], check=True)
    metadata = folder / "Chart.yaml"
    text = metadata.read_text()
    assert "\nversion: 0.1.0\n" in text
    metadata.write_text(text.replace("\nversion: 0.1.0\n", "\nversion: 0.2.0\n"))
    return folder
