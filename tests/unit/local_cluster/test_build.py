"""Building with a stand-in for Go: what is left behind, and who builds when two want the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local_cluster import build
from local_cluster.build import build_groups, group_folder, is_built, remove_cache
from local_cluster.catalogue import ToolGroup
from local_cluster.errors import BuildError, UsageError
from local_cluster.folders import PACKAGE, cache
from local_cluster.locks import hold

# `go build -ldflags FLAGS -o FILE PACKAGE`, where the package says what happens.
FAKE_GO = """#!/bin/sh
test "$1" = version && exec echo "go version go1.99.0 linux/amd64"
echo "$6" >>"$BUILDS"
case "$6" in
  slow) echo half >"$5"; touch "$BUILDS.started"; exec sleep 60 ;;
  broken) echo half >"$5"; echo "main.go:1: no such thing" >&2; exit 1 ;;
  *) sleep 0.2; echo whole >"$5" ;;
esac
"""


@pytest.fixture
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that gets a line per build; the cache and Go are the test's own."""
    (tmp_path / "bin").mkdir()
    go = tmp_path / "bin" / "go"
    go.write_text(FAKE_GO)
    go.chmod(0o755)
    module = tmp_path / "module"
    module.mkdir()
    (module / "go.mod").write_text("module m\n\ngo 1.20\n")
    (module / "go.sum").write_text("")
    monkeypatch.setenv("PATH", str(go.parent), prepend=os.pathsep)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("BUILDS", str(tmp_path / "builds"))
    return tmp_path / "builds"


def make_group(builds: Path, package: str) -> ToolGroup:
    return ToolGroup("tool", builds.parent / "module", {"program": package})


def list_leftovers() -> list[str]:
    return [path.name for path in (cache() / "tools").glob("*")]


def test_tool_is_built_once(builds: Path) -> None:
    group = make_group(builds, "good")
    build_groups([group])
    build_groups([group])
    assert (group_folder(group) / "program").read_text() == "whole\n"
    assert builds.read_text() == "good\n"


def test_failed_build_leaves_nothing_and_says_why(builds: Path) -> None:
    group = make_group(builds, "broken")
    with pytest.raises(BuildError, match="no such thing\nbuilding program failed"):
        build_groups([group])
    assert list_leftovers() == []


def test_two_runs_at_once_build_once(builds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    group = make_group(builds, "good")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(build_groups, [[group], [group]]))
    assert builds.read_text() == "good\n"
    assert "another run is building tool; waiting for it" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_interrupted_build_leaves_no_tool_and_the_next_one_succeeds(
    builds: Path, number: signal.Signals
) -> None:
    slow = make_group(builds, "slow")
    program = (
        "from pathlib import Path; from local_cluster.build import build_groups;"
        "from local_cluster.catalogue import ToolGroup;"
        f"build_groups([ToolGroup('tool', Path({str(slow.module)!r}), {{'program': 'slow'}})])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)},
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    ) as run:
        deadline = time.monotonic() + 20
        while not builds.with_name("builds.started").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(run.pid, number)
        run.wait(20)
        if number is signal.SIGKILL:
            os.killpg(run.pid, signal.SIGKILL)
    assert not is_built(slow)
    good = make_group(builds, "good")
    build_groups([good])
    assert is_built(good)


def test_unfinished_folder_of_a_killed_build_is_not_a_tool(builds: Path) -> None:
    group = make_group(builds, "good")
    unfinished = group_folder(group).with_name(group_folder(group).name + ".unfinished")
    unfinished.mkdir(parents=True)
    (unfinished / "program").write_text("half\n")
    assert not is_built(group)
    build_groups([group])
    assert list_leftovers() == [group_folder(group).name]
    assert (group_folder(group) / "program").read_text() == "whole\n"


def test_cache_is_removed_as_a_whole(builds: Path) -> None:
    build_groups([make_group(builds, "good")])
    remove_cache()
    assert not cache().exists()


def test_cache_is_not_removed_while_a_build_runs(builds: Path) -> None:
    build_groups([make_group(builds, "good")])
    with (
        hold(cache() / "locks" / "tool.lock", "building"),
        pytest.raises(UsageError, match="A build is running"),
    ):
        remove_cache()
    assert cache().exists()


def test_folder_of_tools_links_to_what_is_built_and_drops_what_is_not(
    builds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = make_group(builds, "good")
    folder = builds.parent / "tools"
    monkeypatch.setattr(build, "TOOLS", folder)
    monkeypatch.setattr(build, "ON_PATH", (group,))
    folder.mkdir()
    (folder / "gone").symlink_to("/nowhere")
    build_groups([group])
    assert build.link_tools() == folder
    assert (folder / "program").read_text() == "whole\n"
    assert not (folder / "gone").is_symlink()
