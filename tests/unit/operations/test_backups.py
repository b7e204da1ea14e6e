"""Backups: made, listed, restored, and the API switched to what was restored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from release_manager.errors import (
    DriftError,
    InvalidInputError,
    JobTemplateNotFoundError,
    OperationFailedError,
    ReleaseBusyError,
    RolloutFailedError,
)
from release_manager.operations.backups import (
    Restoration,
    RestoreRequest,
    backup_database,
    find_latest,
    list_backups,
    plan_restore,
    restore_database,
)
from release_manager.operations.shared_secrets import read_checksum, read_database
from release_manager.ports import Secret
from release_manager.workload import Container, Environment, Pod
from tests.unit.fakes import START, ManagerKilled
from tests.unit.operations.platforms import FakeSite

ID = "20260301T020000Z"
NEW = "aware_20260301t020000z"
BACKUP = {
    "id": ID,
    "database": "aware",
    "serverVersion": "18.6",
    "bytes": 2048,
    "sha256": "abc",
    "tables": 3,
    "rows": 42,
    "seconds": 1.5,
}
DROPPED = ("postgres-restore", {"DROP_DATABASE": "aware", "BACKUP_ID": ""})
RESTORED = {"backup": ID, "database": NEW, "tables": 3, "rows": 42, "bytes": 2048, "seconds": 2.0}


@pytest.fixture
def installed(site: FakeSite) -> FakeSite:
    site.install()
    site.install_api()
    site.jobs.outputs["postgres-backup"] = ["dumping aware", json.dumps(BACKUP), "stored"]
    site.jobs.outputs["postgres-restore"] = ["restoring", json.dumps(RESTORED)]
    return site


def restore(site: FakeSite, backup: str = ID, **request: object) -> Restoration:
    given = replace(RestoreRequest(backup), **request)  # type: ignore[arg-type]
    return restore_database(site.site, site.settings, given, site.world.run())


def database(site: FakeSite) -> str:
    return read_database(site.read_secrets()["aware-secrets"]["database-url"])


def test_a_backup_is_made_and_told(installed: FakeSite) -> None:
    backup = backup_database(installed.site, installed.world.run())

    assert (backup.id, backup.state, backup.size_bytes) == (ID, "complete", 2048)
    assert (backup.tables, backup.rows, backup.seconds) == (3, 42, 1.5)
    assert "dumping aware" in installed.world.told
    assert "stored" in installed.world.told


def test_there_are_never_two_at_once(installed: FakeSite) -> None:
    installed.jobs.start("postgres-backup", {})
    with pytest.raises(ReleaseBusyError, match="makes a backup at this moment"):
        backup_database(installed.site, installed.world.run())


def test_backups_that_are_switched_off_cannot_be_made(installed: FakeSite) -> None:
    installed.jobs.templates.clear()
    with pytest.raises(JobTemplateNotFoundError):
        backup_database(installed.site, installed.world.run())


def fail(site: FakeSite, template: str, *, exit_code: int = 1, log: str = "disk full") -> None:
    site.jobs.failures[template] = "Job has reached the specified backoff limit"
    name = f"{template}-{len(site.jobs.started) + 1}"
    container = Container("dump", "x", is_ready=False, restarts=0, exit_code=exit_code)
    site.world.cluster.job_pods[name] = [
        Pod(
            f"{name}-x7k2p",
            phase="Failed",
            node="node-0",
            is_ready=False,
            is_deleting=False,
            created_at=START,
            environment=Environment({"BACKUP_ID": ID}, secret_names=("aware-secrets",)),
            containers=(container,),
        )
    ]
    site.world.cluster.logs[name] = [log]


def test_a_failure_is_told_by_its_last_lines_without_secrets(installed: FakeSite) -> None:
    url = installed.read_secrets()["aware-secrets"]["database-url"]
    fail(installed, "postgres-backup", log=f"{ID}: cannot reach {url}: disk full")
    with pytest.raises(OperationFailedError, match=f"{ID}: .*disk full") as caught:
        backup_database(installed.site, installed.world.run())

    assert url not in str(caught.value)


def test_a_job_that_has_ended_before_it_is_seen_is_no_gateway(installed: FakeSite) -> None:
    fail(installed, "postgres-backup", exit_code=0)
    installed.jobs.failures.clear()
    (pod,) = installed.world.cluster.job_pods["postgres-backup-1"]
    installed.world.cluster.job_pods["postgres-backup-1"] = [replace(pod, phase="Pending")]
    installed.jobs.seconds = 0.1
    backup_database(installed.site, installed.world.run())

    assert not any("gateway" in text for text in installed.world.told)


def test_what_a_job_says_is_told_without_secrets(installed: FakeSite) -> None:
    url = installed.read_secrets()["aware-secrets"]["database-url"]
    fail(installed, "postgres-backup")
    installed.jobs.failures.clear()
    installed.jobs.outputs["postgres-backup"] = [f"{ID}: connecting to {url}", json.dumps(BACKUP)]
    backup_database(installed.site, installed.world.run())

    assert any(f"{ID}: connecting to" in text for text in installed.world.told)
    assert not any(url in text for text in installed.world.told)


def test_a_script_that_found_another_at_work_is_busy(installed: FakeSite) -> None:
    fail(installed, "postgres-backup", exit_code=75, log="another backup is being made")
    with pytest.raises(ReleaseBusyError, match="another backup is being made"):
        backup_database(installed.site, installed.world.run())


def test_a_job_that_does_not_end_is_left_to_go_on(installed: FakeSite) -> None:
    installed.jobs.seconds = 1e6
    with pytest.raises(OperationFailedError, match="has not ended after 300 seconds") as caught:
        backup_database(installed.site, installed.world.run())

    assert "kubectl logs -f" in caught.value.remedy


def test_backups_are_listed_newest_first(installed: FakeSite) -> None:
    lines = [
        {"id": "20260101T020000Z", "state": "incomplete"},
        {**BACKUP, "state": "complete"},
    ]
    installed.jobs.outputs["postgres-list-backups"] = [json.dumps(line) for line in lines]
    found = list_backups(installed.site, installed.world.run())

    assert [(item.id, item.state) for item in found] == [
        (ID, "complete"),
        ("20260101T020000Z", "incomplete"),
    ]


def test_the_latest_is_the_newest_that_is_complete(installed: FakeSite) -> None:
    lines = [
        {**BACKUP, "id": "20260101T020000Z", "state": "complete"},
        {**BACKUP, "state": "complete"},
        {"id": "20260401T020000Z", "state": "incomplete"},
    ]
    installed.jobs.outputs["postgres-list-backups"] = [json.dumps(line) for line in lines]
    assert find_latest(installed.site, installed.world.run()) == ID

    installed.jobs.outputs["postgres-list-backups"] = [json.dumps(lines[2])]
    with pytest.raises(InvalidInputError, match="there is no complete backup"):
        find_latest(installed.site, installed.world.run())


# Restoring.


def test_the_api_gets_the_new_database_and_the_old_one_is_kept(installed: FakeSite) -> None:
    before = installed.world.values("api")["secrets"]["checksum"]
    result = restore(installed)

    assert (result.database, result.old_database, result.is_old_dropped) == (NEW, "aware", False)
    assert installed.jobs.started == [
        ("postgres-restore", {"BACKUP_ID": ID, "RESTORE_INTO": NEW}),
    ]
    assert database(installed) == NEW
    assert installed.world.values("api")["secrets"]["checksum"] != before
    assert installed.world.statuses("api") == ["superseded", "deployed"]
    assert installed.read_secrets()["aware-secrets"].keys() == {"database-url", "jwt-secret"}


def test_nothing_is_left_to_do_for_the_api_afterwards(installed: FakeSite) -> None:
    restore(installed)

    assert installed.install_api().action == "nothing"
    assert installed.upgrade_api().action == "nothing"


def test_the_password_and_the_rest_of_the_url_stay(installed: FakeSite) -> None:
    before = installed.read_secrets()["aware-secrets"]["database-url"]
    restore(installed)

    assert (
        installed.read_secrets()["aware-secrets"]["database-url"] == before[: -len("aware")] + NEW
    )


def test_the_old_database_goes_only_when_told(installed: FakeSite) -> None:
    assert restore(installed, is_dropping_old=True).is_old_dropped
    assert installed.jobs.started[-1] == DROPPED


def test_an_old_database_that_cannot_be_dropped_undoes_nothing(installed: FakeSite) -> None:
    installed.world.releases.after_helm = lambda: installed.jobs.failures.update(
        {"postgres-restore": "backoff limit"}
    )
    with pytest.raises(OperationFailedError, match="the old one, aware, stays") as caught:
        restore(installed, is_dropping_old=True)

    assert "dropdb -U postgres aware" in caught.value.remedy
    assert database(installed) == NEW
    assert installed.read_secrets()["aware-secrets"].keys() == {"database-url", "jwt-secret"}


def test_a_name_of_ones_own_is_used(installed: FakeSite) -> None:
    installed.jobs.outputs["postgres-restore"] = [json.dumps({**RESTORED, "database": "mine"})]
    restore(installed, into="mine")

    assert database(installed) == "mine"


def test_a_second_restore_does_not_pile_names_up(installed: FakeSite) -> None:
    restore(installed)
    plan = plan_restore(installed.ports, installed.settings, RestoreRequest("20260302T020000Z"))

    assert (plan.old_database, plan.database) == (NEW, "aware_20260302t020000z")


def test_a_restore_that_fails_changes_nothing(installed: FakeSite) -> None:
    secrets = installed.read_secrets()
    fail(installed, "postgres-restore", log="table users: 41 rows, the backup had 42")
    with pytest.raises(OperationFailedError, match="41 rows"):
        restore(installed)

    assert installed.read_secrets() == secrets
    assert installed.world.statuses("api") == ["deployed"]


def test_an_api_that_does_not_get_ready_gets_its_old_database_back(installed: FakeSite) -> None:
    secrets = installed.read_secrets()
    world = installed.world
    world.releases.before_helm = lambda: world.cluster.break_image("")
    with pytest.raises(RolloutFailedError, match="rolled back to revision 1"):
        restore(installed)

    assert installed.read_secrets() == secrets


def test_a_restore_that_was_killed_goes_on(installed: FakeSite) -> None:
    installed.world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        restore(installed)
    assert database(installed) == NEW
    assert "previous-database-url" in installed.read_secrets()["aware-secrets"]

    result = restore(installed, is_dropping_old=True)
    assert (result.database, result.old_database) == (NEW, "aware")
    assert installed.jobs.started[1:] == [DROPPED]
    assert installed.world.statuses("api")[-1] == "deployed"
    assert "previous-database-url" not in installed.read_secrets()["aware-secrets"]


def test_another_restore_waits_for_one_that_was_killed(installed: FakeSite) -> None:
    installed.world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        restore(installed)
    with pytest.raises(InvalidInputError, match=f"a switch to the database {NEW} was interrupted"):
        restore(installed, "20260302T020000Z")


def test_what_is_switched_to_is_the_latest_until_that_is_done(installed: FakeSite) -> None:
    installed.world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        restore(installed)
    newer = json.dumps({"id": "20260302T020000Z", "state": "complete"})
    installed.jobs.outputs["postgres-list-backups"] = [newer]

    assert find_latest(installed.site, installed.world.run()) == ID
    restore(installed)
    assert find_latest(installed.site, installed.world.run()) == "20260302T020000Z"


def test_a_deletion_that_was_killed_is_done_by_the_next(installed: FakeSite) -> None:
    def die(template: str, environment: Mapping[str, str]) -> str:
        if "DROP_DATABASE" in environment:
            raise ManagerKilled
        return start(template, environment)

    start = installed.jobs.start
    installed.jobs.start = die  # type: ignore[method-assign]
    with pytest.raises(ManagerKilled):
        restore(installed, is_dropping_old=True)
    installed.jobs.start = start  # type: ignore[method-assign]

    assert restore(installed, is_dropping_old=True).is_old_dropped
    assert installed.jobs.started[-1] == DROPPED
    assert installed.read_secrets()["aware-secrets"].keys() == {"database-url", "jwt-secret"}


def test_a_job_of_a_command_that_was_killed_is_waited_for(installed: FakeSite) -> None:
    name = installed.jobs.start("postgres-restore", {})
    restore(installed)

    assert any(f"waiting for the job {name}" in text for text in installed.world.told)
    created = [job.created_at for job in installed.jobs.list("postgres-restore")]
    assert (created[0] - created[1]).total_seconds() >= installed.jobs.seconds


def test_a_half_done_rotation_comes_first(installed: FakeSite) -> None:
    secret = installed.ports.secrets.read("aware-secrets")
    assert secret is not None
    data = {**secret.data, "next-database-url": secret.data["database-url"]}
    installed.ports.secrets.update(replace(secret, data=data))
    with pytest.raises(InvalidInputError, match="a rotation of the database's password was"):
        restore(installed)


def test_an_api_with_a_secret_of_its_own_is_not_switched(site: FakeSite) -> None:
    site.install()
    own = {"database-url": "postgresql://a:b@c/d", "jwt-secret": "j"}
    site.ports.secrets.create(Secret("own", own))
    site.install_api(secrets={"name": "own"})
    with pytest.raises(InvalidInputError, match="the API reads the Secret own") as caught:
        restore(site, is_dropping_old=True)

    assert "upgrade-api --unset secrets.name" in caught.value.remedy
    assert site.jobs.started == []


def test_what_was_set_by_hand_is_in_the_way_before_anything_is_changed(
    installed: FakeSite,
) -> None:
    secrets = installed.read_secrets()
    installed.world.cluster.scale("api", 5)
    with pytest.raises(DriftError) as caught:
        restore(installed)

    assert "release-manager upgrade-api --overwrite-drift" in caught.value.remedy
    assert installed.jobs.started == []
    assert installed.read_secrets() == secrets


def test_an_api_that_was_switched_by_a_dead_process_gets_its_old_database_back(
    installed: FakeSite,
) -> None:
    secrets = installed.read_secrets()
    world = installed.world
    world.releases.before_helm = lambda: world.cluster.break_image("")
    world.releases.after_helm = _die
    with pytest.raises(ManagerKilled):
        restore(installed)
    with pytest.raises(RolloutFailedError):
        restore(installed)

    assert installed.read_secrets() == secrets
    assert world.values("api")["secrets"]["checksum"] == read_checksum(
        installed.ports, "aware-secrets"
    )


def _die() -> None:
    raise ManagerKilled


def test_without_an_api_only_the_secret_changes(site: FakeSite) -> None:
    site.install()
    site.jobs.outputs["postgres-restore"] = [json.dumps(RESTORED)]
    restore(site)

    assert database(site) == NEW
    assert site.world.statuses("api") == []


@pytest.mark.parametrize(
    ("backup", "into", "message"),
    [
        ("yesterday", "", "field BACKUP: 'yesterday' is no backup's ID"),
        ("../20260301T020000Z", "", "is no backup's ID"),
        (ID, "aware", "the API uses the database aware, which is never overwritten"),
        (ID, "Aware-2", "field --into: 'Aware-2' is no name for a database"),
        (ID, "x" * 64, "is no name for a database"),
    ],
)
def test_bad_input_is_refused(installed: FakeSite, backup: str, into: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        plan_restore(installed.ports, installed.settings, RestoreRequest(backup, into))
    assert installed.jobs.started == []


@pytest.mark.parametrize("data", [None, {"jwt-secret": "x"}])
def test_without_a_url_nothing_can_be_restored(site: FakeSite, data: dict[str, str] | None) -> None:
    if data is not None:
        site.ports.secrets.create(Secret("aware-secrets", data))
    with pytest.raises(InvalidInputError, match="no Secret aware-secrets"):
        plan_restore(site.ports, site.settings, RestoreRequest(ID))
