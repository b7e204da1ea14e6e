"""What the demo runs, and what it tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_cluster.demo import Place, build_environment, main, plan_commands, summarise

SIMULATED = Place(Path("/k"), None)


def test_first_run_installs_both_tenants() -> None:
    lines = [" ".join(command) for command in plan_commands(set())]
    assert lines == [
        "release-manager install-tenant acme",
        "release-manager install-tenant globex --stopped",
        "release-manager upgrade-tenant acme --set resources.limits.memory=384Mi",
        "release-manager list-tenants",
        "helm list -n aware",
        "release-manager show-tenant acme",
    ]


def test_later_run_installs_only_what_is_missing() -> None:
    lines = [" ".join(command) for command in plan_commands({"acme", "other"})]
    assert "release-manager install-tenant acme" not in lines
    assert "release-manager install-tenant globex --stopped" in lines


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
