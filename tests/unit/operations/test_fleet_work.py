"""Changing one tenant of a rollout, from wherever it was left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from release_manager.errors import (
    ClusterUnreachableError,
    ForbiddenError,
    LeaseLostError,
    OperationInterruptedError,
)
from release_manager.operations.fleet_work import (
    CHECK_SECONDS,
    OUTAGE_SECONDS,
    UNREADY_SECONDS,
    Step,
    determine_step,
)
from release_manager.operations.observe import CUT_OFF, HELM_KILLED, Observation
from release_manager.operations.rollouts import plan_way_back
from release_manager.rollout.journal import Journal, Outcome
from release_manager.rollout.plan import Kind
from release_manager.tenant import ReleaseStatus, Revision
from tests.unit.builders import NOW, build_holder, build_revision, build_waves
from tests.unit.fakes import FakeWorld, ManagerKilled, missing_image
from tests.unit.fleets import (
    STOP,
    at_work,
    break_chart,
    build_control,
    change,
    install,
    plan_upgrade,
)

OURS = "20260301-030000-abcd"
SILENT = ClusterUnreachableError("no answer", remedy="Check it")
NOT_READY = "failed: 0 of 1 replicas ready"
PLANNED = build_revision(number=1, writer="before")


def _own(status: str = "deployed", number: int = 2) -> Revision:
    return build_revision(status, number=number, writer="me", rollout=OURS)


def _other(status: str = "deployed", number: int = 3) -> Revision:
    return build_revision(status, number=number, writer="somebody")


def _restored(status: str = "deployed", number: int = 3) -> Revision:
    """What a rollback writes: with the labels of its target."""
    return build_revision(status, number=number, writer="before", written_for=1)


def _determine(
    *revisions: Revision, kind: Kind = Kind.UPGRADE, description: str = ""
) -> tuple[Step, int]:
    observation = Observation("acme", revisions, None, {}, NOW)
    rollout = build_waves("acme", kind=kind)
    step, revision = determine_step(observation, rollout, lambda _: description)
    return step, revision.number if revision is not None else 0


@pytest.mark.parametrize(
    ("revisions", "expected"),
    [
        ((PLANNED,), (Step.CHANGE, 1)),
        ((), (Step.CHANGED, 0)),
        ((build_revision("uninstalled", number=1),), (Step.CHANGED, 0)),
        ((build_revision("uninstalled", number=2),), (Step.CHANGED, 0)),
        ((PLANNED, _own()), (Step.VERIFY, 2)),
        ((PLANNED, _other(number=2)), (Step.CHANGED, 2)),
        ((PLANNED, build_revision(number=2)), (Step.CHANGED, 2)),
        ((PLANNED, _other(number=2), _own(number=3)), (Step.CHANGED, 3)),
        ((PLANNED, _own("superseded"), _other()), (Step.CHANGED, 3)),
        ((PLANNED, _own(), _other("failed")), (Step.CHANGED, 3)),
    ],
    ids=[
        "not begun",
        "uninstalled, and no trace left",
        "uninstalled, and kept",
        "uninstalled since",
        "ours is deployed",
        "another's came first",
        "one by hand came first",
        "another's came first, ours after it",
        "another's came after ours",
        "another's failed after ours",
    ],
)
def test_what_is_left_to_do(revisions: tuple[Revision, ...], expected: tuple[Step, int]) -> None:
    assert _determine(*revisions) == expected


def test_a_tenant_that_was_installed_anew_since_was_changed() -> None:
    observation = Observation("acme", (build_revision(number=1),), None, {}, NOW)
    rollout = build_waves("acme", revisions={"acme": 4})
    assert determine_step(observation, rollout, lambda _: "")[0] is Step.CHANGED


@pytest.mark.parametrize("why", CUT_OFF)
def test_a_change_that_helm_did_not_get_through_with_is_made_again(why: str) -> None:
    assert _determine(PLANNED, _own("failed"), description=f"failed: {why}") == (Step.CHANGE, 2)


def test_a_change_that_helm_itself_gave_up_is_made_again() -> None:
    upgrade = 'Upgrade "tenant-acme" failed: context canceled'
    assert _determine(PLANNED, _own("failed"), description=upgrade) == (Step.CHANGE, 2)


def test_a_change_that_was_cut_off_is_not_made_over_somebody_elses() -> None:
    step = _determine(PLANNED, _own("failed"), _other(), description=f"failed: {HELM_KILLED}")
    assert step == (Step.CHANGED, 3)


def test_a_second_attempt_counts_and_not_the_first() -> None:
    revisions = (PLANNED, _own("failed", 2), _own("deployed", 3))
    assert _determine(*revisions, description=f"failed: {HELM_KILLED}") == (Step.VERIFY, 3)


@pytest.mark.parametrize(
    ("after", "step"),
    [
        ((), Step.TAKE_BACK),
        ((_restored("failed"),), Step.TAKE_BACK),
        ((_restored(),), Step.TAKEN_BACK),
        ((_restored("failed", 3), _restored("deployed", 4)), Step.TAKEN_BACK),
    ],
    ids=["no way back yet", "the way back was cut off", "taken back", "taken back at last"],
)
def test_a_change_that_was_not_ready_is_taken_back_once(
    after: tuple[Revision, ...], step: Step
) -> None:
    assert _determine(PLANNED, _own("failed"), *after, description=NOT_READY) == (step, 2)


@pytest.mark.parametrize(
    ("newer", "expected"),
    [
        ((), (Step.CHANGE, 1)),
        ((_restored("deployed", 2),), (Step.VERIFY, 2)),
        ((_restored("failed", 2),), (Step.CHANGE, 2)),
        ((_restored("failed", 2), _restored("deployed", 3)), (Step.VERIFY, 3)),
        ((_other("deployed", 2),), (Step.CHANGED, 2)),
        ((_restored("deployed", 2), _other("deployed", 3)), (Step.CHANGED, 3)),
        ((_other("superseded", 2), _restored("deployed", 3)), (Step.CHANGED, 3)),
    ],
    ids=[
        "not begun",
        "restored",
        "cut off",
        "restored at last",
        "another's",
        "another's after",
        "another's before",
    ],
)
def test_what_is_left_to_do_of_a_way_back(
    newer: tuple[Revision, ...], expected: tuple[Step, int]
) -> None:
    assert _determine(PLANNED, *newer, kind=Kind.ROLLBACK) == expected


def _describe(world: FakeWorld, number: int) -> str:
    revision = world.releases.list_revisions("acme")[number - 1]
    return world.releases.read_body(revision).description


def test_a_tenant_is_upgraded_and_its_revision_tells_the_rollout(world: FakeWorld) -> None:
    world.install()
    world.change_chart()
    plan = plan_upgrade(world)
    report = change(world, plan)
    assert (report.slug, report.outcome, report.revision) == ("acme", Outcome.DONE, 2)
    latest = world.releases.list_revisions("acme")[-1]
    assert latest.rollout == plan.rollout.id
    assert latest.writer == "process-2"
    assert latest.labels is not None
    assert latest.labels.chart_version == "0.2.0"


def test_a_report_tells_how_long_it_took(world: FakeWorld) -> None:
    world.install()
    world.change_chart(env={"A": "1"})
    assert change(world, plan_upgrade(world)).seconds >= world.cluster.start_seconds


def test_what_the_survey_planned_is_not_planned_again(world: FakeWorld) -> None:
    world.install()
    world.change_chart()
    plan = plan_upgrade(world)
    world.releases.bodies.clear()
    assert change(world, plan).outcome is Outcome.DONE
    assert world.releases.bodies == []


def test_a_tenant_that_does_not_get_ready_is_rolled_back_and_the_history_tells_why(
    world: FakeWorld,
) -> None:
    world.install()
    break_chart(world)
    report = change(world, plan_upgrade(world))
    assert report.outcome is Outcome.FAILED
    assert report.reason == (
        f"revision 2 failed and was rolled back to revision 1: {missing_image('broken')}"
    )
    assert report.remedy.endswith("'release-manager upgrade-all --only acme'")
    assert world.statuses() == ["superseded", "failed", "deployed"]
    assert _describe(world, 2) == f"failed: {missing_image('broken')}"
    assert _describe(world, 3) == "Rollback to 1"


def test_a_tenant_that_failed_and_was_taken_back_fails_again_without_a_write(
    world: FakeWorld,
) -> None:
    world.install()
    break_chart(world)
    plan = plan_upgrade(world)
    change(world, plan)
    before = list(world.releases.writes)
    report = change(world, plan)
    assert report.outcome is Outcome.FAILED
    assert report.reason == f"revision 2 failed and was rolled back: {missing_image('broken')}"
    assert world.releases.writes == before


def test_an_object_that_is_refused_fails_and_is_rolled_back(world: FakeWorld) -> None:
    world.install()
    world.change_chart()
    plan = plan_upgrade(world)
    world.releases.fail_next()
    report = change(world, plan)
    assert (report.outcome, report.reason) == (
        Outcome.FAILED,
        "helm failed: the API server refused an object",
    )
    assert world.statuses() == ["superseded", "failed", "deployed"]


def test_a_tenant_that_somebody_changed_since_the_plan_is_left_alone(world: FakeWorld) -> None:
    world.install()
    world.change_chart()
    plan = plan_upgrade(world)
    world.upgrade(overrides={"env": {"A": "1"}})
    report = change(world, plan)
    assert report.outcome is Outcome.CHANGED
    assert report.reason == (
        "somebody else wrote revision 2 since the rollout was planned; it was not overwritten"
    )
    assert world.statuses() == ["superseded", "deployed"]


def test_a_tenant_that_was_uninstalled_since_the_plan_is_not_brought_back(
    world: FakeWorld,
) -> None:
    world.install()
    world.change_chart()
    plan = plan_upgrade(world)
    world.releases.uninstall("acme", timeout_seconds=1)
    report = change(world, plan)
    assert (report.outcome, report.reason.split(" since")[0]) == (
        Outcome.CHANGED,
        "it was uninstalled",
    )
    assert world.statuses() == []


def test_a_tenant_that_another_process_is_changing_is_busy(world: FakeWorld) -> None:
    world.install()
    world.change_chart()
    plan = plan_upgrade(world)
    world.liveness.others["process-9"] = build_holder("process-9")
    with world.liveness.claim("acme", "process-9"):
        report = change(world, plan)
    assert (report.outcome, report.reason) == (Outcome.BUSY, "it is busy")
    assert world.statuses() == ["deployed"]


def test_a_tenant_that_hand_run_helm_is_changing_is_busy(world: FakeWorld) -> None:
    world.install()
    world.change_chart()
    plan = plan_upgrade(world)
    world.releases.kill_by_hand("acme", world.chart)
    report = change(world, plan)
    assert report.outcome is Outcome.BUSY
    assert "hand-run helm" in report.reason
    assert world.statuses() == ["deployed", "pending-upgrade"]


def _scale(world: FakeWorld) -> None:
    world.cluster.scale("acme", 3)


def _set_image(world: FakeWorld) -> None:
    world.cluster.foreign_fields["acme"] = ("spec.template.spec.containers[].image",)


@pytest.mark.parametrize("set_by_hand", [_scale, _set_image], ids=["kubectl scale", "kubectl set"])
def test_what_is_set_by_hand_after_the_plan_is_not_overwritten(
    world: FakeWorld, set_by_hand: Callable[[FakeWorld], None]
) -> None:
    world.install()
    world.change_chart()
    plan = plan_upgrade(world)
    set_by_hand(world)
    report = change(world, plan)
    assert report.outcome is Outcome.CHANGED
    assert "set by hand and about to be undone" in report.reason
    assert world.statuses() == ["deployed"]


@pytest.mark.parametrize("set_by_hand", [_scale, _set_image], ids=["kubectl scale", "kubectl set"])
def test_what_is_set_by_hand_after_the_plan_is_overwritten_when_asked(
    world: FakeWorld, set_by_hand: Callable[[FakeWorld], None]
) -> None:
    world.install()
    world.change_chart()
    plan = plan_upgrade(world, is_overwriting_drift=True)
    set_by_hand(world)
    assert change(world, plan).outcome is Outcome.DONE
    assert world.replicas() == 1
    assert "acme" not in world.cluster.foreign_fields


def _fall_silent(world: FakeWorld, seconds: float) -> Callable[[], None]:
    """Let the API server be out of reach of helm for a while."""
    until = world.clock.as_clock().monotonic() + seconds

    def fail() -> None:
        if world.clock.as_clock().monotonic() < until:
            world.releases.before_helm = fail
            raise SILENT

    return fail


def test_an_api_server_that_is_out_of_reach_before_helm_is_outlasted(world: FakeWorld) -> None:
    world.install()
    world.change_chart()
    plan = plan_upgrade(world)
    world.releases.before_helm = _fall_silent(world, OUTAGE_SECONDS - 10)
    assert change(world, plan).outcome is Outcome.DONE
    assert world.statuses() == ["superseded", "deployed"]


def test_an_api_server_that_is_out_of_reach_after_helm_makes_nothing_be_done_twice(
    world: FakeWorld,
) -> None:
    def fail() -> None:
        raise SILENT

    world.install()
    world.change_chart()
    plan = plan_upgrade(world)
    world.releases.after_helm = fail
    assert change(world, plan).outcome is Outcome.DONE
    assert world.releases.writes == ["pending-install acme", "pending-upgrade acme"]


def test_an_api_server_that_falls_silent_in_the_middle_leaves_nothing_pending(
    world: FakeWorld,
) -> None:
    world.install()
    world.change_chart()
    plan = plan_upgrade(world)
    world.releases.lose_next()
    report = change(world, plan)
    assert (report.outcome, report.revision) == (Outcome.DONE, 3)
    assert world.statuses() == ["superseded", "failed", "deployed"]


def test_an_api_server_that_falls_silent_on_the_way_back_leaves_nothing_pending(
    world: FakeWorld,
) -> None:
    world.install()
    break_chart(world)
    plan = plan_upgrade(world)
    world.releases.after_helm = world.releases.lose_next
    report = change(world, plan)
    assert report.outcome is Outcome.FAILED
    assert missing_image("broken") in report.reason
    assert _describe(world, 4) == "Rollback to 1"
    assert world.statuses()[-1] == "deployed"


def test_a_rollback_by_hand_is_not_taken_for_our_own(world: FakeWorld) -> None:
    world.install()
    world.change_chart()
    plan = plan_upgrade(world)
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        world.releases.rollback("acme", 1, timeout_seconds=1)
    assert change(world, plan).outcome is Outcome.BUSY
    assert world.statuses()[-1] == "pending-rollback"


def test_an_uninstall_by_hand_of_what_was_just_written_is_not_ended(world: FakeWorld) -> None:
    """The revision names this process, but it is not this process that removes it."""
    world.install()
    world.change_chart()
    plan = plan_upgrade(world)

    def uninstall_and_fall_silent() -> None:
        world.releases.set_status("acme", ReleaseStatus.UNINSTALLING)
        raise SILENT

    world.releases.after_helm = uninstall_and_fall_silent
    assert change(world, plan).outcome is Outcome.BUSY
    assert world.statuses()[-1] == "uninstalling"


def test_an_api_server_that_stays_out_of_reach_is_not_the_tenants_failure(
    world: FakeWorld,
) -> None:
    world.install()
    world.change_chart()
    plan = plan_upgrade(world)
    began_at = world.clock.as_clock().monotonic()
    world.releases.before_helm = _fall_silent(world, OUTAGE_SECONDS * 10)
    with pytest.raises(ClusterUnreachableError):
        change(world, plan)
    waited = world.clock.as_clock().monotonic() - began_at
    assert OUTAGE_SECONDS <= waited < OUTAGE_SECONDS + 20
    assert world.statuses() == ["deployed"]


def test_an_outage_ends_with_an_abort(world: FakeWorld) -> None:
    world.install()
    world.change_chart()
    plan = plan_upgrade(world)
    control = build_control(world)

    def fail() -> None:
        control.abort(OperationInterruptedError("interrupted", remedy="Resume"))
        raise SILENT

    world.releases.before_helm = fail
    with pytest.raises(OperationInterruptedError), at_work(world, plan, control) as work:
        work.change("acme")
    assert world.statuses() == ["deployed"]


def test_an_abort_before_the_change_changes_nothing(world: FakeWorld) -> None:
    world.install()
    world.change_chart()
    plan = plan_upgrade(world)
    control = build_control(world)
    control.abort(OperationInterruptedError("interrupted", remedy="Resume"))
    with pytest.raises(OperationInterruptedError), at_work(world, plan, control) as work:
        work.change("acme")
    assert world.statuses() == ["deployed"]
    assert world.liveness.claims == {}


def test_an_abort_ends_the_wait_for_pods_and_leaves_the_change_to_be_looked_at(
    world: FakeWorld,
) -> None:
    world.install()
    world.change_chart(env={"A": "1"})
    plan = plan_upgrade(world)
    control = build_control(world)
    world.cluster.start_seconds = 200
    world.releases.after_helm = lambda: control.abort(STOP)
    with pytest.raises(OperationInterruptedError), at_work(world, plan, control) as work:
        work.change("acme")
    assert world.statuses() == ["superseded", "deployed"]
    assert world.liveness.claims == {}
    report = change(world, plan)
    assert (report.outcome, report.revision) == (Outcome.DONE, 2)


def test_a_stop_ends_no_wait(world: FakeWorld) -> None:
    world.install()
    world.change_chart(env={"A": "1"})
    plan = plan_upgrade(world)
    control = build_control(world)
    world.releases.after_helm = lambda: control.stop(STOP)
    with at_work(world, plan, control) as work:
        assert work.change("acme").outcome is Outcome.DONE


def test_a_right_that_is_missing_is_not_the_tenants_failure(world: FakeWorld) -> None:
    def refuse() -> None:
        raise ForbiddenError("not allowed", remedy="Ask for it")

    world.install()
    world.change_chart()
    plan = plan_upgrade(world)
    world.releases.before_helm = refuse
    with pytest.raises(ForbiddenError):
        change(world, plan)


def test_a_process_that_is_killed_in_helm_is_followed_by_another(world: FakeWorld) -> None:
    world.install()
    world.change_chart()
    plan = plan_upgrade(world)
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        change(world, plan)
    assert world.statuses() == ["deployed", "pending-upgrade"]
    report = change(world, plan)
    assert (report.outcome, report.revision) == (Outcome.DONE, 3)
    assert world.statuses() == ["superseded", "failed", "deployed"]


def test_a_process_that_is_killed_on_the_way_back_is_followed_by_another(
    world: FakeWorld,
) -> None:
    world.install()
    break_chart(world)
    plan = plan_upgrade(world)
    world.releases.after_helm = world.releases.kill_next
    with pytest.raises(ManagerKilled):
        change(world, plan)
    assert world.statuses() == ["superseded", "failed", "pending-rollback"]
    report = change(world, plan)
    assert report.outcome is Outcome.FAILED
    assert missing_image("broken") in report.reason
    assert world.statuses()[-1] == "deployed"
    assert _describe(world, 4) == "Rollback to 1"


def test_a_process_that_is_killed_while_it_waits_is_followed_by_one_that_waits_on(
    world: FakeWorld,
) -> None:
    def die() -> None:
        raise ManagerKilled

    world.install()
    world.change_chart()
    plan = plan_upgrade(world)
    world.releases.after_helm = die
    with pytest.raises(ManagerKilled):
        change(world, plan)
    report = change(world, plan)
    assert (report.outcome, report.revision) == (Outcome.DONE, 2)
    assert world.statuses() == ["superseded", "deployed"]


def test_a_change_that_is_not_ready_after_its_process_died_is_taken_back(
    world: FakeWorld,
) -> None:
    def die() -> None:
        raise ManagerKilled

    world.install()
    break_chart(world)
    plan = plan_upgrade(world)
    world.releases.after_helm = die
    with pytest.raises(ManagerKilled):
        change(world, plan)
    assert change(world, plan).outcome is Outcome.FAILED
    assert world.statuses() == ["superseded", "failed", "deployed"]


def test_a_tenant_that_needs_nothing_any_more_is_done_without_a_write(world: FakeWorld) -> None:
    world.install()
    world.change_chart()
    plan = plan_upgrade(world)
    world.charts.by_reference["current"] = world.chart
    current = plan_upgrade(world)
    report = change(world, replace(plan, make_plan=current.make_plan, plans={}))
    assert (report.outcome, report.reason) == (Outcome.DONE, "nothing to do")
    assert world.statuses() == ["deployed"]


def test_a_canary_that_turned_unwell_is_taken_back_with_the_reason(world: FakeWorld) -> None:
    world.install()
    world.change_chart()
    plan = plan_upgrade(world)
    with at_work(world, plan) as work:
        work.change("acme")
        report = work.take_back("acme", "it crashed")
    assert report.outcome is Outcome.FAILED
    assert report.reason.endswith("rolled back to revision 1: it crashed")
    assert _describe(world, 2) == "failed: it crashed"
    assert world.statuses() == ["superseded", "failed", "deployed"]


def test_a_canary_that_somebody_changed_is_not_taken_back(world: FakeWorld) -> None:
    world.install()
    world.change_chart()
    plan = plan_upgrade(world)
    with at_work(world, plan) as work:
        work.change("acme")
        world.upgrade(overrides={"env": {"A": "1"}})
        report = work.take_back("acme", "it crashed")
    assert report.outcome is Outcome.CHANGED
    assert world.statuses() == ["superseded", "superseded", "deployed"]


def test_a_canary_that_somebody_is_changing_fails_without_being_taken_back(
    world: FakeWorld,
) -> None:
    world.install()
    world.change_chart()
    plan = plan_upgrade(world)
    with at_work(world, plan) as work:
        work.change("acme")
        world.liveness.others["process-9"] = build_holder("process-9")
        with world.liveness.claim("acme", "process-9"):
            report = work.take_back("acme", "it crashed")
    assert (report.outcome, report.reason) == (Outcome.FAILED, "it crashed; it is busy")
    assert world.statuses() == ["superseded", "deployed"]


def test_taking_a_canary_back_outlasts_an_outage(world: FakeWorld) -> None:
    world.install()
    world.change_chart()
    plan = plan_upgrade(world)
    with at_work(world, plan) as work:
        work.change("acme")
        world.releases.lose_next()
        report = work.take_back("acme", "it crashed")
    assert report.outcome is Outcome.FAILED
    assert report.reason.endswith("rolled back to revision 1: it crashed")
    assert _describe(world, 4) == "Rollback to 1"
    assert world.statuses()[-1] == "deployed"


def test_a_canary_that_hand_run_helm_is_changing_fails_without_being_taken_back(
    world: FakeWorld,
) -> None:
    world.install()
    chart = world.change_chart()
    plan = plan_upgrade(world)
    with at_work(world, plan) as work:
        work.change("acme")
        world.releases.kill_by_hand("acme", chart)
        report = work.take_back("acme", "it crashed")
    assert report.outcome is Outcome.FAILED
    assert report.reason.startswith("it crashed; it is busy: upgrade by hand-run helm")
    assert world.statuses()[-1] == "pending-upgrade"


def test_a_canary_that_is_ready_is_well(world: FakeWorld) -> None:
    world.install()
    with at_work(world, plan_upgrade(world)) as work:
        assert work.find_unwell(["acme"]) == {}


def test_a_canary_without_a_deployment_is_unwell_at_once(world: FakeWorld) -> None:
    world.install()
    world.cluster.delete_workload("acme")
    with at_work(world, plan_upgrade(world)) as work:
        assert work.find_unwell(["acme"]) == {"acme": "its Deployment is gone"}


def test_a_canary_is_unwell_only_when_it_has_not_been_ready_for_a_while(world: FakeWorld) -> None:
    world.install()
    world.cluster.start_seconds = 3600
    with at_work(world, plan_upgrade(world)) as work:
        assert work.find_unwell(["acme"]) == {}
        world.clock.advance(UNREADY_SECONDS - 1)
        assert work.find_unwell(["acme"]) == {}
        world.clock.advance(1)
        assert list(work.find_unwell(["acme"])) == ["acme"]


def test_a_canary_that_gets_ready_in_between_starts_anew(world: FakeWorld) -> None:
    world.install()
    with at_work(world, plan_upgrade(world)) as work:
        for start_seconds in (3600.0, 0.0, 3600.0):
            world.cluster.start_seconds = start_seconds
            assert work.find_unwell(["acme"]) == {}
            world.clock.advance(UNREADY_SECONDS - 1)


def test_a_canary_whose_cause_is_hopeless_is_unwell_at_once(world: FakeWorld) -> None:
    world.install(image={"tag": "7"})
    world.cluster.break_image("7")
    with at_work(world, plan_upgrade(world)) as work:
        assert work.find_unwell(["acme"]) == {"acme": missing_image("7")}


def test_a_process_checks_now_and_then_that_it_may_go_on(world: FakeWorld) -> None:
    control = build_control(world)
    with at_work(world, plan_upgrade(world), control) as work:
        world.liveness.rollouts = (work.writer, work.rollout.id)
        work.check(control)
        world.liveness.rollouts = ("process-9", work.rollout.id)
        work.check(control)
        world.clock.advance(CHECK_SECONDS)
        with pytest.raises(LeaseLostError):
            work.check(control)


def test_a_process_that_is_asked_to_end_begins_nothing_more(world: FakeWorld) -> None:
    control = build_control(world)
    with at_work(world, plan_upgrade(world), control) as work:
        world.liveness.rollouts = (work.writer, work.rollout.id)
        world.journals.request_end(work.rollout.id, "somebody@there")
        work.check(control)
    assert (control.is_stopping, control.is_aborting) == (True, False)
    assert control.problem is not None
    assert control.problem.problem == "somebody@there asked for its end"


def test_a_tenant_returns_to_what_it_was_before_the_rollout(world: FakeWorld) -> None:
    world.install(env={"A": "1"})
    world.change_chart()
    plan = plan_upgrade(world)
    change(world, plan)
    back = plan_way_back(world.ports, Journal(plan.rollout), by="operator@here")
    report = change(world, back)
    assert (report.outcome, report.revision) == (Outcome.DONE, 3)
    assert _describe(world, 3) == "Rollback to 1"
    assert world.values()["env"] == {"A": "1"}


def test_a_way_back_that_was_cut_off_is_gone_again(world: FakeWorld) -> None:
    world.install()
    world.change_chart()
    plan = plan_upgrade(world)
    change(world, plan)
    back = plan_way_back(world.ports, Journal(plan.rollout), by="operator@here")
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        change(world, back)
    report = change(world, back)
    assert (report.outcome, report.revision) == (Outcome.DONE, 4)
    assert _describe(world, 4) == "Rollback to 1"


def test_a_tenant_without_a_good_revision_cannot_return(world: FakeWorld) -> None:
    world.install()
    world.change_chart()
    plan = plan_upgrade(world)
    change(world, plan)
    back = plan_way_back(world.ports, Journal(plan.rollout), by="operator@here")
    first = world.releases.list_revisions("acme")[0]
    world.releases.mark_failed(first, reason="never stood")
    report = change(world, back)
    assert (report.outcome, report.reason) == (
        Outcome.FAILED,
        "there is no good revision to return to",
    )


def test_tenants_are_changed_each_by_their_own_claim(world: FakeWorld) -> None:
    install(world, "a", "b")
    world.change_chart()
    plan = plan_upgrade(world)
    with at_work(world, plan) as work:
        outcomes = [work.change(slug).outcome for slug in ("a", "b")]
    assert outcomes == [Outcome.DONE, Outcome.DONE]
    assert world.liveness.claims == {}
