"""What commands that only look print beside their data."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from release_manager.cli.look import print_tenants, print_token
from release_manager.operations.listing import list_tenants
from release_manager.ports import TokenSecret
from release_manager.settings import Settings
from tests.unit.cli.conftest import Ended
from tests.unit.fakes import FakeWorld

Captured = pytest.CaptureFixture[str]
CommandLine = Callable[..., Ended]
LONG = "the image cannot be pulled: " + "x" * 300


@pytest.mark.parametrize(("context", "named"), [("prod", "prod"), ("", "current")])
def test_without_tenants_the_place_is_named_that_was_looked_at(
    capsys: Captured, context: str, named: str
) -> None:
    print_tenants([], Settings(namespace="staging", context=context))
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"no tenants in namespace staging (context {named})\n"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_reason_ends_with_the_terminal_and_is_whole_in_a_pipe(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, world: FakeWorld, *, is_terminal: bool
) -> None:
    world.install()
    rows = [replace(row, reason=LONG) for row in list_tenants(world.ports, world.settings)]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    monkeypatch.setenv("COLUMNS", "130")
    print_tenants(rows, world.settings)
    line = capsys.readouterr().out.splitlines()[1]
    line = line.replace("\x1b[32m", "").replace("\x1b[0m", "")
    assert (len(line) == 130) is is_terminal
    assert line.endswith("...") is is_terminal
    assert (LONG in line) is not is_terminal


def test_a_token_is_all_that_is_printed(capsys: Captured) -> None:
    print_token("acme", TokenSecret("new", None, 1, "7"), "table")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("new\n", "")


@pytest.mark.parametrize("form", ["table", "json"])
def test_a_rotation_under_way_is_told_on_stderr(capsys: Captured, form: str) -> None:
    print_token("acme", TokenSecret("new", "old", 2, "7"), form)
    said = capsys.readouterr()
    assert "old" not in said.out
    assert said.err == (
        "a rotation is under way: until it ends, pods may still hold the token before; "
        "run 'release-manager rotate-token acme' to finish it\n"
    )
    if form == "json":
        assert json.loads(said.out) == {"slug": "acme", "token": "new"}


def test_doctor_without_a_kubeconfig_still_tells_about_helm(
    command_line: CommandLine, build_helm: Callable[[str], Path]
) -> None:
    helm = build_helm("echo v4.3.1")
    ended = command_line("doctor", "--helm", helm, "-o", "json")
    assert (ended.exit_code, ended.stderr) == (1, "")
    checks = json.loads(ended.stdout)
    assert [(check["name"], check["ok"]) for check in checks] == [
        ("helm", True),
        ("cluster", False),
    ]
    assert "there is no file ~/.kube/config" in checks[1]["detail"]
    assert "--kubeconfig" in checks[1]["remedy"]


def test_doctor_tells_a_missing_helm_and_a_missing_cluster_at_once(
    command_line: CommandLine, tmp_path: Path
) -> None:
    ended = command_line("doctor", "--helm", "no-such-helm", "--kubeconfig", tmp_path / "nope")
    assert ended.exit_code == 1
    lines = ended.stdout.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["helm", "missing"], ["cluster", "missing"]]
    assert "Install Helm" in lines[1]
    assert "Name one with --kubeconfig" in lines[2]
