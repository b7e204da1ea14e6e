"""A node as its host sees it: starting it, running programs in it, ending it."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from local_cluster import folders, processes
from local_cluster.errors import StartError
from local_cluster.folders import search_path
from local_cluster.locks import hold
from local_cluster.node import cgroups
from local_cluster.node.layout import CONTAINERD_SOCKET, DNS_ADDRESS, POD_RANGE, Layout
from local_cluster.progress import say

HOLDER = "node"
CONFIG = Path(__file__).parent / "config"
START_SECONDS = 30.0
POLL_SECONDS = 0.05
PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


def start(cluster: Path, *, system: Path, programs: Sequence[Path], pause: str) -> int:
    """Start a node without a control plane; return its first process, when its network is there.

    `system` is Debian's root file system, `programs` are the kubelet and kube-proxy, `pause` is
    the image of a pod's first container.
    """
    layout = Layout(cluster)
    _prepare(layout, system=system, programs=programs, pause=pause)
    command = [sys.executable, "-B", "-m", "local_cluster.node.hold", f"{cluster}/"]
    processes.start_process(cluster, HOLDER, command, {"PATH": search_path()})
    deadline = time.monotonic() + START_SECONDS
    while not layout.ready.exists():
        if processes.read_pid(cluster / "pids" / HOLDER, cluster) is None:
            raise StartError(f"The node has ended; see {cluster}/logs/{HOLDER}.log.")
        if time.monotonic() > deadline:
            raise StartError(f"The node is not up after {START_SECONDS:.0f} s; see {cluster}/logs.")
        time.sleep(POLL_SECONDS)
    first = find_first_process(cluster)
    if first is None:
        raise StartError(f"The node has ended; see {cluster}/logs/{HOLDER}.log.")
    return first


def _prepare(layout: Layout, *, system: Path, programs: Sequence[Path], pause: str) -> None:
    """Make the node's folders and write what it reads."""
    layout.ready.unlink(missing_ok=True)
    places = (layout.containerd, layout.kubelet, layout.volumes, layout.logs, layout.root)
    for folder in (*places, layout.config / "cni"):
        folder.mkdir(parents=True, exist_ok=True)
    plan = {
        "cgroup": name_group(layout.cluster),
        "system": str(system),
        "programs": [str(program) for program in programs],
        "python_path": str(folders.PACKAGE.parent),
        "shown": [str(path) for path in (*programs, folders.PACKAGE)],
    }
    layout.plan.write_text(json.dumps(plan, indent=2) + "\n")
    values = {
        "@CONFIG@": str(layout.config),
        "@PAUSE@": pause,
        "@PODS@": POD_RANGE,
        "@DNS@": DNS_ADDRESS,
        "@SOCKET@": CONTAINERD_SOCKET,
        "@CLIENT_CERTIFICATE@": str(layout.client_certificate),
    }
    _write_config("containerd.toml", layout.config, values)
    _write_config("kubelet.yaml", layout.config, values)
    _write_config("pods.conflist", layout.config / "cni", values)


def name_group(cluster: Path) -> str:
    """Return the name of the control groups that a node gets."""
    return f"local-cluster-{sha256(bytes(cluster)).hexdigest()[:12]}"


def _write_config(name: str, folder: Path, values: Mapping[str, str]) -> None:
    """Write one file of the configuration, with this node's values."""
    text = (CONFIG / name).read_text()
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    (folder / name).write_text(text)


def find_first_process(cluster: Path) -> int | None:
    """Return the pid, as the host counts, of a node's process 1; None when it does not run."""
    holder = processes.read_pid(cluster / "pids" / HOLDER, cluster)
    if holder is None:
        return None
    try:
        children = Path(f"/proc/{holder}/task/{holder}/children").read_text().split()
    except OSError:
        return None
    return int(children[0]) if children else None


def enter_network(pid: int) -> list[str]:
    """Return the prefix of commands that run in a node's network, else on the host."""
    return ["nsenter", f"--net=/proc/{pid}/ns/net", "--"]


def list_forward_command(
    cluster: Path, pid: int, port: str, target_host: str, target_port: str
) -> list[str]:
    """Return the command that carries a port of the host's to an address in a node's network."""
    program = [sys.executable, "-B", "-m", "local_cluster.node.forward", f"{cluster}/"]
    return [*program, str(pid), port, target_host, target_port]


def enter(cluster: Path) -> list[str]:
    """Return the prefix of commands that run inside a node; raise StartError when it is down."""
    first = find_first_process(cluster)
    if first is None:
        raise StartError(f"The node of the cluster {cluster.name} does not run; start it first.")
    namespaces = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup")
    return ["nsenter", f"--target={first}", *namespaces, "--wdns=/", "--"]


def run(cluster: Path, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command inside a node."""
    return subprocess.run(
        [*enter(cluster), *command],
        env=PATH,
        capture_output=True,
        text=True,
        check=False,
    )


def import_images(cluster: Path, archive: Path) -> None:
    """Give an archive of images to containerd, unless it has that one already."""
    layout = Layout(cluster)
    with hold(layout.imported.with_suffix(".lock"), f"importing images into {cluster.name}"):
        known = layout.imported.read_text().splitlines() if layout.imported.exists() else []
        if archive.name not in known:
            _import(cluster, archive)
            layout.imported.write_text("".join(f"{name}\n" for name in (*known, archive.name)))


def _import(cluster: Path, archive: Path) -> None:
    """Give an archive of images to containerd once it answers."""
    _wait_for_containerd(cluster)
    command = ["ctr", f"--address={CONTAINERD_SOCKET}", "--namespace=k8s.io", "images", "import"]
    with archive.open("rb") as source:
        imported = subprocess.run(
            [*enter(cluster), *command, "-"],
            stdin=source,
            env=PATH,
            capture_output=True,
            text=True,
            check=False,
        )
    if imported.returncode != 0:
        last = (imported.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise StartError(f"The images in {archive.name} cannot be imported: {last}")


def _wait_for_containerd(cluster: Path) -> None:
    """Wait until containerd answers."""
    deadline = time.monotonic() + START_SECONDS
    while run(cluster, ["ctr", f"--address={CONTAINERD_SOCKET}", "version"]).returncode != 0:
        if time.monotonic() > deadline:
            raise StartError(f"containerd does not answer; see {cluster}/node/logs/containerd.log.")
        time.sleep(POLL_SECONDS)


def clean_up(cluster: Path) -> None:
    """Remove the control groups of a node whose processes have ended."""
    layout = Layout(cluster)
    if not layout.cgroups.exists():
        return
    left = cgroups.remove([Path(line) for line in layout.cgroups.read_text().splitlines()])
    if left:
        say(f"control groups that would not go: {', '.join(map(str, left))}")
        return
    layout.cgroups.unlink()


def forget(cluster: Path) -> None:
    """Remove all that a node keeps: images, containers, volumes."""
    shutil.rmtree(Layout(cluster).folder, ignore_errors=True)
