"""Root file systems: what mmdebstrap is asked for."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from local_cluster.debian import (
    NODE_ROOT,
    NODEJS_ROOT,
    POSTGRES_ROOT,
    PYTHON_ROOT,
    DebianRoot,
    build_command,
    build_environment,
    build_root,
    ensure_mmdebstrap,
    root_path,
)
from local_cluster.errors import BuildError

ROOTS = (NODE_ROOT, PYTHON_ROOT, NODEJS_ROOT, POSTGRES_ROOT)


def name(root: DebianRoot) -> str:
    return root.name


@pytest.mark.parametrize("root", ROOTS, ids=name)
def test_key_changes_with_the_packages_the_files_left_out_and_the_hooks(root: DebianRoot) -> None:
    others = [
        dataclasses.replace(root, packages=(*root.packages, "hello")),
        dataclasses.replace(root, excludes=(*root.excludes, "/opt/*")),
        dataclasses.replace(root, hooks=(*root.hooks, "true")),
    ]
    assert len({root.key, *(other.key for other in others)}) == 4


def test_no_two_roots_have_the_same_place() -> None:
    assert len({root_path(root) for root in ROOTS}) == len(ROOTS)


@pytest.mark.parametrize("root", ROOTS, ids=name)
def test_packages_are_sorted_and_the_suite_comes_before_the_target(root: DebianRoot) -> None:
    command = build_command(root, Path("/there/root.tar"))
    assert list(root.packages) == sorted(root.packages)
    assert f"--include={','.join(root.packages)}" in command
    assert command[-2:] == ["bookworm", "/there/root.tar"]


def test_hooks_of_mere_files_run_at_the_only_time_when_any_do() -> None:
    assert any(word.startswith("--extract-hook=") for word in build_command(PYTHON_ROOT, Path()))
    assert any(word.startswith("--customize-hook=") for word in build_command(NODE_ROOT, Path()))


def test_environment_makes_every_file_as_old_as_can_be() -> None:
    environment = build_environment({"http_proxy": "x", "TMPDIR": "/theirs"}, Path("/work"))
    assert environment["SOURCE_DATE_EPOCH"] == "0"
    assert environment["TMPDIR"] == "/work"
    assert environment["http_proxy"] == "x"


def test_root_that_is_there_is_not_made_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    root_path(NODE_ROOT).parent.mkdir(parents=True)
    root_path(NODE_ROOT).write_text("there")
    assert build_root(NODE_ROOT).read_text() == "there"


def test_missing_mmdebstrap_is_named_where_it_cannot_be_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match="lacks mmdebstrap"):
        ensure_mmdebstrap()


def test_users_other_than_root_are_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(BuildError, match="Only root"):
        build_root(NODE_ROOT)
