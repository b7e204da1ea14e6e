"""Commands on the database's backups."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from ..part import PLATFORM
from . import options
from .output import (
    print_data,
    print_fields,
    print_note,
    print_table,
    print_text,
    report_progress,
    to_plain,
)

if TYPE_CHECKING:
    from ..operations.backups import RestorePlan

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_STEP = 1024


def _timeout_option(default: str) -> Callable[[options.Command], options.Command]:
    return click.option(
        "--timeout",
        type=options.Duration(),
        default=default,
        show_default=True,
        help="How long to wait for the job, which goes on after that",
    )


def format_size(size_bytes: int) -> str:
    """Return a size such as ``12.5 MiB``."""
    size = float(size_bytes)
    for unit in _UNITS:
        if size < _STEP or unit == _UNITS[-1]:
            break
        size /= _STEP
    return f"{size:.0f} {unit}" if unit == _UNITS[0] else f"{size:.1f} {unit}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


@click.command()
@_timeout_option("1h")
@options.output_option
@options.settings_options
def backup_database(*, timeout: float, form: str, **shared: Any) -> None:
    """Make a backup of the database now, and wait until it is stored and was read back.

    \b
    Example:
      release-manager backup-database
    """
    from .. import wiring
    from ..operations import backups
    from ..ports import RunOptions

    site = wiring.build_site(options.build_settings(shared), is_writing=False)
    with report_progress(PLATFORM.release) as progress:
        backup = backups.backup_database(site, RunOptions(timeout, progress))
    if form != "table":
        print_data(to_plain(backup), form)
        return
    print_text(
        f"backup {backup.id} is complete: {_count(backup.tables, 'table')}, "
        f"{_count(backup.rows, 'row')}, "
        f"{format_size(backup.size_bytes)}, in {backup.seconds:.1f} seconds"
    )


@click.command()
@_timeout_option("5m")
@options.output_option
@options.settings_options
def list_backups(*, timeout: float, form: str, **shared: Any) -> None:
    """Show the backups in the store, newest first. Only a complete one can be restored.

    \b
    Example:
      release-manager list-backups -o json
    """
    from .. import wiring
    from ..operations import backups
    from ..ports import RunOptions

    site = wiring.build_site(options.build_settings(shared), is_writing=False)
    with report_progress(PLATFORM.release) as progress:
        found = backups.list_backups(site, RunOptions(timeout, progress))
    if form != "table":
        print_data(to_plain(found), form)
        return
    if not found:
        print_note("there are no backups; make one with 'release-manager backup-database'")
        return
    rows = [
        (
            item.id,
            item.state,
            item.database,
            item.server_version,
            format_size(item.size_bytes) if item.size_bytes else "",
            str(item.tables) if item.tables else "",
            str(item.rows) if item.tables else "",
        )
        for item in found
    ]
    print_table(("BACKUP", "STATE", "DATABASE", "SERVER", "SIZE", "TABLES", "ROWS"), rows)


@click.command()
@click.argument("backup", metavar="BACKUP")
@click.option("--into", default="", help="Name of the new database  [default: from the backup's]")
@click.option(
    "--drop-old",
    "is_dropping_old",
    is_flag=True,
    help="Drop the old database at the end; it cannot be brought back",
)
@_timeout_option("2h")
@options.yes_option
@options.change_options
def restore_database(
    *,
    backup: str,
    into: str,
    is_dropping_old: bool,
    timeout: float,
    yes: bool,
    dry_run: bool,
    form: str,
    **shared: Any,
) -> None:
    """Restore a backup into a fresh database, verify it, and switch the API to it.

    \b
    Every table's rows and contents, sequences, large objects, extensions and definitions
    are compared with what was in the database when the backup was made. Only then does
    the API get the new database; if it does not get ready with it, it gets the old one
    back. The old database is kept unless --drop-old is given. BACKUP is an ID of
    list-backups, or "latest" for the newest that is complete.

    \b
    Example:
      release-manager restore-database 20260131T020000Z --yes
    """
    from .. import wiring
    from ..operations import backups
    from ..ports import RunOptions

    settings = options.build_settings(shared)
    site = wiring.build_site(settings)
    if backup == "latest":
        with report_progress(PLATFORM.release) as progress:
            backup = backups.find_latest(site, RunOptions(timeout, progress))
    request = backups.RestoreRequest(backup, into, is_dropping_old)
    plan = backups.plan_restore(site.ports, settings, request)
    if dry_run:
        _print_plan(plan, form)
        return
    question = f"Switch the API from database {plan.old_database} to backup {plan.backup}"
    question += f" and drop {plan.old_database}?" if plan.is_dropping_old else "?"
    options.confirm(question, is_confirmed=yes)
    began_at = datetime.now(UTC)
    with report_progress(PLATFORM.release) as progress:
        result = backups.restore_database(site, settings, request, RunOptions(timeout, progress))
    if form != "table":
        print_data(to_plain(result), form)
        return
    seconds = (datetime.now(UTC) - began_at).total_seconds()
    old = "was dropped" if result.is_old_dropped else "is kept"
    print_text(
        f"backup {result.backup} is restored and verified in database {result.database}: "
        f"{_count(result.tables, 'table')}, {_count(result.rows, 'row')}, "
        f"in {seconds:.0f} seconds; database {result.old_database} {old}"
    )


def _print_plan(plan: RestorePlan, form: str) -> None:
    data = to_plain(plan)
    if form != "table":
        print_data(data, form)
        return
    print_fields(
        [
            ("backup", plan.backup),
            ("into", plan.database),
            ("then", "the API is switched to it" if plan.has_api else "there is no API to switch"),
            (plan.old_database, "dropped" if plan.is_dropping_old else "kept"),
        ]
    )


COMMANDS: tuple[click.Command, ...] = (backup_database, list_backups, restore_database)
