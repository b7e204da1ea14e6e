"""Root file systems of Debian packages, for tests that run something in them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from local_cluster.debian import DebianRoot, build_root
from local_cluster.locks import hold


def unpack_root(
    root: DebianRoot, base: Path, worker_id: str, finish: Callable[[Path], None] = lambda _: None
) -> Path:
    """Return a root file system's folder, unpacked once for all workers of a run.

    base: pytest's folder of this worker. finish: what is to be done in it before it is used.
    """
    if os.geteuid() != 0:
        reason = f"the {root.name} root file system can only be entered as root"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    shared = base if worker_id == "master" else base.parent
    folder = shared / f"{root.name}-root"
    with hold(shared / f"{root.name}-root.lock", f"unpacking the {root.name} root"):
        if not folder.exists():
            unfinished = shared / f"{root.name}-root.unfinished"
            unfinished.mkdir()
            subprocess.run(["tar", "-xf", build_root(root), "-C", unfinished], check=True)
            finish(unfinished)
            unfinished.rename(folder)
    return folder
