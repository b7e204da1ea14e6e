"""Installing a tenant."""

from __future__ import annotations

import pytest

from release_manager.errors import (
    HelmFailedError,
    InvalidValuesError,
    NamespaceNotFoundError,
    ReleaseBusyError,
    RolloutFailedError,
    TenantExistsError,
)
from release_manager.operations.install import install_tenant, plan_install
from tests.unit.fakes import FakeWorld, ManagerKilled


def test_an_installed_tenant_has_a_token_and_a_revision(world: FakeWorld) -> None:
    result = world.install()
    assert (result.action, result.revision) == ("install", 1)
    assert world.secrets.read_token("acme") is not None


def test_the_token_is_in_no_value(world: FakeWorld) -> None:
    world.install()
    token = world.secrets.read_token("acme")
    assert token is not None
    assert token.token not in str(world.values())


def test_a_token_that_is_there_is_kept(world: FakeWorld) -> None:
    world.secrets.create_token("acme", "kept")
    world.install()
    token = world.secrets.read_token("acme")
    assert token is not None
    assert token.token == "kept"


def test_a_tenant_with_a_secret_of_its_own_gets_no_token(world: FakeWorld) -> None:
    world.secrets.others.add(("own", "token"))
    world.install(token={"existingSecret": "own"})
    assert world.secrets.read_token("acme") is None


def test_a_secret_of_its_own_must_be_there(world: FakeWorld) -> None:
    world.secrets.others.add(("own", "other-key"))
    with pytest.raises(InvalidValuesError, match="no Secret 'own' with a key 'token'"):
        world.install(token={"existingSecret": "own"})


def test_a_key_without_a_secret_of_its_own_is_refused(world: FakeWorld) -> None:
    with pytest.raises(InvalidValuesError) as caught:
        world.install(token={"key": "password"})
    assert caught.value.problem == (
        "field token.key: the Secret tenant-acme-token has the key 'token', not 'password'"
    )
    assert "token.existingSecret" in caught.value.remedy
    assert (world.statuses(), world.secrets.read_token("acme")) == ([], None)


def test_a_key_of_a_secret_of_its_own_is_accepted(world: FakeWorld) -> None:
    world.secrets.others.add(("own", "password"))
    world.install(token={"existingSecret": "own", "key": "password"})
    assert world.secrets.read_token("acme") is None


def test_a_secret_that_is_there_without_a_token_is_refused(world: FakeWorld) -> None:
    world.secrets.others.add(("tenant-acme-token", "password"))
    with pytest.raises(InvalidValuesError) as caught:
        world.install()
    assert caught.value.problem == (
        "the Secret tenant-acme-token is there already, without a key 'token'"
    )
    assert world.statuses() == []


def test_the_release_carries_the_layers(world: FakeWorld) -> None:
    world.install(env={"A": "1"})
    assert world.values()["releaseManager"] == {
        "profile": "default",
        "defaults": {"domain": "wareit.ai", "image": {"registry": "registry.wareit.ai"}},
        "overrides": {"env": {"A": "1"}},
    }


def test_a_tenant_installed_stopped_has_no_replica(world: FakeWorld) -> None:
    world.install(replicas=0)
    assert world.replicas() == 0


def test_the_charts_warnings_are_told(world: FakeWorld) -> None:
    world.releases.warnings = ["the memory limit is below 1Gi"]
    world.install()
    assert "warning: the memory limit is below 1Gi" in world.told


@pytest.mark.parametrize(
    ("prepare", "state"),
    [
        (lambda world: world.clock.advance(60), "running"),
        (lambda world: world.upgrade(overrides={"replicas": 0}), "stopped"),
        (lambda world: world.cluster.scale("acme", 3), "degraded"),
    ],
    ids=["running", "stopped", "scaled by hand"],
)
def test_a_tenant_that_exists_is_refused_with_its_state(
    world: FakeWorld, prepare: object, state: str
) -> None:
    world.install()
    assert callable(prepare)
    prepare(world)
    with pytest.raises(TenantExistsError, match=f"it exists already and is {state}"):
        world.install()


def test_the_same_install_waits_for_pods_that_still_start(world: FakeWorld) -> None:
    with pytest.raises(RolloutFailedError):
        world.cluster.start_seconds = 400
        world.install()
    world.cluster.start_seconds = 500
    assert world.install().action == "nothing"
    assert world.statuses() == ["deployed"]


def test_another_install_of_a_tenant_that_still_starts_is_refused(world: FakeWorld) -> None:
    world.cluster.start_seconds = 400
    with pytest.raises(RolloutFailedError):
        world.install()
    with pytest.raises(TenantExistsError, match="is progressing"):
        world.install(env={"A": "1"})


def test_a_first_install_that_helm_failed_is_done_again(world: FakeWorld) -> None:
    world.releases.fail_next()
    with pytest.raises(HelmFailedError):
        world.install()
    assert world.install(env={"A": "1"}).revision == 2
    assert world.values()["env"] == {"A": "1"}


def test_a_first_install_that_was_killed_is_done_again(world: FakeWorld) -> None:
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        world.install()
    assert world.install().revision == 2
    assert world.statuses()[-1] == "deployed"


def test_a_first_install_by_hand_that_still_runs_is_left_alone(world: FakeWorld) -> None:
    world.releases.kill_by_hand("acme", world.chart)
    with pytest.raises(ReleaseBusyError, match="install by hand-run helm"):
        world.install()


@pytest.mark.parametrize("tag", ["broken", ""], ids=["its pods fail", "helm fails"])
def test_cleaning_up_removes_a_failed_first_install_and_keeps_the_token(
    world: FakeWorld, tag: str
) -> None:
    world.cluster.break_image("broken")
    if not tag:
        world.releases.fail_next()
    with pytest.raises((RolloutFailedError, HelmFailedError)):
        install_tenant(
            world.ports,
            world.settings,
            "acme",
            {"image": {"tag": tag}},
            world.run(),
            is_cleaning_up=True,
        )
    assert world.statuses() == []
    assert world.secrets.read_token("acme") is not None


def test_values_that_the_chart_refuses_leave_no_token_behind(world: FakeWorld) -> None:
    with pytest.raises(InvalidValuesError, match="outside domain"):
        world.install(host="acme.example.com")
    assert world.secrets.read_token("acme") is None


def test_a_missing_namespace_is_named_before_anything_is_made(world: FakeWorld) -> None:
    world.cluster.is_namespace_there = False
    with pytest.raises(NamespaceNotFoundError):
        world.install()
    assert world.secrets.read_token("acme") is None


def test_a_plan_changes_nothing(world: FakeWorld) -> None:
    plan = plan_install(world.ports, world.settings, "acme", {}, writer="dry-run")
    assert plan.revision == 1
    assert world.releases.writes == []
    assert world.secrets.read_token("acme") is None
