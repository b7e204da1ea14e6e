"""Commands that change a tenant."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options
from .outcome import carry_out, describe_access, print_plan, print_result

if TYPE_CHECKING:
    from ..ports import Ports
    from ..settings import Settings

DRY_RUN_WRITER = "dry-run"


def _connect(flags: dict[str, Any], *, profile: str | None = None) -> tuple[Settings, Ports]:
    """Take the settings' options out of ``flags``; what stays is what carry_out needs."""
    from .. import wiring

    settings = options.build_settings(flags, profile=profile)
    return settings, wiring.build_ports(settings)


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
@click.option(
    "--force",
    "is_forcing",
    is_flag=True,
    help="Install it even where no node has room for it, as with an autoscaler",
)
@options.wait_options
@options.change_options
def install_tenant(
    *,
    slug: str,
    files: tuple[Path, ...],
    assignments: tuple[str, ...],
    profile: str | None,
    stopped: bool,
    is_cleaning_up: bool,
    is_forcing: bool,
    **flags: Any,
) -> None:
    """Install a tenant and wait until it is ready.

    \b
    Makes the Secret with the tenant's token, unless there is one. A failed first
    install is left as it is, for inspection. Where no node has room for its pods
    nothing is made; whether one has is not asked for --stopped.

    \b
    Example:
      release-manager install-tenant acme --set resources.limits.memory=384Mi
    """
    from ..operations import install
    from ..values import merge_values

    overrides = options.read_overrides(slug, files, assignments)
    if stopped:
        overrides = merge_values(overrides, {"replicas": 0})
    settings, ports = _connect(flags, profile=profile)
    given = (ports, settings, slug, overrides)
    carry_out(
        slug,
        plan=partial(install.plan_install, *given, writer=DRY_RUN_WRITER, is_forcing=is_forcing),
        change=partial(
            install.install_tenant, *given, is_cleaning_up=is_cleaning_up, is_forcing=is_forcing
        ),
        describe_end=lambda: describe_access(ports, slug),
        **flags,
    )


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
@options.change_options
def upgrade_tenant(
    *,
    slug: str,
    files: tuple[Path, ...],
    assignments: tuple[str, ...],
    profile: str | None,
    unset: tuple[str, ...],
    overwrite_drift: bool,
    **flags: Any,
) -> None:
    """Upgrade a tenant to the current chart and defaults, and to new values of its own.

    \b
    The tenant's own values are kept; -f and --set change or add some. A stopped tenant
    stays stopped. An upgrade that fails is explained and rolled back.

    \b
    Example:
      release-manager upgrade-tenant acme --set image.tag=2026.9.6
    """
    from ..operations import upgrade

    request = upgrade.UpgradeRequest(
        overrides=options.read_overrides(slug, files, assignments),
        unset=unset,
        profile=profile,
        overwrite_drift=overwrite_drift,
    )
    settings, ports = _connect(flags)
    given = (ports, settings, slug, request)
    carry_out(
        slug,
        plan=lambda: upgrade.plan_upgrade(*given, writer=DRY_RUN_WRITER)[1],
        change=partial(upgrade.upgrade_tenant, *given),
        **flags,
    )


def _scale(slug: str, replicas: int | None, flags: dict[str, Any]) -> None:
    from ..operations import scale

    settings, ports = _connect(flags)
    given = (ports, settings, slug, replicas)
    carry_out(
        slug,
        plan=partial(scale.plan_scale, *given, writer=DRY_RUN_WRITER),
        change=partial(scale.scale_tenant, *given),
        **flags,
    )


@click.command()
@options.slug_argument
@options.wait_options
@options.change_options
def start_tenant(*, slug: str, **flags: Any) -> None:
    """Start a stopped tenant, with as many replicas as it had.

    \b
    Example:
      release-manager start-tenant acme
    """
    _scale(slug, None, flags)


@click.command()
@options.slug_argument
@options.wait_options
@options.change_options
def stop_tenant(*, slug: str, **flags: Any) -> None:
    """Stop a tenant: no replica, its data and host kept. It stays stopped through upgrades.

    \b
    Example:
      release-manager stop-tenant acme
    """
    _scale(slug, 0, flags)


@click.command()
@click.option("--replicas", type=click.IntRange(0, 100), required=True, help="How many to run")
@options.slug_argument
@options.wait_options
@options.change_options
def scale_tenant(*, slug: str, replicas: int, **flags: Any) -> None:
    """Run a tenant with a number of replicas.

    \b
    Example:
      release-manager scale-tenant acme --replicas 2
    """
    _scale(slug, replicas, flags)


@click.command()
@options.slug_argument
@click.option("--to-revision", type=click.IntRange(1), help="[default: the last good one]")
@options.wait_options
@options.change_options
def rollback_tenant(*, slug: str, to_revision: int | None, **flags: Any) -> None:
    """Return a tenant to an older revision, its own values included.

    \b
    Example:
      release-manager rollback-tenant acme --to-revision 2
    """
    from ..operations import rollback

    _, ports = _connect(flags)
    given = (ports, slug, to_revision)
    carry_out(
        slug,
        plan=partial(rollback.plan_tenant_rollback, *given),
        change=partial(rollback.rollback_tenant, *given),
        **flags,
    )


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
@options.change_options
def uninstall_tenant(*, slug: str, is_deleting_data: bool, yes: bool, **flags: Any) -> None:
    """Remove a tenant. Its volume and its token are kept unless --delete-data says otherwise.

    \b
    Example:
      release-manager uninstall-tenant acme --yes
    """
    from ..operations import uninstall
    from ..operations.observe import observe_tenant

    _, ports = _connect(flags)
    ports.cluster.require_namespace()
    plan = uninstall.plan_uninstall(
        ports, observe_tenant(ports, slug), is_deleting_data=is_deleting_data
    )
    if not flags["dry_run"]:
        options.confirm(f"Remove {', '.join(plan.removed)}?", is_confirmed=yes)
    carry_out(
        slug,
        plan=lambda: plan,
        change=partial(uninstall.uninstall_tenant, ports, slug, is_deleting_data=is_deleting_data),
        **flags,
    )


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
@options.change_options
def recover_tenant(*, slug: str, older_than: float, **flags: Any) -> None:
    """Repair a tenant whose release is stuck or failed.

    \b
    Goes back to the last good revision, or finishes a first install or an uninstall that
    was cut off. Never uninstalls a tenant and never deletes a volume.

    \b
    Example:
      release-manager recover-tenant acme
    """
    from ..operations import recover

    _, ports = _connect(flags)
    dead_after = timedelta(seconds=older_than)
    carry_out(
        slug,
        plan=partial(recover.plan_tenant_recovery, ports, slug, hand_run_timeout=dead_after),
        change=partial(recover.recover_tenant, ports, slug, hand_run_timeout=dead_after),
        **flags,
    )


@click.command()
@options.slug_argument
@options.timeout_option
@options.change_options
def rotate_token(*, slug: str, **flags: Any) -> None:
    """Replace a tenant's token: new Secret content, restart, verify, forget the old one.

    \b
    Example:
      release-manager rotate-token acme
    """
    from ..operations import token

    settings, ports = _connect(flags)
    given = (ports, settings, slug)
    carry_out(
        slug,
        plan=partial(token.plan_rotation, *given, writer=DRY_RUN_WRITER),
        change=partial(token.rotate_token, *given),
        **flags,
    )


@click.command()
@options.slug_argument
@click.option("--reason", required=True, help="Why, in a few words; shown wherever it matters")
@options.change_options
def hold_tenant(*, slug: str, reason: str, dry_run: bool, form: str, **flags: Any) -> None:
    """Hold a tenant: upgrade-all, stop-all and start-all leave it alone until unhold-tenant.

    \b
    Example:
      release-manager hold-tenant acme --reason "demo on Friday"
    """
    from ..operations import hold

    _, ports = _connect(flags)
    if dry_run:
        print_plan(hold.plan_hold(ports, slug, reason), form)
    else:
        print_result(hold.hold_tenant(ports, slug, reason), form)


@click.command()
@options.slug_argument
@options.change_options
def unhold_tenant(*, slug: str, dry_run: bool, form: str, **flags: Any) -> None:
    """End the hold of a tenant.

    \b
    Example:
      release-manager unhold-tenant acme
    """
    from ..operations import hold

    _, ports = _connect(flags)
    if dry_run:
        print_plan(hold.plan_unhold(ports, slug), form)
    else:
        print_result(hold.unhold_tenant(ports, slug), form)


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
    hold_tenant,
    unhold_tenant,
)
