"""The scripts themselves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgres.servers import SCRIPTS

SHELL_SCRIPTS = sorted(SCRIPTS.glob("*.sh"))


@pytest.mark.parametrize("script", SHELL_SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_finds_nothing(script: Path) -> None:
    program = Path(sys.executable).parent / "shellcheck"
    root = SCRIPTS.parents[2]
    done = subprocess.run(
        [program, "--external-sources", f"--source-path={root}", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
    )

    assert done.returncode == 0, done.stdout
