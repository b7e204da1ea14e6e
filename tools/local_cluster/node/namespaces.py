"""Entering and leaving namespaces, by setns(2) and unshare(2); Python has both from 3.12."""

import ctypes
import os
from pathlib import Path

# Of sched.h.
NEW_GROUPS, NEW_NETWORK = 0x02000000, 0x40000000


def enter_network(pid: int) -> None:
    """Move the calling thread into a process's network namespace. Raises OSError."""
    with Path(f"/proc/{pid}/ns/net").open() as namespace:
        _call("setns", namespace.fileno(), NEW_NETWORK)


def make_own(kinds: int) -> None:
    """Give the calling thread, and what it starts, namespaces of its own. Raises OSError."""
    _call("unshare", kinds)


def _call(name: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
