"""Killing a release-manager, or its helm, at a moment of its run."""

from __future__ import annotations

import contextlib
import subprocess
import time
from pathlib import Path

from tests.terminal import Operator, wait_for


def measure(operator: Operator, *arguments: object) -> float:
    """Return how long a command takes here and now, in seconds."""
    began = time.monotonic()
    operator.run(*arguments)
    return time.monotonic() - began


def kill_after(process: subprocess.Popen[str], seconds: float) -> None:
    """Kill a process some time from now, unless it has ended by then."""
    # The delay is the experiment itself: the moment at which the process dies.
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    process.kill()
    process.communicate()


def wait_for_lease_to_expire(operator: Operator) -> None:
    """Wait until the dead process's Lease counts as dead, and its helm has ended."""

    def is_settled() -> bool:
        return all(row["state"] != "busy" for row in operator.read("list-tenants"))

    wait_for(is_settled, "the dead process's Lease to expire")


def list_helm_upgrades(pid: int) -> list[int]:
    """Return the pids of the helm that a release-manager has started to write a revision."""
    found = []
    for child in _list_children(pid):
        with contextlib.suppress(OSError):
            if b"--reset-values" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
    return found


def _list_children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid:
                found.append(int(stat.parent.name))
    return found
