"""Finding the helm binary and its version.

Starting helm only to ask for its version takes as long as a tenth of all that a command does, so
the answer is kept, for as long as the file is the same.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from ..errors import HelmUnusableError
from ..settings import cache_folder

MINIMUM_VERSION = (4, 2, 2)


@cache
def find_helm(executable: str) -> str:
    """Return the path of a helm that is new enough. Raises HelmUnusableError."""
    path = shutil.which(executable)
    remedy = f"Install Helm {'.'.join(map(str, MINIMUM_VERSION))} or newer, or name it with --helm"
    if path is None:
        raise HelmUnusableError(f"field --helm: there is no program {executable!r}", remedy=remedy)
    version = _recall_version(path)
    numbers = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version)
    if numbers is None or tuple(map(int, numbers.groups())) < MINIMUM_VERSION:
        raise HelmUnusableError(
            f"field --helm: {path} is version {version or 'unknown'}, too old", remedy=remedy
        )
    return path


def _recall_version(path: str) -> str:
    """Return the version of a helm that was asked before, or ask it."""
    program = Path(path).resolve()
    status = program.stat()
    key = f"{program} {status.st_size} {status.st_mtime_ns}"
    file = cache_folder() / "helm-version.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads(file.read_text())[key])
    version = read_helm_version(path)
    if version:
        # Whoever cannot write there asks each time.
        with suppress(OSError):
            _remember(file, {key: version})
    return version


def _remember(file: Path, versions: dict[str, str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent)
    with os.fdopen(descriptor, "w") as written:
        json.dump(versions, written)
    Path(name).replace(file)


def read_helm_version(path: str) -> str:
    """Return what ``helm version`` prints, such as v4.3.1; empty when it prints nothing."""
    try:
        result = subprocess.run(
            [path, "version", "--template", "{{ .Version }}"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip()
