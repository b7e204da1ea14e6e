"""Running a long command: silent while all is well, its last lines when it fails."""

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from local_cluster.errors import BuildError
from local_cluster.progress import Stopwatch

POLL_SECONDS = 1.0
LAST_LINES = 20


def run_watched(
    command: list[str],
    *,
    what: str,
    environment: Mapping[str, str],
    folder: Path | None = None,
) -> str:
    """Run a command, with a heartbeat, and return its standard output.

    `what` completes "still ..." and "... failed". Raise BuildError with the end of its standard
    error when it fails. When this process is interrupted, the command is ended first.
    """
    watch = Stopwatch(what)
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
        )
        try:
            while not _has_ended(process):
                watch.beat()
        finally:
            _end(process)
        if process.returncode != 0:
            errors.seek(0)
            last = errors.read().splitlines()[-LAST_LINES:]
            raise BuildError("\n".join([*last, f"{what} failed; the reason is above."]))
        output.seek(0)
        return output.read()


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Wait for a moment; tell whether the process has ended."""
    try:
        process.wait(POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process that still runs, and wait for its end."""
    if process.poll() is None:
        process.terminate()
        process.wait()
