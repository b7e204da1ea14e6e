"""The fleet in one table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from release_manager.errors import NamespaceNotFoundError, RolloutFailedError
from release_manager.operations.listing import MAX_LOGS, TenantSummary, list_tenants
from release_manager.tenant import ReleaseStatus
from tests.unit.fakes import FakeWorld, ManagerKilled, missing_image


def _row(world: FakeWorld) -> TenantSummary:
    rows = list_tenants(world.ports, world.settings)
    assert len(rows) == 1
    return rows[0]


def test_a_row_tells_what_runs(world: FakeWorld) -> None:
    world.install(image={"tag": "7"})
    row = _row(world)
    assert (row.slug, row.state.value, row.reason, row.revision) == ("acme", "running", "", 1)
    assert (row.chart, row.image) == (
        "aware-tenant-0.1.0",
        "registry.wareit.ai/aware-gateway:7",
    )
    assert (row.replicas, row.ready_replicas, row.host) == (1, 1, "acme.wareit.ai")
    assert row.is_up_to_date is True


def test_tenants_come_by_slug(world: FakeWorld) -> None:
    for slug in ("zeta", "alpha", "mid"):
        world.install(slug)
    assert [row.slug for row in list_tenants(world.ports, world.settings)] == [
        "alpha",
        "mid",
        "zeta",
    ]


def test_a_fleet_without_tenants_is_empty(world: FakeWorld) -> None:
    assert list_tenants(world.ports, world.settings) == []


def test_a_missing_namespace_is_named(world: FakeWorld) -> None:
    world.cluster.is_namespace_there = False
    with pytest.raises(NamespaceNotFoundError):
        list_tenants(world.ports, world.settings)


def test_a_release_that_was_uninstalled_with_its_history_kept_is_not_shown(
    world: FakeWorld,
) -> None:
    world.install()
    world.releases.set_status("acme", ReleaseStatus.UNINSTALLED)
    assert list_tenants(world.ports, world.settings) == []


def test_pods_are_read_only_where_something_is_wrong(world: FakeWorld) -> None:
    world.install()
    world.install("globex", replicas=0)
    before = world.cluster.pod_lists
    list_tenants(world.ports, world.settings)
    assert world.cluster.pod_lists == before


def test_pods_are_read_once_however_many_tenants_fail(world: FakeWorld) -> None:
    for slug in ("one", "two", "three"):
        world.install(slug, image={"tag": "7"})
    world.cluster.break_image("7")
    before = world.cluster.pod_lists
    rows = list_tenants(world.ports, world.settings)
    assert world.cluster.pod_lists == before + 1
    assert {row.reason for row in rows} == {missing_image("7")}


def test_a_tenant_that_fails_has_the_sentence_that_the_install_ended_with(
    world: FakeWorld,
) -> None:
    crash = {"waiting_reason": "CrashLoopBackOff", "restarts": 2, "exit_code": 1}
    world.cluster.break_image("7", **crash)
    world.cluster.logs["tenant-acme-1"] = ["no database"]
    with pytest.raises(RolloutFailedError) as caught:
        world.install(image={"tag": "7"})
    row = _row(world)
    assert row.state.value == "failed"
    assert row.reason.endswith("its last lines: no database")
    assert caught.value.problem == f"revision 1 is not ready: {row.reason}"


def test_a_tenant_that_is_still_starting_says_since_when(world: FakeWorld) -> None:
    world.cluster.start_seconds = 60
    world.releases.upgrade_by_hand("acme", {}, world.chart)
    row = _row(world)
    assert row.state.value == "progressing"
    assert row.reason.startswith("the pod is being started since 03:00:00 UTC")


def test_events_are_read_once_however_many_tenants_fail(world: FakeWorld) -> None:
    world.cluster.break_image("7", waiting_reason="ContainerCreating")
    for slug in ("one", "two", "three"):
        world.releases.upgrade_by_hand(slug, {"image": {"tag": "7"}}, world.chart)
    world.cluster.reads.clear()
    list_tenants(world.ports, world.settings)
    assert world.cluster.reads == ["events"]


def test_a_table_of_many_crashes_reads_no_more_than_some_logs(world: FakeWorld) -> None:
    world.cluster.break_image("7", waiting_reason="CrashLoopBackOff", restarts=2, exit_code=1)
    for number in range(MAX_LOGS + 5):
        world.releases.upgrade_by_hand(f"t{number}", {"image": {"tag": "7"}}, world.chart)
    world.cluster.reads.clear()
    rows = list_tenants(world.ports, world.settings)
    assert len([read for read in world.cluster.reads if read.startswith("log")]) == MAX_LOGS
    assert all("keeps crashing" in row.reason for row in rows)


def test_a_killed_upgrade_is_shown_as_stuck(world: FakeWorld) -> None:
    world.install()
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        world.upgrade(overrides={"env": {"A": "1"}})
    row = _row(world)
    assert (row.state.value, row.is_up_to_date) == ("stuck", False)


def test_a_deleted_deployment_is_shown(world: FakeWorld) -> None:
    world.install()
    world.cluster.delete_workload("acme")
    row = _row(world)
    assert (row.state.value, row.reason, row.chart) == (
        "degraded",
        "its Deployment is missing",
        "aware-tenant-0.1.0",
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda world: world.change_chart("0.2.0"),
        lambda world: world.change_chart("0.1.0", replicas=2),
    ],
    ids=["a new version", "another default"],
)
def test_a_new_chart_makes_tenants_out_of_date(world: FakeWorld, change: object) -> None:
    world.install()
    assert callable(change)
    change(world)
    assert _row(world).is_up_to_date is False


def test_new_defaults_of_the_fleet_make_tenants_out_of_date(world: FakeWorld) -> None:
    world.install()
    world.settings = replace(world.settings, defaults={"env": {"A": "1"}})
    assert _row(world).is_up_to_date is False


def test_the_tenants_own_values_do_not_make_it_out_of_date(world: FakeWorld) -> None:
    world.install(env={"A": "1"})
    assert _row(world).is_up_to_date is True


def test_each_tenant_is_compared_with_its_own_profile(world: FakeWorld) -> None:
    world.settings = replace(world.settings, profile="openclaw")
    world.install()
    world.settings = replace(world.settings, profile="default")
    assert _row(world).is_up_to_date is True


def test_a_chart_that_cannot_be_read_leaves_the_table_whole(world: FakeWorld) -> None:
    world.install()
    world.settings = replace(world.settings, chart="gone")
    row = _row(world)
    assert (row.state.value, row.is_up_to_date) == ("running", None)


def test_values_set_by_hand_are_told(world: FakeWorld) -> None:
    world.install()
    world.releases.upgrade_by_hand("acme", {"image": {"tag": "by-hand"}}, world.chart)
    world.clock.advance(60)
    row = _row(world)
    assert (row.reason, row.is_up_to_date) == ("set by hand: image.tag=by-hand", False)


def test_a_hand_run_upgrade_that_changed_no_value_is_told(world: FakeWorld) -> None:
    world.install()
    world.releases.upgrade_by_hand("acme", {}, world.chart)
    row = _row(world)
    assert (row.reason, row.is_up_to_date) == ("changed by hand-run helm", False)


def test_a_tenant_that_was_installed_by_hand_is_told(world: FakeWorld) -> None:
    world.releases.upgrade_by_hand("acme", {"env": {"A": "1"}}, world.chart)
    world.clock.advance(60)
    row = _row(world)
    assert row.reason == "installed or upgraded by hand-run helm, without a record of its layers"


def test_a_hand_run_rollback_is_no_drift(world: FakeWorld) -> None:
    world.install()
    world.upgrade(overrides={"env": {"A": "1"}})
    world.releases.rollback("acme", 1, timeout_seconds=1)
    world.clock.advance(60)
    row = _row(world)
    assert (row.reason, row.is_up_to_date) == ("", True)


def test_a_rollback_behind_the_current_chart_is_out_of_date(world: FakeWorld) -> None:
    world.install()
    world.change_chart("0.2.0")
    world.upgrade()
    world.releases.rollback("acme", 1, timeout_seconds=1)
    assert _row(world).is_up_to_date is False
