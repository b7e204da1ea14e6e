"""Background processes that outlive their starter, known by a pid file each.

A process counts as ours only while its pid's command line holds the cluster's own folder, so a
pid that the kernel has given to another program in the meantime is never signalled.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from local_cluster.folders import search_path

PROC = Path("/proc/self/stat")
KILL_SECONDS = 10.0
POLL_SECONDS = 0.02
EXEC_SECONDS = 0.5
# Settings of the user's own that the processes would obey.
FORGOTTEN = ("KUBECONFIG", "ETCD_", "KWOK_")

# The shell writes the pid before it ends, even when this program is killed meanwhile: no process
# is ever started that its pid file does not know.
_DETACH = 'log=$1 pid_file=$2; shift 2; "$@" >>"$log" 2>&1 </dev/null & echo $! >"$pid_file"'


def start_detached(
    command: Sequence[str], *, log: Path, pid_file: Path, environment: Mapping[str, str]
) -> None:
    """Start a process in a session of its own; its output goes to the end of `log`."""
    subprocess.run(
        ["/bin/sh", "-c", _DETACH, "sh", str(log), str(pid_file), *command],
        check=True,
        start_new_session=True,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def start_process(
    folder: Path, name: str, command: Sequence[str], settings: Mapping[str, str] | None = None
) -> None:
    """Start one process of the cluster in `folder`; `settings` are added to its environment."""
    inherited = {key: text for key, text in os.environ.items() if not key.startswith(FORGOTTEN)}
    start_detached(
        command,
        log=folder / "logs" / f"{name}.log",
        pid_file=folder / "pids" / name,
        environment=inherited | dict(settings or {}),
    )


def bind_to_this_process(command: Sequence[str]) -> list[str]:
    """Return a command that the kernel kills with this process; as it is where there is none."""
    setpriv = shutil.which("setpriv", path=search_path())
    return [*([setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []), *command]


def read_pid(pid_file: Path, folder: Path) -> int | None:
    """Return the pid in a file, if it still is a process that works in `folder`."""
    try:
        pid = int(pid_file.read_text())
    except (OSError, ValueError):
        return None
    deadline = time.monotonic() + EXEC_SECONDS
    # A process that is just becoming another program has no command line for a moment.
    while not (line := read_command_line(pid)) and read_start(pid) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return pid if f"{folder}/" in line else None


def read_command_line(pid: int) -> str:
    """Return a process's command line; empty when it has ended."""
    if PROC.exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            return ""
    return _ask_ps(pid, "command")


def read_start(pid: int) -> str:
    """Return what tells this process from a later one with the same pid; empty when it ended."""
    if PROC.exists():
        try:
            after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        except OSError:
            return ""
        return "" if after_name[0] == "Z" else after_name[19]
    return _ask_ps(pid, "lstart")


def _ask_ps(pid: int, column: str) -> str:
    """Ask ps for one fact of a process, where there is no /proc."""
    answer = subprocess.run(
        ["ps", "-ww", "-o", f"{column}=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout.strip()


def stop(pid_files: Sequence[Path], folder: Path, *, grace_seconds: float) -> None:
    """End the processes of these pid files: with SIGTERM, and SIGKILL when the grace is over."""
    if grace_seconds:
        _signal(pid_files, folder, signal.SIGTERM)
        _wait_for_end(pid_files, folder, grace_seconds)
    _signal(pid_files, folder, signal.SIGKILL)
    _wait_for_end(pid_files, folder, KILL_SECONDS)
    for pid_file in pid_files:
        pid_file.unlink(missing_ok=True)


def _signal(pid_files: Sequence[Path], folder: Path, number: signal.Signals) -> None:
    """Send a signal to those that still run."""
    for pid_file in pid_files:
        pid = read_pid(pid_file, folder)
        if pid is not None:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue


def _wait_for_end(pid_files: Sequence[Path], folder: Path, seconds: float) -> None:
    """Wait until none of them runs, or the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(read_pid(file, folder) for file in pid_files):
        time.sleep(POLL_SECONDS)
