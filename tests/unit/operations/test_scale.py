"""Starting, stopping and scaling: revisions that change one value and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from release_manager.errors import DriftError, InvalidValuesError, TenantNotFoundError
from release_manager.operations.deploy import Result
from release_manager.operations.listing import list_tenants
from release_manager.operations.scale import determine_replicas, plan_scale, scale_tenant
from release_manager.values import Layers
from tests.unit.fakes import FakeWorld


def _scale(world: FakeWorld, replicas: int | None) -> Result:
    return scale_tenant(world.ports, world.settings, "acme", replicas, world.run())


def _record(world: FakeWorld) -> dict[str, Any]:
    record: dict[str, Any] = world.values()["releaseManager"]
    return record


@pytest.mark.parametrize(
    ("start_replicas", "current", "requested", "wanted"),
    [
        (None, 1, 0, 0),
        (None, 1, 3, 3),
        (None, 0, None, 1),
        (3, 0, None, 3),
        (3, 2, None, 2),
        (3, 0, 2, 2),
    ],
    ids=["stop", "scale", "start", "start as before", "start what runs", "scale what is stopped"],
)
def test_the_number_of_replicas_follows_from_what_is_asked(
    start_replicas: int | None, current: int, requested: int | None, wanted: int
) -> None:
    layers = Layers("default", {}, {}, start_replicas)
    assert determine_replicas(layers, current, requested) == wanted


def test_stop_and_start_are_revisions(world: FakeWorld) -> None:
    world.install()
    assert (_scale(world, 0).action, world.replicas()) == ("stop", 0)
    assert (_scale(world, None).action, world.replicas()) == ("start", 1)
    assert world.statuses() == ["superseded", "superseded", "deployed"]


def test_start_brings_back_as_many_replicas_as_there_were(world: FakeWorld) -> None:
    world.install()
    _scale(world, 3)
    _scale(world, 0)
    _scale(world, None)
    assert world.replicas() == 3


def test_start_remembers_the_replicas_through_an_upgrade(world: FakeWorld) -> None:
    world.install()
    _scale(world, 3)
    _scale(world, 0)
    world.upgrade(overrides={"env": {"A": "1"}})
    _scale(world, None)
    assert world.replicas() == 3


def test_stopping_twice_does_not_forget_the_replicas(world: FakeWorld) -> None:
    world.install()
    _scale(world, 3)
    _scale(world, 0)
    _scale(world, 0)
    _scale(world, None)
    assert world.replicas() == 3


def test_a_started_tenant_has_no_override_left_over(world: FakeWorld) -> None:
    world.install()
    _scale(world, 0)
    _scale(world, None)
    assert _record(world)["overrides"] == {}
    assert world.upgrade().action == "nothing"


@pytest.mark.parametrize("replicas", [1, None])
def test_nothing_is_done_for_a_tenant_that_runs_as_asked(
    world: FakeWorld, replicas: int | None
) -> None:
    world.install()
    assert _scale(world, replicas).action == "nothing"
    assert world.statuses() == ["deployed"]


def test_nothing_is_done_for_a_tenant_that_is_stopped_already(world: FakeWorld) -> None:
    world.install(replicas=0)
    assert _scale(world, 0).action == "nothing"


@pytest.mark.parametrize("replicas", [1, None])
def test_a_count_that_kubectl_changed_is_put_right(world: FakeWorld, replicas: int | None) -> None:
    world.install()
    world.cluster.scale("acme", 0)
    _scale(world, replicas)
    assert world.replicas() == 1


def test_start_does_not_upgrade_the_chart_in_passing(world: FakeWorld) -> None:
    world.install()
    _scale(world, 0)
    world.change_chart("0.2.0")
    _scale(world, None)
    workload = world.cluster.read_workload("acme")
    assert workload is not None
    assert workload.chart == "aware-tenant-0.1.0"


def test_start_keeps_the_tenant_out_of_date_when_it_was(world: FakeWorld) -> None:
    world.install()
    world.change_chart("0.2.0")
    _scale(world, 0)
    assert list_tenants(world.ports, world.settings)[0].is_up_to_date is False


def test_start_keeps_the_tenant_up_to_date_when_it_was(world: FakeWorld) -> None:
    world.install()
    _scale(world, 0)
    assert list_tenants(world.ports, world.settings)[0].is_up_to_date is True


def test_start_leaves_new_defaults_for_the_next_upgrade(world: FakeWorld) -> None:
    world.install()
    world.settings = replace(world.settings, defaults={"env": {"A": "new"}})
    _scale(world, 0)
    assert "env" not in world.values()


def test_hand_set_values_are_carried_along_and_still_shown(world: FakeWorld) -> None:
    world.install()
    world.releases.upgrade_by_hand("acme", {"env": {"A": "by-hand"}}, world.chart)
    _scale(world, 0)
    row = list_tenants(world.ports, world.settings)[0]
    assert (row.reason, row.is_up_to_date) == ("set by hand: env.A=by-hand", False)


def test_a_number_below_zero_is_refused(world: FakeWorld) -> None:
    world.install()
    with pytest.raises(InvalidValuesError, match="field replicas: -1 must be at least 0"):
        _scale(world, -1)


def test_a_tenant_that_is_not_there_is_named(world: FakeWorld) -> None:
    with pytest.raises(TenantNotFoundError):
        _scale(world, 0)


def test_a_plan_changes_nothing(world: FakeWorld) -> None:
    world.install()
    plan = plan_scale(world.ports, world.settings, "acme", 0, writer="dry-run")
    assert [(change.path, change.new) for change in plan.changes] == [("replicas", 0)]
    assert world.replicas() == 1


def test_a_plan_tells_that_the_chart_refuses_more_replicas_beside_a_volume(
    world: FakeWorld,
) -> None:
    world.install(persistence={"enabled": True})
    with pytest.raises(InvalidValuesError, match="replicas is 2, but a volume has one writer"):
        plan_scale(world.ports, world.settings, "acme", 2, writer="dry-run")


@pytest.mark.parametrize("replicas", [0, 1, None])
def test_one_replica_beside_a_volume_is_always_possible(
    world: FakeWorld, replicas: int | None
) -> None:
    world.install(persistence={"enabled": True}, replicas=0 if replicas != 0 else 1)
    plan = plan_scale(world.ports, world.settings, "acme", replicas, writer="dry-run")
    assert plan.revision == 2


@pytest.mark.parametrize("replicas", [0, 2])
def test_fields_that_were_set_by_hand_are_not_undone(world: FakeWorld, replicas: int) -> None:
    world.install()
    world.cluster.foreign_fields["acme"] = ("spec.paused",)
    with pytest.raises(DriftError) as caught:
        _scale(world, replicas)
    assert caught.value.problem == (
        "set by hand and about to be undone: Deployment spec.paused=changed"
    )
    assert "upgrade-tenant acme --overwrite-drift" in caught.value.remedy
    assert world.statuses() == ["deployed"]


def test_a_stop_waits_for_its_pods_whatever_the_last_rollout_came_to(world: FakeWorld) -> None:
    world.install()
    world.cluster.stop_seconds = 10
    world.cluster.missed_deadline_at = world.clock.now()
    started = world.clock.now()
    assert _scale(world, 0).action == "stop"
    assert (world.clock.now() - started).total_seconds() >= 10
    assert world.statuses() == ["superseded", "deployed"]


def test_a_scaling_by_hand_is_ended_even_where_its_field_is_no_longer_helms(
    world: FakeWorld,
) -> None:
    world.install()
    world.cluster.scale("acme", 2)
    _scale(world, 0)
    assert [item.is_forcing for item in world.releases.deployments] == [False, True]
