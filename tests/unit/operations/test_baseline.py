"""What a release was asked to be, and what somebody set by hand since."""

from __future__ import annotations

import pytest

from release_manager.errors import (
    HelmFailedError,
)
from release_manager.operations.baseline import has_true_labels, read_baseline
from release_manager.operations.observe import observe_tenant
from release_manager.tenant import RevisionBody
from release_manager.values import Layers
from tests.unit.builders import build_revision
from tests.unit.fakes import FakeWorld


def test_a_release_that_never_had_a_record_is_adopted_with_its_values(world: FakeWorld) -> None:
    world.releases.upgrade_by_hand("acme", {"env": {"A": "1"}}, world.chart)
    baseline = read_baseline(world.ports, observe_tenant(world.ports, "acme"))
    assert baseline is not None
    assert baseline.layers == Layers("default", {}, {"env": {"A": "1"}})
    assert baseline.drift == {}


def test_a_record_that_a_hand_run_upgrade_dropped_is_found_in_an_older_revision(
    world: FakeWorld,
) -> None:
    world.install(env={"A": "1"})
    world.releases.upgrade_by_hand(
        "acme", {"image": {"tag": "by-hand"}}, world.chart, is_reusing=False
    )
    baseline = read_baseline(world.ports, observe_tenant(world.ports, "acme"))
    assert baseline is not None
    assert baseline.layers.overrides == {"env": {"A": "1"}}
    assert baseline.drift["image.tag"] == "by-hand"
    assert baseline.drift["env.A"] is None


def test_what_is_continued_is_the_deployed_revision_and_not_a_failed_later_one(
    world: FakeWorld,
) -> None:
    world.install(env={"A": "1"})
    world.releases.fail_next()
    with pytest.raises(HelmFailedError):
        world.releases.upgrade_by_hand("acme", {"env": {"A": "2"}}, world.chart)
    baseline = read_baseline(world.ports, observe_tenant(world.ports, "acme"))
    assert baseline is not None
    assert baseline.values["env"] == {"A": "1"}


def test_without_a_release_there_is_no_baseline(world: FakeWorld) -> None:
    assert read_baseline(world.ports, observe_tenant(world.ports, "acme")) is None


@pytest.mark.parametrize(
    ("written_for", "description", "is_true"),
    [
        (3, "Upgrade complete", True),
        (2, "Upgrade complete", False),
        (2, "Rollback to 2", True),
        (2, "Rollback to 1", False),
        (3, None, True),
        (2, None, False),
    ],
)
def test_labels_are_true_for_their_own_revision_and_after_a_rollback_to_it(
    written_for: int, description: str | None, is_true: bool
) -> None:
    revision = build_revision(number=3, writer="me", written_for=written_for)
    body = None
    if description is not None:
        body = RevisionBody(revision, description, "aware-tenant", "0.1.0", {}, "")
    assert has_true_labels(revision, body) is is_true


def test_no_labels_are_never_true() -> None:
    assert not has_true_labels(build_revision(), None)
