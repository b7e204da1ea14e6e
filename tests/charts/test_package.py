"""What `helm package` makes: Helm stores it in every revision of every release."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from tests.charts.chart import API, CHART, PLATFORM, RELEASES, RunTool

# The tenant's counts: there are thousands of it.
MAX_PACKAGE_BYTES = {CHART: 15_000, API: 15_000, PLATFORM: 30_000}
# Folders of files that templates read, or the release manager.
READ = ("templates", "profiles", "scripts")


@pytest.fixture
def package(run_tool: RunTool, any_chart: Path, tmp_path: Path) -> Path:
    result = run_tool("helm", "package", any_chart, "--destination", tmp_path)
    assert result.returncode == 0, result.stderr
    return next(tmp_path.glob("*.tgz"))


def test_the_package_holds_only_what_rendering_needs(package: Path, any_chart: Path) -> None:
    with tarfile.open(package) as archive:
        names = {name.removeprefix(f"{any_chart.name}/") for name in archive.getnames()}
    files = {
        f"{folder}/{each.name}"
        for folder in READ
        if (any_chart / folder).is_dir()
        for each in (any_chart / folder).iterdir()
    }

    assert names == {"Chart.yaml", "values.yaml", "values.schema.json"} | files


def test_the_package_is_small(package: Path, any_chart: Path) -> None:
    assert package.stat().st_size <= MAX_PACKAGE_BYTES[any_chart]


def test_the_package_renders_like_the_folder(
    package: Path, any_chart: Path, run_tool: RunTool
) -> None:
    from_package = run_tool("helm", "template", RELEASES[any_chart], package)
    from_folder = run_tool("helm", "template", RELEASES[any_chart], any_chart)

    assert from_folder.stdout
    assert from_package.stdout == from_folder.stdout
