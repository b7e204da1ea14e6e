"""What doctor finds, one line each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from release_manager.errors import (
    ClusterUnreachableError,
    ForbiddenError,
    HelmUnusableError,
    InvalidSettingsError,
)
from release_manager.operations.doctor import Check, examine
from release_manager.ports import Job, JobState, Schedule

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@dataclass
class FakeInspection:
    """Port ``Inspection``: a cluster in which all is well."""

    helm: str | Exception = "v4.3.1 (/usr/bin/helm)"
    cluster: str | Exception = "v1.35.8"
    is_namespace_there: bool = True
    missing_rights: list[str] | Exception = field(default_factory=list)
    missing_definitions: list[str] = field(default_factory=list)
    ingress_pods: int | Exception = 1
    storage_class: str = "standard"
    clock_offset_seconds: float = 0.0
    ready_nodes: int = 1
    is_platform_there: bool = False
    schedule: Schedule | None = None
    jobs: list[Job] = field(default_factory=list)

    def read_helm_version(self) -> str:
        return _give(self.helm)

    def read_cluster(self) -> str:
        return _give(self.cluster)

    def has_namespace(self) -> bool:
        return self.is_namespace_there

    def list_missing_rights(self) -> list[str]:
        return _give(self.missing_rights)

    def list_missing_definitions(self) -> list[str]:
        return self.missing_definitions

    def count_ingress_pods(self) -> int:
        return _give(self.ingress_pods)

    def find_default_storage_class(self) -> str:
        return self.storage_class

    def read_clock_offset_seconds(self) -> float:
        return self.clock_offset_seconds

    def count_ready_nodes(self) -> int:
        return self.ready_nodes

    def has_platform(self) -> bool:
        return self.is_platform_there

    def read_schedule(self, name: str) -> Schedule | None:
        return self.schedule

    def list_jobs(self, template: str) -> Sequence[Job]:
        return self.jobs

    def now(self) -> datetime:
        return NOW


def _give(value: Any) -> Any:
    if isinstance(value, Exception):
        raise value
    return value


def _examine(**found: Any) -> dict[str, Check]:
    return {check.name: check for check in examine(FakeInspection(**found), "aware")}


def test_a_cluster_in_which_all_is_well_needs_no_remedy() -> None:
    checks = _examine().values()
    assert all(check.is_ok and not check.remedy for check in checks)


@pytest.mark.parametrize(
    ("name", "found", "detail", "is_required"),
    [
        ("helm", {"helm": HelmUnusableError("too old", remedy="Install")}, "too old", True),
        ("namespace", {"is_namespace_there": False}, "aware does not exist", True),
        ("rights", {"missing_rights": ["list pods"]}, "missing: list pods", True),
        ("definitions", {"missing_definitions": ["x.traefik.io"]}, "missing: x.traefik.io", True),
        ("nodes", {"ready_nodes": 0}, "none is ready", False),
        ("ingress", {"ingress_pods": 0}, "no Traefik pod is ready", False),
        ("storage", {"storage_class": ""}, "there is no default StorageClass", False),
        ("clock", {"clock_offset_seconds": 60.0}, "60 seconds behind the API server's", False),
        ("clock", {"clock_offset_seconds": -9.0}, "9 seconds ahead of the API server's", False),
    ],
)
def test_what_is_missing_comes_with_a_remedy(
    name: str, found: dict[str, object], detail: str, is_required: bool
) -> None:
    check = _examine(**found)[name]
    assert (check.is_ok, check.detail, check.is_required) == (False, detail, is_required)
    assert check.remedy


def test_a_fact_that_may_not_be_read_ends_nothing_else() -> None:
    checks = _examine(ingress_pods=ForbiddenError("forbidden", remedy="Ask"))
    assert not checks["ingress"].is_ok
    assert checks["clock"].is_ok


def test_nothing_more_is_asked_of_a_cluster_that_does_not_answer() -> None:
    checks = _examine(cluster=ClusterUnreachableError("no answer", remedy="Check it"))
    assert list(checks) == ["helm", "cluster"]


def test_a_kubeconfig_that_cannot_be_used_is_a_finding_about_the_cluster() -> None:
    checks = _examine(cluster=InvalidSettingsError("there is no file x", remedy="Name one"))
    assert checks["helm"].is_ok
    assert checks["cluster"] == Check("cluster", False, "there is no file x", "Name one")  # noqa: FBT003


# Backups.

DAILY = Schedule(
    "postgres-backup",
    "0 2 * * *",
    is_suspended=False,
    created_at=NOW - timedelta(days=9),
    last_success=NOW - timedelta(hours=10),
    alert_after_hours=26,
)
FAILED = Job("postgres-backup-2", JobState.FAILED, NOW - timedelta(hours=1), "backoff limit")


@pytest.mark.parametrize(
    ("schedule", "jobs", "detail", "is_ok"),
    [
        (DAILY, [], "the last success was at 2026-03-02 02:00 UTC", True),
        (replace(DAILY, last_success=NOW - timedelta(hours=27)), [], "27 hours without one", False),
        (replace(DAILY, last_success=None), [], "none has succeeded yet", False),
        (
            replace(DAILY, last_success=None, created_at=NOW - timedelta(hours=2)),
            [],
            "none has succeeded yet; the schedule is '0 2 * * *'",
            True,
        ),
        (replace(DAILY, is_suspended=True), [], "the schedule is suspended", False),
        (DAILY, [FAILED], "the last one, postgres-backup-2, failed: backoff limit", False),
        (DAILY, [replace(FAILED, created_at=NOW - timedelta(hours=11))], "the last success", True),
        (DAILY, [replace(FAILED, state=JobState.ACTIVE)], "the last success", True),
        (replace(DAILY, alert_after_hours=0), [], "the last success", True),
        (None, [], "none are made", False),
    ],
)
def test_backups_are_as_good_as_the_last_one(
    schedule: Schedule | None, jobs: list[Job], detail: str, is_ok: bool
) -> None:
    check = _examine(is_platform_there=True, schedule=schedule, jobs=jobs)["backups"]

    assert detail in check.detail
    assert (check.is_ok, check.is_required) == (is_ok, False)
    assert bool(check.remedy) is not is_ok


def test_without_a_platform_there_is_nothing_to_back_up() -> None:
    assert _examine()["backups"].is_ok
