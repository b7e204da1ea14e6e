"""One table of what is observed and the state it means; then the reasons."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from release_manager.diagnosis import Cause, Diagnosis
from release_manager.state import (
    HAND_RUN_TIMEOUT,
    ROLLOUT_GRACE,
    TenantState,
    Verdict,
    determine_state,
)
from release_manager.tenant import Claim, Revision
from release_manager.workload import Workload
from tests.unit.builders import MINUTE, NOW, build_holder, build_revision, build_workload

ALIVE = {"process-1": build_holder()}
OLD = HAND_RUN_TIMEOUT + timedelta(seconds=1)
HOPELESS = Diagnosis(Cause.IMAGE_MISSING, "image x cannot be pulled", patience_seconds=3)
PASSING = Diagnosis(Cause.NOT_READY, "a probe fails")
STARTING = Diagnosis(Cause.STARTING, "it is still starting")
DEPLOYED = build_revision("deployed", age=ROLLOUT_GRACE + timedelta(seconds=1))
YOUNG = build_revision("deployed", age=ROLLOUT_GRACE - timedelta(seconds=1))
NEW = {"progress_reason": "ReplicaSetUpdated"}
LATE = {"progress_reason": "ProgressDeadlineExceeded"}


def _judge(revision: Revision, workload: Workload | None = None, **seen: Any) -> Verdict:
    return determine_state(revision, workload, **{"alive": ALIVE, "now": NOW, **seen})


@pytest.mark.parametrize(
    ("revision", "workload", "diagnosis", "state"),
    [
        # deployed: the Deployment decides
        (DEPLOYED, build_workload(1), None, "running"),
        (DEPLOYED, build_workload(0, **NEW), STARTING, "progressing"),
        (DEPLOYED, build_workload(0, **LATE), STARTING, "failed"),
        (DEPLOYED, build_workload(0, wanted=0, ending_replicas=1), STARTING, "degraded"),
        (YOUNG, build_workload(0, wanted=0, ending_replicas=1), STARTING, "progressing"),
        (DEPLOYED, build_workload(3, wanted=3), None, "running"),
        (DEPLOYED, build_workload(0, wanted=0), None, "stopped"),
        (DEPLOYED, build_workload(0, wanted=0, existing_replicas=1), None, "degraded"),
        (DEPLOYED, build_workload(0, wanted=0, existing_replicas=1, **NEW), None, "progressing"),
        (DEPLOYED, build_workload(0, **NEW), None, "progressing"),
        (DEPLOYED, build_workload(0, **NEW), PASSING, "progressing"),
        (DEPLOYED, build_workload(1, is_observed=False), None, "progressing"),
        (DEPLOYED, build_workload(0, **NEW), HOPELESS, "failed"),
        (DEPLOYED, build_workload(0, **LATE), None, "failed"),
        (DEPLOYED, build_workload(0), None, "degraded"),
        (DEPLOYED, build_workload(0), HOPELESS, "degraded"),
        (DEPLOYED, build_workload(1, wanted=2), None, "degraded"),
        (DEPLOYED, build_workload(2, spec_replicas=2), None, "degraded"),
        (DEPLOYED, build_workload(0, spec_replicas=0), None, "degraded"),
        (DEPLOYED, None, None, "degraded"),
        # just deployed: what the Deployment says may be of the rollout before
        (YOUNG, build_workload(0), None, "progressing"),
        (YOUNG, build_workload(0, **LATE), None, "progressing"),
        (YOUNG, build_workload(0), HOPELESS, "degraded"),
        (YOUNG, build_workload(0, **NEW), HOPELESS, "failed"),
        # failed: Helm's word, whatever runs
        (build_revision("failed"), build_workload(1), None, "failed"),
        (build_revision("failed"), None, None, "failed"),
        # at work, by our own process
        (build_revision("pending-install", writer="process-1"), None, None, "busy"),
        (build_revision("pending-upgrade", writer="process-1"), build_workload(1), None, "busy"),
        (build_revision("pending-upgrade", writer="process-1", age=OLD), None, None, "busy"),
        (build_revision("pending-install", writer="process-9"), None, None, "stuck"),
        (build_revision("pending-upgrade", writer="process-9"), build_workload(1), None, "stuck"),
        # at work, by somebody's hand: the copied labels of revision 2 do not count
        (build_revision("pending-upgrade"), None, None, "busy"),
        (build_revision("pending-upgrade", age=OLD), None, None, "stuck"),
        (build_revision("pending-upgrade", writer="process-1", written_for=2), None, None, "busy"),
        (build_revision("pending-upgrade", writer="process-9", written_for=2), None, None, "busy"),
        (
            build_revision("pending-upgrade", writer="process-1", written_for=2, age=OLD),
            None,
            None,
            "stuck",
        ),
        (build_revision("pending-rollback", writer="process-9", written_for=2), None, None, "busy"),
        (build_revision("pending-rollback", age=OLD), None, None, "stuck"),
        # being uninstalled: only the time since that began tells
        (build_revision("uninstalling", age=OLD, unchanged_for=MINUTE), None, None, "busy"),
        (build_revision("uninstalling", writer="process-9"), build_workload(1), None, "busy"),
        (build_revision("uninstalling", writer="process-1", age=OLD), None, None, "stuck"),
    ],
)  # fmt: skip
def test_what_is_observed_means_one_state(
    revision: Revision, workload: Workload | None, diagnosis: Diagnosis | None, state: str
) -> None:
    assert _judge(revision, workload, diagnosis=diagnosis).state is TenantState(state)


@pytest.mark.parametrize("state", list(TenantState))
def test_each_state_is_defined_in_one_sentence(state: TenantState) -> None:
    assert f"    {state.value}: " in str(TenantState.__doc__)


@pytest.mark.parametrize("workload", [build_workload(1), build_workload(0, wanted=0)])
def test_a_healthy_tenant_needs_no_reason(workload: Workload) -> None:
    assert _judge(DEPLOYED, workload).reason == ""


@pytest.mark.parametrize(
    ("revision", "workload", "diagnosis", "reason"),
    [
        (
            build_revision("pending-upgrade", writer="process-1"),
            None,
            None,
            "upgrade by operator@here (process 7) since 02:59:00 UTC",
        ),
        (
            build_revision("pending-install", writer="process-9"),
            None,
            None,
            "the install since 02:59:00 UTC lost its process",
        ),
        (
            build_revision("pending-rollback"),
            None,
            None,
            "rollback by hand-run helm since 02:59:00 UTC",
        ),
        (
            build_revision("pending-upgrade", age=timedelta(hours=1)),
            None,
            None,
            "the upgrade by hand-run helm since 02:00:00 UTC never ended",
        ),
        (
            build_revision("uninstalling", age=OLD, unchanged_for=MINUTE),
            None,
            None,
            "uninstall by hand-run helm since 02:59:00 UTC",
        ),
        (build_revision("failed"), build_workload(0), HOPELESS, HOPELESS.sentence),
        (build_revision("failed"), None, None, "revision 3 failed"),
        (
            build_revision("failed"),
            build_workload(1),
            None,
            "revision 3 failed; the pods that run are ready",
        ),
        (DEPLOYED, None, None, "its Deployment is missing"),
        (
            DEPLOYED,
            build_workload(0, spec_replicas=0),
            None,
            "scaled by hand to 0, the release says 1",
        ),
        (DEPLOYED, build_workload(1, wanted=2), None, "1 of 2 replicas ready"),
        (DEPLOYED, build_workload(0), PASSING, "a probe fails"),
        (DEPLOYED, build_workload(0, failure_message="quota"), None, "quota"),
        (DEPLOYED, build_workload(0, **LATE), None, "not ready in time"),
        (DEPLOYED, build_workload(0, **NEW), PASSING, "a probe fails"),
        (DEPLOYED, build_workload(0, **NEW), STARTING, "it is still starting"),
        (DEPLOYED, build_workload(0, **LATE), STARTING, "not ready in time: it is still starting"),
        (DEPLOYED, build_workload(0, **LATE), PASSING, "a probe fails"),
    ],
)
def test_anything_but_health_has_a_reason(
    revision: Revision, workload: Workload | None, diagnosis: Diagnosis | None, reason: str
) -> None:
    assert _judge(revision, workload, diagnosis=diagnosis).reason == reason


def test_the_operator_may_declare_a_hand_run_helm_dead() -> None:
    verdict = _judge(build_revision("pending-upgrade"), hand_run_timeout=timedelta(0))
    assert verdict.state is TenantState.STUCK


def test_our_own_live_process_is_never_declared_dead() -> None:
    pending = build_revision("pending-upgrade", writer="process-1")
    verdict = _judge(pending, hand_run_timeout=timedelta(0))
    assert verdict.state is TenantState.BUSY


CLAIM = Claim("process-1", NOW - OLD, NOW + MINUTE)


@pytest.mark.parametrize("status", ["pending-rollback", "uninstalling"])
@pytest.mark.parametrize(("writer", "state"), [("process-1", "busy"), ("process-9", "stuck")])
def test_the_claim_tells_whose_rollback_or_uninstall_it_is(
    status: str, writer: str, state: str
) -> None:
    revision = build_revision(status, writer="process-2", written_for=2)
    verdict = _judge(revision, claim=replace(CLAIM, writer=writer))
    assert verdict.state is TenantState(state)


def test_a_claim_from_before_says_nothing_about_a_hand_run_helm() -> None:
    ended = replace(CLAIM, writer="process-9", until=NOW - 2 * MINUTE)
    assert _judge(build_revision("pending-rollback"), claim=ended).state is TenantState.BUSY


def test_a_failed_revision_is_explained_by_its_description() -> None:
    verdict = _judge(build_revision("failed"), diagnosis=HOPELESS, failure="exceeded  quota: x")
    assert verdict.reason == "exceeded quota: x"
