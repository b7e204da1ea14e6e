"""What options become."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from release_manager.cli.options import Duration, confirm, read_overrides
from release_manager.errors import InvalidInputError, InvalidValuesError
from tests.unit.cli.conftest import Ended

CommandLine = Callable[..., Ended]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("1h", 3600), ("1h30m", 5400), ("1h2m3s", 3723), ("0s", 0)],
)
def test_a_duration_is_whole_hours_minutes_and_seconds(text: str, seconds: float) -> None:
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5 m", "1.5h", "5d", "30s5m"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no duration"):
        Duration().convert(text, None, None)


def test_later_files_win_and_set_wins_over_files(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text("a: 1\nb: 1\nc: 1\n")
    two.write_text("b: 2\nc: 2\n")
    assert read_overrides("acme", (one, two), ("c=3",)) == {"a": 1, "b": 2, "c": 3}


def test_a_file_with_the_reserved_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "values.yaml"
    path.write_text("releaseManager: {}\n")
    with pytest.raises(InvalidValuesError, match=r"values\.yaml sets it"):
        read_overrides("acme", (path,), ())


def test_yes_asks_nothing() -> None:
    confirm("Remove everything?", is_confirmed=True)


def test_without_a_terminal_yes_must_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(InvalidInputError, match=r"Remove everything.*Add --yes to do it"):
        confirm("Remove everything?", is_confirmed=False)


def test_flags_win_over_the_environment(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELEASE_MANAGER_NAMESPACE", "from-env")
    text = command_line("show-settings", "--namespace", "from-flag").stdout
    assert "from-flag" in text
    assert "flag --namespace" in text


def test_the_fleet_file_of_the_folder_is_read(command_line: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text("domain: example.org\n")
    text = command_line("show-settings", "-o", "json").stdout
    assert '"value": "example.org"' in text


def test_the_chart_that_comes_with_the_program_is_the_default(command_line: CommandLine) -> None:
    text = command_line("show-settings").stdout
    assert "aware-tenant" in text
