"""One tenant in full, and its history."""

from __future__ import annotations

import pytest

from release_manager.errors import TenantNotFoundError
from release_manager.operations.show import MAX_EVENTS, read_history, show_tenant
from tests.unit.builders import build_event
from tests.unit.fakes import FakeWorld


def test_the_details_tell_what_the_tenant_was_asked_to_be(world: FakeWorld) -> None:
    world.install(env={"A": "1"})
    detail = show_tenant(world.ports, world.settings, "acme")
    assert (detail.profile, detail.overrides, detail.drift) == ("default", {"env": {"A": "1"}}, {})
    assert [pod.is_ready for pod in detail.pods] == [True]


def test_the_summary_is_the_row_of_the_table(world: FakeWorld) -> None:
    world.install()
    detail = show_tenant(world.ports, world.settings, "acme")
    assert (detail.summary.state.value, detail.summary.is_up_to_date) == ("running", True)


def test_values_set_by_hand_are_told_apart(world: FakeWorld) -> None:
    world.install(env={"A": "1"})
    world.releases.upgrade_by_hand("acme", {"env": {"B": "by-hand"}}, world.chart)
    detail = show_tenant(world.ports, world.settings, "acme")
    assert (detail.overrides, detail.drift) == ({"env": {"A": "1"}}, {"env.B": "by-hand"})


def test_the_reason_is_taken_from_logs_too(world: FakeWorld) -> None:
    world.install(image={"tag": "7"})
    world.cluster.break_image("7", waiting_reason="CrashLoopBackOff", restarts=4, exit_code=1)
    world.cluster.logs["tenant-acme-1"] = ["no database"]
    detail = show_tenant(world.ports, world.settings, "acme")
    assert detail.summary.reason == (
        "container gateway keeps crashing with exit code 1; correct what its log shows; "
        "its last lines: no database"
    )


def test_tokens_are_cut_out_of_events_and_pods(world: FakeWorld) -> None:
    world.install(image={"tag": "7"})
    secret = world.secrets.read_token("acme")
    assert secret is not None
    world.cluster.break_image(
        "7", waiting_reason="CreateContainerError", waiting_message=secret.token
    )
    world.cluster.events = [build_event("Unhealthy", f"wrong token {secret.token}")]
    detail = show_tenant(world.ports, world.settings, "acme")
    assert [event.message for event in detail.events] == ["wrong token [redacted]"]
    assert detail.pods[0].containers[0].waiting_message == "[redacted]"
    assert secret.token not in detail.summary.reason


def test_only_the_latest_events_are_told(world: FakeWorld) -> None:
    world.install()
    world.cluster.events = [build_event("Unhealthy", str(i)) for i in range(MAX_EVENTS + 5)]
    events = show_tenant(world.ports, world.settings, "acme").events
    assert [event.message for event in events] == [str(i) for i in range(5, MAX_EVENTS + 5)]


def test_a_tenant_without_a_deployment_can_be_shown(world: FakeWorld) -> None:
    world.install()
    world.cluster.delete_workload("acme")
    detail = show_tenant(world.ports, world.settings, "acme")
    assert (detail.summary.state.value, detail.resources, detail.pods) == ("degraded", {}, [])


def test_a_tenant_that_is_not_there_is_named(world: FakeWorld) -> None:
    with pytest.raises(TenantNotFoundError):
        show_tenant(world.ports, world.settings, "acme")


def test_history_tells_who_wrote_each_revision(world: FakeWorld) -> None:
    world.install()
    world.releases.upgrade_by_hand("acme", {"env": {"A": "1"}}, world.chart)
    world.releases.rollback("acme", 1, timeout_seconds=1)
    entries = read_history(world.ports, "acme")
    assert [(entry.revision, entry.written_by, entry.description) for entry in entries] == [
        (1, "release-manager", "Install complete"),
        (2, "helm", "Upgrade complete"),
        (3, "helm", "Rollback to 1"),
    ]


def test_a_tenant_that_is_not_there_has_no_history(world: FakeWorld) -> None:
    with pytest.raises(TenantNotFoundError):
        read_history(world.ports, "acme")
