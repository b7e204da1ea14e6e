"""The charts' own linters and suites."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.charts.chart import RunTool, Scenario


def test_helm_unittest_suites_pass(run_tool: RunTool, any_chart: Path) -> None:
    result = run_tool("helm-unittest", "--strict", any_chart)

    assert result.returncode == 0, result.stdout


def test_every_template_has_a_suite(any_chart: Path) -> None:
    suites = "".join(suite.read_text() for suite in (any_chart / "tests").glob("*_test.yaml"))
    templates = [each.name for each in (any_chart / "templates").iterdir() if each.suffix != ".tpl"]

    assert [name for name in templates if f"- {name}" not in suites] == []


def test_helm_lint_finds_nothing_in_any_scenario(run_tool: RunTool, any_scenario: Scenario) -> None:
    chart, values = any_scenario.chart, any_scenario.values
    result = run_tool("helm", "lint", "--strict", "--quiet", chart, "--values", values)

    assert result.returncode == 0, result.stdout


def test_readme_says_what_the_values_say(
    run_tool: RunTool, any_chart: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(any_chart, tmp_path / any_chart.name)

    result = run_tool("helm-docs", "--chart-search-root", copy, "--sort-values-order", "file")

    assert result.returncode == 0, result.stderr
    assert (copy / "README.md").read_text() == (any_chart / "README.md").read_text(), (
        f"run: helm-docs --chart-search-root charts/{any_chart.name} --sort-values-order file"
    )


def test_readme_describes_every_value(any_chart: Path) -> None:
    rows = [row for row in (any_chart / "README.md").read_text().splitlines() if row.endswith("|")]

    assert [row for row in rows if row.endswith("|  |")] == []
