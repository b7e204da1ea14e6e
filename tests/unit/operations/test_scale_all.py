"""Stopping all tenants, and starting again those that were stopped that way."""

from __future__ import annotations

import pytest

from release_manager.operations.rollouts import FleetPlan
from release_manager.operations.scale import scale_tenant
from release_manager.rollout.engine import Ending
from release_manager.rollout.plan import Kind
from release_manager.tenant import ReleaseStatus
from tests.unit.fakes import FakeWorld, build_chart
from tests.unit.fleets import begin, install, interrupt, plan_scale, plan_upgrade, resume

SLUGS = ("a", "b", "c")


def _standings(plan: FleetPlan) -> dict[str, str]:
    return {item.slug: item.standing.value for item in plan.candidates}


def _stop_all(world: FakeWorld) -> None:
    assert begin(world, plan_scale(world, Kind.STOP)).ending is Ending.FINISHED


def _start_all(world: FakeWorld) -> None:
    assert begin(world, plan_scale(world, Kind.START)).ending is Ending.FINISHED


def _replicas(world: FakeWorld) -> list[int]:
    return [world.replicas(slug) for slug in SLUGS]


def _scale(world: FakeWorld, slug: str, replicas: int | None) -> None:
    scale_tenant(world.ports, world.settings, slug, replicas, world.run())


def test_every_tenant_is_stopped_and_started_with_as_many_replicas_as_it_had(
    world: FakeWorld,
) -> None:
    install(world, "a", "b")
    install(world, "c", replicas=3)
    _stop_all(world)
    assert _replicas(world) == [0, 0, 0]
    _start_all(world)
    assert _replicas(world) == [1, 1, 3]


def test_stopping_and_starting_leaves_values_as_they_were(world: FakeWorld) -> None:
    install(world, *SLUGS, env={"A": "1"}, replicas=2)
    before = world.values("a")
    _stop_all(world)
    _start_all(world)
    assert world.values("a") == before


def test_what_was_stopped_before_stays_stopped(world: FakeWorld) -> None:
    install(world, *SLUGS)
    _scale(world, "b", 0)
    plan = plan_scale(world, Kind.STOP)
    assert _standings(plan) == {"a": "due", "b": "up to date", "c": "due"}
    begin(world, plan)
    plan = plan_scale(world, Kind.START)
    assert _standings(plan) == {"a": "due", "b": "up to date", "c": "due"}
    begin(world, plan)
    assert _replicas(world) == [1, 0, 1]


def test_a_start_tells_why_it_leaves_a_stopped_tenant_alone(world: FakeWorld) -> None:
    world.install(replicas=0)
    (candidate,) = plan_scale(world, Kind.START).candidates
    assert candidate.reason == "it was stopped on its own; start-tenant starts it"


def test_what_was_started_on_its_own_meanwhile_is_left_as_it_is(world: FakeWorld) -> None:
    install(world, *SLUGS)
    _stop_all(world)
    _scale(world, "b", 2)
    plan = plan_scale(world, Kind.START)
    assert _standings(plan)["b"] == "up to date"
    begin(world, plan)
    assert _replicas(world) == [1, 2, 1]


def test_what_was_stopped_on_its_own_after_a_start_is_not_started_again(world: FakeWorld) -> None:
    install(world, *SLUGS)
    _stop_all(world)
    _scale(world, "b", None)
    _scale(world, "b", 0)
    _start_all(world)
    assert _replicas(world) == [1, 0, 1]


def test_a_tenant_that_is_upgraded_while_all_are_stopped_is_started_again(
    world: FakeWorld,
) -> None:
    install(world, *SLUGS, replicas=2)
    _stop_all(world)
    world.change_chart()
    world.upgrade("a", overrides={"env": {"A": "1"}})
    begin(world, plan_upgrade(world))
    assert _replicas(world) == [0, 0, 0]
    _start_all(world)
    assert _replicas(world) == [2, 2, 2]


def test_stopping_twice_remembers_the_first_time(world: FakeWorld) -> None:
    install(world, *SLUGS, replicas=2)
    _stop_all(world)
    assert plan_scale(world, Kind.STOP).rollout.waves == ()
    _start_all(world)
    assert _replicas(world) == [2, 2, 2]


@pytest.mark.parametrize("kind", [Kind.STOP, Kind.START])
def test_tenants_that_are_as_asked_for_cost_no_body(world: FakeWorld, kind: Kind) -> None:
    install(world, *SLUGS)
    if kind is Kind.STOP:
        _stop_all(world)
    world.releases.bodies.clear()
    assert set(_standings(plan_scale(world, kind)).values()) == {"up to date"}
    assert world.releases.bodies == []


def test_chart_and_drift_of_a_tenant_stay(world: FakeWorld) -> None:
    install(world, *SLUGS)
    world.releases.upgrade_by_hand("a", {"env": {"A": "by-hand"}}, world.chart)
    world.change_chart("0.2.0")
    _stop_all(world)
    workload = world.cluster.read_workload("a")
    assert workload is not None
    assert workload.chart == "aware-tenant-0.1.0"
    assert world.values("a")["env"] == {"A": "by-hand"}


def test_tenants_with_drift_keep_each_its_own_chart(world: FakeWorld) -> None:
    for slug, version in (("a", "0.1.0"), ("b", "0.2.0")):
        chart = world.change_chart(version)
        install(world, slug)
        world.releases.upgrade_by_hand(slug, {"env": {"A": slug}}, chart)
        # From now on its labels say no more than that it has drifted.
        _scale(world, slug, 2)
    world.change_chart("0.3.0")
    _stop_all(world)
    charts = {item.slug: item.chart for item in world.cluster.list_workloads()}
    assert charts == {"a": "aware-tenant-0.1.0", "b": "aware-tenant-0.2.0"}


def test_tenants_whose_labels_are_not_their_own_keep_each_its_own_chart(world: FakeWorld) -> None:
    for slug, version in (("a", "0.1.0"), ("b", "0.2.0")):
        install(world, slug)
        world.releases.upgrade_by_hand(slug, {"env": {"A": slug}}, build_chart(version))
    _stop_all(world)
    charts = {item.slug: item.chart for item in world.cluster.list_workloads()}
    assert charts == {"a": "aware-tenant-0.1.0", "b": "aware-tenant-0.2.0"}


def test_a_stop_that_failed_is_made_again(world: FakeWorld) -> None:
    install(world, "a", replicas=0)
    world.releases.set_status("a", ReleaseStatus.FAILED)
    assert plan_scale(world, Kind.STOP).rollout.slugs == ("a",)


def test_a_tenant_that_was_scaled_by_hand_is_stopped_too(world: FakeWorld) -> None:
    install(world, *SLUGS)
    world.cluster.scale("b", 3)
    _stop_all(world)
    assert _replicas(world) == [0, 0, 0]


def test_a_stopped_tenant_that_was_scaled_up_by_hand_is_stopped_again(world: FakeWorld) -> None:
    install(world, *SLUGS)
    _stop_all(world)
    world.cluster.scale("b", 3)
    _stop_all(world)
    assert _replicas(world) == [0, 0, 0]


def test_fields_that_were_set_by_hand_are_not_undone(world: FakeWorld) -> None:
    install(world, *SLUGS)
    world.cluster.foreign_fields["b"] = ("spec.paused",)
    plan = plan_scale(world, Kind.STOP)
    assert _standings(plan) == {"a": "due", "b": "drifted", "c": "due"}


def test_a_held_tenant_is_left_running(world: FakeWorld) -> None:
    install(world, *SLUGS)
    world.holds.put("b", "why not")
    _stop_all(world)
    assert _replicas(world) == [0, 1, 0]


def test_only_those_that_are_named_are_stopped(world: FakeWorld) -> None:
    install(world, *SLUGS)
    begin(world, plan_scale(world, Kind.STOP, only=frozenset("b")))
    assert _replicas(world) == [1, 0, 1]


@pytest.mark.parametrize("kind", [Kind.STOP, Kind.START])
def test_what_was_interrupted_is_resumed(world: FakeWorld, kind: Kind) -> None:
    install(world, *SLUGS, replicas=2)
    if kind is Kind.START:
        _stop_all(world)
    interrupt(world, plan_scale(world, kind))
    assert len(set(_replicas(world))) == 2
    world.change_chart()
    assert resume(world).ending is Ending.FINISHED
    assert _replicas(world) == ([0, 0, 0] if kind is Kind.STOP else [2, 2, 2])


def test_a_tenant_that_needs_longer_to_start_than_it_may_is_stopped_again(
    world: FakeWorld,
) -> None:
    install(world, "a", image={"tag": "7"})
    _stop_all(world)
    world.cluster.break_image("7")
    ended = begin(world, plan_scale(world, Kind.START))
    assert ended.journal.reports["a"].outcome.value == "failed"
    assert world.replicas("a") == 0
