"""A terraform that finds the stand-in where the AWS provider would be."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.terraform.declarations import SOURCE

VERSION = "6.25.0"
TIMEOUT_SECONDS = 300
# Instead of the backend in the configuration, which is S3.
LOCAL_STATE = 'terraform {\n  backend "local" {}\n}\n'

Plan = dict[str, Any]


class TerraformError(Exception):
    """terraform ended with an error; the text is what it wrote."""


@dataclass(frozen=True)
class Terraform:
    """terraform in one folder of a copy of the project's `terraform/`."""

    program: str
    folder: Path
    configuration: Path

    def run(self, *arguments: str, answers: Path | None = None) -> str:
        """Return what it wrote on stdout. Raises TerraformError with the rest."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.configuration.parent),
            "TF_CLI_CONFIG_FILE": str(self.configuration),
            "TF_IN_AUTOMATION": "1",
            "TF_CLI_ARGS": "-no-color",
            "CHECKPOINT_DISABLE": "1",
            **({"STUB_ANSWERS": str(answers)} if answers else {}),
        }
        ended = subprocess.run(
            [self.program, *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        if ended.returncode != 0:
            raise TerraformError(_unfold(ended.stdout + ended.stderr))
        return ended.stdout

    def plan(self, variables: Mapping[str, Any], *more: str, answers: Path | None = None) -> Plan:
        """Return a plan with these variables, as terraform shows it in JSON."""
        self._write(variables)
        self.run("plan", "-input=false", "-out=plan", *more, answers=answers)
        shown: Plan = json.loads(self.run("show", "-json", "plan", answers=answers))
        return shown

    def apply(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Make what is planned with these variables, and return the outputs' values."""
        self._write(variables)
        self.run("apply", "-input=false", "-auto-approve")
        outputs = json.loads(self.run("output", "-json"))
        return {name: output["value"] for name, output in outputs.items()}

    def read_state(self) -> dict[str, dict[str, Any]]:
        """Return the values of what was made, by address."""
        shown = json.loads(self.run("show", "-json"))
        return _collect(shown["values"]["root_module"])

    def _write(self, variables: Mapping[str, Any]) -> None:
        (self.folder / "terraform.tfvars.json").write_text(json.dumps(variables))


def _unfold(text: str) -> str:
    """Return an error's text without the frame that breaks its lines."""
    return " ".join(text.replace("│", " ").replace("╷", " ").replace("╵", " ").split())


@pytest.fixture(scope="session")
def program() -> str:
    """The terraform on PATH. Where there is none, nothing here is skipped: it fails."""
    found = shutil.which("terraform")
    if found is None:
        pytest.fail("there is no terraform on PATH: install 1.11 or newer to run these tests")
    return found


@pytest.fixture(scope="session")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Terraform's own configuration: providers are in a folder, and that is the stand-in."""
    home = tmp_path_factory.mktemp("terraform")
    name = f"registry.terraform.io/hashicorp/aws/{VERSION}/linux_amd64"
    provider = home / "mirror" / name / f"terraform-provider-aws_v{VERSION}"
    provider.parent.mkdir(parents=True)
    provider.write_text(f"#!/bin/sh\nexec {sys.executable} {Path(__file__).parent}/provider.py\n")
    provider.chmod(0o755)
    file = home / "terraformrc"
    file.write_text(
        "provider_installation {\n  filesystem_mirror {\n"
        f'    path    = "{home}/mirror"\n    include = ["registry.terraform.io/hashicorp/*"]\n'
        "  }\n}\n"
    )
    return file


MakeTerraform = Callable[[str], Terraform]


@pytest.fixture(scope="session")
def make_terraform(
    program: str, configuration: Path, tmp_path_factory: pytest.TempPathFactory
) -> MakeTerraform:
    """Return what makes a terraform in a folder below `terraform/`, such as k3s, of a new copy."""

    def make(name: str) -> Terraform:
        copy = tmp_path_factory.mktemp("copy") / "terraform"
        shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns(".terraform*"))
        terraform = Terraform(program, copy / name, configuration)
        if 'backend "s3"' in (terraform.folder / "versions.tf").read_text():
            (terraform.folder / "backend_override.tf").write_text(LOCAL_STATE)
        terraform.run("init", "-input=false")
        return terraform

    return make


def read_example(root: str, name: str) -> dict[str, Any]:
    """Return the variables of an example of a root."""
    file = SOURCE / root / "examples" / f"{name}.tfvars.json"
    example: dict[str, Any] = json.loads(file.read_text())
    return example


def list_examples() -> list[tuple[str, str]]:
    """Return root and name of every example."""
    files = sorted(SOURCE.glob("*/examples/*.tfvars.json"))
    return [(file.parts[-3], file.name.removesuffix(".tfvars.json")) for file in files]


def read_changes(plan: Plan) -> dict[str, tuple[str, ...]]:
    """Return what a plan does, by address; what it leaves alone is not in it."""
    changes = {
        item["address"]: tuple(item["change"]["actions"])
        for item in plan.get("resource_changes", [])
        if item["mode"] == "managed"
    }
    return {name: actions for name, actions in changes.items() if actions != ("no-op",)}


def read_deleted(plan: Plan) -> set[str]:
    """Return the addresses of what a plan deletes, also where it makes it anew."""
    return {address for address, actions in read_changes(plan).items() if "delete" in actions}


def read_planned(plan: Plan) -> dict[str, dict[str, Any]]:
    """Return the values that a plan would make, by address."""
    return _collect(plan["planned_values"]["root_module"])


def _collect(module: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {item["address"]: item.get("values", {}) for item in module.get("resources", [])}
    for child in module.get("child_modules", []):
        found |= _collect(child)
    return found


def select(resources: Mapping[str, dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """Return the resources of a type, such as aws_eip, or of a name, such as aws_eip.nat."""
    index = re.compile(r"\[.*?\]")
    return {
        address: values
        for address, values in resources.items()
        if f".{kind}." in f".{index.sub('', address)}."
    }
