"""A tenant's manifest, and what an upgrade would change in it."""

from __future__ import annotations

import pytest

from release_manager.errors import InvalidValuesError, TenantNotFoundError
from release_manager.operations.manifest import Diff, diff_tenant, render_tenant
from release_manager.operations.upgrade import UpgradeRequest
from tests.unit.fakes import FakeWorld


def _diff(world: FakeWorld, **overrides: object) -> Diff:
    request = UpgradeRequest(overrides=overrides)
    return diff_tenant(world.ports, world.settings, "acme", request)


def test_the_rendered_manifest_is_what_install_then_sends(world: FakeWorld) -> None:
    overrides = {"env": {"A": "1"}}
    text = render_tenant(world.charts, world.releases.render, world.settings, "acme", overrides)
    world.install(**overrides)
    body = world.releases.read_body(world.releases.list_latest()[0])
    assert text == body.manifest


def test_values_are_validated_before_they_are_rendered(world: FakeWorld) -> None:
    with pytest.raises(InvalidValuesError, match="field replica"):
        render_tenant(world.charts, world.releases.render, world.settings, "acme", {"replica": 1})


def test_no_change_is_no_difference(world: FakeWorld) -> None:
    world.install()
    assert _diff(world) == Diff("")


def test_a_change_is_shown_with_the_revisions_it_lies_between(world: FakeWorld) -> None:
    world.install()
    lines = _diff(world, replicas=2).text.splitlines()
    assert lines[:2] == ["--- revision 1", "+++ revision 2 (planned)"]
    changed = [line for line in lines[2:] if line[0] in "+-"]
    assert changed == ["-replicas: 1", "+replicas: 2"]


def test_hand_set_values_are_shown_as_what_they_would_become(world: FakeWorld) -> None:
    world.install()
    world.releases.upgrade_by_hand("acme", {"replicas": 5}, world.chart)
    assert "-replicas: 5" in _diff(world).text.splitlines()


def test_a_refusal_because_of_what_was_set_by_hand_is_noted(world: FakeWorld) -> None:
    world.install()
    world.releases.upgrade_by_hand("acme", {"replicas": 5}, world.chart)
    (note,) = _diff(world).notes
    assert note.startswith("upgrade-tenant would refuse: set by hand and about to be undone: ")
    assert "replicas=5" in note
    assert "--overwrite-drift" in note


def test_a_refusal_because_of_scaling_by_hand_is_noted(world: FakeWorld) -> None:
    world.install()
    world.cluster.scale("acme", 3)
    (note,) = _diff(world, env={"A": "1"}).notes
    assert "replicas=3" in note


def test_what_was_set_by_hand_and_is_kept_needs_no_note(world: FakeWorld) -> None:
    world.install()
    world.releases.upgrade_by_hand("acme", {"replicas": 5}, world.chart)
    assert _diff(world, replicas=5).notes == ()


def test_a_tenant_that_is_not_there_is_named(world: FakeWorld) -> None:
    with pytest.raises(TenantNotFoundError):
        _diff(world)


def test_the_order_of_documents_is_no_difference() -> None:
    from release_manager.operations.manifest import _normalise

    one = "---\n# Source: a\nkind: A\n---\n# Source: b\nkind: B\n"
    other = "# Source: b\nkind: B\n---\n# Source: a\nkind: A\n"
    assert _normalise(one) == _normalise(other)
