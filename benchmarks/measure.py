"""Running one program and measuring it."""

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local_cluster.processes import bind_to_this_process

SAMPLE_SECONDS = 0.01
GRACE_SECONDS = 30.0
SHOWN_LINES = 5


class ContestantError(Exception):
    """A program that was to be measured failed; its figure is missing."""


@dataclass(frozen=True)
class Measured:
    """What one run took. CPU is that of the program and all it has started; memory its own."""

    seconds: float
    cpu_seconds: float
    peak_mebibytes: float
    output: str


def run_measured(command: Sequence[str], environment: Mapping[str, str]) -> Measured:
    """Run a program to its end; raise ContestantError when it fails."""
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        started = time.monotonic()
        process = subprocess.Popen(
            bind_to_this_process(command),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            # Ctrl-C comes here first, and ends the whole group.
            start_new_session=True,
        )
        peak = _Peak(process.pid)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            _end_group(process)
            raise
        seconds = time.monotonic() - started
        peak.stop()
        process.returncode = os.waitstatus_to_exitcode(status)
        for stream in (stdout, stderr):
            stream.seek(0)
        if process.returncode:
            tail = stderr.read().decode(errors="replace").splitlines()[-SHOWN_LINES:]
            name = Path(command[0]).name
            raise ContestantError(f"{name} ended with {process.returncode}: {' / '.join(tail)}")
        cpu = usage.ru_utime + usage.ru_stime
        return Measured(seconds, cpu, peak.mebibytes, stdout.read().decode(errors="replace"))


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a program and what it has started."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class _Peak:
    """Watches the peak of a process's memory while it runs.

    Not by wait4: what that tells is the peak of its children, too, and begins with the memory of
    the process that has started it.
    """

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self._kibibytes = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @property
    def mebibytes(self) -> float:
        return self._kibibytes / 1024

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            try:
                self._kibibytes = read_peak(self._status.read_text()) or self._kibibytes
            except OSError:
                return


def read_peak(status: str) -> int:
    """Return the peak, in KiB, that a text of /proc/PID/status tells; 0 when it tells none."""
    lines = (line.split() for line in status.splitlines() if line.startswith("VmHWM:"))
    return next((int(fields[1]) for fields in lines), 0)
