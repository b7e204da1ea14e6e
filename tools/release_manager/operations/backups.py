"""Backups of the database: made, listed, restored, and the API switched to what was restored."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlunsplit

from ..errors import InvalidInputError, OperationFailedError, ReleaseBusyError
from ..part import API, PLATFORM
from ..ports import Job, JobState, Ports, RunOptions, Schedule, Secret, Site
from ..settings import Settings
from ..values import without_key
from .api import plan_api_restart, restart_api
from .jobs import Output, run_job
from .shared_secrets import (
    DATABASE_URL,
    NEXT_URL,
    PREVIOUS_URL,
    SHARED,
    parse_url,
    read_database,
)
from .work import Work, working_on

BACKUP, LIST, RESTORE = "postgres-backup", "postgres-list-backups", "postgres-restore"
ALERT_AFTER_HOURS = 26
# What PostgreSQL takes without quotes, so that nothing anywhere has to quote it.
_DATABASE = re.compile(r"[a-z_][a-z0-9_]{0,62}", re.ASCII)
_RESTORED = re.compile(r"_([0-9]{8}t[0-9]{6}z)$", re.ASCII)
_BACKUP_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z", re.ASCII)


@dataclass(frozen=True)
class Backup:
    """One backup in the store.

    state: complete, or incomplete for one that cannot be restored. size_bytes: of the archive.
    """

    id: str
    state: str
    database: str = ""
    server_version: str = ""
    size_bytes: int = 0
    tables: int = 0
    rows: int = 0
    seconds: float = 0.0
    sha256: str = ""


@dataclass(frozen=True)
class BackupVerdict:
    """Whether backups are made as they should be, and what tells so."""

    is_ok: bool
    detail: str


@dataclass(frozen=True)
class Restoration:
    """How a restore ended. database: the new one. old_database: the one before."""

    backup: str
    database: str
    old_database: str
    is_old_dropped: bool
    tables: int
    rows: int
    seconds: float


def parse_backup(result: Mapping[str, Any]) -> Backup:
    """Return what a line of the scripts tells of a backup."""
    return Backup(
        id=str(result["id"]),
        state=str(result.get("state", "complete")),
        database=str(result.get("database", "")),
        server_version=str(result.get("serverVersion", "")),
        size_bytes=int(result.get("bytes", 0)),
        tables=int(result.get("tables", 0)),
        rows=int(result.get("rows", 0)),
        seconds=float(result.get("seconds", 0)),
        sha256=str(result.get("sha256", "")),
    )


def backup_database(site: Site, run: RunOptions) -> Backup:
    """Make a backup now, and wait until it is in the store and was read back from there.

    Raises ReleaseBusyError while another is made, OperationFailedError.
    """
    site.ports.cluster.require_namespace()
    active = [job.name for job in site.jobs.list(BACKUP) if job.state is JobState.ACTIVE]
    if active:
        raise ReleaseBusyError(
            f"the job {active[0]} makes a backup at this moment",
            remedy=f"Wait for it, or follow it with 'kubectl logs -f job/{active[0]}'",
            tenant=PLATFORM.release,
        )
    return parse_backup(_require_result(run_job(site, BACKUP, run), "id"))


def list_backups(site: Site, run: RunOptions) -> list[Backup]:
    """Return all backups in the store, newest first, complete or not."""
    site.ports.cluster.require_namespace()
    output = run_job(site, LIST, run)
    return sorted(map(parse_backup, output.results), key=lambda item: item.id, reverse=True)


def find_latest(site: Site, run: RunOptions) -> str:
    """Return the ID of the newest complete backup. Raises InvalidInputError where there is none.

    While a switch is half done, it is the backup that is switched to.
    """
    if interrupted := _read_interrupted(site.ports):
        return interrupted
    found = [item.id for item in list_backups(site, run) if item.state == "complete"]
    if not found:
        raise _refuse(
            "field BACKUP: there is no complete backup",
            "Make one with 'release-manager backup-database'",
        )
    return found[0]


def _read_interrupted(ports: Ports) -> str:
    """Return the ID of the backup that a switch was cut off at, as its database's name says."""
    secret = ports.secrets.read(SHARED)
    if secret is None or PREVIOUS_URL not in secret.data:
        return ""
    found = _RESTORED.search(read_database(secret.data.get(DATABASE_URL, "")))
    return found[1].upper() if found else ""


def _require_result(output: Output, key: str) -> Mapping[str, Any]:
    for result in output.results:
        if key in result:
            return result
    raise OperationFailedError(
        "the job ended well and did not say what it has done",
        remedy="See 'release-manager list-backups'",
        tenant=PLATFORM.release,
    )


def judge_backups(schedule: Schedule, jobs: Sequence[Job], now: datetime) -> BackupVerdict:
    """Return whether backups are made as they should be. jobs: those of the schedule."""
    if schedule.is_suspended:
        return BackupVerdict(is_ok=False, detail="the schedule is suspended")
    since = schedule.last_success or schedule.created_at
    limit = timedelta(hours=schedule.alert_after_hours or ALERT_AFTER_HOURS)
    last = next((job for job in jobs if job.state is not JobState.ACTIVE), None)
    if last is not None and last.state is JobState.FAILED and last.created_at > since:
        why = f": {last.reason}" if last.reason else ""
        return BackupVerdict(is_ok=False, detail=f"the last one, {last.name}, failed{why}")
    if schedule.last_success is None:
        detail = f"none has succeeded yet; the schedule is {schedule.schedule!r}"
    else:
        detail = f"the last success was at {since:%Y-%m-%d %H:%M} UTC"
    if now - since > limit:
        hours = (now - since).total_seconds() / 3600
        return BackupVerdict(is_ok=False, detail=f"{detail}, {hours:.0f} hours without one")
    return BackupVerdict(is_ok=True, detail=detail)


# Restoring.


@dataclass(frozen=True)
class RestoreRequest:
    """What to restore. into: the new database; empty for a name made from the backup's."""

    backup: str
    into: str = ""
    is_dropping_old: bool = False


@dataclass(frozen=True)
class RestorePlan:
    """Which backup goes into which new database, and what becomes of the one before.

    has_switched: whether an earlier run has got as far as the Secret.
    """

    backup: str
    database: str
    old_database: str
    is_dropping_old: bool
    has_api: bool
    has_switched: bool
    secret: Secret = field(repr=False)


def plan_restore(
    ports: Ports, settings: Settings, request: RestoreRequest, work: Work | None = None
) -> RestorePlan:
    """Look and decide; changes nothing. Raises InvalidInputError, ReleaseBusyError.

    work: of a process that has the API for itself.
    """
    ports.cluster.require_namespace()
    if not _BACKUP_ID.fullmatch(request.backup):
        raise _refuse(
            f"field BACKUP: {request.backup!r} is no backup's ID",
            "See 'release-manager list-backups'; an ID looks like 20260131T020000Z, and 'latest' "
            "is the newest",
        )
    secret = ports.secrets.read(SHARED)
    if secret is None or not secret.data.get(DATABASE_URL):
        raise _refuse(
            f"there is no Secret {SHARED} with a key {DATABASE_URL!r}", "Install the platform first"
        )
    current = read_database(secret.data[DATABASE_URL])
    stem = _RESTORED.sub("", current)
    database = request.into or f"{stem}_{request.backup.lower()}"
    if not _DATABASE.fullmatch(database):
        raise _refuse(
            f"field --into: {database!r} is no name for a database",
            "Use up to 63 lower-case letters, digits and underscores",
        )
    before = secret.data.get(PREVIOUS_URL)
    if database == current and before is None:
        raise _refuse(
            f"field --into: the API uses the database {current}, which is never overwritten",
            "Name another with --into",
        )
    is_rotating = before is not None and read_database(before) == current
    if is_rotating or NEXT_URL in secret.data:
        raise _refuse(
            "a rotation of the database's password was interrupted",
            "Finish it first with 'release-manager rotate-secret database'",
        )
    if before is not None and database != current:
        raise _refuse(
            f"a switch to the database {current} was interrupted",
            f"Finish it first: restore the backup that it was made from with --into {current}",
        )
    return RestorePlan(
        backup=request.backup,
        database=database,
        old_database=read_database(before) if before is not None else current,
        is_dropping_old=request.is_dropping_old,
        has_api=plan_api_restart(ports, settings, work),
        has_switched=before is not None,
        secret=secret,
    )


def _refuse(problem: str, remedy: str) -> InvalidInputError:
    return InvalidInputError(problem, remedy=remedy, tenant=PLATFORM.release)


def restore_database(
    site: Site, settings: Settings, request: RestoreRequest, run: RunOptions
) -> Restoration:
    """Restore a backup into a fresh database, and switch the API to it once it is verified.

    The old database is kept unless its deletion was asked for, which comes last of all. Can be
    run again at any point. Raises RolloutFailedError, and OperationFailedError: then the API has
    its old database, or the new one where only the old one's deletion has failed.
    """
    ports = site.ports
    with working_on(ports, PLATFORM.release), working_on(ports, API.release) as work:
        plan = plan_restore(ports, settings, request, work)
        environment = {"BACKUP_ID": plan.backup, "RESTORE_INTO": plan.database}
        result: Mapping[str, Any] = {}
        if not plan.has_switched:
            result = _require_result(run_job(site, RESTORE, run, environment), "database")
            run.progress(f"database {plan.database} is verified")
            _switch(ports, plan, run)
        if plan.has_api:
            restart_api(ports, settings, work, run, undo=lambda: _put_back(ports, plan, run))
        if plan.is_dropping_old:
            # Before the way here is forgotten, so that whoever goes on does it, too.
            _drop(site, plan.old_database, run)
        _forget_previous(ports)
        return Restoration(
            backup=plan.backup,
            database=plan.database,
            old_database=plan.old_database,
            is_old_dropped=plan.is_dropping_old,
            tables=int(result.get("tables", 0)),
            rows=int(result.get("rows", 0)),
            seconds=float(result.get("seconds", 0)),
        )


def _drop(site: Site, database: str, run: RunOptions) -> None:
    """Drop a database; what has been restored is not undone when that fails."""
    try:
        run_job(site, RESTORE, run, {"DROP_DATABASE": database, "BACKUP_ID": ""})
    except OperationFailedError as exc:
        _forget_previous(site.ports)
        raise OperationFailedError(
            f"the API has the restored database, and the old one, {database}, stays: {exc.problem}",
            remedy=f"Drop it with 'kubectl exec postgres-0 -- dropdb -U postgres {database}'",
            tenant=PLATFORM.release,
        ) from exc
    run.progress(f"database {database} is dropped")


def _switch(ports: Ports, plan: RestorePlan, run: RunOptions) -> None:
    """Let the Secret name the new database, and remember the one before until all is well."""
    before = plan.secret.data[DATABASE_URL]
    url = urlunsplit(parse_url(before)._replace(path=f"/{plan.database}"))
    data = {**plan.secret.data, DATABASE_URL: url, PREVIOUS_URL: before}
    ports.secrets.update(replace(plan.secret, data=data))
    run.progress(f"Secret {SHARED} names the database {plan.database}")


def _put_back(ports: Ports, plan: RestorePlan, run: RunOptions) -> None:
    secret = ports.secrets.read(SHARED)
    if secret is None or PREVIOUS_URL not in secret.data:
        return
    data = {**secret.data, DATABASE_URL: secret.data[PREVIOUS_URL]}
    ports.secrets.update(replace(secret, data=without_key(data, PREVIOUS_URL)))
    run.progress(f"Secret {SHARED} names the database {plan.old_database} again")


def _forget_previous(ports: Ports) -> None:
    secret = ports.secrets.read(SHARED)
    if secret is not None and PREVIOUS_URL in secret.data:
        ports.secrets.update(replace(secret, data=without_key(secret.data, PREVIOUS_URL)))
