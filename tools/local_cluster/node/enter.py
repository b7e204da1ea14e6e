"""`python -m local_cluster.node.enter CLUSTER_FOLDER [TREE...]`: process 1 of a node, at first.

In namespaces that are still copies of the host's, it mounts a root file system of the node's own
and goes on in there as `init`. Nothing it mounts can be seen outside, and all of it goes with the
last process of the node. TREE: the control group trees of version 1, if this machine has them.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from local_cluster.node import cgroups
from local_cluster.node.layout import NODE_NAME, Layout

FOLDERS = ("dev", "opt", "proc", "root", "run", "run/lock", "sys", "tmp", "var/lib", "var/log")
# The kubelet insists on these settings, which are the whole machine's: it is shown files instead.
SETTINGS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


def run(*command: str | Path) -> None:
    """Run a command of the host's."""
    subprocess.run([str(part) for part in command], check=True)


def bind(source: Path, target: Path, *options: str) -> None:
    """Show a file or folder at another place too."""
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    run("mount", "--bind", source, target)
    if options:
        run("mount", "-o", f"remount,bind,{','.join(options)}", target)


def make_root(root: Path, system: Path) -> None:
    """Mount an empty root file system, and Debian's programs and configuration in it."""
    run("mount", "--make-rprivate", "/")
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", root)
    for name in FOLDERS:
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    bind(system / "usr", root / "usr", "ro")
    for link in system.iterdir():
        if link.is_symlink():
            (root / link.name).symlink_to(link.readlink())
    shutil.copytree(system / "etc", root / "etc", symlinks=True)
    (root / "etc" / "hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {NODE_NAME}\n")
    # Nobody listens there, so the pull of an image from a registry fails at once.
    (root / "etc" / "resolv.conf").unlink(missing_ok=True)
    (root / "etc" / "resolv.conf").write_text("nameserver 127.0.0.1\n")


def mount_kernel(root: Path, trees: Sequence[str]) -> None:
    """Mount devices, processes, the kernel's settings and the node's control groups."""
    run("mount", "--rbind", "/dev", root / "dev")
    run("mount", "--make-rprivate", root / "dev")
    run("mount", "-t", "proc", "proc", root / "proc")
    run("mount", "-t", "sysfs", "sysfs", root / "sys")
    cgroups.mount_inside(trees, root / "sys/fs/cgroup")
    for name, text in SETTINGS.items():
        setting = root / "proc/sys" / name
        if setting.exists():
            shown = root / "run" / name.replace("/", ".")
            shown.write_text(f"{text}\n")
            run("mount", "--bind", shown, setting)


def mount_state(root: Path, layout: Layout, shown: Sequence[Path]) -> None:
    """Show the cluster's folder and the programs at their own paths, and what the node keeps."""
    for path in shown:
        bind(path, root / path.relative_to("/"), "ro")
    bind(layout.cluster, root / layout.cluster.relative_to("/"))
    bind(layout.containerd, root / "var/lib/containerd")
    bind(layout.logs, root / "var/log")
    bind(layout.kubelet, root / "var/lib/kubelet")
    # A volume that the kubelet mounts must be seen by the containers' runtime.
    run("mount", "--make-rshared", root / "var/lib/kubelet")


def change_root(root: Path) -> None:
    """Make ``root`` the root of every process in the node, and forget the host's."""
    old = root / "mnt"
    old.mkdir()
    os.chdir(root)
    run("pivot_root", ".", "mnt")
    os.chdir("/")
    # From here on the programs are Debian's.
    run("umount", "--lazy", "/mnt")
    Path("/mnt").rmdir()


def main(cluster: Path, trees: Sequence[str]) -> None:
    """Become the first process of a node in a root file system of its own."""
    layout = Layout(cluster)
    plan = json.loads(layout.plan.read_text())
    socket.sethostname(NODE_NAME)
    make_root(layout.root, Path(plan["system"]))
    mount_kernel(layout.root, trees)
    mount_state(layout.root, layout, [Path(path) for path in plan["shown"]])
    change_root(layout.root)
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": plan["python_path"]}
    python = "/usr/bin/python3"
    program = [python, "-B", "-m", "local_cluster.node.init", str(cluster)]
    os.execve(python, program, environment)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
