"""Removing a tenant, and what stays."""

from __future__ import annotations

from datetime import timedelta

import pytest

from release_manager.errors import HelmFailedError, ReleaseBusyError, TenantNotFoundError
from release_manager.operations.deploy import Result
from release_manager.operations.observe import observe_tenant
from release_manager.operations.uninstall import UninstallPlan, plan_uninstall, uninstall_tenant
from release_manager.tenant import Claim, ReleaseStatus
from tests.unit.builders import build_holder
from tests.unit.fakes import FakeWorld, ManagerKilled

VOLUME = {"persistence": {"enabled": True}}
DATA = ("volume tenant-acme-data", "Secret tenant-acme-token")


def _plan(world: FakeWorld, *, is_deleting_data: bool) -> UninstallPlan:
    observation = observe_tenant(world.ports, "acme")
    return plan_uninstall(world.ports, observation, is_deleting_data=is_deleting_data)


def _uninstall(world: FakeWorld, *, is_deleting_data: bool = False) -> Result:
    return uninstall_tenant(world.ports, "acme", world.run(), is_deleting_data=is_deleting_data)


@pytest.mark.parametrize(
    ("is_deleting_data", "removed", "kept"),
    [(False, ("release tenant-acme",), DATA), (True, ("release tenant-acme", *DATA), ())],
    ids=["keeping", "deleting"],
)
def test_the_plan_names_what_goes_and_what_stays(
    world: FakeWorld, is_deleting_data: bool, removed: tuple[str, ...], kept: tuple[str, ...]
) -> None:
    world.install(**VOLUME)
    plan = _plan(world, is_deleting_data=is_deleting_data)
    assert (plan.removed, plan.kept) == (removed, kept)


def test_a_tenant_without_a_volume_has_none_to_keep(world: FakeWorld) -> None:
    world.install()
    assert _plan(world, is_deleting_data=False).kept == ("Secret tenant-acme-token",)


def test_volume_and_token_stay(world: FakeWorld) -> None:
    world.install(**VOLUME)
    _uninstall(world)
    assert world.statuses() == []
    assert world.cluster.has_volume("acme")
    assert world.secrets.read_token("acme") is not None


def test_a_reinstalled_tenant_finds_its_token(world: FakeWorld) -> None:
    world.install()
    before = world.secrets.read_token("acme")
    _uninstall(world)
    world.install()
    assert world.secrets.read_token("acme") == before


def test_deleting_data_removes_volume_and_token(world: FakeWorld) -> None:
    world.install(**VOLUME)
    _uninstall(world, is_deleting_data=True)
    assert not world.cluster.has_volume("acme")
    assert world.secrets.read_token("acme") is None


def test_data_that_was_kept_can_be_deleted_later(world: FakeWorld) -> None:
    world.install(**VOLUME)
    _uninstall(world)
    result = _uninstall(world, is_deleting_data=True)
    assert result.detail == f"removed: {', '.join(DATA)}"


def test_data_that_remains_is_told_where_there_is_no_release(world: FakeWorld) -> None:
    world.install()
    _uninstall(world)
    with pytest.raises(TenantNotFoundError, match="still there: Secret tenant-acme-token"):
        _uninstall(world)


def test_a_tenant_of_which_nothing_is_left_is_not_there(world: FakeWorld) -> None:
    with pytest.raises(TenantNotFoundError):
        _uninstall(world, is_deleting_data=True)


def test_data_is_not_deleted_when_the_uninstall_failed(world: FakeWorld) -> None:
    world.install(**VOLUME)
    world.releases.fail_next()
    with pytest.raises(HelmFailedError):
        _uninstall(world, is_deleting_data=True)
    assert world.cluster.has_volume("acme")


def test_a_tenant_that_somebody_works_on_is_left_alone(world: FakeWorld) -> None:
    world.install()
    world.releases.kill_by_hand("acme", world.chart)
    with pytest.raises(ReleaseBusyError):
        _uninstall(world)


def test_an_uninstall_that_is_under_way_is_left_alone(world: FakeWorld) -> None:
    world.install()
    world.clock.advance(timedelta(days=30).total_seconds())
    world.releases.set_status("acme", ReleaseStatus.UNINSTALLING)
    with pytest.raises(ReleaseBusyError, match="it is busy: uninstall by hand-run helm since"):
        _uninstall(world)
    assert world.statuses() == ["uninstalling"]


def test_an_uninstall_by_a_live_process_is_left_alone_however_long_it_takes(
    world: FakeWorld,
) -> None:
    world.install()
    now = world.clock.now()
    world.liveness.claims["acme"] = Claim("process-9", now, now + timedelta(hours=2))
    world.liveness.others["process-9"] = build_holder("process-9")
    world.releases.set_status("acme", ReleaseStatus.UNINSTALLING)
    world.clock.advance(timedelta(hours=1).total_seconds())
    with pytest.raises(ReleaseBusyError, match="it is busy: uninstall by operator@here"):
        _plan(world, is_deleting_data=False)
    with pytest.raises(ReleaseBusyError):
        _uninstall(world)
    assert world.statuses() == ["uninstalling"]


def test_an_uninstall_that_was_killed_is_finished_at_once(world: FakeWorld) -> None:
    world.install()
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        _uninstall(world)
    assert _plan(world, is_deleting_data=False).has_release
    _uninstall(world)
    assert world.statuses() == []


def test_an_uninstall_that_was_killed_is_finished_by_doing_it_again(world: FakeWorld) -> None:
    world.install()
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        _uninstall(world)
    world.clock.advance(timedelta(minutes=6).total_seconds())
    _uninstall(world)
    assert world.statuses() == []


def test_an_install_that_was_killed_can_be_uninstalled(world: FakeWorld) -> None:
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        world.install()
    _uninstall(world)
    assert world.statuses() == []
