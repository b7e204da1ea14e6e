"""Having one tenant for oneself."""

from __future__ import annotations

from datetime import timedelta

import pytest

from release_manager.errors import InvalidValuesError, NamespaceNotFoundError, ReleaseBusyError
from release_manager.operations.observe import Observation
from release_manager.operations.work import look_and_plan, look_at, working_on
from release_manager.tenant import Claim
from tests.unit.builders import build_holder
from tests.unit.fakes import FakeWorld, ManagerKilled


def _claim(world: FakeWorld) -> None:
    """Let process-9 have the tenant."""
    now = world.clock.now()
    world.liveness.claims["acme"] = Claim("process-9", now, now + timedelta(seconds=20))


def _die_in_upgrade(world: FakeWorld) -> None:
    world.install()
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        world.upgrade(overrides={"env": {"A": "1"}})


def _count(seen: Observation) -> list[str]:
    return [item.status.value for item in seen.revisions]


def test_a_tenant_is_claimed_for_as_long_as_the_work_lasts(world: FakeWorld) -> None:
    with working_on(world.ports, "acme") as work:
        assert world.liveness.claims["acme"].writer == work.writer
        assert list(world.liveness.list_alive()) == [work.writer]
    assert (world.liveness.claims, world.liveness.list_alive()) == ({}, {})


def test_work_that_fails_gives_the_tenant_back(world: FakeWorld) -> None:
    with pytest.raises(ReleaseBusyError), working_on(world.ports, "acme"):
        raise ReleaseBusyError("busy", remedy="Wait")
    assert (world.liveness.claims, world.liveness.list_alive()) == ({}, {})


def test_a_tenant_that_a_live_process_has_claimed_is_busy(world: FakeWorld) -> None:
    world.install()
    before = list(world.releases.writes)
    _claim(world)
    world.liveness.others["process-9"] = build_holder("process-9")
    with pytest.raises(ReleaseBusyError):
        world.upgrade(overrides={"env": {"A": "1"}})
    assert world.releases.writes == before
    assert world.liveness.claims["acme"].writer == "process-9"


def test_a_tenant_that_a_dead_process_had_claimed_is_taken_over(world: FakeWorld) -> None:
    world.install()
    _claim(world)
    assert world.upgrade(overrides={"env": {"A": "1"}}).revision == 2
    assert world.liveness.claims == {}


def test_a_claim_on_one_tenant_keeps_nobody_off_another(world: FakeWorld) -> None:
    _claim(world)
    world.liveness.others["process-9"] = build_holder("process-9")
    assert world.install("globex").revision == 1


def test_two_at_once_do_not_have_the_same_tenant(world: FakeWorld) -> None:
    with (
        working_on(world.ports, "acme"),
        pytest.raises(ReleaseBusyError),
        working_on(world.ports, "acme"),
    ):
        pass


def test_a_missing_namespace_is_named_before_anything_is_claimed(world: FakeWorld) -> None:
    world.cluster.is_namespace_there = False
    with pytest.raises(NamespaceNotFoundError), working_on(world.ports, "acme"):
        pass
    assert world.liveness.claims == {}
    with pytest.raises(NamespaceNotFoundError):
        look_at(world.ports, "acme")


def test_looking_claims_and_repairs_nothing(world: FakeWorld) -> None:
    _die_in_upgrade(world)
    before = dict(world.liveness.claims)
    assert _count(look_at(world.ports, "acme")) == ["deployed", "pending-upgrade"]
    assert world.statuses() == ["deployed", "pending-upgrade"]
    assert world.liveness.claims == before


def test_looking_at_what_somebody_works_on_is_refused(world: FakeWorld) -> None:
    world.install()
    world.releases.kill_by_hand("acme", world.chart)
    with pytest.raises(ReleaseBusyError):
        look_at(world.ports, "acme")


def test_it_is_decided_once_where_nothing_was_repaired(world: FakeWorld) -> None:
    world.install()
    decided: list[Observation] = []
    with working_on(world.ports, "acme") as work:
        observation, plan = look_and_plan(world.ports, work, world.run(), decided.append)
    assert decided == [observation]
    assert plan is None


def test_it_is_decided_again_after_a_repair(world: FakeWorld) -> None:
    _die_in_upgrade(world)
    with working_on(world.ports, "acme") as work:
        observation, plan = look_and_plan(world.ports, work, world.run(), _count)
    assert plan == _count(observation) == ["deployed", "failed"]


def test_what_is_refused_repairs_nothing(world: FakeWorld) -> None:
    _die_in_upgrade(world)

    def refuse(seen: Observation) -> None:
        raise InvalidValuesError("field replica is unknown", remedy="Correct it")

    with working_on(world.ports, "acme") as work, pytest.raises(InvalidValuesError):
        look_and_plan(world.ports, work, world.run(), refuse)
    assert world.statuses() == ["deployed", "pending-upgrade"]
