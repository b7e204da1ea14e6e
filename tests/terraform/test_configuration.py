"""The configuration itself: format, types, rules, linters, and each rule kept and broken."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.terraform.conftest import MakeTerraform, list_examples
from tests.terraform.declarations import (
    FOLDERS,
    MODULES,
    PROJECT,
    SOURCE,
    read_outputs,
    read_variables,
)
from tests.terraform.extract_schema import DATA_SOURCES, RESOURCES
from tests.terraform.tables import build_tables, insert_tables

FILES = ("main.tf", "variables.tf", "outputs.tf", "versions.tf")


def test_every_folder_is_known_to_these_tests() -> None:
    found = {str(file.parent.relative_to(SOURCE)) for file in SOURCE.rglob("versions.tf")}
    assert found == set(FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_same_files_are_everywhere(folder: str) -> None:
    names = {file.name for file in (SOURCE / folder).glob("*.tf")}
    assert names == set(FILES)
    assert (SOURCE / folder / "README.md").is_file()


def test_the_schema_has_the_types_that_are_used_and_no_others() -> None:
    old_stack = Path(__file__).with_name("old_stack") / "main.tf"
    text = "\n".join([*_read_sources(), old_stack.read_text()])
    for kind, names in (("resource", RESOURCES), ("data", DATA_SOURCES)):
        used = re.findall(rf'^{kind} "aws_(\w+)"', text, re.MULTILINE)
        assert set(used) == set(names)


def test_everything_is_formatted(program: str) -> None:
    ended = subprocess.run(
        [program, "fmt", "-check", "-recursive", "-diff", str(SOURCE)],
        env={"PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("folder", FOLDERS)
def test_it_is_valid_and_keeps_its_own_tests(folder: str, make_terraform: MakeTerraform) -> None:
    terraform = make_terraform(folder)
    terraform.run("validate")
    ended = terraform.run("test")
    assert re.search(r"Success! \d+ passed, 0 failed", ended), ended


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_rule_of_a_variable_is_broken_by_a_test(folder: str) -> None:
    rules = {variable.name: variable.rules for variable in read_variables(folder)}
    text = "".join(file.read_text() for file in (SOURCE / folder / "tests").glob("*.tftest.hcl"))
    for name, count in rules.items():
        broken = len(re.findall(rf"expect_failures = \[var\.{name}\]", text))
        assert broken >= count, f"{folder}: {count} rules of {name}, and {broken} tests"


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_readme_has_the_tables_of_what_is_declared(folder: str) -> None:
    text = (SOURCE / folder / "README.md").read_text()
    assert insert_tables(text, build_tables(folder)) == text, "python -m tests.terraform.tables"
    assert build_tables(folder) in text


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_output_says_what_it_is(folder: str) -> None:
    for output in read_outputs(folder):
        assert output.description.endswith("."), f"{folder}: {output.name}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_variable_says_what_it_is(folder: str) -> None:
    for variable in read_variables(folder):
        assert variable.type, f"{folder}: {variable.name} has no type"
        assert variable.description.endswith("."), f"{folder}: {variable.name}"


@pytest.mark.parametrize("folder", [f"modules/{name}" for name in MODULES])
def test_every_variable_of_a_module_has_a_rule_unless_its_type_is_one(folder: str) -> None:
    for variable in read_variables(folder):
        assert variable.rules or variable.type == "bool", f"{folder}: {variable.name}"


@pytest.mark.parametrize("root", ["k3s", "eks"])
def test_a_root_hands_on_what_its_modules_have_rules_for(root: str) -> None:
    main = (SOURCE / root / "main.tf").read_text()
    for variable in read_variables(root):
        assert variable.rules or re.search(rf"\bvar\.{variable.name}\b", main), variable.name


@pytest.mark.parametrize("folder", FOLDERS)
def test_tflint_finds_nothing(folder: str, tools_path: Path) -> None:
    ended = subprocess.run(
        [tools_path / "tflint", "--no-color", f"--config={SOURCE}/.tflint.hcl"],
        cwd=SOURCE / folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_every_skipped_rule_of_checkov_has_a_reason() -> None:
    skips = re.findall(r"# *checkov:skip=(\S+)", "\n".join(_read_sources()))
    assert skips
    for skip in skips:
        assert re.fullmatch(r"CKV2?_AWS_\d+:.*", skip), skip


def _read_sources() -> list[str]:
    return [file.read_text() for file in sorted(SOURCE.rglob("*.tf"))]


@pytest.mark.parametrize(("root", "example"), list_examples())
def test_checkov_finds_nothing(root: str, example: str) -> None:
    program = PROJECT / ".local/checkov/bin/checkov"
    assert program.is_file(), "checkov is not installed: make checkov"
    options = ["--framework", "terraform", "--compact", "--quiet", "--skip-download"]
    variables = SOURCE / root / "examples" / f"{example}.tfvars.json"
    ended = subprocess.run(
        [program, *options, "--directory", SOURCE / root, "--var-file", variables],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
