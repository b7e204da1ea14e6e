"""A node with real containers, and what tests do with it that an operator would not."""

from __future__ import annotations

import base64
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from local_cluster import clusters, processes
from local_cluster.clusters import Cluster
from local_cluster.locks import hold
from local_cluster.node import host
from local_cluster.node.possible import find_obstacle
from local_cluster.node.reach import reach
from tests.conftest import REAL_NAME, RUN_PID, administer, build_environment, create_namespace
from tests.containers import network_policies
from tests.containers.answers import Answer, send_request, wait_for_answer
from tests.containers.site import Site, install_site
from tests.terminal import Operator, wait_for

STAND_IN = ("--set", "image.tag=1.0.0-stand-in")
WITH_VOLUME = ("--set", "persistence.enabled=true", "--set", "persistence.size=10Mi")
PORT = 18789


@pytest.fixture(scope="session")
def real_containers() -> None:
    """Skip, or fail where the environment says `CI`, if containers cannot be real."""
    obstacle = find_obstacle()
    if obstacle is None:
        return
    reason = f"containers cannot be real here: {obstacle}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def cluster(tools_path: Path, real_containers: None) -> Cluster:
    """A cluster with real containers that the workers of this run share; it ends with the run.

    Its policies are enforced. What would disturb the others' tests is for `own`.
    """
    started = clusters.start(REAL_NAME, containers="real", owner_pid=RUN_PID)
    enforce_policies(started)
    return started


def enforce_policies(cluster: Cluster) -> None:
    """Start the controller of network policies in the node, once; it ends with the node."""
    name, folder = "network-policies", cluster.folder
    with hold(folder / f"{name}.lock", "starting the controller of network policies"):
        if processes.read_pid(folder / "pids" / name, folder) is None:
            program = folder / f"{name}.py"
            program.write_text(Path(network_policies.__file__).read_text())
            settings = {**host.PATH, "KUBECONFIG": str(cluster.kubeconfig)}
            command = [*cluster.enter(), "python3", "-I", str(program)]
            processes.start_process(folder, name, command, settings)
    wait_for(lambda: read_policies(cluster), f"policies in force; see {folder}/logs/{name}.log")


def read_policies(cluster: Cluster) -> str:
    """Return the rules that the policies of a cluster have become; empty before there are any."""
    return host.run(cluster.folder, ["nft", "list", "table", "inet", "network_policies"]).stdout


@pytest.fixture
def own(cluster: Cluster) -> Iterator[Cluster]:
    """A cluster of one test alone, beside the shared one; it ends with the test."""
    name = f"own-real-{os.getpid()}"
    yield clusters.start(name, containers="real", owner_pid=os.getpid())
    clusters.stop(name)


@pytest.fixture
def own_operator(own: Cluster, tmp_path: Path) -> Operator:
    """Somebody at a terminal who works in a cluster of one test alone."""
    create_namespace(own, "aware")
    return Operator("aware", build_environment(own, "aware", tmp_path))


def kill_and_restart(own: Cluster) -> None:
    """Kill all that a cluster consists of, as when the power fails, and start it again."""
    for pid_file in (own.folder / "pids").iterdir():
        os.kill(int(pid_file.read_text()), signal.SIGKILL)
    wait_for(lambda: not clusters.is_healthy(own), "the cluster to be broken")
    clusters.start(own.name, containers="real", owner_pid=os.getpid())


def find_service(cluster: Cluster, program: str) -> int:
    """Return the pid, as the host counts, of one of a node's own services."""
    first = host.find_first_process(cluster.folder)
    children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    named = [pid for pid in children if Path(f"/proc/{pid}/comm").read_text().strip() == program]
    assert len(named) == 1, (program, named)
    return int(named[0])


@dataclass(frozen=True)
class Visitor:
    """Somebody who sends requests to a tenant's Service."""

    cluster: Cluster
    operator: Operator

    def read_token(self, slug: str) -> str:
        """Return a tenant's token."""
        secret = self.operator.get("secret", f"tenant-{slug}-token")
        return base64.b64decode(secret["data"]["token"]).decode()

    def ask(self, slug: str, path: str = "/", *, method: str = "GET", token: str = "") -> Answer:
        """Send one request through the tenant's Service."""
        with reach(self.cluster.folder, self._find_address(slug), PORT) as port:
            return wait_for_answer(port, path, method=method, token=token)

    @contextmanager
    def opening(self, slug: str, *, timeout_seconds: float) -> Iterator[Callable[[], Answer]]:
        """Yield what sends one request with the token, each over a connection of its own."""
        token = self.read_token(slug)
        with reach(self.cluster.folder, self._find_address(slug), PORT) as port:
            yield lambda: send_request(port, token=token, timeout_seconds=timeout_seconds)

    def _find_address(self, slug: str) -> str:
        return str(self.operator.get("service", f"tenant-{slug}")["spec"]["clusterIP"])

    def ask_with_token(self, slug: str, path: str = "/", *, method: str = "GET") -> Answer:
        """Send one request as the tenant's customer."""
        return self.ask(slug, path, method=method, token=self.read_token(slug))


@pytest.fixture
def visitor(cluster: Cluster, operator: Operator) -> Visitor:
    """Somebody who sends requests to tenants."""
    return Visitor(cluster, operator)


@pytest.fixture
def site(cluster: Cluster, worker_id: str, tmp_path: Path) -> Iterator[Site]:
    """A platform and an API in a namespace of their own."""
    namespace = f"platform-{worker_id}-{time.monotonic_ns()}"
    yield install_site(cluster, namespace, tmp_path)
    administer(cluster, "delete", "namespace", namespace, "--wait=false")
