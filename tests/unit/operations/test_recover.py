"""Repairing what a dead process or a failed upgrade left behind."""

from __future__ import annotations

from datetime import timedelta

import pytest

from release_manager.errors import HelmFailedError, ReleaseBusyError, TenantNotFoundError
from release_manager.operations.deploy import Result
from release_manager.operations.observe import Observation
from release_manager.operations.plan import DRIFTED
from release_manager.operations.recover import Repair, plan_recovery, recover_tenant
from release_manager.state import HAND_RUN_TIMEOUT
from release_manager.tenant import Holder, ReleaseStatus, Revision
from tests.unit.builders import NOW, build_holder, build_revision, build_workload
from tests.unit.fakes import FakeWorld, ManagerKilled

OLD = HAND_RUN_TIMEOUT + timedelta(seconds=1)
GOOD = build_revision("deployed", number=1)


def _observe(*revisions: Revision, alive: dict[str, Holder] | None = None) -> Observation:
    return Observation("acme", revisions, build_workload(1), alive or {}, NOW)


def _recover(world: FakeWorld, older_than: timedelta = HAND_RUN_TIMEOUT) -> Result:
    return recover_tenant(world.ports, "acme", world.run(), hand_run_timeout=older_than)


@pytest.mark.parametrize(
    ("revisions", "repair", "target"),
    [
        ([GOOD], Repair.NOTHING, None),
        ([GOOD, build_revision("failed", number=2)], Repair.ROLL_BACK, 1),
        ([GOOD, build_revision("pending-upgrade", number=2, writer="dead")], Repair.ROLL_BACK, 1),
        ([GOOD, build_revision("pending-upgrade", number=2, age=OLD)], Repair.ROLL_BACK, 1),
        ([GOOD, build_revision("pending-rollback", number=2, age=OLD)], Repair.ROLL_BACK, 1),
        ([build_revision("failed", number=1)], Repair.FINISH_INSTALL, None),
        ([build_revision("pending-install", number=1, writer="dead")], Repair.FINISH_INSTALL, None),
        ([build_revision("pending-install", number=1, age=OLD)], Repair.FINISH_INSTALL, None),
        ([build_revision("uninstalling", number=1, age=OLD)], Repair.FINISH_UNINSTALL, None),
        ([GOOD, build_revision("uninstalling", number=2, age=OLD)], Repair.FINISH_UNINSTALL, None),
    ],
)
def test_the_repair_follows_from_the_revisions(
    revisions: list[Revision], repair: Repair, target: int | None
) -> None:
    plan = plan_recovery(_observe(*revisions), hand_run_timeout=HAND_RUN_TIMEOUT)
    assert (plan.repair, plan.target) == (repair, target)


@pytest.mark.parametrize(
    ("revision", "remedy"),
    [
        (build_revision("pending-upgrade", writer="process-1", age=OLD), "Wait for it"),
        (build_revision("pending-upgrade"), "add --older-than 0s"),
        (build_revision("uninstalling"), "add --older-than 0s"),
    ],
    ids=["our own, alive", "hand-run, young", "uninstall, young"],
)
def test_what_may_still_run_is_left_alone(revision: Revision, remedy: str) -> None:
    alive = {"process-1": build_holder()}
    with pytest.raises(ReleaseBusyError) as caught:
        plan_recovery(_observe(GOOD, revision, alive=alive), hand_run_timeout=HAND_RUN_TIMEOUT)
    assert remedy in caught.value.remedy


def test_a_tenant_that_is_not_there_is_named() -> None:
    with pytest.raises(TenantNotFoundError):
        plan_recovery(_observe(), hand_run_timeout=HAND_RUN_TIMEOUT)


def test_a_healthy_tenant_is_left_as_it_is(world: FakeWorld) -> None:
    world.install()
    assert _recover(world).detail == "it is running"
    assert world.statuses() == ["deployed"]


def test_an_upgrade_that_was_killed_is_rolled_back(world: FakeWorld) -> None:
    world.install(env={"A": "1"})
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        world.upgrade(overrides={"env": {"A": "2"}})
    _recover(world)
    assert world.statuses() == ["superseded", "failed", "deployed"]
    assert world.values()["env"] == {"A": "1"}


def test_a_first_install_that_was_killed_is_finished_with_its_own_values(world: FakeWorld) -> None:
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        world.install(env={"A": "1"})
    _recover(world)
    assert world.values()["env"] == {"A": "1"}
    assert world.replicas() == 1


def test_a_finished_install_is_up_to_date(world: FakeWorld) -> None:
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        world.install()
    before = world.releases.list_latest()[0].labels
    _recover(world)
    after = world.releases.list_latest()[0].labels
    assert before is not None
    assert after is not None
    assert (after.defaults_digest, after.config_digest) == (
        before.defaults_digest,
        before.config_digest,
    )


def test_a_hand_run_install_is_finished_and_marked_as_such(world: FakeWorld) -> None:
    world.releases.kill_by_hand("acme", world.chart)
    _recover(world, timedelta(0))
    labels = world.releases.list_latest()[0].labels
    assert labels is not None
    assert labels.defaults_digest == DRIFTED


def test_a_failed_upgrade_by_hand_is_rolled_back(world: FakeWorld) -> None:
    world.install()
    world.releases.fail_next()
    with pytest.raises(HelmFailedError):
        world.releases.upgrade_by_hand("acme", {"env": {"A": "1"}}, world.chart)
    _recover(world)
    assert world.statuses() == ["superseded", "failed", "deployed"]


def test_an_uninstall_that_was_killed_is_finished_and_the_volume_kept(world: FakeWorld) -> None:
    world.install(persistence={"enabled": True})
    world.releases.set_status("acme", ReleaseStatus.UNINSTALLING)
    _recover(world, timedelta(0))
    assert world.statuses() == []
    assert world.cluster.has_volume("acme")


def test_a_hand_run_helm_is_declared_dead_on_demand(world: FakeWorld) -> None:
    world.install()
    world.releases.kill_by_hand("acme", world.chart)
    _recover(world, timedelta(0))
    assert world.statuses()[-1] == "deployed"
