"""Starting and ending the processes of one cluster, and filling it with what it starts with.

The caller holds the cluster's lock.
"""

import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from local_cluster import folders, processes
from local_cluster.build import group_folder
from local_cluster.catalogue import CONTROL_PLANE, CRDS, KUBECTL
from local_cluster.control_plane import ControlPlane, Ports
from local_cluster.errors import StartError
from local_cluster.kind import Kind
from local_cluster.progress import say
from local_cluster.record import Owner, Record, read_record, write_record

START_SECONDS = 60.0
POLL_SECONDS = 0.05
ETCD_GRACE_SECONDS = 3.0
CONTROL_PLANE_PROCESSES = tuple(CONTROL_PLANE.packages)


def find_programs() -> dict[str, Path]:
    """Return where the programs of a control plane are."""
    return {name: group_folder(CONTROL_PLANE) / name for name in CONTROL_PLANE.packages}


def read_recipe(kind: Kind) -> str:
    """Return a digest of all that decides what a cluster is; another one means a restart."""
    built = [f"{group.name}-{group.key}" for group in kind.groups]
    digest = sha256(repr((kind.name, built)).encode())
    sources = [folders.PACKAGE / "control_plane.py", *kind.list_sources()]
    for source in (*sources, *_list_files(kind.list_manifests())):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _list_files(paths: Sequence[Path]) -> list[Path]:
    """Return the files among these paths, and those in the folders among them."""
    return [
        file
        for path in paths
        for file in (sorted(path.iterdir()) if path.is_dir() else [path])
        if file.is_file()
    ]


def launch(folder: Path, kind: Kind, owner: Owner | None) -> None:
    """Start a cluster anew, with the data that it has, until it can be used.

    The three starts that it is given: with the data, on other ports if those were taken; the same
    again; and last with empty data. Raise StartError when the last fails as well.
    """
    for prepare_retry in (_keep_data, _forget_data):
        try:
            _launch_once(folder, kind, owner)
        except StartError as error:
            stop_processes(folder, kind)
            say(f"{error} {prepare_retry(folder, kind)}")
        else:
            return
    _launch_once(folder, kind, owner)


def is_running(folder: Path, kind: Kind, record: Record) -> bool:
    """Tell whether every process runs and the API server answers."""
    api = ControlPlane(folder, record.ports, {}).api_server()
    pid_files = [folder / "pids" / name for name in (*CONTROL_PLANE_PROCESSES, *kind.processes)]
    return all(_is_alive(pid_file, folder) for pid_file in pid_files) and api.is_ready()


def stop_processes(folder: Path, kind: Kind) -> None:
    """End the processes of a cluster: etcd last and gently, for it alone keeps anything."""
    pids = folder / "pids"
    others = [path for path in pids.glob("*") if path.name != "etcd"]
    processes.stop(others, folder, grace_seconds=0)
    processes.stop([pids / "etcd"], folder, grace_seconds=ETCD_GRACE_SECONDS)
    kind.clean_up(folder)


def _keep_data(folder: Path, _: Kind) -> str:
    """Before the second start: leave everything as it is, but for ports that were taken."""
    logs = (path.read_text(errors="replace") for path in (folder / "logs").glob("*.log"))
    if any("address already in use" in text for text in logs):
        return "A port was taken in the meantime; trying others."
    return "Trying once more."


def _forget_data(folder: Path, kind: Kind) -> str:
    """Before the last start: remove data that no control plane could be started with."""
    for name in ("etcd", "pki"):
        shutil.rmtree(folder / name, ignore_errors=True)
    kind.forget(folder)
    return "It does not start with the data it has; starting with empty data."


def _launch_once(folder: Path, kind: Kind, owner: Owner | None) -> None:
    """Start every process and fill the cluster; raise StartError when it does not get ready."""
    stop_processes(folder, kind)
    record = _prepare(folder, kind, owner)
    plane = ControlPlane(folder, record.ports, find_programs(), kind.surroundings)
    prefix = kind.start_nodes(folder, record.ports)
    commands = {name: [*prefix, *command] for name, command in plane.commands().items()}
    for name in ("etcd", "kube-apiserver"):
        processes.start_process(folder, name, commands[name])
    kind.prepare_pods(folder)
    api = plane.api_server()
    _wait(folder, "the API server", api.is_ready)
    plane.write_kubeconfig(f"local-{folder.name}")
    for name in ("kube-controller-manager", "kube-scheduler"):
        processes.start_process(folder, name, commands[name])
    _apply_content(folder, plane.kubeconfig, kind.list_manifests())
    kind.start_pods(folder, record.ports)
    _wait(folder, "the cluster's content", api.has_content)
    write_record(folder, replace(record, is_complete=True))


def _prepare(folder: Path, kind: Kind, owner: Owner | None) -> Record:
    """Write every file that the processes read; keep earlier ports that are still free."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "pids").mkdir(exist_ok=True)
    _set_aside_logs(folder)
    earlier = read_record(folder)
    ports = earlier.ports if earlier and earlier.ports.are_free() else Ports.pick()
    record = Record(ports, kind.name, read_recipe(kind), owner)
    write_record(folder, record)
    ControlPlane(folder, ports, {}).write_credentials(kind.users)
    return record


def _set_aside_logs(folder: Path) -> None:
    """Begin with empty logs; those of the start before are kept beside them."""
    logs, earlier = folder / "logs", folder / "logs.earlier"
    if logs.exists():
        shutil.rmtree(earlier, ignore_errors=True)
        logs.rename(earlier)
    logs.mkdir()


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


def _apply_content(folder: Path, kubeconfig: Path, manifests: Sequence[Path]) -> None:
    """Create or update what a cluster has from the beginning, and the CRDs of every cluster."""
    content = [*manifests, *(group_folder(CRDS) / name for name in CRDS.files)]
    kubectl = [
        str(group_folder(KUBECTL) / "kubectl"),
        f"--kubeconfig={kubeconfig}",
        # Not the user's ~/.kube/cache, where another cluster may have had the same port.
        f"--cache-dir={folder}/discovery",
        "apply",
        "--server-side",
        "--force-conflicts",
        *(f"--filename={path}" for path in content),
    ]
    applied = subprocess.run(
        # Else it would outlive a start that is killed, and write into a folder that is removed.
        processes.bind_to_this_process(kubectl),
        capture_output=True,
        text=True,
        check=False,
    )
    if applied.returncode != 0:
        last = (applied.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise StartError(f"The cluster cannot be filled: {last}")
