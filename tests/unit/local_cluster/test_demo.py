"""What the demo runs, and what it tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_cluster.demo import (
    Place,
    Step,
    Visit,
    build_environment,
    main,
    plan_fleet,
    plan_platform,
    plan_steps,
    summarise,
)
from local_cluster.demo_fleet import SLUGS, Installation, write_charts

SIMULATED = Place(Path("/k"))


def list_lines(existing: set[str], *, has_real_containers: bool = False) -> list[str]:
    """Return the command lines of the demo."""
    steps = plan_steps(existing, has_real_containers=has_real_containers)
    return [" ".join(step.command) for step in steps if isinstance(step, Step)]


def test_first_run_installs_both_tenants() -> None:
    assert list_lines(set()) == [
        "release-manager install-tenant acme",
        "release-manager install-tenant globex --stopped",
        "release-manager upgrade-tenant acme --set resources.limits.memory=384Mi",
        "release-manager list-tenants",
        "helm list -n aware",
        "release-manager show-tenant acme",
    ]


def test_the_cluster_is_made_ready_for_tenants_first() -> None:
    real, simulated = (plan_platform(has_real_containers=is_real) for is_real in (True, False))
    names = [step.command[1] for step in real]
    assert names[:2] == ["install-platform", "install-api"]
    assert {"backup-database", "restore-database"} <= set(names)
    assert [step.command[1] for step in simulated] == [*names[:2], "show-platform"]


def test_later_run_installs_only_what_is_missing() -> None:
    lines = list_lines({"acme", "other"})
    assert "release-manager install-tenant acme" not in lines
    assert "release-manager install-tenant globex --stopped" in lines


def test_real_containers_are_visited_and_a_crash_is_expected_to_fail() -> None:
    steps = plan_steps(set(), has_real_containers=True)
    assert {step.status for step in steps if isinstance(step, Visit)} == {200, 401}
    failing = [step for step in steps if isinstance(step, Step) and step.exit_code]
    assert [step.command[:3] for step in failing] == [("release-manager", "upgrade-tenant", "acme")]


def test_the_fleet_gets_a_chart_that_breaks_its_canary_and_then_the_fixed_one(
    tmp_path: Path,
) -> None:
    charts = write_charts(tmp_path, has_real_containers=True)
    assert 'STAND_IN_CRASH_AFTER_SECONDS: "0.2"' in (charts.broken / "values.yaml").read_text()
    assert "version: 0.2.1" in (charts.fixed / "Chart.yaml").read_text()
    steps = plan_fleet({"shop-01", "acme"}, charts, has_unfinished=False)
    assert isinstance(steps[0], Installation)
    assert steps[0].slugs == SLUGS[1:]
    upgrades = [step for step in steps if isinstance(step, Step) and "upgrade-all" in step.command]
    assert [(step.command[3], step.exit_code) for step in upgrades] == [
        ("aware-tenant-0.2.0", 3),
        ("aware-tenant-0.2.1", 0),
    ]


def test_a_rollout_that_an_earlier_run_left_is_given_up_first(tmp_path: Path) -> None:
    charts = write_charts(tmp_path, has_real_containers=False)
    first = plan_fleet(SLUGS, charts, has_unfinished=True)[0]
    assert isinstance(first, Step)
    assert first.command == ("release-manager", "abort-rollout", "--yes")


def test_summary_of_real_containers_says_that_the_gateway_is_a_stand_in() -> None:
    text = summarise(Place(Path("/k"), node=Path("/n")), 12.3)
    assert "stand-in" in text
    assert "simulated" not in text


def test_commands_get_the_demos_cluster_and_no_settings_of_the_users() -> None:
    environment = build_environment(
        SIMULATED,
        {"KUBECONFIG": "/home/me/.kube/config", "RELEASE_MANAGER_NAMESPACE": "x", "PATH": "/bin"},
    )
    assert environment["KUBECONFIG"] == "/k"
    assert "RELEASE_MANAGER_NAMESPACE" not in environment
    assert environment["PATH"].endswith(":/bin")


def test_summary_says_that_containers_are_simulated_and_how_to_go_on() -> None:
    text = summarise(SIMULATED, 12.3)
    for word in ("12 s", "simulated", "demo-kubeconfig", "KUBE_CONTEXT", "make demo-down"):
        assert word in text


def test_summary_for_the_users_cluster_names_the_context() -> None:
    text = summarise(Place(Path("/k"), "staging"), 12.3)
    assert "staging" in text
    assert "simulated" not in text


def test_help_is_printed_and_nothing_else_happens(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "KUBE_CONTEXT" in capsys.readouterr().out


def test_unknown_argument_is_wrong_usage() -> None:
    assert main(["acme"]) == 2
