"""Looking at one tenant, and refusing to work on one that somebody else works on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from release_manager.errors import ReleaseBusyError, TenantNotFoundError
from release_manager.operations.observe import (
    Observation,
    diagnose_tenant,
    observe_tenant,
    refuse_busy,
    repair_stuck,
    require_release,
)
from release_manager.operations.rollback import rollback_tenant
from release_manager.operations.uninstall import uninstall_tenant
from release_manager.state import HAND_RUN_TIMEOUT
from release_manager.tenant import Claim, ReleaseStatus, Revision
from tests.unit.builders import NOW, build_holder, build_revision
from tests.unit.fakes import FakeWorld, ManagerKilled

STUCK_UNINSTALL = "it is stuck: the uninstall by hand-run helm since .* never ended"


def _observe(*statuses: str) -> Observation:
    revisions = [build_revision(status, number=i) for i, status in enumerate(statuses, start=1)]
    return Observation("acme", revisions, None, {}, NOW)


def _number(revision: Revision | None) -> int | None:
    return revision.number if revision else None


@pytest.mark.parametrize(
    ("statuses", "latest", "deployed", "base", "next_number"),
    [
        ([], None, None, None, 1),
        (["deployed"], 1, 1, 1, 2),
        (["superseded", "deployed"], 2, 2, 2, 3),
        (["deployed", "failed"], 2, 1, 1, 3),
        (["failed"], 1, None, 1, 2),
        (["pending-install"], 1, None, 1, 2),
        (["deployed", "pending-upgrade"], 2, 1, 1, 3),
        (["deployed", "failed", "pending-upgrade"], 3, 1, 1, 4),
        (["uninstalled"], None, None, None, 2),
    ],
)
def test_the_revisions_tell_what_the_next_one_continues(
    statuses: list[str],
    latest: int | None,
    deployed: int | None,
    base: int | None,
    next_number: int,
) -> None:
    seen = _observe(*statuses)
    found = (_number(seen.latest), _number(seen.deployed), _number(seen.base), seen.next_number)
    assert found == (latest, deployed, base, next_number)


def test_a_tenant_without_a_release_is_named_with_the_command_that_makes_one() -> None:
    with pytest.raises(TenantNotFoundError) as caught:
        require_release(_observe())
    assert "release-manager install-tenant acme" in caught.value.remedy


def test_leases_are_read_only_where_a_revision_is_pending(world: FakeWorld) -> None:
    world.liveness.others["process-9"] = build_holder("process-9")
    world.install()
    assert observe_tenant(world.ports, "acme").alive == {}


def test_an_idle_release_passes(world: FakeWorld) -> None:
    world.install()
    refuse_busy(observe_tenant(world.ports, "acme"))


def test_an_idle_release_needs_no_repair(world: FakeWorld) -> None:
    world.install()
    observation = observe_tenant(world.ports, "acme")
    assert repair_stuck(world.ports, observation, world.run()) is observation


def test_a_live_process_of_ours_is_left_alone_however_long_it_takes(world: FakeWorld) -> None:
    _die_in_upgrade(world)
    writer = world.releases.list_latest()[0].writer
    assert writer is not None
    world.liveness.others[writer] = build_holder(writer)
    world.clock.advance(3600)
    with pytest.raises(ReleaseBusyError, match="it is busy: upgrade by operator@here"):
        refuse_busy(observe_tenant(world.ports, "acme"))


def test_what_a_dead_process_of_ours_left_is_set_to_failed_at_once(world: FakeWorld) -> None:
    _die_in_upgrade(world)
    observation = observe_tenant(world.ports, "acme")
    refuse_busy(observation)
    repaired = repair_stuck(world.ports, observation, world.run())
    assert [item.status.value for item in repaired.revisions] == ["deployed", "failed"]


def test_a_helm_that_ends_just_after_its_process_needs_no_repair(world: FakeWorld) -> None:
    _die_in_upgrade(world)
    observation = observe_tenant(world.ports, "acme")
    world.releases.set_status("acme", ReleaseStatus.FAILED)
    repaired = repair_stuck(world.ports, observation, world.run())
    assert [item.status.value for item in repaired.revisions] == ["deployed", "failed"]


def test_whoever_begins_during_a_repair_is_left_alone(world: FakeWorld) -> None:
    _die_in_upgrade(world)
    observation = observe_tenant(world.ports, "acme")
    world.releases.set_status("acme", ReleaseStatus.FAILED)
    world.clock.advance(60)
    world.releases.kill_by_hand("acme", world.chart)
    with pytest.raises(ReleaseBusyError, match="it is busy: upgrade by hand-run helm"):
        repair_stuck(world.ports, observation, world.run())


def test_a_hand_run_helm_is_given_its_time(world: FakeWorld) -> None:
    world.install()
    world.releases.kill_by_hand("acme", world.chart)
    with pytest.raises(ReleaseBusyError, match="it is busy: upgrade by hand-run helm"):
        refuse_busy(observe_tenant(world.ports, "acme"))


def test_a_dead_hand_run_helm_is_repaired_only_when_asked(world: FakeWorld) -> None:
    world.install()
    world.releases.kill_by_hand("acme", world.chart)
    world.clock.advance(HAND_RUN_TIMEOUT.total_seconds() + 1)
    with pytest.raises(ReleaseBusyError, match=r"it is stuck.*recover-tenant acme"):
        refuse_busy(observe_tenant(world.ports, "acme"))
    assert world.statuses() == ["deployed", "pending-upgrade"]


def test_a_dead_uninstall_is_not_undone_by_the_next_command(world: FakeWorld) -> None:
    world.install()
    world.releases.set_status("acme", ReleaseStatus.UNINSTALLING)
    world.clock.advance(timedelta(hours=1).total_seconds())
    with pytest.raises(ReleaseBusyError, match=STUCK_UNINSTALL):
        refuse_busy(observe_tenant(world.ports, "acme"))


def test_a_ready_tenant_needs_no_diagnosis(world: FakeWorld) -> None:
    world.install()
    workload = world.cluster.read_workload("acme")
    assert diagnose_tenant(world.ports, workload, "acme") is None


def test_claims_are_read_only_where_a_revision_is_pending(world: FakeWorld) -> None:
    _claim(world, "process-9")
    world.install("globex")
    assert observe_tenant(world.ports, "globex").claim is None
    world.releases.upgrade_by_hand("acme", {}, world.chart)
    assert observe_tenant(world.ports, "acme").claim is None
    world.releases.set_status("acme", ReleaseStatus.PENDING_ROLLBACK)
    claim = observe_tenant(world.ports, "acme").claim
    assert claim is not None
    assert claim.writer == "process-9"


@pytest.mark.parametrize(
    ("status", "action"),
    [(ReleaseStatus.PENDING_ROLLBACK, "rollback"), (ReleaseStatus.UNINSTALLING, "uninstall")],
)
def test_the_claim_of_a_live_process_keeps_others_off_however_long_it_takes(
    world: FakeWorld, status: ReleaseStatus, action: str
) -> None:
    world.releases.upgrade_by_hand("acme", {}, world.chart)
    _claim(world, "process-9")
    world.liveness.others["process-9"] = build_holder("process-9")
    world.releases.set_status("acme", status)
    world.clock.advance(3600)
    with pytest.raises(ReleaseBusyError, match=f"it is busy: {action} by operator@here"):
        refuse_busy(observe_tenant(world.ports, "acme"))


def test_a_rollback_whose_claim_is_of_a_dead_process_is_set_to_failed_at_once(
    world: FakeWorld,
) -> None:
    world.install()
    world.upgrade(overrides={"env": {"A": "1"}})
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        rollback_tenant(world.ports, "acme", 1, world.run())
    observation = observe_tenant(world.ports, "acme")
    refuse_busy(observation)
    repaired = repair_stuck(world.ports, observation, world.run())
    assert [item.status.value for item in repaired.revisions] == [
        "superseded",
        "deployed",
        "failed",
    ]


def test_the_uninstall_of_a_dead_process_is_told_at_once_and_not_undone(world: FakeWorld) -> None:
    world.install()
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        uninstall_tenant(world.ports, "acme", world.run(), is_deleting_data=False)
    with pytest.raises(ReleaseBusyError, match=r"it is stuck: the uninstall .* lost its process"):
        refuse_busy(observe_tenant(world.ports, "acme"))


def test_a_claim_says_nothing_of_what_hand_run_helm_did_before_it(world: FakeWorld) -> None:
    world.install()
    world.releases.kill_by_hand("acme", world.chart)
    world.clock.advance(1)
    _claim(world, "process-9")
    with pytest.raises(ReleaseBusyError, match="it is busy: upgrade by hand-run helm"):
        refuse_busy(observe_tenant(world.ports, "acme"))


def _claim(world: FakeWorld, writer: str) -> None:
    now = world.clock.now()
    world.liveness.claims["acme"] = Claim(writer, now, now + timedelta(hours=2))


def _die_in_upgrade(world: FakeWorld) -> None:
    world.install()
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        world.upgrade(overrides={"env": {"A": "1"}})
