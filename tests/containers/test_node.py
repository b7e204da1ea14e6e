"""The node itself: it leaves nothing behind, and comes back with what it had."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local_cluster import clusters, folders
from local_cluster.clusters import Cluster
from local_cluster.node import host
from local_cluster.node.system import build_system
from tests.conftest import administer
from tests.containers.conftest import find_service, kill_and_restart
from tests.terminal import wait_for


def list_network_namespaces() -> set[str]:
    """Return the network namespaces that processes of this machine are in."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/ns/net"):
        try:
            found.add(str(link.readlink()))
        except OSError:
            continue
    return found


def find_processes(folder: Path) -> list[str]:
    """Return the command lines, of any process, that name a cluster's folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"{folder}/" in line:
            found.append(line)
    return found


def find_groups(folder: Path) -> list[Path]:
    """Return the control groups of a cluster's node."""
    return list(Path("/sys/fs/cgroup").rglob(host.name_group(folder)))


def read_network() -> tuple[list[str], str]:
    """Return the host's links, and its packet filter's rules as the node's own nft reads them."""
    links = sorted(path.name for path in Path("/sys/class/net").iterdir())
    nft = ["chroot", str(build_system()), "/usr/sbin/nft", "--stateless", "list", "ruleset"]
    roots = os.environ | {"PATH": folders.search_path()}
    listed = subprocess.run(nft, env=roots, check=True, capture_output=True, text=True)
    return links, listed.stdout


@pytest.fixture
def host_network(cluster: Cluster) -> tuple[list[str], str]:
    """The host's network before the test's own node is there."""
    return read_network()


def test_two_nodes_run_side_by_side_and_stopping_one_leaves_nothing_behind(
    cluster: Cluster, host_network: tuple[list[str], str], own: Cluster
) -> None:
    assert read_network() == host_network
    for each in (cluster, own):
        assert administer(each, "get", "nodes", "-o", "name") == "node/node-1\n"
    first = host.find_first_process(own.folder)
    network = str(Path(f"/proc/{first}/ns/net").readlink())
    assert network in list_network_namespaces()
    assert find_groups(own.folder)
    assert find_processes(own.folder)
    own.stop()
    assert not find_processes(own.folder)
    assert not find_groups(own.folder)
    assert network not in list_network_namespaces()
    assert read_network() == host_network
    assert str(own.folder) not in Path("/proc/self/mountinfo").read_text()
    assert not own.folder.exists()
    assert administer(cluster, "get", "nodes", "-o", "name") == "node/node-1\n"


@pytest.mark.parametrize("moment", ["node", "kube-apiserver", "kube-scheduler"])
def test_start_that_is_killed_leaves_nothing_once_it_is_taken_down(
    cluster: Cluster, moment: str
) -> None:
    name = f"killed-real-{os.getpid()}"
    folder = folders.CLUSTERS / name
    command = [sys.executable, "-m", "local_cluster", "up", name, f"--owner={os.getpid()}"]
    environment = os.environ | {"PYTHONPATH": str(folders.PACKAGE.parent)}
    with subprocess.Popen([*command, "--containers=real"], env=environment) as starting:
        wait_for((folder / "pids" / moment).exists, f"{moment} to be started")
        starting.kill()
    clusters.stop(name)
    assert not find_processes(folder)
    assert not find_groups(folder)
    assert str(folder) not in Path("/proc/self/mountinfo").read_text()
    assert not folder.exists()


def test_node_comes_back_after_kill_9_with_its_data(own: Cluster) -> None:
    administer(own, "create", "configmap", "kept")
    kill_and_restart(own)
    assert "kept" in administer(own, "get", "configmap")
    ready = '{.items[*].status.conditions[?(@.type=="Ready")].status}'
    assert administer(own, "get", "nodes", "-o", f"jsonpath={ready}") == "True"


def test_services_of_the_node_that_are_killed_are_started_again(own: Cluster) -> None:
    for program in ("kubelet", "containerd", "kube-proxy"):
        before = find_service(own, program)
        os.kill(before, signal.SIGKILL)

        def has_come_back(program: str = program, before: int = before) -> bool:
            try:
                return find_service(own, program) != before
            except (AssertionError, OSError):
                return False

        wait_for(has_come_back, f"{program} to be started again", seconds=10)
