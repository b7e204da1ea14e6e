"""chart-testing on the local cluster: lint, install and upgrade of every scenario.

ct compares with a branch of a remote. For each scenario it gets a repository of its own in
a temporary folder, where origin/main is the previous revision of the chart: the newest
commit whose chart differs from the one at hand. Where there is none, as in a shallow clone,
or where that revision did not know the scenario, the chart is upgraded from itself.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from local_cluster.clusters import Cluster
from tests.charts.chart import ALL_SCENARIOS, PLATFORM, RunTool

CLONE = PLATFORM.parents[1]

RunChartTesting = Callable[..., subprocess.CompletedProcess[str]]


def run_git(folder: Path, *args: str) -> subprocess.CompletedProcess[bytes]:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.com")
    environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", "-C", str(folder), *identity, *args]
    return subprocess.run(command, capture_output=True, check=False, env=environment)


@cache
def find_previous_revision(chart: Path) -> str | None:
    """Return the newest commit whose chart differs from the one at hand."""
    path = str(chart.relative_to(CLONE))
    for commit in run_git(CLONE, "log", "--format=%H", "--", path).stdout.decode().split():
        if run_git(CLONE, "diff", "--quiet", commit, "--", path).returncode:
            return commit
    return None


def write_chart(repository: Path, chart: Path, files: str) -> None:
    """Put the chart at hand, with these values files alone, in the place of what is there."""
    there = repository / chart.relative_to(CLONE)
    shutil.rmtree(there, ignore_errors=True)
    keep_values_files(shutil.copytree(chart, there), files)


def write_previous_chart(repository: Path, chart: Path, files: str) -> None:
    """Put the chart's previous revision, with these values files alone, into the repository."""
    there = repository / chart.relative_to(CLONE)
    if commit := find_previous_revision(chart):
        archive = run_git(CLONE, "archive", commit, str(chart.relative_to(CLONE))).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as members:
            # Not extractall(): its safe filter came with Python 3.11.4, its default warns later.
            for member in members:
                content = members.extractfile(member) if member.isfile() else None
                if content is not None:
                    path = repository / member.name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content.read())
        keep_values_files(there, files)
    if not any((there / "ci").glob(files)):
        write_chart(repository, chart, files)


def keep_values_files(chart: Path, files: str) -> None:
    for file in (chart / "ci").iterdir():
        if not file.match(files):
            file.unlink()


def commit_chart(repository: Path) -> None:
    for args in (["add", "--all"], ["commit", "--allow-empty", "--message", "chart"]):
        result = run_git(repository, *args)
        assert result.returncode == 0, result.stderr


def make_repository(folder: Path, chart: Path, files: str = "*-values.yaml") -> Path:
    """Make a repository for ct with those of a chart's values files whose name matches."""
    assert run_git(folder, "init", "--initial-branch", "work").returncode == 0
    write_previous_chart(folder, chart, files)
    commit_chart(folder)
    assert run_git(folder, "update-ref", "refs/remotes/origin/main", "HEAD").returncode == 0
    write_chart(folder, chart, files)
    commit_chart(folder)
    return folder


@pytest.fixture(scope="session")
def run_chart_testing(run_tool: RunTool) -> RunChartTesting:
    def run(
        command: str, chart: Path, repository: Path, *args: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        options = ("--target-branch=main", f"--charts={chart.relative_to(CLONE)}", *args)
        return run_tool("ct", command, *options, cwd=repository, env=os.environ | environment)

    return run


def test_ct_lint_finds_nothing(
    run_chart_testing: RunChartTesting, any_chart: Path, tmp_path: Path, tools_path: Path
) -> None:
    result = run_chart_testing(
        "lint",
        any_chart,
        make_repository(tmp_path, any_chart),
        f"--chart-yaml-schema={tools_path / 'chart_schema.yaml'}",
        f"--lint-conf={tools_path / 'lintconf.yaml'}",
        # Versions rise with a release, not with each commit; maintainers are a company.
        "--check-version-increment=false",
        "--validate-maintainers=false",
    )

    assert result.returncode == 0, result.stdout


def list_runs() -> list[tuple[str, Path, str]]:
    """Return the name, chart and values files of each test.

    Each scenario has one of its own, but for the platform's: two of them cannot be there at once,
    for they have objects outside of their namespace.
    """
    others = (each for each in ALL_SCENARIOS if each.chart != PLATFORM)
    runs = [(each.name, each.chart, each.values.name) for each in others]
    return [("platform", PLATFORM, "*-values.yaml"), *runs]


@pytest.mark.parametrize("run", list_runs(), ids=lambda run: run[0])
def test_ct_installs_and_upgrades_the_scenario(
    run_chart_testing: RunChartTesting,
    run_tool: RunTool,
    cluster: Cluster,
    run: tuple[str, Path, str],
    tmp_path: Path,
) -> None:
    name, chart, files = run
    kubeconfig = str(cluster.kubeconfig)
    # ct's own namespaces take ten seconds each to go.
    namespace = f"ct-{name}"
    run_tool("kubectl", "--kubeconfig", kubeconfig, "create", "namespace", namespace)
    result = run_chart_testing(
        "install",
        chart,
        make_repository(tmp_path, chart, files),
        "--upgrade",
        f"--namespace={namespace}",
        # ct's releases have random names: let each have the volume that the last one kept.
        "--helm-extra-set-args=--take-ownership",
        KUBECONFIG=kubeconfig,
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert "skipped because" not in result.stdout
