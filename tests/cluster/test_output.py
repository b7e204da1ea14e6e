"""What ``-o json`` prints is what docs/output.md promises."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.terminal import Operator

DOCUMENT = (Path(__file__).parents[2] / "docs" / "output.md").read_text()


def _documented(command: str) -> set[str]:
    section = DOCUMENT.split(f"\n## {command}:")[1].split("\n## ")[0]
    return set(re.findall(r"\w+", section))


@pytest.mark.parametrize(
    "command", ["show-tenant acme", "history acme", "doctor", "show-token acme", "show-settings"]
)
def test_every_key_is_documented(operator: Operator, command: str) -> None:
    operator.run("install-tenant", "acme")
    data = operator.read(*command.split())
    rows = data if isinstance(data, list) else [data]
    promised = _documented(command.split(maxsplit=1)[0]) | _documented("list-tenants")
    assert {key for row in rows for key in row} <= promised


def test_list_tenants_prints_exactly_the_documented_keys(operator: Operator) -> None:
    operator.run("install-tenant", "acme")
    table = DOCUMENT.split("## list-tenants:")[1].split("\n## ")[0]
    promised = re.findall(r"^\| (\w+) \|", table, re.MULTILINE)[1:]
    assert list(operator.tenant("acme")) == promised


def test_yaml_and_json_print_the_same(operator: Operator) -> None:
    operator.run("install-tenant", "acme")
    text = operator.run("list-tenants", "-o", "yaml").stdout
    assert yaml.safe_load(text) == operator.read("list-tenants")


def test_data_goes_to_stdout_and_progress_to_stderr(operator: Operator) -> None:
    result = operator.run("install-tenant", "acme", "-o", "json")
    assert result.stdout.startswith("{")
    assert "acme: helm install to revision 1" in result.stderr
