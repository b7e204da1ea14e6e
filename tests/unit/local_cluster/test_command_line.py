"""`python -m local_cluster`: help, exit codes, one sentence per error."""

from __future__ import annotations

import pytest

from local_cluster.__main__ import main

COMMANDS = [
    "build",
    "up",
    "down",
    "kubeconfig",
    "list",
    "load",
    "exec",
    "tools-path",
    "clean-cache",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: local_cluster {command}")


def test_unknown_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["start"])
    assert ended.value.code == 2


def test_kubeconfig_of_a_cluster_that_does_not_run_fails_with_empty_output(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["kubeconfig", "never-started"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "There is no cluster never-started; start it first.\n"


def test_impossible_name_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["down", "No/Name"]) == 2
    assert "cannot name a cluster" in capsys.readouterr().err
