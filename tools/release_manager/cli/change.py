"""Commands that change a tenant."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options
from .output import print_data, print_fields, print_table, print_text, report_progress, to_plain

if TYPE_CHECKING:
    from ..operations.deploy import Result
    from ..operations.plan import Plan

DRY_RUN_WRITER = "dry-run"


_DONE = {
    "install": "installed",
    "upgrade": "upgraded",
    "start": "started",
    "stop": "stopped",
    "scale": "scaled",
    "rollback": "rolled back",
    "uninstall": "uninstalled",
    "recover": "recovered",
    "rotate": "token replaced",
}


def _print_result(result: Result, form: str) -> None:
    if form != "table":
        print_data(to_plain(result), form)
        return
    if result.action == "nothing":
        text = result.detail or "nothing to do, it is up to date"
    else:
        done = _DONE.get(result.action, result.action)
        number = f", revision {result.revision}" if result.revision else ""
        text = f"{done}{number}" + (f" ({result.detail})" if result.detail else "")
    print_text(f"tenant {result.slug}: {text}")


def _print_plan(plan: Plan, form: str) -> None:
    data = {
        "slug": plan.slug,
        "action": plan.action.value,
        "revision": plan.revision,
        "chart": f"{plan.chart.name}-{plan.chart.version}",
        "chartBefore": plan.chart_before,
        "changes": to_plain(plan.changes),
        "notes": list(plan.notes),
    }
    if form != "table":
        print_data(data, form)
        return
    from ..values import format_value

    print_fields(
        [
            ("tenant", plan.slug),
            ("would do", data["action"]),
            ("revision", str(plan.revision)),
            ("chart", " -> ".join(text for text in (plan.chart_before, data["chart"]) if text)),
            *(("note", note) for note in plan.notes),
        ]
    )
    if plan.changes:
        rows = [
            (change.path, format_value(change.old), format_value(change.new))
            for change in plan.changes
        ]
        print_table(("VALUE", "NOW", "THEN"), rows)


@click.command()
@options.slug_argument
@options.values_options
@click.option("--stopped", is_flag=True, help="Install it with no replica running")
@click.option(
    "--cleanup-on-fail",
    "is_cleaning_up",
    is_flag=True,
    help="Remove the release again when it fails",
)
@options.wait_options
@options.dry_run_option
@options.output_option
@options.settings_options
def install_tenant(
    *,
    slug: str,
    files: tuple[Path, ...],
    assignments: tuple[str, ...],
    profile: str | None,
    stopped: bool,
    is_cleaning_up: bool,
    timeout: float,
    is_waiting: bool,
    dry_run: bool,
    form: str,
    **shared: Any,
) -> None:
    """Install a tenant and wait until it is ready.

    \b
    Makes the Secret with the tenant's token, unless there is one. A failed first
    install is left as it is, for inspection.

    \b
    Example:
      release-manager install-tenant acme --set resources.limits.memory=384Mi
    """
    from .. import wiring
    from ..operations import install
    from ..ports import RunOptions
    from ..values import merge_values

    settings = options.build_settings(shared, profile=profile)
    overrides = options.read_overrides(slug, files, assignments)
    if stopped:
        overrides = merge_values(overrides, {"replicas": 0})
    ports = wiring.build_ports(settings)
    if dry_run:
        _, plan = install.plan_install(ports, settings, slug, overrides, writer=DRY_RUN_WRITER)
        return _print_plan(plan, form)
    with report_progress(slug) as progress:
        result = install.install_tenant(
            ports,
            settings,
            slug,
            overrides,
            RunOptions(timeout, progress, is_waiting=is_waiting),
            is_cleaning_up=is_cleaning_up,
        )
    return _print_result(result, form)


@click.command()
@options.slug_argument
@options.values_options
@click.option(
    "--unset",
    multiple=True,
    metavar="KEY",
    help="Drop one of the tenant's own values; may be repeated",
)
@click.option("--overwrite-drift", is_flag=True, help="Undo what was set by hand")
@options.wait_options
@options.dry_run_option
@options.output_option
@options.settings_options
def upgrade_tenant(
    *,
    slug: str,
    files: tuple[Path, ...],
    assignments: tuple[str, ...],
    profile: str | None,
    unset: tuple[str, ...],
    overwrite_drift: bool,
    timeout: float,
    is_waiting: bool,
    dry_run: bool,
    form: str,
    **shared: Any,
) -> None:
    """Upgrade a tenant to the current chart and defaults, and to new values of its own.

    \b
    The tenant's own values are kept; -f and --set change or add some. A stopped tenant
    stays stopped. An upgrade that fails is explained and rolled back.

    \b
    Example:
      release-manager upgrade-tenant acme --set image.tag=2026.9.6
    """
    from .. import wiring
    from ..operations import upgrade
    from ..ports import RunOptions

    settings = options.build_settings(shared)
    request = upgrade.UpgradeRequest(
        overrides=options.read_overrides(slug, files, assignments),
        unset=unset,
        profile=profile,
        overwrite_drift=overwrite_drift,
    )
    ports = wiring.build_ports(settings)
    if dry_run:
        _, plan = upgrade.plan_upgrade(ports, settings, slug, request, writer=DRY_RUN_WRITER)
        return _print_plan(plan, form)
    with report_progress(slug) as progress:
        result = upgrade.upgrade_tenant(
            ports,
            settings,
            slug,
            request,
            RunOptions(timeout, progress, is_waiting=is_waiting),
        )
    return _print_result(result, form)


def _scale(
    slug: str,
    replicas: int | None,
    *,
    timeout: float,
    is_waiting: bool,
    dry_run: bool,
    form: str,
    shared: dict[str, Any],
) -> None:
    from .. import wiring
    from ..operations import scale
    from ..ports import RunOptions

    settings = options.build_settings(shared)
    ports = wiring.build_ports(settings)
    if dry_run:
        _, plan = scale.plan_scale(ports, settings, slug, replicas, writer=DRY_RUN_WRITER)
        return _print_plan(plan, form)
    with report_progress(slug) as progress:
        result = scale.scale_tenant(
            ports,
            settings,
            slug,
            replicas,
            RunOptions(timeout, progress, is_waiting=is_waiting),
        )
    return _print_result(result, form)


_scale_options = (
    options.slug_argument,
    options.wait_options,
    options.dry_run_option,
    options.output_option,
    options.settings_options,
)


def _with_scale_options(command: Any) -> Any:
    for decorator in reversed(_scale_options):
        command = decorator(command)
    return command


@click.command()
@_with_scale_options
def start_tenant(*, slug: str, **given: Any) -> None:
    """Start a stopped tenant, with as many replicas as it had.

    \b
    Example:
      release-manager start-tenant acme
    """
    _scale_from_flags(slug, None, given)


@click.command()
@_with_scale_options
def stop_tenant(*, slug: str, **given: Any) -> None:
    """Stop a tenant: no replica, its data and host kept. It stays stopped through upgrades.

    \b
    Example:
      release-manager stop-tenant acme
    """
    _scale_from_flags(slug, 0, given)


@click.command()
@click.option("--replicas", type=click.IntRange(0, 100), required=True, help="How many to run")
@_with_scale_options
def scale_tenant(*, slug: str, replicas: int, **given: Any) -> None:
    """Run a tenant with a number of replicas.

    \b
    Example:
      release-manager scale-tenant acme --replicas 2
    """
    _scale_from_flags(slug, replicas, given)


def _scale_from_flags(slug: str, replicas: int | None, given: dict[str, Any]) -> None:
    own = {name: given.pop(name) for name in ("timeout", "is_waiting", "dry_run", "form")}
    _scale(slug, replicas, **own, shared=given)


@click.command()
@options.slug_argument
@click.option("--to-revision", type=click.IntRange(1), help="[default: the last good one]")
@options.wait_options
@options.dry_run_option
@options.output_option
@options.settings_options
def rollback_tenant(
    *,
    slug: str,
    to_revision: int | None,
    timeout: float,
    is_waiting: bool,
    dry_run: bool,
    form: str,
    **shared: Any,
) -> None:
    """Return a tenant to an older revision, its own values included.

    \b
    Example:
      release-manager rollback-tenant acme --to-revision 2
    """
    from .. import wiring
    from ..operations import rollback
    from ..ports import RunOptions

    ports = wiring.build_ports(options.build_settings(shared))
    if dry_run:
        _, plan = rollback.look_and_plan(ports, slug, to_revision)
        return _print_record(to_plain(plan), form)
    with report_progress(slug) as progress:
        result = rollback.rollback_tenant(
            ports,
            slug,
            to_revision,
            RunOptions(timeout, progress, is_waiting=is_waiting),
        )
    return _print_result(result, form)


def _print_record(record: dict[str, Any], form: str) -> None:
    if form != "table":
        print_data(record, form)
        return
    print_fields([(name, _join(value)) for name, value in record.items()])


def _join(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


@click.command()
@options.slug_argument
@click.option(
    "--delete-data",
    "is_deleting_data",
    is_flag=True,
    help="Delete its volume and its token, too; they cannot be brought back",
)
@options.timeout_option
@options.yes_option
@options.dry_run_option
@options.output_option
@options.settings_options
def uninstall_tenant(
    *,
    slug: str,
    is_deleting_data: bool,
    timeout: float,
    yes: bool,
    dry_run: bool,
    form: str,
    **shared: Any,
) -> None:
    """Remove a tenant. Its volume and its token are kept unless --delete-data says otherwise.

    \b
    Example:
      release-manager uninstall-tenant acme --yes
    """
    from .. import wiring
    from ..operations import uninstall
    from ..operations.observe import observe_tenant
    from ..ports import RunOptions

    ports = wiring.build_ports(options.build_settings(shared))
    ports.cluster.require_namespace()
    plan = uninstall.plan_uninstall(
        ports, observe_tenant(ports, slug), is_deleting_data=is_deleting_data
    )
    if dry_run:
        return _print_record(to_plain(plan), form)
    options.confirm(f"Remove {', '.join(plan.removed)}?", is_confirmed=yes)
    with report_progress(slug) as progress:
        result = uninstall.uninstall_tenant(
            ports, slug, RunOptions(timeout, progress), is_deleting_data=is_deleting_data
        )
    return _print_result(result, form)


@click.command()
@options.slug_argument
@click.option(
    "--older-than",
    type=options.Duration(),
    default="5m",
    show_default=True,
    help="From which age a hand-run helm counts as dead",
)
@options.wait_options
@options.dry_run_option
@options.output_option
@options.settings_options
def recover_tenant(
    *,
    slug: str,
    older_than: float,
    timeout: float,
    is_waiting: bool,
    dry_run: bool,
    form: str,
    **shared: Any,
) -> None:
    """Repair a tenant whose release is stuck or failed.

    \b
    Goes back to the last good revision, or finishes a first install or an uninstall that
    was cut off. Never uninstalls a tenant and never deletes a volume.

    \b
    Example:
      release-manager recover-tenant acme
    """
    from .. import wiring
    from ..operations import recover
    from ..operations.observe import observe_tenant
    from ..ports import RunOptions

    ports = wiring.build_ports(options.build_settings(shared))
    hand_run_timeout = timedelta(seconds=older_than)
    if dry_run:
        ports.cluster.require_namespace()
        observation = observe_tenant(ports, slug)
        plan = recover.plan_recovery(observation, hand_run_timeout=hand_run_timeout)
        return _print_record(to_plain(plan), form)
    with report_progress(slug) as progress:
        result = recover.recover_tenant(
            ports,
            slug,
            RunOptions(timeout, progress, is_waiting=is_waiting),
            hand_run_timeout=hand_run_timeout,
        )
    return _print_result(result, form)


@click.command()
@options.slug_argument
@options.timeout_option
@options.dry_run_option
@options.output_option
@options.settings_options
def rotate_token(*, slug: str, timeout: float, dry_run: bool, form: str, **shared: Any) -> None:
    """Replace a tenant's token: new Secret content, restart, verify, forget the old one.

    \b
    Example:
      release-manager rotate-token acme
    """
    from .. import wiring
    from ..operations import token
    from ..ports import RunOptions

    settings = options.build_settings(shared)
    ports = wiring.build_ports(settings)
    if dry_run:
        _, plan = token.plan_rotation(ports, settings, slug, writer=DRY_RUN_WRITER)
        return _print_plan(plan, form)
    with report_progress(slug) as progress:
        result = token.rotate_token(ports, settings, slug, RunOptions(timeout, progress))
    return _print_result(result, form)


COMMANDS: tuple[click.Command, ...] = (
    install_tenant,
    upgrade_tenant,
    start_tenant,
    stop_tenant,
    scale_tenant,
    rollback_tenant,
    uninstall_tenant,
    recover_tenant,
    rotate_token,
)
