"""Locks between processes, freed by the kernel when their holder dies, however it dies."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from local_cluster.progress import Stopwatch, say

POLL_SECONDS = 0.1


def _take(path: Path) -> IO[str] | None:
    """Take the lock without waiting; None when another process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = path.open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The file may have been deleted, and made anew by others, since it was opened.
        if os.fstat(handle.fileno()).st_ino == path.stat().st_ino:
            return handle
    except OSError:
        pass
    handle.close()
    return None


@contextmanager
def hold(path: Path, purpose: str) -> Iterator[None]:
    """Hold the lock at `path`; when another process has it, say so and wait for as long as needed.

    `purpose` completes the sentence "another run is ...", such as "building helm".
    """
    handle = _take(path)
    if handle is None:
        say(f"another run is {purpose}; waiting for it")
        watch = Stopwatch(f"waiting for the run that is {purpose}")
        while handle is None:
            time.sleep(POLL_SECONDS)
            watch.beat()
            handle = _take(path)
    with handle:
        yield


@contextmanager
def try_hold(path: Path) -> Iterator[bool]:
    """Yield whether the lock could be taken at once; hold it if so."""
    handle = _take(path)
    try:
        yield handle is not None
    finally:
        if handle is not None:
            handle.close()


def make_once(path: Path, lock: Path, purpose: str, make: Callable[[], None]) -> Path:
    """Return `path`, for which `make` is called where it is missing and by one process only.

    `make` must leave `path` whole or not at all; `purpose` is as with `hold`.
    """
    if not path.exists():
        with hold(lock, purpose):
            if not path.exists():
                make()
    return path
