"""The command line, run in this process and away from this machine's settings."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from release_manager.cli import run


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    exit_code: int
    stdout: str
    stderr: str


@pytest.fixture
def command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    """Run release-manager in an empty folder without a kubeconfig."""
    for name in os.environ:
        if name.startswith(("RELEASE_MANAGER_", "KUBE")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Ended:
        exit_code = run([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Ended(exit_code, said.out, said.err)

    return call
