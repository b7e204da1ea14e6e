"""What commands that change a tenant print at their end, and instead of it with --dry-run."""

from __future__ import annotations

import json

import pytest

from release_manager.cli.outcome import describe_access, print_plan, print_result
from release_manager.errors import ClusterUnreachableError
from release_manager.operations.deploy import Result
from release_manager.operations.recover import RecoverPlan, Repair
from release_manager.operations.uninstall import UninstallPlan
from release_manager.operations.upgrade import UpgradeRequest, plan_upgrade
from tests.unit.fakes import FakeWorld, build_chart

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (Result("acme", "install", 1), "tenant acme: installed, revision 1"),
        (Result("acme", "stop", 3, "not waited for"), "stopped, revision 3 (not waited for)"),
        (Result("acme", "uninstall", 0, "removed: release"), "uninstalled (removed: release)"),
        (Result("acme", "nothing", 2), "nothing to do, it is up to date"),
        (Result("acme", "nothing", 2, "it is running"), "tenant acme: it is running"),
    ],
)
def test_a_result_is_one_sentence(capsys: Captured, result: Result, text: str) -> None:
    print_result(result, "table")
    assert capsys.readouterr().out.endswith(f"{text}\n")


def test_an_install_ends_with_where_the_tenant_is_and_how_to_get_its_token(
    capsys: Captured, world: FakeWorld
) -> None:
    result = world.install()
    print_result(result, "table", access=describe_access(world.ports, "acme"))
    assert capsys.readouterr().out == (
        "tenant acme: installed, revision 1, at https://acme.wareit.ai "
        "(token: release-manager show-token acme)\n"
    )


def test_a_token_that_cannot_be_shown_is_not_promised(world: FakeWorld) -> None:
    world.install()
    world.secrets.delete_token("acme")
    assert describe_access(world.ports, "acme") == ", at https://acme.wareit.ai"


def test_a_cluster_that_falls_silent_after_success_changes_no_result(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fall_silent(slug: str) -> None:
        raise ClusterUnreachableError("no answer", remedy="Check it")

    monkeypatch.setattr(world.cluster, "read_workload", fall_silent)
    assert describe_access(world.ports, "acme") == ""


def test_a_result_as_data_has_its_documented_keys(capsys: Captured) -> None:
    print_result(Result("acme", "install", 1), "json", access=", at https://acme.wareit.ai")
    assert json.loads(capsys.readouterr().out) == {
        "slug": "acme",
        "action": "install",
        "revision": 1,
        "detail": "",
    }


def test_a_chart_that_stays_is_named_once_and_no_value_is_a_dash(
    capsys: Captured, world: FakeWorld
) -> None:
    world.install()
    request = UpgradeRequest(overrides={"env": {"A": "1"}})
    _, plan = plan_upgrade(world.ports, world.settings, "acme", request, writer="w")
    print_plan(plan, "table")
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["tenant:", "acme"],
        ["would", "do:", "upgrade"],
        ["revision:", "2"],
        ["chart:", "aware-tenant-0.1.0", "(unchanged)"],
        ["VALUE", "NOW", "THEN"],
        ["env.A", "-", "'1'"],
    ]


def test_a_chart_that_changes_is_named_before_and_after(capsys: Captured, world: FakeWorld) -> None:
    world.install()
    world.charts.by_reference[world.settings.chart] = build_chart("0.2.0")
    _, plan = plan_upgrade(world.ports, world.settings, "acme", UpgradeRequest(), writer="w")
    print_plan(plan, "table")
    assert "aware-tenant-0.1.0 -> aware-tenant-0.2.0\n" in capsys.readouterr().out


def test_a_plan_shows_no_empty_fields(capsys: Captured) -> None:
    print_plan(RecoverPlan("acme", Repair.NOTHING, "it is running"), "table")
    assert capsys.readouterr().out == ("tenant:  acme\nrepair:  nothing\nreason:  it is running\n")


def test_a_plan_as_data_has_its_empty_fields(capsys: Captured) -> None:
    print_plan(RecoverPlan("acme", Repair.NOTHING, "it is running"), "json")
    assert json.loads(capsys.readouterr().out)["target"] is None


def test_a_plan_shows_lists_and_answers_in_words(capsys: Captured) -> None:
    print_plan(UninstallPlan("acme", True, ("release a", "volume b"), ()), "table")  # noqa: FBT003
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["tenant:   acme", "release:  yes", "removed:  release a, volume b"]
