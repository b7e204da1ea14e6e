"""The charts under test, their scenarios, and the types their tests share."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from release_manager.operations.platform import build_platform_values
from release_manager.settings import Settings
from release_manager.values import merge_values

Manifest = dict[str, Any]
Values = dict[str, Any]
Render = Callable[..., list[Manifest]]
RunTool = Callable[..., subprocess.CompletedProcess[str]]

FOLDER = Path(__file__).parents[2] / "charts"
# The tenant's: it has the most tests of its own.
CHART = FOLDER / "aware-tenant"
PLATFORM, API = FOLDER / "platform", FOLDER / "aware-api"
CHARTS = [CHART, PLATFORM, API]
RELEASES = {CHART: "tenant-acme", PLATFORM: "platform", API: "api"}


@dataclass(frozen=True)
class Scenario:
    """One of a chart's ci/*-values.yaml."""

    chart: Path
    values: Path

    @property
    def name(self) -> str:
        """Return a name that no scenario of another chart has."""
        return f"{self.chart.name}-{scenario_name(self.values)}"


def scenario_name(path: Path) -> str:
    """Return the name of a values file of ci."""
    return path.name.removesuffix("-values.yaml")


def list_scenarios(chart: Path) -> list[Path]:
    """Return the chart's ci/*-values.yaml."""
    return sorted((chart / "ci").glob("*-values.yaml"))


SCENARIOS = list_scenarios(CHART)
ALL_SCENARIOS = [Scenario(chart, file) for chart in CHARTS for file in list_scenarios(chart)]


def build_fleet_values(settings: Settings) -> dict[Path, Values]:
    """Return what the release manager would give each chart."""
    own: Values = {"domain": settings.domain, "image": {"registry": settings.registry}}
    return {
        PLATFORM: build_platform_values(settings),
        API: merge_values(own, settings.api),
        CHART: settings.fleet_values(),
    }
