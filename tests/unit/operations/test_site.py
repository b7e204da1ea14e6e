"""What ``show-platform`` tells of each part."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from release_manager.operations.site import PartState, PartSummary, show_site
from release_manager.ports import Condition, Schedule, Secret
from release_manager.tenant import ReleaseStatus
from tests.unit.fakes import START
from tests.unit.operations.platforms import CERTIFICATE, FakeSite


def show(site: FakeSite) -> dict[str, PartSummary]:
    return {item.part: item for item in show_site(site.site, site.settings)}


SCHEDULE = Schedule(
    "postgres-backup",
    "0 2 * * *",
    is_suspended=False,
    created_at=START,
    last_success=START - timedelta(hours=1),
    alert_after_hours=26,
)


@pytest.fixture
def installed(site: FakeSite) -> FakeSite:
    site.install()
    site.install_api()
    site.surroundings.releases["certificates.cert-manager.io"] = ("", "")
    site.jobs.schedules["postgres-backup"] = SCHEDULE
    return site


def test_an_empty_cluster_is_told_where_to_begin(site: FakeSite) -> None:
    (row,) = show_site(site.site, site.settings)

    assert (row.part, row.state) == ("namespace", PartState.MISSING)
    assert "install-platform" in row.reason


def test_what_is_missing_says_how_to_get_it(site: FakeSite) -> None:
    site.surroundings.create_namespace({})
    rows = show(site)

    assert {name: row.state for name, row in rows.items()} == {
        "namespace": PartState.READY,
        "cert-manager": PartState.MISSING,
        "platform": PartState.MISSING,
        "api": PartState.MISSING,
    }
    assert "install-api" in rows["api"].reason


def test_all_is_ready_after_the_installs(installed: FakeSite) -> None:
    rows = show(installed)

    assert [(row.part, row.state.value, row.version) for row in rows.values()] == [
        ("namespace", "ready", "aware"),
        ("cert-manager", "ready", "v1.21.1"),
        ("platform", "ready", "0.1.0"),
        ("postgres", "ready", "18.6"),
        ("backups", "ready", ""),
        ("Certificate wildcard", "ready", ""),
        ("api", "ready", "0.1.0"),
    ]
    assert {name: row.reason for name, row in rows.items() if row.reason} == {
        "backups": "the last success was at 2026-03-01 02:00 UTC"
    }


def test_a_cert_manager_that_does_not_answer_is_failed(installed: FakeSite) -> None:
    installed.surroundings.problems = ["no endpoints available"]
    row = show(installed)["cert-manager"]

    assert (row.state, row.reason) == (PartState.FAILED, "no endpoints available")


def test_a_cert_manager_from_elsewhere_is_ready_too(site: FakeSite) -> None:
    site.surroundings.releases["certificates.cert-manager.io"] = ("", "")
    site.install()
    row = show(site)["cert-manager"]

    assert (row.state, row.version) == (PartState.READY, "not ours")


def test_what_the_values_switch_off_is_off(site: FakeSite) -> None:
    site.surroundings.conditions = []
    site.install(certificates={"enabled": False})

    assert show(site)["cert-manager"].state is PartState.OFF


def test_a_certificate_tells_why_it_is_not_ready(installed: FakeSite) -> None:
    installed.surroundings.conditions = [
        replace(CERTIFICATE, is_ready=False, reason="DNS record not yet propagated"),
        Condition("ClusterIssuer", "letsencrypt", is_ready=True),
    ]
    rows = show(installed)

    assert rows["Certificate wildcard"].state is PartState.FAILED
    assert "DNS record" in rows["Certificate wildcard"].reason
    assert rows["ClusterIssuer letsencrypt"].state is PartState.READY


def test_postgres_has_a_row_of_its_own(installed: FakeSite) -> None:
    installed.world.cluster.delete_workload("platform")
    rows = show(installed)

    assert rows["platform"].state is PartState.READY
    assert rows["postgres"].state is PartState.MISSING


def test_backups_tell_when_they_fail_and_when_they_are_off(installed: FakeSite) -> None:
    suspended = replace(SCHEDULE, is_suspended=True)
    installed.jobs.schedules["postgres-backup"] = suspended
    row = show(installed)["backups"]
    assert (row.state, row.reason) == (PartState.FAILED, "the schedule is suspended")

    installed.jobs.schedules.clear()
    assert show(installed)["backups"].state is PartState.OFF


def test_a_database_elsewhere_is_told_by_its_host(site: FakeSite) -> None:
    url = "postgresql://aware:p@db/aware?sslmode=verify-full"
    site.ports.secrets.create(Secret("aware-secrets", {"database-url": url}))
    site.install(postgres={"enabled": False}, externalDatabase={"host": "db.example"})
    row = show(site)["postgres"]

    assert (row.state, row.version, row.reason) == (PartState.READY, "external", "at db.example")


def test_a_failed_release_tells_why(installed: FakeSite) -> None:
    installed.world.releases.set_status("api", ReleaseStatus.FAILED)

    assert show(installed)["api"].state is PartState.FAILED


def test_what_was_set_by_hand_is_told(installed: FakeSite) -> None:
    chart = installed.world.charts.load("platform-chart")
    installed.world.releases.upgrade_by_hand("platform", {"env": {"A": "1"}}, chart)

    assert "set by hand: env" in show(installed)["platform"].reason


def test_an_api_that_crashes_is_told_by_its_first_cause(installed: FakeSite) -> None:
    installed.world.cluster.break_image("")
    installed.world.clock.advance(600)

    assert show(installed)["api"].state in {PartState.DEGRADED, PartState.FAILED}
    assert "cannot be pulled" in show(installed)["api"].reason
