"""The chart under test, its scenarios, and the types its tests share."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

Manifest = dict[str, Any]
Values = dict[str, Any]
Render = Callable[..., list[Manifest]]
RunTool = Callable[..., subprocess.CompletedProcess[str]]

CHART = Path(__file__).parents[2] / "charts" / "aware-tenant"
SCENARIOS = sorted((CHART / "ci").glob("*-values.yaml"))


def scenario_name(path: Path) -> str:
    return path.name.removesuffix("-values.yaml")
