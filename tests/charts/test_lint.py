"""The chart's own linters and suites."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.charts.chart import CHART, RunTool


def test_helm_unittest_suites_pass(run_tool: RunTool) -> None:
    result = run_tool("helm-unittest", "--strict", CHART)

    assert result.returncode == 0, result.stdout


def test_every_template_has_a_suite() -> None:
    suites = "".join(suite.read_text() for suite in (CHART / "tests").glob("*_test.yaml"))
    templates = [each.name for each in (CHART / "templates").iterdir() if each.suffix != ".tpl"]

    assert [name for name in templates if f"- {name}" not in suites] == []


def test_helm_lint_finds_nothing_in_any_scenario(run_tool: RunTool, scenario: Path) -> None:
    result = run_tool("helm", "lint", "--strict", "--quiet", CHART, "--values", scenario)

    assert result.returncode == 0, result.stdout


def test_readme_says_what_the_values_say(run_tool: RunTool, tmp_path: Path) -> None:
    copy = shutil.copytree(CHART, tmp_path / CHART.name)

    result = run_tool("helm-docs", "--chart-search-root", copy, "--sort-values-order", "file")

    assert result.returncode == 0, result.stderr
    assert (copy / "README.md").read_text() == (CHART / "README.md").read_text(), (
        "run: helm-docs --chart-search-root charts/aware-tenant --sort-values-order file"
    )


def test_readme_describes_every_value() -> None:
    rows = [row for row in (CHART / "README.md").read_text().splitlines() if row.endswith("|")]

    assert [row for row in rows if row.endswith("|  |")] == []
