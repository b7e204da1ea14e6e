"""Finding helm, and asking it for its version no more often than needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from release_manager.clients.helm_binary import find_helm
from release_manager.errors import HelmUnusableError


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with a line for each time that helm was asked; nothing is remembered yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    find_helm.cache_clear()
    return tmp_path / "asked"


def write_helm(folder: Path, version: str) -> str:
    """Return a program that says it is this version of helm."""
    program = folder / "helm"
    program.write_text(f"#!/bin/sh\necho x >> {folder}/asked\necho {version}\n")
    program.chmod(0o755)
    return str(program)


def count(asked: Path) -> int:
    return len(asked.read_text().splitlines()) if asked.exists() else 0


def test_a_helm_is_asked_once_as_long_as_it_is_the_same_file(asked: Path, tmp_path: Path) -> None:
    program = write_helm(tmp_path, "v4.3.1")
    for _ in range(2):
        assert find_helm(program) == program
        find_helm.cache_clear()
    assert count(asked) == 1
    write_helm(tmp_path, "v4.10.2-another-size")
    find_helm(program)
    assert count(asked) == 2


def test_a_helm_that_was_replaced_by_an_older_one_is_refused(asked: Path, tmp_path: Path) -> None:
    program = write_helm(tmp_path, "v4.3.1")
    find_helm(program)
    find_helm.cache_clear()
    write_helm(tmp_path, "v3.9.0-old")
    with pytest.raises(HelmUnusableError, match="too old"):
        find_helm(program)


def test_a_cache_that_cannot_be_used_is_no_obstacle(asked: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder")
    program = write_helm(tmp_path, "v4.3.1")
    assert find_helm(program) == program
    find_helm.cache_clear()
    assert find_helm(program) == program
    assert count(asked) == 2
