"""A cluster of the user's own, named by a context of the user's kubeconfig.

The context is copied into a kubeconfig of our own that holds nothing else. So no other context can
be reached by accident, and the user's files are only ever read.
"""

import json
import subprocess
from pathlib import Path

from local_cluster.build import group_folder
from local_cluster.catalogue import KUBECTL
from local_cluster.errors import UsageError

REACH_SECONDS = 10


def copy_context(context: str, target: Path) -> None:
    """Write a kubeconfig with just this context; raise UsageError when it cannot be reached."""
    if context not in _read_contexts():
        raise UsageError(
            f"There is no context {context} in your kubeconfig; `kubectl config get-contexts` "
            "lists those there are."
        )
    target.touch(mode=0o600)
    view = ("config", "view", "--raw", "--flatten", "--minify", f"--context={context}")
    target.write_text(_kubectl(*view).stdout)
    reached = _kubectl(
        f"--kubeconfig={target}", f"--request-timeout={REACH_SECONDS}s", "get", "--raw", "/version"
    )
    if reached.returncode != 0:
        reason = (reached.stderr.strip().splitlines() or ["no answer"])[-1]
        raise UsageError(f"The cluster of context {context} cannot be reached: {reason}")


def _read_contexts() -> set[str]:
    """Return the names of the contexts in the user's kubeconfig; none when it is unreadable."""
    viewed = _kubectl("config", "view", "-o", "json")
    if viewed.returncode != 0:
        return set()
    return {entry["name"] for entry in json.loads(viewed.stdout).get("contexts") or ()}


def _kubectl(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run kubectl with the user's own environment."""
    program = group_folder(KUBECTL) / "kubectl"
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
