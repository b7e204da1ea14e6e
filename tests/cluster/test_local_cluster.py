"""The simulated cluster itself: kept apart, on loopback only, mended after anything."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from local_cluster import clusters
from local_cluster.clusters import Cluster
from local_cluster.folders import PACKAGE
from local_cluster.processes import read_command_line, read_pid
from tests.conftest import RUN_PID, administer

LOOPBACK = {"0100007F", "00000000000000000000000001000000"}
LISTENING = "0A"
_numbers = count(1)


def read(cluster: Cluster, kind: str, name: str) -> Any:
    """Return one object of the namespace default."""
    return json.loads(administer(cluster, "get", kind, name, "-o", "json"))


def wait_for(condition: Callable[[], object], what: str, seconds: float = 30) -> Any:
    """Poll until a condition holds; return what it returned."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.1)
    return result


def read_pids(cluster: Cluster) -> dict[str, int]:
    """Return the processes of a cluster that run."""
    pids = {path.name: read_pid(path, cluster.folder) for path in cluster.folder.glob("pids/*")}
    return {name: pid for name, pid in pids.items() if pid is not None}


def read_listening_addresses(pid: int) -> set[str]:
    """Return the addresses, as the kernel writes them, that a process listens on."""
    sockets = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        found = re.fullmatch(r"socket:\[(\d+)\]", str(descriptor.readlink()))
        if found:
            sockets.add(found[1])
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    ]
    return {row[1].split(":")[0] for row in rows if row[3] == LISTENING and row[9] in sockets}


@pytest.fixture
def start(tools_path: Path) -> Iterator[Callable[[], Cluster]]:
    """Start further clusters; they end with the test."""
    started: list[Cluster] = []

    def start_another() -> Cluster:
        name = f"own-{os.getpid()}-{next(_numbers)}"
        started.append(clusters.start(name, containers="simulated", owner_pid=os.getpid()))
        return started[-1]

    yield start_another
    for cluster in started:
        cluster.stop()


def test_two_clusters_run_side_by_side_and_never_meet(
    cluster: Cluster, start: Callable[[], Cluster]
) -> None:
    other = start()
    administer(cluster, "create", "configmap", "mine")
    assert "mine" not in administer(other, "get", "configmap")
    other.stop()
    assert "mine" in administer(cluster, "get", "configmap")
    administer(cluster, "delete", "configmap", "mine")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_every_process_listens_on_loopback_only(cluster: Cluster) -> None:
    listening = {name: read_listening_addresses(pid) for name, pid in read_pids(cluster).items()}
    assert set(listening) == {
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kwok",
    }
    assert {name for name, addresses in listening.items() if addresses} == {
        "etcd",
        "kube-apiserver",
        "kwok",
    }
    assert set().union(*listening.values()) <= LOOPBACK


def test_starting_a_healthy_cluster_changes_nothing(cluster: Cluster) -> None:
    before = read_pids(cluster)
    assert clusters.start(cluster.name, containers="simulated", owner_pid=RUN_PID) == cluster
    assert read_pids(cluster) == before


@pytest.mark.parametrize("killed", ["kube-apiserver", "all"])
def test_cluster_is_mended_with_its_data_after_kill_9(
    start: Callable[[], Cluster], killed: str
) -> None:
    cluster = start()
    administer(cluster, "create", "configmap", "kept")
    for name, pid in read_pids(cluster).items():
        if killed in (name, "all"):
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not clusters.is_healthy(cluster), "the cluster to be broken")
    clusters.start(cluster.name, containers="simulated", owner_pid=os.getpid())
    assert "kept" in administer(cluster, "get", "configmap")
    administer(cluster, "run", "after", "--image=any")
    wait_for(lambda: is_ready(cluster, "after"), "a pod of the mended cluster to be ready")


def test_cluster_whose_start_was_killed_is_started_by_the_next_one(tools_path: Path) -> None:
    name = f"killed-{os.getpid()}"
    command = [sys.executable, "-m", "local_cluster", "up", name, f"--owner={os.getpid()}"]
    command.append("--containers=simulated")
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    pids = clusters.folders.CLUSTERS / name / "pids"
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as starting:
        wait_for((pids / "kube-apiserver").exists, "the API server to be started")
        starting.kill()
    try:
        assert clusters.find(name) is None
        cluster = clusters.start(name, containers="simulated", owner_pid=os.getpid())
        assert clusters.is_healthy(cluster)
        assert len(read_pids(cluster)) == 5
    finally:
        clusters.stop(name)


def test_cluster_with_unreadable_data_starts_empty(start: Callable[[], Cluster]) -> None:
    cluster = start()
    for pid in read_pids(cluster).values():
        os.kill(pid, signal.SIGKILL)
    for database in cluster.folder.glob("etcd/member/snap/db"):
        database.write_bytes(b"not a database")
    clusters.start(cluster.name, containers="simulated", owner_pid=os.getpid())
    assert clusters.is_healthy(cluster)


def test_cluster_is_removed_once_its_owner_has_ended(tools_path: Path) -> None:
    name = f"orphan-{os.getpid()}"
    with subprocess.Popen(["sleep", "60"]) as owner:
        cluster = clusters.start(name, containers="simulated", owner_pid=owner.pid)
        pids = read_pids(cluster)
        clusters.remove_abandoned()
        assert read_pids(cluster) == pids
        owner.kill()
    clusters.remove_abandoned()
    assert clusters.find(name) is None
    assert not cluster.folder.exists()
    assert not any(map(read_command_line, pids.values()))


def test_stopping_ends_no_process_that_took_over_a_pid(start: Callable[[], Cluster]) -> None:
    cluster = start()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (cluster.folder / "pids" / "reused").write_text(str(stranger.pid))
        cluster.stop()
        assert stranger.poll() is None
        stranger.kill()


def test_custom_resources_of_traefik_and_cert_manager_are_served(cluster: Cluster) -> None:
    served = administer(cluster, "api-resources", "-o", "name").split()
    assert "ingressroutes.traefik.io" in served
    assert "middlewares.traefik.io" in served
    assert "certificates.cert-manager.io" in served
    assert "clusterissuers.cert-manager.io" in served


def test_node_has_room_for_a_fleet(cluster: Cluster) -> None:
    node = json.loads(administer(cluster, "get", "node", "-o", "json"))["items"][0]
    assert node["status"]["allocatable"]["pods"] == "5k"


def test_server_tells_its_real_version(cluster: Cluster) -> None:
    version = json.loads(administer(cluster, "version", "-o", "json"))["serverVersion"]
    assert version["gitVersion"] == "v1.35.8"
    assert (version["major"], version["minor"]) == ("1", "35")


def is_ready(cluster: Cluster, pod: str) -> bool:
    """Tell whether a pod is ready."""
    conditions = read(cluster, "pod", pod)["status"].get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def container(cluster: Cluster, pod: str) -> dict[str, Any]:
    """Return the status of a pod's one container, empty while there is none."""
    return dict((read(cluster, "pod", pod)["status"].get("containerStatuses") or [{}])[0])


def waits_for(cluster: Cluster, pod: str, reason: str) -> Callable[[], dict[str, Any] | None]:
    """Return a condition: the container waits for this reason."""

    def is_waiting() -> dict[str, Any] | None:
        waiting = container(cluster, pod).get("state", {}).get("waiting") or {}
        return waiting if waiting.get("reason") == reason else None

    return is_waiting


@pytest.fixture
def run_pod(cluster: Cluster) -> Iterator[Callable[..., str]]:
    """Run a pod that behaves in a certain way; it is deleted with the test."""
    names: list[str] = []

    def run(behaviour: str, **specification: object) -> str:
        name = f"pod-{next(_numbers)}"
        labels = {"local-cluster/behaviour": behaviour} if behaviour else {}
        secret = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "absent", "key": "a"}}}
        one = {"name": "gateway", "image": "registry.test/gateway:1", "env": [secret]}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": labels},
            "spec": {"containers": [one], **specification},
        }
        administer(cluster, "create", "-f", "-", text=json.dumps(pod))
        names.append(name)
        return name

    yield run
    for name in names:
        administer(cluster, "delete", "pod", name, "--ignore-not-found", "--wait=false")


def test_pod_without_a_behaviour_gets_ready(cluster: Cluster, run_pod: Callable[..., str]) -> None:
    pod = run_pod("")
    wait_for(lambda: is_ready(cluster, pod), "the pod to be ready", seconds=5)


def test_pod_that_is_meant_to_end_succeeds(cluster: Cluster, run_pod: Callable[..., str]) -> None:
    pod = run_pod("", restartPolicy="Never")
    wait_for(lambda: read(cluster, "pod", pod)["status"]["phase"] == "Succeeded", "its end")


def test_slow_pod_runs_at_once_and_is_ready_after_some_seconds(
    cluster: Cluster, run_pod: Callable[..., str]
) -> None:
    pod = run_pod("slow-start")
    wait_for(lambda: "running" in container(cluster, pod).get("state", {}), "it to run")
    assert not is_ready(cluster, pod)
    wait_for(lambda: is_ready(cluster, pod), "it to be ready", seconds=15)


def test_never_ready_pod_runs_and_its_probe_fails(
    cluster: Cluster, run_pod: Callable[..., str]
) -> None:
    pod = run_pod("never-ready")
    wait_for(lambda: "Readiness probe failed" in read_events(cluster, pod), "the event")
    assert "running" in container(cluster, pod)["state"]
    assert not is_ready(cluster, pod)


def read_events(cluster: Cluster, pod: str) -> str:
    """Return the reasons and messages of a pod's events."""
    columns = "custom-columns=R:.reason,M:.message"
    which = f"--field-selector=involvedObject.name={pod}"
    return administer(cluster, "get", "events", which, "-o", columns)


@pytest.mark.parametrize(
    ("behaviour", "reason", "exit_code", "line"),
    [
        ("crash-loop", "Error", 1, "configuration is not valid"),
        ("out-of-memory", "OOMKilled", 137, "loading plugins"),
    ],
)
def test_crashing_pod_waits_restarts_and_leaves_a_log(
    cluster: Cluster,
    run_pod: Callable[..., str],
    *,
    behaviour: str,
    reason: str,
    exit_code: int,
    line: str,
) -> None:
    pod = run_pod(behaviour)
    wait_for(waits_for(cluster, pod, "CrashLoopBackOff"), "it to crash")
    ended = container(cluster, pod)["lastState"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == (reason, exit_code)
    assert "Back-off restarting failed container" in read_events(cluster, pod)
    wait_for(lambda: administer(cluster, "get", "logs.kwok.x-k8s.io", "-o", "name"), "the log")
    wait_for(lambda: line in administer(cluster, "logs", pod), "the log's lines")
    assert line in administer(cluster, "logs", "--previous", pod)
    wait_for(lambda: container(cluster, pod)["restartCount"] >= 2, "it to crash again")


def test_pod_whose_image_cannot_be_pulled_says_which(
    cluster: Cluster, run_pod: Callable[..., str]
) -> None:
    pod = run_pod("image-pull")
    waiting = wait_for(waits_for(cluster, pod, "ImagePullBackOff"), "the back-off")
    assert "registry.test/gateway:1" in waiting["message"]
    assert "not found" in waiting["message"]


def test_pod_whose_secret_is_missing_says_which(
    cluster: Cluster, run_pod: Callable[..., str]
) -> None:
    pod = run_pod("missing-secret")
    waiting = wait_for(waits_for(cluster, pod, "CreateContainerConfigError"), "the error")
    assert waiting["message"] == 'secret "absent" not found'


def test_claim_gets_a_volume_that_goes_away_with_it(cluster: Cluster) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "claim"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    administer(cluster, "create", "-f", "-", text=json.dumps(claim))
    wait_for(lambda: read(cluster, "pvc", "claim")["status"]["phase"] == "Bound", "the volume")
    volume = read(cluster, "pvc", "claim")["spec"]["volumeName"]
    administer(cluster, "delete", "pvc", "claim")
    left = ("get", "pv", volume, "--ignore-not-found", "-o", "name")
    wait_for(lambda: not administer(cluster, *left), "the volume to be removed")
