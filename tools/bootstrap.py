"""Make `.venv` from `requirements.lock`; run by the system's Python, needs nothing else.

With the argument `aws` it makes `.local/aws` instead, for the tests that need S3; with `checkov`
`.local/checkov`, for those of Terraform's security.

Safe to interrupt (the stamp that says what is installed is written last, an unfinished
environment is made anew) and to run twice at once (the second run waits for the first). Does
nothing, in a few milliseconds, when the environment is what the lock and `pyproject.toml` ask for.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

MINIMUM_PYTHON = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
PROGRESS_EVERY = 10


class Environment:
    """A virtual environment: its folder, what is in it, and whether this project is, too."""

    def __init__(self, folder: str, lock_file: str, *, has_project: bool) -> None:
        self.name = folder
        self.folder = ROOT / folder
        self.lock_file = ROOT / lock_file
        self.has_project = has_project

    @property
    def stamp(self) -> Path:
        """Where it says what is installed."""
        return self.folder / "installed.json"

    @property
    def python(self) -> str:
        """Its Python."""
        return str(self.folder / "bin" / "python")


ENVIRONMENTS = {
    "": Environment(".venv", "requirements.lock", has_project=True),
    "aws": Environment(".local/aws", "tests/postgres/aws.lock", has_project=False),
    "checkov": Environment(".local/checkov", "tests/terraform/checkov.lock", has_project=False),
}


class BootstrapError(Exception):
    """The environment could not be made; the text says why and what to do."""


def say(text: str) -> None:
    """Report progress on stderr, so that stdout stays free for data."""
    print(text, file=sys.stderr, flush=True)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def wanted_stamp(venv: Environment) -> dict[str, Any]:
    """Return what the stamp says when the environment is up to date, path and Python included."""
    return {
        "folder": str(venv.folder),
        "python": sys.version,
        "packages": digest(venv.lock_file),
        "project": digest(ROOT / "pyproject.toml") if venv.has_project else "",
    }


def read_stamp(venv: Environment) -> dict[str, Any]:
    """Return what is known to be installed: nothing when there is no environment that works."""
    if not os.access(venv.python, os.X_OK):
        return {}
    try:
        stamp = json.loads(venv.stamp.read_text())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def count_packages(lock_file: Path) -> int:
    """Count the packages that the lock names: the lines that are neither hashes nor comments."""
    lines = lock_file.read_text().splitlines()
    return sum(1 for line in lines if line and not line.startswith((" ", "#")))


def make_venv(venv: Environment) -> None:
    """Make an empty virtual environment where there may be an unfinished one."""
    folder = str(venv.folder)
    shutil.rmtree(folder, ignore_errors=True)
    made = subprocess.run(
        [sys.executable, "-m", "venv", folder], capture_output=True, text=True, check=False
    )
    if made.returncode != 0:
        shutil.rmtree(folder, ignore_errors=True)
        raise BootstrapError(
            f"{sys.executable} cannot make a virtual environment; install its venv module "
            "(Debian and Ubuntu: the package python3-venv)."
        )


def run_pip(venv: Environment, arguments: list[str], on_line: Callable[[str], None]) -> None:
    """Run the environment's pip, hand each line to `on_line`, raise with its last lines."""
    environment = dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1")
    environment.pop("PIP_USER", None)
    command = [venv.python, "-I", "-m", "pip", "install", *arguments]
    lines = []
    with subprocess.Popen(
        command,
        env=environment,
        cwd=str(ROOT),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as pip:
        for line in pip.stdout or ():
            lines.append(line.rstrip())
            on_line(lines[-1])
    if pip.returncode != 0:
        raise BootstrapError("\n".join([*lines[-10:], "pip could not install the packages above."]))


def install_packages(venv: Environment) -> None:
    """Install what the lock names, each package checked against its hash."""
    total = count_packages(venv.lock_file)
    seen = 0

    def report(line: str) -> None:
        nonlocal seen
        if line.startswith("Collecting "):
            seen += 1
            if seen % PROGRESS_EVERY == 0:
                say(f"  {seen} of about {total} packages fetched")
        elif line.startswith("Installing collected"):
            say(f"  installing {seen} packages")

    say(f"making the Python environment in {venv.name}")
    make_venv(venv)
    options = ["--require-hashes", "--no-deps", "--progress-bar", "off"]
    run_pip(venv, [*options, "-r", str(venv.lock_file)], report)


def install_project(venv: Environment) -> None:
    """Install this project itself, editable, so that its commands are in `.venv/bin`."""
    options = ["--no-deps", "--no-build-isolation", "--quiet"]
    run_pip(venv, [*options, "-e", str(ROOT)], lambda _line: None)


def take_lock() -> IO[str]:
    """Take the lock that other runs of this script respect, waiting for it when it is taken."""
    handle = (ROOT / ".venv.lock").open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        say("another run is making the Python environment; waiting for it")
        fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def bootstrap(venv: Environment) -> None:
    """Bring an environment up to date; do as little as possible."""
    wanted = wanted_stamp(venv)
    if read_stamp(venv) == wanted:
        return
    with take_lock():
        found = read_stamp(venv)
        if found == wanted:
            return
        started = time.monotonic()
        packages_only = {**wanted, "project": ""}
        if {**found, "project": ""} != packages_only:
            install_packages(venv)
            venv.stamp.write_text(json.dumps(packages_only))
        if venv.has_project:
            install_project(venv)
        venv.stamp.write_text(json.dumps(wanted))
        say(f"Python environment ready in {time.monotonic() - started:.0f} s")


def main() -> int:
    """Run the bootstrap; return the exit code."""
    if sys.version_info < MINIMUM_PYTHON:
        say(
            f"Python {MINIMUM_PYTHON[0]}.{MINIMUM_PYTHON[1]} or newer is needed, this is "
            f"{sys.version.split()[0]}; name another one: make PYTHON=python3.12 ..."
        )
        return 1
    try:
        bootstrap(ENVIRONMENTS["".join(sys.argv[1:])])
    except BootstrapError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("interrupted; the next run starts again from here")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
