"""Whether this machine can run real containers, and if not, why not."""

import os
import platform
import shutil
import subprocess
import tempfile

from local_cluster import folders
from local_cluster.debian import NODE_ROOT, PROGRAM, root_path
from local_cluster.folders import search_path
from local_cluster.node import cgroups

NEEDED = ("unshare", "nsenter", "mount", "pivot_root", "setpriv", "tar")
# Fails where the kernel or a container around us forbids namespaces, or overlays on this disk.
TRIAL = """
mount --make-rprivate / && cd "$1" && mkdir lower upper work all &&
mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay all &&
mount -t sysfs sysfs lower
"""


def find_obstacle() -> str | None:
    """Return why containers cannot be real here, to follow "because"; None when they can."""
    if platform.system() != "Linux":
        return f"this is {platform.system()}, not Linux"
    if os.geteuid() != 0:
        return "only root can make namespaces with a network: run this as root"
    missing = [name for name in NEEDED if shutil.which(name, path=search_path()) is None]
    if missing:
        return f"this machine lacks {', '.join(missing)}: install util-linux"
    if not _can_make_roots():
        return "mmdebstrap is missing and there is no apt-get to install it"
    return cgroups.find_obstacle() or _try()


def _can_make_roots() -> bool:
    """Tell whether Debian's packages are here, or can be had."""
    return root_path(NODE_ROOT).exists() or any(map(shutil.which, (PROGRAM, "apt-get")))


def _try() -> str | None:
    """Try, in namespaces of a moment, what a node does."""
    folders.STATE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folders.STATE, prefix="trial-") as folder:
        namespaces = ("--mount", "--net", "--uts", "--ipc", "--pid", "--cgroup")
        trial = ["unshare", *namespaces, "--fork", "sh", "-c", TRIAL, "sh", folder]
        tried = subprocess.run(
            trial,
            env=os.environ | {"PATH": search_path()},
            capture_output=True,
            text=True,
            check=False,
        )
    if tried.returncode == 0:
        return None
    last = (tried.stderr.strip().splitlines() or ["no reason given"])[-1]
    return f"this machine does not allow it: {last}"
