"""Holding tenants, so that fleet upgrades leave them alone."""

from __future__ import annotations

import pytest

from release_manager.errors import (
    InvalidInputError,
    NamespaceNotFoundError,
    TenantNotFoundError,
)
from release_manager.operations.hold import (
    MAX_REASON_LENGTH,
    hold_tenant,
    plan_hold,
    plan_unhold,
    unhold_tenant,
)
from tests.unit.fakes import FakeWorld


def _held(world: FakeWorld) -> dict[str, str]:
    return {hold.slug: hold.reason for hold in world.holds.list()}


def test_a_tenant_is_held_with_a_reason(world: FakeWorld) -> None:
    world.install()
    result = hold_tenant(world.ports, "acme", "waits for its own tests")
    assert (result.action, result.detail) == ("hold", "held: waits for its own tests")
    assert _held(world) == {"acme": "waits for its own tests"}


def test_a_hold_changes_no_release(world: FakeWorld) -> None:
    world.install()
    hold_tenant(world.ports, "acme", "why not")
    assert world.statuses() == ["deployed"]


def test_a_hold_tells_who_and_since_when(world: FakeWorld) -> None:
    world.install()
    hold_tenant(world.ports, "acme", "why not")
    (hold,) = world.holds.list()
    assert (hold.by, hold.since) == ("operator@here", world.clock.now())


def test_a_second_hold_only_gives_another_reason(world: FakeWorld) -> None:
    world.install()
    hold_tenant(world.ports, "acme", "one")
    since = world.holds.list()[0].since
    world.clock.advance(60)
    assert hold_tenant(world.ports, "acme", "two").action == "hold"
    assert (_held(world), world.holds.list()[0].since) == ({"acme": "two"}, since)


def test_the_same_hold_again_is_nothing(world: FakeWorld) -> None:
    world.install()
    hold_tenant(world.ports, "acme", "why not")
    assert hold_tenant(world.ports, "acme", "  why\n not ").action == "nothing"


def test_a_reason_is_one_line(world: FakeWorld) -> None:
    world.install()
    hold_tenant(world.ports, "acme", " two\n  lines ")
    assert _held(world) == {"acme": "two lines"}


@pytest.mark.parametrize("reason", ["", " \n", "x" * (MAX_REASON_LENGTH + 1)])
def test_a_hold_needs_a_reason_that_people_read(world: FakeWorld, reason: str) -> None:
    world.install()
    with pytest.raises(InvalidInputError, match="tenant acme: field --reason"):
        hold_tenant(world.ports, "acme", reason)
    assert _held(world) == {}


def test_a_reason_may_be_as_long_as_is_said(world: FakeWorld) -> None:
    world.install()
    hold_tenant(world.ports, "acme", "x" * MAX_REASON_LENGTH)
    assert len(_held(world)["acme"]) == MAX_REASON_LENGTH


def test_a_tenant_that_is_not_there_cannot_be_held(world: FakeWorld) -> None:
    with pytest.raises(TenantNotFoundError):
        hold_tenant(world.ports, "acme", "why not")
    assert _held(world) == {}


def test_a_plan_holds_nothing(world: FakeWorld) -> None:
    world.install()
    assert plan_hold(world.ports, "acme", "why not").action == "hold"
    assert _held(world) == {}


def test_a_hold_ends(world: FakeWorld) -> None:
    world.install()
    hold_tenant(world.ports, "acme", "why not")
    assert plan_unhold(world.ports, "acme").action == "unhold"
    assert _held(world) == {"acme": "why not"}
    result = unhold_tenant(world.ports, "acme")
    assert (result.action, result.detail) == ("unhold", "was: why not")
    assert _held(world) == {}


def test_a_hold_that_is_not_there_has_ended_already(world: FakeWorld) -> None:
    world.install()
    result = unhold_tenant(world.ports, "acme")
    assert (result.action, result.detail) == ("nothing", "it was not held")


def test_the_hold_of_a_tenant_that_is_gone_can_be_ended(world: FakeWorld) -> None:
    world.holds.put("acme", "why not")
    assert unhold_tenant(world.ports, "acme").action == "unhold"


def test_a_namespace_that_is_not_there_is_named(world: FakeWorld) -> None:
    world.cluster.is_namespace_there = False
    with pytest.raises(NamespaceNotFoundError):
        hold_tenant(world.ports, "acme", "why not")
    with pytest.raises(NamespaceNotFoundError):
        unhold_tenant(world.ports, "acme")
