"""check-teardown and write-settings as they are called."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.unit.cli.conftest import Ended
from tests.unit.infrastructure.test_outputs import build_document
from tests.unit.infrastructure.test_teardown import DELETE, build_change, build_plan

CommandLine = Callable[..., Ended]
EMAIL = ("--email", "ops@wareit.ai")


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    """What `terraform output -json` printed."""
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(build_document()))
    return file


def test_settings_are_printed_where_no_file_is_named(
    command_line: CommandLine, outputs: Path
) -> None:
    ended = command_line("write-settings", "--from-terraform", outputs, *EMAIL)
    assert yaml.safe_load(ended.stdout)["domain"] == "wareit.ai"
    ended = command_line("write-settings", "--from-terraform", outputs, *EMAIL, "-o", "json")
    assert json.loads(ended.stdout)["domain"] == "wareit.ai"


def test_a_fleet_file_is_written_and_says_where_it_is_from(
    command_line: CommandLine, outputs: Path, tmp_path: Path
) -> None:
    target = tmp_path / "fleet.yaml"
    ended = command_line("write-settings", "--from-terraform", outputs, *EMAIL, "--to", target)
    assert (ended.exit_code, ended.stdout) == (0, f"{target} is written\n")
    assert target.read_text().startswith("# Made by: release-manager write-settings")


def test_a_fleet_file_that_is_there_stays(
    command_line: CommandLine, outputs: Path, tmp_path: Path
) -> None:
    target = tmp_path / "fleet.yaml"
    target.write_text("domain: mine.example\n")
    arguments = ("write-settings", "--from-terraform", outputs, *EMAIL, "--to", target)
    ended = command_line(*arguments)
    assert ended.exit_code == 2
    assert "is there already" in ended.stderr
    assert target.read_text() == "domain: mine.example\n"
    assert command_line(*arguments, "--force").exit_code == 0
    assert "wareit.ai" in target.read_text()


@pytest.mark.parametrize("email", ["ops", "ops@", "@wareit.ai", "o ps@wareit.ai"])
def test_what_is_no_address_is_refused(
    command_line: CommandLine, outputs: Path, email: str
) -> None:
    ended = command_line("write-settings", "--from-terraform", outputs, "--email", email)
    assert ended.exit_code == 2
    assert "field --email" in ended.stderr


@pytest.mark.parametrize(("content", "sentence"), [(None, "cannot be read"), ("{", "is no JSON")])
@pytest.mark.parametrize("command", ["write-settings", "check-teardown"])
def test_a_file_that_cannot_be_read_is_named(
    command_line: CommandLine, tmp_path: Path, command: str, content: str | None, sentence: str
) -> None:
    file = tmp_path / "x.json"
    if content is not None:
        file.write_text(content)
    arguments = ["--from-terraform", file, *EMAIL] if command == "write-settings" else [file]
    ended = command_line(command, *arguments)
    assert ended.exit_code == 2
    assert sentence in ended.stderr
    assert str(file) in ended.stderr


def test_a_refused_plan_shows_all_it_would_delete(
    command_line: CommandLine, tmp_path: Path
) -> None:
    file = tmp_path / "plan.json"
    zone = build_change("aws_route53_zone", DELETE, name="wareit.ai")
    service = build_change("aws_ecs_service", DELETE, name="tenant-acme")
    file.write_text(json.dumps(build_plan(zone, service)))
    ended = command_line("check-teardown", file)
    assert ended.exit_code == 2
    assert [line.split()[0] for line in ended.stdout.splitlines()] == ["FATE", "goes", "must"]
    ended = command_line("check-teardown", file, "-o", "json")
    assert ended.exit_code == 2
    assert json.loads(ended.stdout)[0] == {
        "address": "aws_ecs_service.main",
        "kind": "aws_ecs_service",
        "name": "tenant-acme",
        "replaced": False,
        "fate": "goes",
    }


def test_a_plan_that_deletes_nothing_says_so(command_line: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(build_plan()))
    ended = command_line("check-teardown", file)
    assert (ended.exit_code, ended.stdout) == (0, "")
    assert "deletes nothing" in ended.stderr
