"""Local clusters: a real control plane, with simulated or with real containers.

    from local_cluster import clusters

    cluster = clusters.start("tests", containers="simulated", owner_pid=os.getpid())
    cluster.kubeconfig   # Path of an administrator's kubeconfig with one context
    cluster.bin          # Path of the folder with kubectl and helm
    cluster.stop()

`start` needs what `find_kind(containers).build()` makes, takes five to ten seconds, returns at
once when the cluster runs and is healthy, and otherwise mends it: after a `kill -9` of some or all
of its processes, or of an earlier `start`, it goes on with the data that it has. A cluster with an
owner is removed, by the next `start` in the same clone, once the owner's process has ended; one
without lives until it is stopped.

Clusters belong to the clone and live in its `.local/clusters/NAME`.
"""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from local_cluster import folders, images
from local_cluster.build import link_tools
from local_cluster.errors import UsageError
from local_cluster.kind import Kind
from local_cluster.launch import is_running, launch, read_recipe, stop_processes
from local_cluster.locks import hold, try_hold
from local_cluster.node import host
from local_cluster.node.possible import find_obstacle
from local_cluster.node.real import Real
from local_cluster.progress import Stopwatch, say
from local_cluster.record import Owner, identify_owner, read_record, write_record
from local_cluster.simulated import Simulated

REAL, SIMULATED = Real(), Simulated()
KINDS: dict[str, Kind] = {kind.name: kind for kind in (REAL, SIMULATED)}
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
    def containers(self) -> str:
        """Who plays its containers: `real` or `simulated`."""
        return read_kind(self.folder).name

    @property
    def bin(self) -> Path:
        """The folder with kubectl, helm and the other tools that are built."""
        return folders.TOOLS

    def load(self, archive: str) -> None:
        """Give a node with real containers an archive of images, see `images.ARCHIVES`."""
        host.import_images(self.folder, images.build_archive(archive))

    def enter(self) -> list[str]:
        """Return the prefix of commands that run inside the node, where containers are real."""
        return host.enter(self.folder)

    def stop(self) -> None:
        """End the cluster's processes and remove everything it kept."""
        stop(self.name)


def choose_kind(wanted: str, look: Callable[[], str | None] = find_obstacle) -> Kind:
    """Return the kind that is wanted: `real`, `simulated`, or `auto` for real where it can be.

    Say in one line which one it is, and why not the other; `look` finds what speaks against real
    ones. Raise UsageError where only real would do and cannot be.
    """
    if wanted == SIMULATED.name:
        say("containers: simulated, as asked")
        return SIMULATED
    obstacle = look()
    if obstacle is None:
        say("containers: real, in a node of their own")
        return REAL
    if wanted == REAL.name:
        raise UsageError(f"Containers cannot be real here: {obstacle}.")
    say(f"containers: simulated, because {obstacle}")
    return SIMULATED


def start(name: str, *, containers: str, owner_pid: int | None = None) -> Cluster:
    """Start a cluster, or mend it, or find it running; return it when it is ready for use.

    `containers` is "simulated" or "real". A cluster of the other kind is replaced, with its data.
    Raise UsageError for a name that cannot be or tools that are not built, StartError when the
    cluster does not become ready.
    """
    _check_name(name)
    kind = KINDS[containers]
    missing = kind.find_missing()
    if missing:
        raise UsageError(f"Not built yet: {', '.join(missing)}. Run `build` first.")
    remove_abandoned()
    link_tools()
    cluster = Cluster(name, folders.CLUSTERS / name)
    owner = identify_owner(owner_pid)
    with hold(_lock_path(name), f"starting or stopping the cluster {name}"):
        _start_locked(cluster, kind, owner)
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
    record = read_record(folders.CLUSTERS / name)
    if record is None or not record.is_complete:
        return None
    return Cluster(name, folders.CLUSTERS / name)


def list_clusters() -> list[tuple[Cluster, str]]:
    """Return the clone's clusters, each with its state: running, starting or broken."""
    clusters = [
        Cluster(folder.name, folder)
        for folder in sorted(folders.CLUSTERS.glob("*"))
        if folder.is_dir()
    ]
    return [(cluster, _describe_state(cluster)) for cluster in clusters]


def _describe_state(cluster: Cluster) -> str:
    """Return a cluster's state in one word."""
    if is_healthy(cluster):
        return "running"
    with try_hold(_lock_path(cluster.name)) as is_nobody_at_it:
        return "broken" if is_nobody_at_it else "starting"


def is_healthy(cluster: Cluster) -> bool:
    """Tell whether all of a cluster's processes run and its API server is ready."""
    record = read_record(cluster.folder)
    return (
        record is not None
        and record.is_complete
        and is_running(cluster.folder, KINDS[record.containers], record)
    )


def remove_abandoned() -> None:
    """Remove this clone's clusters whose owner has ended."""
    for folder in folders.CLUSTERS.glob("*"):
        record = read_record(folder)
        if record is None or not record.is_abandoned:
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


def _start_locked(cluster: Cluster, kind: Kind, owner: Owner | None) -> None:
    """Do what is missing until the cluster is healthy; its lock is held."""
    record = read_record(cluster.folder)
    if record and record.containers != kind.name:
        say(f"cluster {cluster.name} had {record.containers} containers; it is made anew")
        _empty(cluster.folder)
    elif record and record.recipe == read_recipe(kind) and is_healthy(cluster):
        write_record(cluster.folder, replace(record, owner=owner))
        return
    watch = Stopwatch(f"starting the cluster {cluster.name}")
    say(f"starting the cluster {cluster.name} with {kind.name} containers")
    launch(cluster.folder, kind, owner)
    say(f"cluster {cluster.name} is ready after {watch.seconds:.1f} s")


def _remove(folder: Path) -> None:
    """End a cluster's processes and remove all it kept; its lock is held, and removed last."""
    _empty(folder)
    _lock_path(folder.name).unlink(missing_ok=True)


def _empty(folder: Path) -> None:
    """End a cluster's processes and remove all it kept."""
    stop_processes(folder, read_kind(folder))
    shutil.rmtree(folder, ignore_errors=True)


def read_kind(folder: Path) -> Kind:
    """Return the kind of the cluster in a folder; simulated when nothing tells."""
    record = read_record(folder)
    if record is not None:
        return KINDS[record.containers]
    return KINDS["real" if (folder / "node").exists() else "simulated"]
