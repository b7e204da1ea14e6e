"""Changing many tenants at once, on a real control plane with simulated pods."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from release_manager.ports import Ports
from release_manager.settings import Settings
from tests.cluster.fleets import (
    BEHAVIOUR,
    IMMUNE,
    FleetOperator,
    name_tenants,
    read_events,
    strike,
)
from tests.terminal import Operator


@pytest.fixture
def fleet(operator: Operator, ports: Ports, settings: Settings) -> FleetOperator:
    """Somebody who upgrades a fleet that is still empty."""
    return FleetOperator(operator, ports, settings)


def test_every_tenant_comes_to_the_new_chart(fleet: FleetOperator, changed_chart: Path) -> None:
    slugs = name_tenants(12)
    fleet.install({slug: {"env": {"NAME": slug}} for slug in slugs})
    ended = fleet.upgrade("--chart", changed_chart, "--wave-size", "5")
    assert "finished" in ended.stdout
    assert "12 done" in ended.stdout
    fleet.require_running(slugs)
    assert {row["chart"] for row in fleet.rows().values()} == {"aware-tenant-0.2.0"}
    assert [fleet.values(slug)["env"]["NAME"] for slug in slugs[:3]] == slugs[:3]


def test_a_fleet_that_is_up_to_date_is_not_written_to(
    fleet: FleetOperator, changed_chart: Path
) -> None:
    fleet.install({slug: {} for slug in name_tenants(3)})
    fleet.upgrade("--chart", changed_chart)

    def read_versions() -> str:
        kinds = "secrets,configmaps,deployments,leases"
        return fleet.operator.kubectl("get", kinds, "-o", "name", "--sort-by=.metadata.name")

    before = fleet.revisions(), read_versions()
    ended = fleet.upgrade("--chart", changed_chart)
    assert "nothing to do" in ended.stdout
    assert (fleet.revisions(), read_versions()) == before
    assert len(fleet.operator.read("list-rollouts")) == 1


def test_a_canary_that_never_gets_ready_stops_everything_else(fleet: FleetOperator) -> None:
    slugs = name_tenants(8)
    fleet.install({slug: {} for slug in slugs})
    ended = fleet.operator.run(
        *("upgrade-all", "--yes", "--canary", "t03", "--timeout", "10s"),
        *strike("never-ready"),
        exit_code=3,
    )
    assert "tenant t03: failed" in ended.stderr
    assert "readiness probe fails" in ended.stderr
    assert "7 were not touched" in ended.stderr
    assert fleet.revisions() == {slug: 3 if slug == "t03" else 1 for slug in slugs}
    fleet.require_running(slugs)
    assert fleet.rollout()["state"] == "stopped"


def test_the_others_wait_until_the_canary_has_baked(fleet: FleetOperator) -> None:
    fleet.install({slug: {} for slug in name_tenants(3)})
    arguments = ("--yes", "--canary", "1", "--bake", "4s", "-o", "json", "--set", "podLabels.x=y")
    events = read_events(fleet.operator.run("upgrade-all", *arguments))
    names = [event["event"] for event in events]
    assert names == [
        *("planned", "waveBegan", "tenantEnded", "bakeBegan", "waveEnded"),
        *("waveBegan", "tenantEnded", "waveEnded", "waveBegan", "tenantEnded", "waveEnded"),
        "ended",
    ]
    assert next(event["slug"] for event in events if event["event"] == "tenantEnded") == "t00"
    assert events[-1]["done"] == 3


def test_three_of_forty_fail_within_a_budget_of_five(fleet: FleetOperator) -> None:
    slugs = name_tenants(40)
    struck = {"t05", "t21", "t38"}
    fleet.install({slug: {} if slug in struck else IMMUNE for slug in slugs})
    ended = fleet.upgrade(
        *strike("crash-loop"), "--failure-budget", "5", "--timeout", "60s", exit_code=1
    )
    rollout = fleet.rollout()
    assert (rollout["state"], rollout["done"], rollout["failed"]) == ("finished", 37, 3)
    reports = fleet.reports()
    assert set(reports) == struck
    for slug in struck:
        assert f"tenant {slug}: failed" in ended.stderr
        assert "keeps crashing with exit code 1" in reports[slug]["reason"]
        assert "its last lines: " in reports[slug]["reason"]
    fleet.require_running(slugs)
    assert fleet.revisions() == {slug: 3 if slug in struck else 2 for slug in slugs}


def test_over_its_budget_it_stops_and_breaks_no_more_than_one_beyond(fleet: FleetOperator) -> None:
    slugs = name_tenants(15)
    fleet.install({slug: {} for slug in slugs})
    fleet.upgrade(*strike("image-pull"), "--failure-budget", "2", "--timeout", "60s", exit_code=3)
    rollout = fleet.rollout()
    assert (rollout["state"], rollout["failed"], rollout["untouched"]) == ("stopped", 3, 12)
    touched = {slug for slug, number in fleet.revisions().items() if number > 1}
    assert touched == set(fleet.reports())
    fleet.require_running(slugs)


def test_a_rollout_that_stopped_itself_goes_on_with_a_larger_budget(fleet: FleetOperator) -> None:
    struck = {"t00", "t01"}
    slugs = name_tenants(6)
    fleet.install({slug: {} if slug in struck else IMMUNE for slug in slugs})
    fleet.upgrade(*strike("image-pull"), "--failure-budget", "0", exit_code=3)
    refused = fleet.resume(exit_code=2)
    assert "field --failure-budget: rollout" in refused.stderr
    fleet.resume("--failure-budget", "2", exit_code=1)
    rollout = fleet.rollout()
    assert (rollout["state"], rollout["done"], rollout["failed"]) == ("finished", 4, 2)


def test_slow_tenants_are_waited_for(fleet: FleetOperator) -> None:
    slugs = name_tenants(6)
    fleet.install({slug: {} for slug in slugs})
    fleet.upgrade(*strike("slow-start"))
    fleet.require_running(slugs)


def test_each_kind_of_tenant_is_taken_as_the_plan_says(fleet: FleetOperator) -> None:
    slugs = ["drifted", "held", "running", "scaled", "stopped"]
    fleet.install({slug: {} for slug in slugs})
    operator = fleet.operator
    operator.run("stop-tenant", "stopped")
    operator.run("hold-tenant", "held", "--reason", "demo on Friday")
    chart = fleet.settings.chart
    operator.helm("upgrade", "tenant-drifted", chart, "--reuse-values", "--set", "env.BY_HAND=x")
    operator.kubectl("scale", "deployment/tenant-scaled", "--replicas=2")
    change = ("--set", "podLabels.x=y")
    plan = json.loads(operator.run("upgrade-all", *change, "--dry-run", "-o", "json").stdout)
    standings = {tenant["slug"]: tenant["standing"] for tenant in plan["tenants"]}
    assert standings == {
        "drifted": "drifted",
        "held": "held",
        "running": "due",
        "scaled": "drifted",
        "stopped": "stopped",
    }
    assert plan["counts"] == {"due": 1, "stopped": 1, "held": 1, "drifted": 2}
    before = fleet.revisions()
    fleet.upgrade(*change)
    moved = {slug for slug, number in fleet.revisions().items() if number != before[slug]}
    assert moved == {"running", "stopped"}
    assert fleet.rows()["stopped"]["state"] == "stopped"
    fleet.upgrade(*change, "--overwrite-drift", "--exclude", "scaled")
    assert "env" not in fleet.values("drifted")
    operator.run("unhold-tenant", "held")
    fleet.upgrade(*change, "--only", "held")
    assert fleet.rows()["held"]["state"] == "running"


def test_one_invalid_tenant_stops_it_before_the_first_is_touched(fleet: FleetOperator) -> None:
    volume = {"persistence": {"enabled": True, "size": "10Mi"}}
    fleet.install({"a": {}, "b": volume, "c": {}})
    refused = fleet.upgrade("--set", "replicas=2", exit_code=2)
    assert "tenant b: " in refused.stderr
    assert "--exclude b" in refused.stderr
    wrong = fleet.upgrade("--set", "replicas=many", exit_code=2)
    assert "field replicas" in wrong.stderr
    assert fleet.revisions() == {"a": 1, "b": 1, "c": 1}
    fleet.upgrade("--set", "replicas=2", "--exclude", "b")
    assert fleet.revisions() == {"a": 2, "b": 1, "c": 2}


def test_a_selector_chooses_by_the_deployments_labels(fleet: FleetOperator) -> None:
    fleet.install({"a": {}, "b": {}})
    fleet.operator.kubectl("label", "deployment/tenant-b", "ring=early")
    fleet.upgrade("--set", "podLabels.x=y", "--selector", "ring=early")
    assert fleet.revisions() == {"a": 1, "b": 2}


def test_a_pipe_is_not_asked_but_told_to_say_yes(fleet: FleetOperator) -> None:
    fleet.install({"a": {}})
    refused = fleet.operator.run("upgrade-all", "--set", "podLabels.x=y", exit_code=2)
    assert "field --yes" in refused.stderr
    assert fleet.revisions() == {"a": 1}


def test_an_upgrade_is_taken_back_in_waves(fleet: FleetOperator) -> None:
    slugs = name_tenants(5)
    fleet.install({slug: {} for slug in slugs})
    fleet.upgrade("--set", "podLabels.x=y")
    fleet.operator.run("upgrade-tenant", "t03", "--set", "podLabels.z=own")
    fleet.operator.run("abort-rollout", "--rollback", "--yes")
    rollout = fleet.rollout()
    assert (rollout["kind"], rollout["state"], rollout["done"]) == ("rollback", "finished", 4)
    # Somebody has changed it since: it is not taken back.
    assert fleet.values("t03")["podLabels"]["z"] == "own"
    assert "podLabels" not in fleet.values("t00")
    fleet.require_running(set(slugs) - {"t03"})


def test_what_was_stopped_before_stays_stopped(fleet: FleetOperator, changed_chart: Path) -> None:
    slugs = name_tenants(5)
    fleet.install({slug: {} for slug in slugs})
    fleet.operator.run("stop-tenant", "t01")
    fleet.operator.run("stop-all", "--yes")
    assert {row["state"] for row in fleet.rows().values()} == {"stopped"}
    # What lies in between does not make them forget.
    fleet.upgrade("--chart", changed_chart)
    fleet.operator.run("start-all", "--yes")
    states = {slug: row["state"] for slug, row in fleet.rows().items()}
    assert states == {slug: "stopped" if slug == "t01" else "running" for slug in slugs}


def test_struck_pods_carry_the_label_that_strikes_them(fleet: FleetOperator) -> None:
    fleet.install({"a": IMMUNE})
    fleet.upgrade(*strike("crash-loop"))
    pods = fleet.operator.kubectl("get", "pods", "-o", "json")
    labels = [pod["metadata"]["labels"] for pod in json.loads(pods)["items"]]
    assert {label[BEHAVIOUR] for label in labels} == {"good"}
