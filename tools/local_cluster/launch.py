"""Starting and ending the processes of one cluster, and filling it with what it starts with.

The caller holds the cluster's lock.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from local_cluster import folders, processes
from local_cluster.build import group_folder
from local_cluster.catalogue import CONTROL_PLANE, CRDS, KUBECTL, KWOK
from local_cluster.control_plane import ControlPlane, Ports
from local_cluster.errors import StartError
from local_cluster.progress import say
from local_cluster.record import Owner, Record, read_record, write_record

START_SECONDS = 60.0
POLL_SECONDS = 0.05
ETCD_GRACE_SECONDS = 3.0
# Settings of the user's own that the processes would obey.
FORGOTTEN = ("KUBECONFIG", "ETCD_", "KWOK_")


def find_programs() -> dict[str, Path]:
    """Return where the programs of a control plane are."""
    groups = (CONTROL_PLANE, KWOK)
    return {name: group_folder(group) / name for group in groups for name in group.packages}


def read_recipe() -> str:
    """Return a digest of all that decides what a cluster is; another one means a restart."""
    digest = sha256(repr(sorted(find_programs().items())).encode())
    sources = [folders.PACKAGE / "control_plane.py"]
    for folder in (folders.STAGES, folders.MANIFESTS, folders.CONTAINER_LOGS):
        sources += sorted(folder.iterdir())
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def launch(folder: Path, owner: Owner | None) -> None:
    """Start a cluster anew, with the data that it has, until it can be used.

    The three starts that it is given: with the data, on other ports if those were taken; the same
    again; and last with empty data. Raise StartError when the last fails as well.
    """
    for prepare_retry in (_keep_data, _forget_data):
        try:
            _launch_once(folder, owner)
        except StartError:
            stop_processes(folder)
            prepare_retry(folder)
        else:
            return
    _launch_once(folder, owner)


def is_running(folder: Path, record: Record) -> bool:
    """Tell whether every process runs and the API server answers."""
    api = ControlPlane(folder, record.ports, {}).api_server()
    pid_files = [folder / "pids" / name for name in find_programs()]
    return all(_is_alive(pid_file, folder) for pid_file in pid_files) and api.is_ready()


def stop_processes(folder: Path) -> None:
    """End the processes of a cluster: etcd last and gently, for it alone keeps anything."""
    pids = folder / "pids"
    others = [path for path in pids.glob("*") if path.name != "etcd"]
    processes.stop(others, folder, grace_seconds=0)
    processes.stop([pids / "etcd"], folder, grace_seconds=ETCD_GRACE_SECONDS)


def _keep_data(folder: Path) -> None:
    """Before the second start: say what the first one met."""
    logs = (path.read_text(errors="replace") for path in (folder / "logs").glob("*.log"))
    if any("address already in use" in text for text in logs):
        say("a port was taken in the meantime; trying others")
    else:
        say("the control plane did not start; trying once more")


def _forget_data(folder: Path) -> None:
    """Before the last start: remove data that no control plane could be started with."""
    say("the control plane does not start with the data it has; starting with empty data")
    for name in ("etcd", "pki"):
        shutil.rmtree(folder / name, ignore_errors=True)


def _launch_once(folder: Path, owner: Owner | None) -> None:
    """Start every process and fill the cluster; raise StartError when it does not get ready."""
    stop_processes(folder)
    record = _prepare(folder, owner)
    plane = ControlPlane(folder, record.ports, find_programs())
    commands = plane.commands()
    for name in ("etcd", "kube-apiserver"):
        _start_process(folder, name, commands)
    api = plane.api_server()
    _wait(folder, "the API server", api.is_ready)
    plane.write_kubeconfig(f"local-{folder.name}")
    for name in ("kube-controller-manager", "kube-scheduler"):
        _start_process(folder, name, commands)
    _apply_content(folder, plane.kubeconfig)
    # Only now: kwok ends at once when its CRD is not served yet.
    _start_process(folder, "kwok", commands)
    _wait(folder, "the cluster's content", api.has_content)
    write_record(folder, replace(record, is_complete=True))


def _prepare(folder: Path, owner: Owner | None) -> Record:
    """Write every file that the processes read; keep earlier ports that are still free."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "pids").mkdir(exist_ok=True)
    _set_aside_logs(folder)
    earlier = read_record(folder)
    ports = earlier.ports if earlier and earlier.ports.are_free() else Ports.pick()
    record = Record(ports, read_recipe(), owner)
    write_record(folder, record)
    ControlPlane(folder, ports, {}).write_credentials()
    _write_container_logs(folder / "containers")
    stages = [path.read_text() for path in sorted(folders.STAGES.glob("*.yaml"))]
    text = "\n---\n".join(stages).replace("@LOGS@", str(folder / "containers"))
    (folder / "kwok.yaml").write_text(text)
    return record


def _set_aside_logs(folder: Path) -> None:
    """Begin with empty logs; those of the start before are kept beside them."""
    logs, earlier = folder / "logs", folder / "logs.earlier"
    if logs.exists():
        shutil.rmtree(earlier, ignore_errors=True)
        logs.rename(earlier)
    logs.mkdir()


def _write_container_logs(folder: Path) -> None:
    """Write the logs of simulated containers, in the format that a container runtime has."""
    folder.mkdir(exist_ok=True)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000000000Z")
    for source in folders.CONTAINER_LOGS.glob("*.log"):
        lines = [f"{now} stderr F {line}\n" for line in source.read_text().splitlines()]
        (folder / source.name).write_text("".join(lines))


def _start_process(folder: Path, name: str, commands: dict[str, list[str]]) -> None:
    """Start one process of the control plane."""
    inherited = {key: text for key, text in os.environ.items() if not key.startswith(FORGOTTEN)}
    processes.start_detached(
        commands[name],
        log=folder / "logs" / f"{name}.log",
        pid_file=folder / "pids" / name,
        # kwok looks in here for a configuration that is the user's own.
        environment=inherited | {"KWOK_WORKDIR": str(folder / "kwok")},
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


def _apply_content(folder: Path, kubeconfig: Path) -> None:
    """Create or update what every cluster has: a node, the CRDs, a default StorageClass."""
    content = [
        folders.MANIFESTS,
        *(group_folder(CRDS) / name for name in CRDS.files),
        *(group_folder(KWOK) / name for name in KWOK.files),
    ]
    applied = subprocess.run(
        [
            group_folder(KUBECTL) / "kubectl",
            f"--kubeconfig={kubeconfig}",
            # Not the user's ~/.kube/cache, where another cluster may have had the same port.
            f"--cache-dir={folder}/discovery",
            "apply",
            "--server-side",
            "--force-conflicts",
            *(f"--filename={path}" for path in content),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if applied.returncode != 0:
        last = (applied.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise StartError(f"The cluster cannot be filled: {last}")
