"""Clusters with a real control plane and simulated nodes, pods and volumes.

    from local_cluster import simulated

    cluster = simulated.start("tests", owner_pid=os.getpid())
    cluster.kubeconfig   # Path of an administrator's kubeconfig with one context
    cluster.bin          # Path of the folder with kubectl and helm
    cluster.stop()

`start` needs the tools of the set "demo" (`build.build_groups(catalogue.DEMO)`), takes about five
seconds, returns at once when the cluster runs and is healthy, and otherwise mends it: after a
`kill -9` of some or all of its processes, or of an earlier `start`, it goes on with the data that
etcd has. A cluster with an owner is removed, by the next `start` in the same clone, once the
owner's process has ended; one without lives until it is stopped.

What pods do is chosen by their label `local-cluster/behaviour`, see `stages/behaviours.yaml`.
Clusters belong to the clone and live in its `.local/clusters/NAME`.
"""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from local_cluster import folders, processes
from local_cluster.build import group_folder, is_built, link_tools
from local_cluster.catalogue import CONTROL_PLANE, CRDS, DEMO, KUBECTL, KWOK
from local_cluster.control_plane import ControlPlane, Ports
from local_cluster.errors import StartError, UsageError
from local_cluster.locks import hold, try_hold
from local_cluster.progress import Stopwatch, say

START_SECONDS = 60.0
POLL_SECONDS = 0.05
START_ATTEMPTS = 3
ETCD_GRACE_SECONDS = 3.0
NAME_PATTERN = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


@dataclass(frozen=True)
class Cluster:
    """A cluster that was started."""

    name: str
    folder: Path

    @property
    def kubeconfig(self) -> Path:
        """An administrator's kubeconfig; its one context is `local-NAME`."""
        return self.folder / "kubeconfig"

    @property
    def bin(self) -> Path:
        """The folder with kubectl, helm and the other tools that are built."""
        return folders.TOOLS

    def stop(self) -> None:
        """End the cluster's processes and remove everything it kept."""
        stop(self.name)


@dataclass(frozen=True)
class Owner:
    """The process that a cluster belongs to; `started` tells it from a later one of that pid."""

    pid: int
    started: str

    def is_alive(self) -> bool:
        """Tell whether the process still runs."""
        return processes.read_start(self.pid) == self.started


@dataclass(frozen=True)
class Record:
    """What is written down of a cluster, before any of its processes starts."""

    ports: Ports
    programs: dict[str, str]
    owner: Owner | None
    # False until the node, the CRDs and the storage class were there once.
    is_complete: bool = False


def start(name: str, *, owner_pid: int | None = None) -> Cluster:
    """Start a cluster, or mend it, or find it running; return it when it is ready for use.

    Raise UsageError for a name that cannot be or tools that are not built, StartError when the
    control plane does not become ready.
    """
    _check_name(name)
    missing = [group.name for group in DEMO if not is_built(group)]
    if missing:
        raise UsageError(f"Not built yet: {', '.join(missing)}. Run `make demo` or `build` first.")
    remove_abandoned()
    link_tools()
    cluster = Cluster(name, folders.CLUSTERS / name)
    owner = _identify(owner_pid)
    with hold(_lock_path(name), f"starting or stopping the cluster {name}"):
        _start_locked(cluster, owner)
    return cluster


def stop(name: str) -> bool:
    """End a cluster's processes and remove its folder; tell whether there was one."""
    _check_name(name)
    folder = folders.CLUSTERS / name
    if not folder.exists():
        return False
    with hold(_lock_path(name), f"starting or stopping the cluster {name}"):
        _remove(folder)
    return True


def find(name: str) -> Cluster | None:
    """Return a cluster that was started completely and not stopped since; it may be unhealthy."""
    _check_name(name)
    record = _read_record(folders.CLUSTERS / name)
    if record is None or not record.is_complete:
        return None
    return Cluster(name, folders.CLUSTERS / name)


def list_clusters() -> list[tuple[Cluster, str]]:
    """Return the clone's clusters, each with its state: running or broken."""
    clusters = [
        Cluster(folder.name, folder)
        for folder in sorted(folders.CLUSTERS.glob("*"))
        if folder.is_dir()
    ]
    return [(cluster, "running" if is_healthy(cluster) else "broken") for cluster in clusters]


def is_healthy(cluster: Cluster) -> bool:
    """Tell whether all of a cluster's processes run and its API server is ready."""
    record = _read_record(cluster.folder)
    return record is not None and record.is_complete and _is_running(cluster.folder, record)


def remove_abandoned() -> None:
    """Remove this clone's clusters whose owner has ended."""
    for folder in folders.CLUSTERS.glob("*"):
        record = _read_record(folder)
        if record is None or record.owner is None or record.owner.is_alive():
            continue
        with try_hold(_lock_path(folder.name)) as is_held:
            if is_held:
                say(f"removing the cluster {folder.name}: the process that owned it has ended")
                _remove(folder)


def _check_name(name: str) -> None:
    """Raise UsageError unless the name can be part of paths and of kubeconfig contexts."""
    if not NAME_PATTERN.fullmatch(name):
        raise UsageError(
            f"'{name}' cannot name a cluster: use 1 to 40 lower-case letters, digits and dashes."
        )


def _lock_path(name: str) -> Path:
    """Return the lock that is held while a cluster is started or stopped."""
    return folders.CLUSTERS / f"{name}.lock"


def _identify(pid: int | None) -> Owner | None:
    """Return the owner that a pid names; raise UsageError when no such process runs."""
    if pid is None:
        return None
    started = processes.read_start(pid)
    if not started:
        raise UsageError(f"No process has the pid {pid}, so it cannot own a cluster.")
    return Owner(pid, started)


def _start_locked(cluster: Cluster, owner: Owner | None) -> None:
    """Do what is missing until the cluster is healthy; its lock is held."""
    record = _read_record(cluster.folder)
    programs = {name: str(path) for name, path in _programs().items()}
    if record and record.programs == programs and is_healthy(cluster):
        _write_record(cluster.folder, replace(record, owner=owner))
        return
    watch = Stopwatch(f"starting the cluster {cluster.name}")
    say(f"starting the cluster {cluster.name}")
    for attempt in range(1, START_ATTEMPTS + 1):
        try:
            _launch(cluster, owner)
            break
        except StartError:
            _stop_processes(cluster.folder)
            if attempt == START_ATTEMPTS:
                raise
            _prepare_retry(cluster.folder)
    say(f"cluster {cluster.name} is ready after {watch.seconds:.1f} s")


def _prepare_retry(folder: Path) -> None:
    """Before another attempt: forget data that no control plane could be started with."""
    if "address already in use" in _read_logs(folder):
        say("a port was taken in the meantime; trying others")
        (folder / "logs").rename(folder / f"logs-{time.time_ns()}")
        return
    say("the control plane does not start with the data it has; starting with empty data")
    for name in ("etcd", "pki"):
        shutil.rmtree(folder / name, ignore_errors=True)


def _programs() -> dict[str, Path]:
    """Return where the programs of a control plane are."""
    groups = (CONTROL_PLANE, KWOK)
    return {name: group_folder(group) / name for group in groups for name in group.packages}


def _launch(cluster: Cluster, owner: Owner | None) -> None:
    """Start every process and fill the cluster; raise StartError when it does not get ready."""
    folder = cluster.folder
    _stop_processes(folder)
    record = _prepare(folder, owner)
    plane = ControlPlane(folder, record.ports, _programs())
    commands = plane.commands()
    for name in ("etcd", "kube-apiserver"):
        _start_process(folder, name, commands)
    api = plane.api_server()
    _wait(folder, "the API server", api.is_ready)
    plane.write_kubeconfig(f"local-{cluster.name}")
    for name in ("kube-controller-manager", "kube-scheduler"):
        _start_process(folder, name, commands)
    _kubectl(cluster, "apply", "--server-side", "--force-conflicts", *_manifest_arguments())
    # Only now: kwok ends at once when its CRD is not served yet.
    _start_process(folder, "kwok", commands)
    _wait(folder, "the cluster's content", api.has_content)
    _write_record(folder, replace(record, is_complete=True))


def _prepare(folder: Path, owner: Owner | None) -> Record:
    """Write every file that the processes read; keep earlier ports that are still free."""
    (folder / "logs").mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "pids").mkdir(exist_ok=True)
    earlier = _read_record(folder)
    ports = earlier.ports if earlier and earlier.ports.are_free() else Ports.pick()
    record = Record(ports, {name: str(path) for name, path in _programs().items()}, owner)
    _write_record(folder, record)
    ControlPlane(folder, ports, _programs()).write_credentials()
    _write_container_logs(folder / "containers")
    stages = [path.read_text() for path in sorted(folders.STAGES.glob("*.yaml"))]
    text = "\n---\n".join(stages).replace("@LOGS@", str(folder / "containers"))
    (folder / "kwok.yaml").write_text(text)
    return record


def _write_container_logs(folder: Path) -> None:
    """Write the logs of simulated containers, in the format that a container runtime has."""
    folder.mkdir(exist_ok=True)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000000000Z")
    for source in folders.CONTAINER_LOGS.glob("*.log"):
        lines = [f"{now} stderr F {line}\n" for line in source.read_text().splitlines()]
        (folder / source.name).write_text("".join(lines))


def _start_process(folder: Path, name: str, commands: dict[str, list[str]]) -> None:
    """Start one process of the control plane."""
    quiet = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
    processes.start_detached(
        commands[name],
        log=folder / "logs" / f"{name}.log",
        pid_file=folder / "pids" / name,
        # kwok looks for a configuration of the user's own in here.
        environment=quiet | {"KWOK_WORKDIR": str(folder / "kwok")},
    )


def _wait(folder: Path, what: str, is_done: Callable[[], bool]) -> None:
    """Wait until something is done; raise StartError in time or when a process has ended."""
    deadline = time.monotonic() + START_SECONDS
    while not is_done():
        ended = [path.name for path in (folder / "pids").glob("*") if not _is_alive(path, folder)]
        if ended or time.monotonic() > deadline:
            reason = f"{ended[0]} has ended" if ended else f"not after {START_SECONDS:.0f} s"
            raise StartError(f"{what} did not become ready: {reason}; see {folder}/logs.")
        time.sleep(POLL_SECONDS)


def _is_alive(pid_file: Path, folder: Path) -> bool:
    """Tell whether the process of a pid file runs."""
    return processes.read_pid(pid_file, folder) is not None


def _manifest_arguments() -> list[str]:
    """Return the kubectl arguments that name everything a cluster starts with."""
    content = [
        folders.MANIFESTS,
        *(group_folder(CRDS) / name for name in CRDS.files),
        *(group_folder(KWOK) / name for name in KWOK.files),
    ]
    return [f"--filename={path}" for path in content]


def _kubectl(cluster: Cluster, *arguments: str) -> None:
    """Run kubectl on the cluster; raise StartError with its last line when it fails."""
    # Not the user's ~/.kube/cache, where another cluster may have had the same port.
    settings = (f"--kubeconfig={cluster.kubeconfig}", f"--cache-dir={cluster.folder}/discovery")
    done = subprocess.run(
        [group_folder(KUBECTL) / "kubectl", *settings, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise StartError(f"kubectl {arguments[0]} failed on the new cluster: {last}")


def _is_running(folder: Path, record: Record) -> bool:
    """Tell whether every process runs and the API server answers."""
    api = ControlPlane(folder, record.ports, {}).api_server()
    names = record.programs
    return all(_is_alive(folder / "pids" / name, folder) for name in names) and api.is_ready()


def _stop_processes(folder: Path) -> None:
    """End the processes of a cluster: etcd last and gently, for it alone keeps anything."""
    pids = folder / "pids"
    others = [path for path in pids.glob("*") if path.name != "etcd"]
    processes.stop(others, folder, grace_seconds=0)
    processes.stop([pids / "etcd"], folder, grace_seconds=ETCD_GRACE_SECONDS)


def _remove(folder: Path) -> None:
    """End a cluster's processes and remove its folder; its lock is held."""
    _stop_processes(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _read_logs(folder: Path) -> str:
    """Return what the processes have logged."""
    logs = (folder / "logs").glob("*.log")
    return "".join(path.read_text(errors="replace") for path in logs)


def _read_record(folder: Path) -> Record | None:
    """Return what is written down of a cluster; None when there is none or it is unreadable."""
    try:
        fields = json.loads((folder / "cluster.json").read_text())
        owner = Owner(**fields.pop("owner")) if fields["owner"] else fields.pop("owner")
        return Record(ports=Ports(**fields.pop("ports")), owner=owner, **fields)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_record(folder: Path, record: Record) -> None:
    """Write down what a cluster is, in one step."""
    unfinished = folder / "cluster.json.unfinished"
    unfinished.write_text(json.dumps(asdict(record), indent=2) + "\n")
    unfinished.replace(folder / "cluster.json")
