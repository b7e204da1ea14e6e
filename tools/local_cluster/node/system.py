"""The node's root file system: Debian's programs, unpacked once for all nodes."""

import os
import shutil
from pathlib import Path

from local_cluster.debian import NODE_ROOT, build_root, root_path
from local_cluster.folders import cache
from local_cluster.locks import hold
from local_cluster.watched import run_watched


def system_folder() -> Path:
    """Return where the root file system is unpacked, or will be."""
    return root_path(NODE_ROOT).with_suffix("")


def build_system() -> Path:
    """Return the unpacked root file system, made now when it is not there."""
    folder = system_folder()
    if folder.is_dir():
        return folder
    archive = build_root(NODE_ROOT)
    with hold(cache() / "locks" / "system.lock", "unpacking the node's root file system"):
        if not folder.is_dir():
            unfinished = folder.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            run_watched(
                ["tar", "-C", str(unfinished), "--numeric-owner", "-xf", str(archive)],
                what="unpacking the node's root file system",
                environment=os.environ,
            )
            unfinished.rename(folder)
    return folder
