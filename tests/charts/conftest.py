"""Running the chart's tools."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.chart import (
    ALL_SCENARIOS,
    CHART,
    CHARTS,
    RELEASES,
    SCENARIOS,
    Manifest,
    Render,
    RunTool,
    Scenario,
    scenario_name,
)


@pytest.fixture(params=SCENARIOS, ids=scenario_name)
def scenario(request: pytest.FixtureRequest) -> Path:
    """One of the tenant chart's ci/*-values.yaml."""
    path: Path = request.param
    return path


@pytest.fixture(params=CHARTS, ids=lambda chart: chart.name)
def any_chart(request: pytest.FixtureRequest) -> Path:
    """Each of the charts."""
    path: Path = request.param
    return path


@pytest.fixture(params=ALL_SCENARIOS, ids=lambda scenario: scenario.name)
def any_scenario(request: pytest.FixtureRequest) -> Scenario:
    """Each of the charts' scenarios."""
    found: Scenario = request.param
    return found


@pytest.fixture(scope="session")
def run_tool(tools_path: Path) -> RunTool:
    """Run a tool by name; its output is text, and its exit code is for the test to judge."""

    def run(tool: str, *args: object, **options: Any) -> subprocess.CompletedProcess[str]:
        command = [str(tools_path / tool), *map(str, args)]
        return subprocess.run(command, capture_output=True, text=True, check=False, **options)

    return run


@pytest.fixture(scope="session")
def render(run_tool: RunTool) -> Render:
    """Render a chart, by default the tenant's, in namespace aware; further arguments are Helm's."""

    def render_chart(*args: object, chart: Path = CHART) -> list[Manifest]:
        release = RELEASES[chart]
        result = run_tool("helm", "template", release, chart, "--namespace", "aware", *args)
        assert result.returncode == 0, result.stderr
        return [manifest for manifest in yaml.safe_load_all(result.stdout) if manifest]

    return render_chart
