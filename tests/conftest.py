"""What all tiers share: the tools, the cluster, and in it a namespace and an operator per test."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_cluster import clusters
from local_cluster.build import link_tools
from local_cluster.clusters import Cluster
from local_cluster.folders import TOOLS
from release_manager.ports import Ports
from release_manager.settings import Settings
from release_manager.wiring import build_ports, complete_settings
from tests.terminal import Operator

_numbers = itertools.count(1)
# Workers are children of the run that started them, and share its clusters.
RUN_PID = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
SIMULATED_NAME, REAL_NAME = f"tests-{RUN_PID}", f"real-{RUN_PID}"


def pytest_configure() -> None:
    """Let Ctrl-C reach what tests start, also where a shell has begun the run in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish() -> None:
    """End the run's clusters with the run; one that is killed leaves them to the next start."""
    if os.getpid() == RUN_PID:
        for name in (SIMULATED_NAME, REAL_NAME):
            clusters.stop(name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have measured: figures to read, which decide nothing."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"measured: {name}: {value}")


@pytest.fixture(scope="session")
def tools_path() -> Path:
    """The folder with helm, kubectl and the chart's tools, put first on PATH."""
    link_tools()
    os.environ["PATH"] = f"{TOOLS}{os.pathsep}{os.environ['PATH']}"
    return TOOLS


@pytest.fixture(scope="session")
def cluster(tools_path: Path) -> Cluster:
    """A control plane that the workers of this run share; it ends with the run."""
    return clusters.start(SIMULATED_NAME, containers="simulated", owner_pid=RUN_PID)


@pytest.fixture
def namespace(cluster: Cluster, worker_id: str) -> Iterator[str]:
    """A namespace that enforces the restricted Pod Security level, like production."""
    name = f"test-{worker_id}-{next(_numbers)}"
    create_namespace(cluster, name)
    yield name
    administer(cluster, "delete", "namespace", name, "--wait=false")


def create_namespace(cluster: Cluster, name: str) -> None:
    """Create a namespace that enforces the restricted Pod Security level."""
    administer(cluster, "create", "namespace", name)
    administer(cluster, "label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")


def administer(cluster: Cluster, *arguments: str, text: str | None = None) -> str:
    """Run kubectl as the administrator of a cluster; return what it prints."""
    command = [str(cluster.bin / "kubectl"), f"--kubeconfig={cluster.kubeconfig}", *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def environment(cluster: Cluster, namespace: str, tmp_path: Path) -> dict[str, str]:
    """What an operator's shell has: the demo's two lines, and nothing of this machine."""
    return build_environment(cluster, namespace, tmp_path)


def build_environment(cluster: Cluster, namespace: str, home: Path) -> dict[str, str]:
    """Return the environment of somebody who works in one namespace of a cluster."""
    return {
        "PATH": f"{cluster.bin}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
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
    return Path(__file__).parents[1] / "charts" / "aware-tenant"


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
