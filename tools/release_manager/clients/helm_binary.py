"""Finding the helm binary and its version."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache

from ..errors import HelmUnusableError

MINIMUM_VERSION = (4, 2, 2)


@cache
def find_helm(executable: str) -> str:
    """Return the path of a helm that is new enough. Raises HelmUnusableError."""
    path = shutil.which(executable)
    remedy = f"Install Helm {'.'.join(map(str, MINIMUM_VERSION))} or newer, or name it with --helm"
    if path is None:
        raise HelmUnusableError(f"field --helm: there is no program {executable!r}", remedy=remedy)
    version = read_helm_version(path)
    numbers = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version)
    if numbers is None or tuple(map(int, numbers.groups())) < MINIMUM_VERSION:
        raise HelmUnusableError(
            f"field --helm: {path} is version {version or 'unknown'}, too old", remedy=remedy
        )
    return path


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
