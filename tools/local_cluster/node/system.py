"""The node's root file system: Debian's programs, unpacked once for all nodes."""

import os
import shutil
from pathlib import Path

from local_cluster.debian import NODE_ROOT, build_root, root_path
from local_cluster.folders import cache
from local_cluster.locks import make_once
from local_cluster.watched import run_watched

UNPACKING = "unpacking the node's root file system"


def system_folder() -> Path:
    """Return where the root file system is unpacked, or will be."""
    return root_path(NODE_ROOT).with_suffix("")


def build_system() -> Path:
    """Return the unpacked root file system, made now when it is not there."""
    lock = cache() / "locks" / "system.lock"
    return make_once(system_folder(), lock, UNPACKING, _unpack)


def _unpack() -> None:
    """Unpack the root file system beside its place, then move it there in one step."""
    archive, folder = build_root(NODE_ROOT), system_folder()
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    command = ["tar", "-C", str(unfinished), "--numeric-owner", "-xf", str(archive)]
    run_watched(command, what=UNPACKING, environment=os.environ)
    unfinished.rename(folder)
