"""Every command explains itself, at once, and has its place in the README."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from release_manager.cli import (
    backups,
    capacity,
    change,
    cost,
    fleet,
    infrastructure,
    look,
    platform,
    release_manager,
)
from release_manager.state import TenantState
from tests.unit.cli.conftest import Ended

CommandLine = Callable[..., Ended]

COMMANDS = dict(release_manager.commands)
README = (Path(__file__).parents[3] / "README.md").read_text()
HEAVY_MODULES = ("kubernetes", "pyhelm3", "rich", "jsonschema", "yaml", "asyncio")
PRINTS_NO_DATA = {"render-tenant", "diff-tenant"}


def test_every_command_of_the_product_is_there() -> None:
    assert set(COMMANDS) == {
        *("install-tenant", "upgrade-tenant", "start-tenant", "stop-tenant", "scale-tenant"),
        *("rollback-tenant", "uninstall-tenant", "recover-tenant", "rotate-token"),
        *("list-tenants", "show-tenant", "history", "render-tenant", "diff-tenant"),
        *("show-token", "doctor", "show-settings", "hold-tenant", "unhold-tenant"),
        *("upgrade-all", "stop-all", "start-all"),
        *("list-rollouts", "show-rollout", "resume-rollout", "abort-rollout"),
        *("install-platform", "upgrade-platform", "uninstall-platform", "show-platform"),
        *("install-api", "upgrade-api", "uninstall-api"),
        *("backup-database", "list-backups", "restore-database", "rotate-secret"),
        *("capacity", "check-teardown", "cost", "write-settings"),
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(command_line: CommandLine, name: str) -> None:
    ended = command_line(name, "--help")
    assert ended.exit_code == 0
    assert "Example:" in ended.stdout
    assert f"release-manager {name}" in ended.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented_in_the_readme(name: str) -> None:
    assert name in README


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (command, option)
        for command in COMMANDS.values()
        for option in command.params
        if isinstance(option, click.Option)
    ],
    ids=lambda item: item.name,
)
def test_every_option_has_help(command: click.Command, option: click.Option) -> None:
    assert option.help, f"{command.name} {option.name}"


@pytest.mark.parametrize("command", change.COMMANDS, ids=lambda command: command.name)
def test_every_command_that_changes_something_has_a_dry_run(command: click.Command) -> None:
    assert "dry_run" in {option.name for option in command.params}


@pytest.mark.parametrize(
    "command",
    [
        *(
            *change.COMMANDS,
            *fleet.COMMANDS,
            *look.COMMANDS,
            *capacity.COMMANDS,
            *cost.COMMANDS,
            *infrastructure.COMMANDS,
        ),
        *(*platform.COMMANDS, *backups.COMMANDS),
    ],
    ids=lambda command: command.name,
)
def test_every_command_that_prints_data_has_a_choice_of_forms(command: click.Command) -> None:
    has_choice = "form" in {option.name for option in command.params}
    assert has_choice is (command.name not in PRINTS_NO_DATA)


def _read_states(text: str, separator: str) -> dict[str, str]:
    """Return what a text says of each state, its line breaks and markup left out."""
    names = "|".join(TenantState)
    entry = rf"^\W*({names}){separator}(.+?)(?=^\W*(?:{names}){separator}|\n\s*\n|\Z)"
    found = re.findall(entry, text, re.MULTILINE | re.DOTALL)
    return {name: " ".join(re.sub("[`|]", " ", said).split()).rstrip(".") for name, said in found}


def test_help_readme_and_code_say_the_same_of_every_state(command_line: CommandLine) -> None:
    code = _read_states(TenantState.__doc__ or "", ": ")
    assert list(code) == [state.value for state in TenantState]
    assert _read_states(README, r" \| ") == code
    assert _read_states(command_line("list-tenants", "--help").stdout, " +") == code


def test_the_help_tells_the_exit_codes(command_line: CommandLine) -> None:
    assert "Exit codes:" in command_line("--help").stdout


def test_without_a_command_the_help_is_shown_as_an_error(command_line: CommandLine) -> None:
    ended = command_line()
    assert ended.exit_code == 2
    assert ended.stderr.startswith("Usage: release-manager")


@pytest.mark.parametrize("arguments", [["--help"], ["install-tenant", "--help"]])
def test_help_waits_for_no_heavy_module(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from release_manager.cli import run\n"
        f"assert run({arguments!r}) == 0\n"
        f"print(sorted(set(sys.modules) & set({HEAVY_MODULES!r})), file=sys.stderr)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3] / "tools",
    )
    assert result.stderr.strip() == "[]"


DOCUMENTS = sorted((Path(__file__).parents[3] / "docs").glob("*.md"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_that_a_page_names_exists(document: Path) -> None:
    text = " ".join(document.read_text().split())
    named = set(re.findall(r"release-manager ([a-z]+(?:-[a-z]+)+)", text))

    assert named <= COMMANDS.keys() | {"release-manager"}


COMMAND_LINES = sorted(
    {
        line
        for document in [*DOCUMENTS, DOCUMENTS[0].parents[1] / "README.md"]
        for line in re.findall(r"^\$ (release-manager [^\n]+)$", document.read_text(), re.MULTILINE)
    }
)


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_every_command_line_of_a_page_is_understood(line: str) -> None:
    _, name, *arguments = shlex.split(line, comments=True)
    if "--help" not in arguments:
        COMMANDS[name].make_parser(click.Context(COMMANDS[name])).parse_args(arguments)
