"""Control groups of a node's own, of version 1 (one tree per controller) and of version 2.

Version 1: the node's groups are below the caller's own, so that the limits of whoever started it
still hold. Version 2: a group that has processes cannot have groups with controllers below it, so
the node's group is at the top, and its processes are in one below that, beside the kubelet's.
Documentation: cgroups(7), cgroup_namespaces(7).
"""

import os
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from local_cluster.node.namespaces import NEW_GROUPS, make_own

MOUNT = Path("/sys/fs/cgroup")
# What the kubelet limits pods with.
NEEDED = ("cpu", "memory", "pids")
# Where, in version 2, a node's processes are that are no pod's.
OWN = "node"
REMOVAL_SECONDS = 10.0
POLL_SECONDS = 0.05


def is_version_2(mount: Path = MOUNT) -> bool:
    """Tell whether this machine has version 2 alone."""
    return (mount / "cgroup.controllers").exists()


def find_trees(mount: Path = MOUNT) -> list[str]:
    """Return the trees of version 1, such as ``memory`` or ``cpu,cpuacct``."""
    return sorted(
        folder.name
        for folder in mount.iterdir()
        if not folder.is_symlink() and (folder / "cgroup.procs").exists()
    )


def find_obstacle() -> str | None:
    """Return why pods could not be limited on this machine, or None."""
    if is_version_2():
        offered = (MOUNT / "cgroup.controllers").read_text().split()
    elif MOUNT.is_dir():
        offered = [name for tree in find_trees() for name in tree.split(",")]
    else:
        offered = []
    missing = [name for name in NEEDED if name not in offered]
    return f"the control groups here lack {', '.join(missing)}" if missing else None


def enter(folders: Sequence[Path]) -> None:
    """Make these control groups, move this process into them, and show it no others."""
    if is_version_2():
        _delegate(MOUNT)
    for folder in folders:
        folder.mkdir(exist_ok=True)
        if (folder / "cpuset.cpus").exists() and not is_version_2():
            for setting in ("cpuset.cpus", "cpuset.mems"):
                (folder / setting).write_text((folder.parent / setting).read_text())
        _move(folder)
    # Not by the program unshare, which would stay in the topmost group of version 2, where no
    # process may be.
    make_own(NEW_GROUPS)
    if is_version_2():
        for folder in folders:
            (folder / OWN).mkdir(exist_ok=True)
            _move(folder / OWN)
            _delegate(folder)


def _move(folder: Path) -> None:
    """Move this process into a control group."""
    (folder / "cgroup.procs").write_text(str(os.getpid()))


def plan_groups(name: str) -> Iterator[Path]:
    """Yield the folders of a node's groups, one for each tree; none of them is made yet."""
    if is_version_2():
        yield MOUNT / name
        return
    own = dict(_read_own_groups(Path("/proc/self/cgroup").read_text()))
    for tree in find_trees():
        parent = MOUNT / tree / own.get("" if tree == "unified" else tree, "")
        if parent.is_dir():
            yield parent / name


def _read_own_groups(text: str) -> Iterator[tuple[str, str]]:
    """Yield tree and group of each line of ``/proc/self/cgroup``; version 2 has no tree's name."""
    for line in text.splitlines():
        _, tree, group = line.split(":", 2)
        yield tree.removeprefix("name="), group.lstrip("/")


def mount_inside(trees: Sequence[str], place: Path) -> None:
    """Mount a node's own groups at ``place``; no trees means version 2."""
    if not trees:
        _mount("cgroup2", place)
        return
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(place)], check=True)
    for tree in trees:
        (place / tree).mkdir()
        if tree == "unified":
            _mount("cgroup2", place / tree)
        else:
            option = "none,name=systemd" if tree == "systemd" else tree
            _mount("cgroup", place / tree, "-o", option)


def _mount(kind: str, place: Path, *options: str) -> None:
    """Mount one tree."""
    subprocess.run(["mount", "-t", kind, *options, kind, str(place)], check=True)


def _delegate(folder: Path) -> None:
    """Offer to the groups below a folder of version 2 every controller that it has."""
    for controller in (folder / "cgroup.controllers").read_text().split():
        try:
            (folder / "cgroup.subtree_control").write_text(f"+{controller}")
        except OSError:
            if controller in NEEDED:
                raise


def remove(folders: Iterable[Path]) -> list[Path]:
    """Remove control groups whose processes have ended; return those that would not go."""
    deadline = time.monotonic() + REMOVAL_SECONDS
    left = [folder for folder in folders if folder.is_dir()]
    while left and time.monotonic() < deadline:
        for folder in left:
            _remove_tree(folder)
        left = [folder for folder in left if folder.is_dir()]
        if left:
            time.sleep(POLL_SECONDS)
    return left


def _remove_tree(folder: Path) -> None:
    """Remove a group and those below it, as far as no process is in them."""
    for path, _, _ in os.walk(folder, topdown=False):
        try:
            Path(path).rmdir()
        except OSError:
            continue
