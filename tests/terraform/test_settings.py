"""From Terraform's outputs to a fleet file, and on to what the charts make of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from release_manager.settings import read_settings
from tests.charts.chart import CHART, build_fleet_values
from tests.terraform.conftest import MakeTerraform, read_example
from tests.terraform.declarations import PROJECT

EXAMPLES = PROJECT / "docs" / "examples"
RELEASE_MANAGER = Path(sys.executable).parent / "release-manager"
# What the example of EKS has on top: a database at RDS, which is not Terraform's.
AT_RDS = ("postgres", "externalDatabase")


@pytest.fixture(scope="module", params=["k3s", "eks"])
def root(request: pytest.FixtureRequest) -> str:
    """One of the roots that make a cluster."""
    return str(request.param)


@pytest.fixture(scope="module")
def fleet_file(
    root: str, make_terraform: MakeTerraform, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The fleet file that is made from the outputs of a root's smallest example."""
    folder = tmp_path_factory.mktemp("settings")
    terraform = make_terraform(root)
    terraform.apply(read_example(root, "minimal"))
    outputs = folder / "outputs.json"
    outputs.write_text(terraform.run("output", "-json"))
    target = folder / "fleet.yaml"
    arguments = ["--from-terraform", outputs, "--email", "ops@wareit.ai", "--to", target]
    subprocess.run([RELEASE_MANAGER, "write-settings", *arguments], check=True)
    return target


def read_yaml(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(file.read_text())
    return content


def test_the_documented_example_is_what_is_made(root: str, fleet_file: Path) -> None:
    example = read_yaml(EXAMPLES / f"fleet.{root}.yaml")
    if root == "eks":
        for name in AT_RDS:
            del example["platform"][name]
        del example["api"]["networkPolicy"]["databaseTo"]
        for name in ("replicas", "podDisruptionBudget"):
            del example["api"][name]
    assert read_yaml(fleet_file) == example


def test_the_release_manager_reads_it(fleet_file: Path) -> None:
    ended = subprocess.run(
        [RELEASE_MANAGER, "show-settings", "--settings", fleet_file, "-o", "json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "123456789012.dkr.ecr.eu-central-1.amazonaws.com" in ended.stdout


def test_every_chart_is_rendered_with_it_unchanged(
    fleet_file: Path, tools_path: Path, tmp_path: Path
) -> None:
    settings = read_settings({}, {}, fleet_file=fleet_file)
    for chart, values in build_fleet_values(settings).items():
        file = tmp_path / f"{chart.name}.json"
        file.write_text(json.dumps({**values, **({"slug": "acme"} if chart == CHART else {})}))
        ended = subprocess.run(
            [tools_path / "helm", "template", "x", chart, "--values", file],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert "kind: " in ended.stdout
