"""What `helm package` makes: Helm stores it in every revision of every tenant."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from tests.charts.chart import CHART, RunTool

MAX_PACKAGE_BYTES = 15_000


@pytest.fixture(scope="module")
def package(run_tool: RunTool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    result = run_tool("helm", "package", CHART, "--destination", folder)
    assert result.returncode == 0, result.stderr
    return next(folder.glob("aware-tenant-*.tgz"))


def test_the_package_holds_only_what_rendering_needs(package: Path) -> None:
    with tarfile.open(package) as archive:
        names = {name.removeprefix("aware-tenant/") for name in archive.getnames()}
    templates = {f"templates/{each.name}" for each in (CHART / "templates").iterdir()}
    profiles = {f"profiles/{each.name}" for each in (CHART / "profiles").iterdir()}

    assert names == {"Chart.yaml", "values.yaml", "values.schema.json"} | templates | profiles


def test_the_package_is_small(package: Path) -> None:
    assert package.stat().st_size <= MAX_PACKAGE_BYTES


def test_the_package_renders_like_the_folder(package: Path, run_tool: RunTool) -> None:
    from_package = run_tool("helm", "template", "tenant-acme", package)
    from_folder = run_tool("helm", "template", "tenant-acme", CHART)

    assert from_package.stdout == from_folder.stdout
