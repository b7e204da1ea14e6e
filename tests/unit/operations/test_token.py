"""Showing and replacing a tenant's token."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from release_manager.errors import (
    ChangedMeanwhileError,
    DriftError,
    ForbiddenError,
    HelmFailedError,
    InvalidInputError,
    InvalidValuesError,
    ReleaseBusyError,
    ReleaseManagerError,
    RolloutFailedError,
    TenantNotFoundError,
)
from release_manager.operations.deploy import Result
from release_manager.operations.token import plan_rotation, read_token, rotate_token
from release_manager.ports import RunOptions, TokenSecret
from tests.unit.fakes import FakeWorld, ManagerKilled

OWN_SECRET = "field token: the token is in a Secret, or under a key, of your own"


def _rotate(world: FakeWorld) -> Result:
    return rotate_token(world.ports, world.settings, "acme", world.run())


def _secret(world: FakeWorld) -> TokenSecret:
    secret = world.secrets.read_token("acme")
    assert secret is not None
    return secret


def test_the_token_is_shown(world: FakeWorld) -> None:
    world.secrets.create_token("acme", "shown")
    assert read_token(world.ports, "acme") == _secret(world)
    assert (_secret(world).token, _secret(world).previous) == ("shown", None)


def test_the_token_before_is_shown_while_a_rotation_is_under_way(world: FakeWorld) -> None:
    world.secrets.create_token("acme", "old")
    world.secrets.update_token("acme", replace(_secret(world), token="new", previous="old"))
    shown = read_token(world.ports, "acme")
    assert (shown.token, shown.previous) == ("new", "old")


def test_a_tenant_without_a_token_is_named(world: FakeWorld) -> None:
    with pytest.raises(TenantNotFoundError, match="no Secret tenant-acme-token"):
        read_token(world.ports, "acme")


def test_a_rotation_replaces_the_token_and_forgets_the_old_one(world: FakeWorld) -> None:
    world.install()
    before = _secret(world)
    _rotate(world)
    after = _secret(world)
    assert after.token != before.token
    assert (after.previous, after.revision) == (None, before.revision + 1)


def test_a_rotation_restarts_the_pods(world: FakeWorld) -> None:
    world.install()
    before = [pod.name for pod in world.cluster.list_pods("acme")["acme"]]
    _rotate(world)
    assert [pod.name for pod in world.cluster.list_pods("acme")["acme"]] != before


def test_each_rotation_is_a_revision(world: FakeWorld) -> None:
    world.install()
    _rotate(world)
    _rotate(world)
    assert world.values()["token"] == {"revision": "3"}


def test_no_token_is_told(world: FakeWorld) -> None:
    world.install()
    before = _secret(world).token
    _rotate(world)
    said = " ".join(world.told)
    assert before not in said
    assert _secret(world).token not in said


def test_a_rotation_whose_pods_fail_puts_the_old_token_back(world: FakeWorld) -> None:
    world.install(image={"tag": "one"})
    before = _secret(world).token
    world.cluster.break_image("one")
    with pytest.raises(RolloutFailedError):
        _rotate(world)
    assert (_secret(world).token, _secret(world).previous) == (before, None)


def test_the_old_token_is_back_before_pods_start_again(world: FakeWorld) -> None:
    world.install(image={"tag": "one"})
    world.cluster.break_image("one")
    with pytest.raises(RolloutFailedError):
        _rotate(world)
    steps = [text for text in world.told if text.startswith(("putting", "rolling back"))]
    assert steps == ["putting the old token back", "rolling back to revision 1"]


def test_a_rotation_that_helm_refuses_puts_the_old_token_back(world: FakeWorld) -> None:
    world.install()
    before = _secret(world).token
    world.releases.fail_next()
    with pytest.raises(HelmFailedError):
        _rotate(world)
    assert (_secret(world).token, _secret(world).previous) == (before, None)


def test_a_rotation_that_was_killed_goes_on_with_the_same_new_token(world: FakeWorld) -> None:
    world.install()
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        _rotate(world)
    half_done = _secret(world)
    assert half_done.previous is not None
    _rotate(world)
    assert (_secret(world).token, _secret(world).previous) == (half_done.token, None)


def test_a_rotation_that_was_killed_before_helm_goes_on(world: FakeWorld) -> None:
    world.install()
    secret = _secret(world)
    half_done = replace(secret, token="new", previous=secret.token, revision=2)
    world.secrets.update_token("acme", half_done)
    _rotate(world)
    assert world.values()["token"] == {"revision": "2"}
    assert (_secret(world).token, _secret(world).previous) == ("new", None)


def test_a_stopped_tenant_gets_its_token_and_stays_stopped(world: FakeWorld) -> None:
    world.install(replicas=0)
    before = _secret(world).token
    _rotate(world)
    assert _secret(world).token != before
    assert world.replicas() == 0


def test_a_tenant_with_a_secret_of_its_own_is_refused(world: FakeWorld) -> None:
    world.install()
    world.secrets.others.add(("own", "token"))
    world.upgrade(overrides={"token": {"existingSecret": "own"}})
    before = _secret(world)
    with pytest.raises(InvalidInputError, match=OWN_SECRET):
        _rotate(world)
    assert _secret(world) == before


def test_a_tenant_with_a_key_of_its_own_is_refused(world: FakeWorld) -> None:
    world.install()
    world.releases.upgrade_by_hand("acme", {"token": {"key": "password"}}, world.chart)
    before = _secret(world)
    with pytest.raises(InvalidInputError, match=OWN_SECRET):
        _rotate(world)
    assert _secret(world) == before


@pytest.mark.parametrize(
    "error",
    [
        ReleaseBusyError("another Helm operation is under way", remedy="Wait for it"),
        ForbiddenError("deployments.apps is forbidden", remedy="Ask for the right"),
        InvalidValuesError("the chart refuses it", remedy="Correct it"),
    ],
    ids=["busy", "forbidden", "refused by the chart"],
)
def test_a_rotation_for_which_helm_wrote_nothing_puts_the_old_token_back(
    world: FakeWorld, error: ReleaseManagerError
) -> None:
    world.install()
    before = _secret(world).token

    def refuse() -> None:
        raise error

    world.releases.before_helm = refuse
    with pytest.raises(type(error)) as caught:
        _rotate(world)
    assert caught.value is error
    assert (_secret(world).token, _secret(world).previous) == (before, None)
    assert world.statuses() == ["deployed"]


def test_hand_run_helm_before_ours_puts_the_old_token_back(world: FakeWorld) -> None:
    world.install()
    before = _secret(world).token
    by_hand = partial(world.releases.upgrade_by_hand, "acme", {"env": {"A": "1"}}, world.chart)
    run = RunOptions(
        60,
        # The line right before the look that hand-run helm must not escape.
        lambda text: by_hand() if text.startswith("helm upgrade") else None,
        clock=world.clock.as_clock(),
    )
    with pytest.raises(ChangedMeanwhileError, match="revision 2 was not expected"):
        rotate_token(world.ports, world.settings, "acme", run)
    assert (_secret(world).token, _secret(world).previous) == (before, None)


def test_fields_that_were_set_by_hand_are_not_undone(world: FakeWorld) -> None:
    world.install()
    before = _secret(world)
    world.cluster.foreign_fields["acme"] = ("spec.paused",)
    with pytest.raises(DriftError, match=r"Deployment spec\.paused"):
        _rotate(world)
    assert _secret(world) == before


def test_a_tenant_that_is_not_there_is_named(world: FakeWorld) -> None:
    with pytest.raises(TenantNotFoundError, match="there is no such tenant"):
        _rotate(world)


def test_a_tenant_that_somebody_works_on_keeps_its_token(world: FakeWorld) -> None:
    world.install()
    before = _secret(world)
    world.releases.kill_by_hand("acme", world.chart)
    with pytest.raises(ReleaseBusyError):
        _rotate(world)
    assert _secret(world) == before


def test_two_rotations_at_once_do_not_overwrite_each_other(world: FakeWorld) -> None:
    world.install()
    seen = _secret(world)
    world.secrets.update_token("acme", replace(seen, token="first", previous=seen.token))
    with pytest.raises(ChangedMeanwhileError):
        world.secrets.update_token("acme", replace(seen, token="second", previous=seen.token))


def test_a_plan_changes_nothing(world: FakeWorld) -> None:
    world.install()
    before = _secret(world)
    plan = plan_rotation(world.ports, world.settings, "acme", writer="dry-run")
    assert [(change.path, change.old, change.new) for change in plan.changes] == [
        ("token.revision", "", "2")
    ]
    assert _secret(world) == before
