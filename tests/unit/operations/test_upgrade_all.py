"""Deciding which tenants ``upgrade-all`` changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from release_manager.errors import (
    ChartNotFoundError,
    InvalidInputError,
    InvalidValuesError,
    NamespaceNotFoundError,
    TenantNotFoundError,
)
from release_manager.operations.fleet import Selection
from release_manager.operations.rollouts import FleetPlan
from release_manager.operations.scale import scale_tenant
from release_manager.tenant import ReleaseStatus
from tests.unit.builders import build_holder
from tests.unit.fakes import FakeWorld, ManagerKilled, build_chart
from tests.unit.fleets import begin, install, plan_upgrade

SLUGS = ("a", "b", "c")


def _standings(plan: FleetPlan) -> dict[str, str]:
    return {item.slug: item.standing.value for item in plan.candidates}


def _reason(plan: FleetPlan, slug: str = "acme") -> str:
    return next(item.reason for item in plan.candidates if item.slug == slug)


def test_tenants_of_another_chart_are_due(world: FakeWorld) -> None:
    install(world, *SLUGS)
    world.change_chart()
    plan = plan_upgrade(world)
    assert _standings(plan) == dict.fromkeys(SLUGS, "due")
    assert plan.rollout.slugs == SLUGS
    assert plan.rollout.revisions == dict.fromkeys(SLUGS, 1)
    assert (plan.rollout.chart_version, plan.rollout.by) == ("0.2.0", "operator@here")


def test_tenants_of_other_defaults_are_due(world: FakeWorld) -> None:
    install(world, *SLUGS)
    world.settings = replace(world.settings, defaults={"env": {"A": "fleet"}})
    plan = plan_upgrade(world)
    assert _standings(plan) == dict.fromkeys(SLUGS, "due")
    assert plan.rollout.defaults["env"] == {"A": "fleet"}


def test_a_plan_changes_nothing(world: FakeWorld) -> None:
    install(world, *SLUGS)
    world.change_chart()
    before = list(world.releases.writes)
    plan_upgrade(world)
    assert world.releases.writes == before
    assert list(world.journals.list()) == []


def test_tenants_that_are_up_to_date_cost_no_body(world: FakeWorld) -> None:
    install(world, *SLUGS)
    world.releases.bodies.clear()
    plan = plan_upgrade(world)
    assert _standings(plan) == dict.fromkeys(SLUGS, "up to date")
    assert world.releases.bodies == []
    assert plan.rollout.waves == ()
    assert plan.rollout.left_alone == {"up to date": 3}


def test_a_tenant_that_is_due_costs_one_body(world: FakeWorld) -> None:
    install(world, *SLUGS)
    world.change_chart()
    world.releases.bodies.clear()
    plan_upgrade(world)
    assert sorted(world.releases.bodies) == [("a", 1), ("b", 1), ("c", 1)]


def test_a_tenant_that_was_started_or_scaled_is_up_to_date_without_its_body(
    world: FakeWorld,
) -> None:
    world.install(replicas=2)
    world.releases.bodies.clear()
    assert _standings(plan_upgrade(world)) == {"acme": "up to date"}
    assert world.releases.bodies == []


def test_a_fleet_without_tenants_has_an_empty_plan(world: FakeWorld) -> None:
    plan = plan_upgrade(world)
    assert (plan.candidates, plan.rollout.waves, plan.pace) == ([], (), None)


def test_a_stopped_tenant_is_upgraded_and_stays_stopped(world: FakeWorld) -> None:
    world.install(replicas=0)
    world.change_chart()
    plan = plan_upgrade(world)
    assert _standings(plan) == {"acme": "stopped"}
    begin(world, plan)
    assert (world.statuses(), world.replicas()) == (["superseded", "deployed"], 0)


def test_a_held_tenant_is_left_alone_with_the_reason_of_its_hold(world: FakeWorld) -> None:
    install(world, *SLUGS)
    world.change_chart()
    world.holds.put("b", "waits for its own tests")
    plan = plan_upgrade(world)
    assert _standings(plan) == {"a": "due", "b": "held", "c": "due"}
    assert _reason(plan, "b") == "waits for its own tests"
    begin(world, plan)
    assert world.statuses("b") == ["deployed"]


def test_a_tenant_whose_values_were_set_by_hand_is_left_alone(world: FakeWorld) -> None:
    world.install()
    world.releases.upgrade_by_hand("acme", {"env": {"A": "by-hand"}}, world.chart)
    world.change_chart()
    plan = plan_upgrade(world)
    assert _standings(plan) == {"acme": "drifted"}
    assert "env.A=by-hand" in _reason(plan)


def test_a_tenant_that_was_scaled_by_hand_is_left_alone(world: FakeWorld) -> None:
    world.install()
    world.cluster.scale("acme", 3)
    assert _standings(plan_upgrade(world)) == {"acme": "drifted"}


def test_a_tenant_whose_deployment_was_set_by_hand_is_left_alone(world: FakeWorld) -> None:
    world.install()
    world.cluster.foreign_fields["acme"] = ("spec.paused",)
    assert _standings(plan_upgrade(world)) == {"acme": "drifted"}


def test_drift_is_overwritten_when_asked(world: FakeWorld) -> None:
    install(world, *SLUGS)
    world.releases.upgrade_by_hand("a", {"env": {"A": "by-hand"}}, world.chart)
    world.cluster.scale("b", 3)
    plan = plan_upgrade(world, is_overwriting_drift=True)
    assert _standings(plan) == {"a": "due", "b": "due", "c": "up to date"}
    assert plan.rollout.is_overwriting_drift
    begin(world, plan)
    assert "env" not in world.values("a")
    assert world.replicas("b") == 1


def test_a_tenant_that_a_live_process_is_changing_is_busy(world: FakeWorld) -> None:
    world.install()
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        world.upgrade(overrides={"env": {"A": "1"}})
    world.liveness.others["process-2"] = build_holder("process-2")
    plan = plan_upgrade(world)
    assert _standings(plan) == {"acme": "busy"}
    assert "upgrade by operator@here" in _reason(plan)


def test_a_tenant_that_hand_run_helm_is_changing_is_busy(world: FakeWorld) -> None:
    world.install()
    world.releases.kill_by_hand("acme", world.chart)
    assert _standings(plan_upgrade(world)) == {"acme": "busy"}


def test_a_tenant_that_hand_run_helm_left_is_stuck(world: FakeWorld) -> None:
    world.install()
    world.releases.kill_by_hand("acme", world.chart)
    world.clock.advance(600)
    plan = plan_upgrade(world)
    assert _standings(plan) == {"acme": "stuck"}
    assert "by hand-run helm" in _reason(plan)


def test_a_tenant_whose_uninstall_was_cut_off_is_stuck(world: FakeWorld) -> None:
    world.install()
    world.releases.set_status("acme", ReleaseStatus.UNINSTALLING)
    world.clock.advance(600)
    assert _standings(plan_upgrade(world)) == {"acme": "stuck"}


def test_a_tenant_whose_uninstall_a_dead_process_of_ours_left_is_stuck(world: FakeWorld) -> None:
    """An uninstall that has begun is not turned back by an upgrade."""
    world.install()
    world.releases.kill_next()
    with (
        pytest.raises(ManagerKilled),
        world.liveness.hold() as writer,
        world.liveness.claim("acme", writer),
    ):
        world.releases.uninstall("acme", timeout_seconds=1)
    assert _standings(plan_upgrade(world)) == {"acme": "stuck"}


def test_a_tenant_whose_last_upgrade_failed_is_due_though_its_labels_are_current(
    world: FakeWorld,
) -> None:
    world.install()
    world.releases.set_status("acme", ReleaseStatus.FAILED)
    assert _standings(plan_upgrade(world)) == {"acme": "due"}


def test_a_tenant_that_the_new_defaults_stop_or_start_is_due(world: FakeWorld) -> None:
    install(world, "a")
    world.settings = replace(world.settings, defaults={"replicas": 0})
    install(world, "b")
    assert _standings(plan_upgrade(world)) == {"a": "due", "b": "up to date"}
    world.settings = replace(world.settings, defaults={})
    assert _standings(plan_upgrade(world)) == {"a": "up to date", "b": "due"}


def test_drift_that_was_carried_along_is_seen_where_the_chart_dropped_the_profile(
    world: FakeWorld,
) -> None:
    world.settings = replace(world.settings, profile="openclaw")
    world.install()
    world.releases.upgrade_by_hand("acme", {"env": {"A": "by-hand"}}, world.chart)
    scale_tenant(world.ports, world.settings, "acme", 2, world.run())
    chart = world.change_chart()
    world.charts.by_reference["current"] = replace(chart, profiles={"default": {}})
    assert _standings(plan_upgrade(world)) == {"acme": "invalid"}


def test_a_token_that_the_new_defaults_name_must_be_there(world: FakeWorld) -> None:
    install(world, *SLUGS)
    token = {"existingSecret": "shared"}
    world.settings = replace(world.settings, defaults={"token": token})
    assert set(_standings(plan_upgrade(world)).values()) == {"invalid"}
    world.secrets.others.add(("shared", "token"))
    assert set(_standings(plan_upgrade(world)).values()) == {"due"}


def test_a_tenant_that_a_dead_process_of_ours_left_is_taken(world: FakeWorld) -> None:
    world.install()
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        world.upgrade(overrides={"env": {"A": "1"}})
    world.change_chart()
    plan = plan_upgrade(world)
    assert _standings(plan) == {"acme": "due"}
    begin(world, plan)
    assert world.statuses() == ["superseded", "failed", "deployed"]


def test_a_tenant_that_was_uninstalled_and_kept_is_none(world: FakeWorld) -> None:
    install(world, *SLUGS)
    world.releases.set_status("b", ReleaseStatus.UNINSTALLED)
    assert list(_standings(plan_upgrade(world))) == ["a", "c"]


def test_a_release_of_another_chart_is_no_tenant(world: FakeWorld) -> None:
    other = replace(build_chart(), name="somebody-elses")
    world.releases.upgrade_by_hand("other", {}, other)
    world.install()
    assert list(_standings(plan_upgrade(world))) == ["acme"]


def test_a_tenant_that_was_installed_by_hand_is_adopted(world: FakeWorld) -> None:
    world.releases.upgrade_by_hand("acme", {"env": {"A": "1"}}, world.chart)
    plan = plan_upgrade(world)
    assert _standings(plan) == {"acme": "due"}
    begin(world, plan)
    assert world.values()["env"] == {"A": "1"}


def test_what_was_asked_for_is_found_in_an_older_revision(world: FakeWorld) -> None:
    """A hand-run upgrade without --reuse-values drops the record of it."""
    world.install(env={"A": "1"})
    live = {key: value for key, value in world.values().items() if key != "releaseManager"}
    world.releases.upgrade_by_hand("acme", live, world.chart, is_reusing=False)
    world.change_chart()
    begin(world, plan_upgrade(world))
    assert world.values()["releaseManager"]["overrides"] == {"env": {"A": "1"}}


def test_tenants_that_are_not_well_are_due_and_go_last(world: FakeWorld) -> None:
    install(world, "a", image={"tag": "7"})
    install(world, "b")
    world.cluster.break_image("7")
    world.clock.advance(600)
    world.change_chart()
    plan = plan_upgrade(world)
    assert plan.rollout.unwell == {"a"}
    assert plan.rollout.slugs == ("b", "a")
    assert _reason(plan, "a").startswith("it is degraded")


def test_a_tenant_whose_values_do_not_fit_stops_everything_before_any_write(
    world: FakeWorld,
) -> None:
    install(world, *SLUGS)
    world.upgrade("b", overrides={"env": {"OLD": "1"}})
    chart = world.change_chart()
    strict = {"type": "object", "properties": {"NEW": {"type": "string"}}}
    properties = {**chart.schema["properties"], "env": {**strict, "additionalProperties": False}}
    schema = {**chart.schema, "properties": properties}
    world.charts.by_reference["current"] = replace(chart, schema=schema)
    before = list(world.releases.writes)
    plan = plan_upgrade(world)
    assert _standings(plan) == {"a": "due", "b": "invalid", "c": "due"}
    with pytest.raises(InvalidValuesError, match=r"tenant b: field env\.OLD.*--exclude b"):
        begin(world, plan)
    assert world.releases.writes == before
    assert list(world.journals.list()) == []


def test_what_the_charts_templates_refuse_stops_everything_and_names_all(
    world: FakeWorld,
) -> None:
    install(world, *SLUGS)
    world.settings = replace(world.settings, defaults={"host": "x.example.com"})
    before = list(world.releases.writes)
    plan = plan_upgrade(world)
    assert _standings(plan) == dict.fromkeys(SLUGS, "invalid")
    with pytest.raises(InvalidValuesError, match=r"outside domain.*\(2 more in the plan above\)"):
        begin(world, plan)
    assert world.releases.writes == before


def test_a_profile_that_the_chart_dropped_is_invalid(world: FakeWorld) -> None:
    world.settings = replace(world.settings, profile="openclaw")
    world.install()
    chart = world.change_chart()
    world.charts.by_reference["current"] = replace(chart, profiles={"default": {}})
    assert _standings(plan_upgrade(world)) == {"acme": "invalid"}


def test_only_those_that_are_named_are_looked_at(world: FakeWorld) -> None:
    install(world, *SLUGS)
    world.change_chart()
    plan = plan_upgrade(world, selection=Selection(only=frozenset("ac")))
    assert _standings(plan) == {"a": "due", "c": "due"}


def test_those_that_are_excluded_are_not_looked_at(world: FakeWorld) -> None:
    install(world, *SLUGS)
    world.change_chart()
    assert list(_standings(plan_upgrade(world, selection=Selection(exclude=frozenset("b"))))) == [
        "a",
        "c",
    ]


def test_an_exclusion_wins_over_a_name(world: FakeWorld) -> None:
    install(world, *SLUGS)
    selection = Selection(only=frozenset("ab"), exclude=frozenset("b"))
    assert list(_standings(plan_upgrade(world, selection=selection))) == ["a"]


def test_a_selector_chooses_by_the_labels_of_deployments(world: FakeWorld) -> None:
    install(world, *SLUGS)
    world.cluster.selected["tier=gold"] = {"b"}
    assert list(_standings(plan_upgrade(world, selection=Selection(selector="tier=gold")))) == ["b"]


def test_a_selector_and_names_must_both_choose(world: FakeWorld) -> None:
    install(world, *SLUGS)
    world.cluster.selected["tier=gold"] = {"b", "c"}
    selection = Selection(only=frozenset("ab"), selector="tier=gold")
    assert list(_standings(plan_upgrade(world, selection=selection))) == ["b"]


@pytest.mark.parametrize(
    ("selection", "field"),
    [
        (Selection(only=frozenset({"a", "nope"})), "--only"),
        (Selection(exclude=frozenset({"nope"})), "--exclude"),
    ],
)
def test_a_tenant_that_is_not_there_is_named(
    world: FakeWorld, selection: Selection, field: str
) -> None:
    install(world, *SLUGS)
    with pytest.raises(TenantNotFoundError, match=f"tenant nope: field {field}"):
        plan_upgrade(world, selection=selection)


def test_a_canary_that_would_not_change_is_refused(world: FakeWorld) -> None:
    install(world, *SLUGS)
    world.change_chart()
    world.holds.put("b", "why not")
    with pytest.raises(InvalidInputError, match="tenant b: field --canary"):
        plan_upgrade(world, canary=("b",))


def test_a_chart_that_is_not_there_is_named(world: FakeWorld) -> None:
    world.settings = replace(world.settings, chart="nope")
    with pytest.raises(ChartNotFoundError):
        plan_upgrade(world)


def test_a_namespace_that_is_not_there_is_named(world: FakeWorld) -> None:
    world.cluster.is_namespace_there = False
    with pytest.raises(NamespaceNotFoundError):
        plan_upgrade(world)


def test_a_chart_that_is_edited_after_the_plan_does_not_reach_the_fleet(world: FakeWorld) -> None:
    install(world, *SLUGS)
    world.change_chart("0.2.0")
    plan = plan_upgrade(world)
    world.change_chart("0.3.0")
    begin(world, plan)
    versions = {item.chart.version for item in world.releases.deployments[-3:]}
    assert versions == {"0.2.0"}


def test_equal_values_are_kept_once(world: FakeWorld) -> None:
    install(world, *SLUGS)
    world.change_chart()
    plan = plan_upgrade(world)
    assert len({id(item.values) for item in plan.plans.values()}) == 1
