"""Commands on what all tenants share: the platform and the API."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from ..part import API, PLATFORM, Part
from . import options
from .outcome import carry_out
from .output import print_data, print_table, to_plain

DRY_RUN_WRITER = "dry-run"
CHARTS = {PLATFORM: "platform_chart", API: "api_chart"}

_unset_option = click.option(
    "--unset",
    multiple=True,
    metavar="KEY",
    help="Drop one of the values given before; may be repeated",
)
_overwrite_option = click.option(
    "--overwrite-drift", is_flag=True, help="Undo what was set by hand"
)
_cert_manager_option = click.option(
    "--cert-manager-chart",
    type=click.Path(exists=True),
    default=None,
    metavar="FILE",
    help="Package of cert-manager's chart, for clusters without internet  "
    "[default: the pin in the platform's values]",
)


def _deploy_platform(
    *,
    is_upgrade: bool,
    files: tuple[Path, ...],
    assignments: tuple[str, ...],
    cert_manager_chart: str | None,
    unset: tuple[str, ...] = (),
    overwrite_drift: bool = False,
    **flags: Any,
) -> None:
    from .. import wiring
    from ..operations import platform
    from ..operations.parts import PartRequest

    overrides = options.read_overrides(PLATFORM.release, files, assignments)
    part = PartRequest(overrides, unset, overwrite_drift, is_upgrade)
    request = platform.PlatformRequest(part, cert_manager_chart or "")
    settings = options.build_settings(flags, chart_setting=CHARTS[PLATFORM])
    given = (wiring.build_site(settings), settings, request)
    carry_out(
        PLATFORM.release,
        plan=partial(platform.plan_platform, *given, writer=DRY_RUN_WRITER),
        change=partial(platform.deploy_platform, *given),
        **flags,
    )


@click.command()
@options.part_values_options
@_cert_manager_option
@options.wait_options
@options.change_options
def install_platform(**flags: Any) -> None:
    """Install what all tenants share: namespace, cert-manager, Secrets, Postgres, certificate.

    \b
    Can be run again at any time: what is there and up to date is left as it is, and what
    was interrupted goes on. Secrets are made once and never again.

    \b
    Example:
      release-manager install-platform --settings fleet.k3s.yaml
    """
    _deploy_platform(is_upgrade=False, **flags)


@click.command()
@options.part_values_options
@_unset_option
@_overwrite_option
@_cert_manager_option
@options.wait_options
@options.change_options
def upgrade_platform(**flags: Any) -> None:
    """Upgrade the platform to the current chart and fleet file, and to new values.

    \b
    Values given before are kept; -f and --set change or add some. Volumes and Secrets stay
    as they are. An upgrade that fails is explained and rolled back.

    \b
    Example:
      release-manager upgrade-platform --set postgres.resources.limits.memory=1Gi
    """
    _deploy_platform(is_upgrade=True, **flags)


def _deploy_api(
    *,
    is_upgrade: bool,
    files: tuple[Path, ...],
    assignments: tuple[str, ...],
    unset: tuple[str, ...] = (),
    overwrite_drift: bool = False,
    **flags: Any,
) -> None:
    from .. import wiring
    from ..operations import api
    from ..operations.parts import PartRequest

    overrides = options.read_overrides(API.release, files, assignments)
    request = PartRequest(overrides, unset, overwrite_drift, is_upgrade)
    settings = options.build_settings(flags, chart_setting=CHARTS[API])
    given = (wiring.build_ports(settings), settings, request)
    carry_out(
        API.release,
        plan=partial(api.plan_api, *given, writer=DRY_RUN_WRITER),
        change=partial(api.deploy_api, *given),
        **flags,
    )


@click.command()
@options.part_values_options
@options.wait_options
@options.change_options
def install_api(**flags: Any) -> None:
    """Install the product's API and wait until it is ready. The platform comes first.

    \b
    Example:
      release-manager install-api --set image.tag=2026.11.1
    """
    _deploy_api(is_upgrade=False, **flags)


@click.command()
@options.part_values_options
@_unset_option
@_overwrite_option
@options.wait_options
@options.change_options
def upgrade_api(**flags: Any) -> None:
    """Upgrade the API to the current chart and fleet file, and to new values.

    \b
    Values given before are kept; -f and --set change or add some. It restarts when the
    Secret aware-secrets has changed. An upgrade that fails, its database migration
    included, is explained and rolled back.

    \b
    Example:
      release-manager upgrade-api --set image.tag=2026.11.2
    """
    _deploy_api(is_upgrade=True, **flags)


def _remove(part: Part, request: Any, *, yes: bool, **flags: Any) -> None:
    from .. import wiring
    from ..operations import removal
    from ..operations.observe import observe_tenant

    settings = options.build_settings(flags, chart_setting=CHARTS[part])
    ports = wiring.build_ports(settings)
    ports.cluster.require_namespace()
    plan = removal.plan_removal(ports, observe_tenant(ports, part.release), request)
    if not flags["dry_run"]:
        options.confirm(f"Remove {', '.join(plan.removed)}?", is_confirmed=yes)
    carry_out(
        part.release,
        plan=lambda: plan,
        change=partial(removal.remove_part, ports, part.release, request),
        **flags,
    )


@click.command()
@click.option("--force", "is_forced", is_flag=True, help="Although tenants or the API are there")
@click.option(
    "--keep-data", "is_keeping_data", is_flag=True, help="Leave the volume and the Secrets"
)
@click.option(
    "--delete-data",
    "is_deleting_data",
    is_flag=True,
    help="Delete the database's volume and the Secrets, too; they cannot be brought back",
)
@options.timeout_option
@options.yes_option
@options.change_options
def uninstall_platform(
    *, is_forced: bool, is_keeping_data: bool, is_deleting_data: bool, **flags: Any
) -> None:
    """Remove the platform. Refuses while tenants, the API or data are there, unless told.

    \b
    Backups and cert-manager stay in any case.

    \b
    Example:
      release-manager uninstall-platform --keep-data --yes
    """
    from ..operations.removal import RemovalRequest

    if is_keeping_data and is_deleting_data:
        raise click.UsageError("--keep-data and --delete-data exclude each other: give one")
    request = RemovalRequest(
        is_forced=is_forced, is_keeping_data=is_keeping_data, is_deleting_data=is_deleting_data
    )
    _remove(PLATFORM, request, **flags)


@click.command()
@options.timeout_option
@options.yes_option
@options.change_options
def uninstall_api(**flags: Any) -> None:
    """Remove the API. The database and all Secrets stay.

    \b
    Example:
      release-manager uninstall-api --yes
    """
    from ..operations.removal import RemovalRequest

    _remove(API, RemovalRequest(), **flags)


@click.command()
@options.output_option
@options.settings_options
def show_platform(*, form: str, **shared: Any) -> None:
    """Show each part that all tenants share: its state, its version, and why.

    \b
    States:
      ready        it does its work
      missing      it is not there
      off          the values switch it off
      progressing  it starts, and nothing speaks against it yet
      degraded     it was ready, and is not now
      failed       it could not be applied, or cannot become ready
      busy         a process that is alive is changing it
      stuck        the process that was changing it is gone; the same command repairs it

    \b
    Example:
      release-manager show-platform -o json
    """
    from .. import wiring
    from ..operations import site

    settings = options.build_settings(shared)
    parts = site.show_site(wiring.build_site(settings, is_writing=False), settings)
    if form != "table":
        print_data(to_plain(parts), form)
        return
    rows = [(item.part, item.state.value, item.version, item.reason) for item in parts]
    print_table(("PART", "STATE", "VERSION", "REASON"), rows, is_cut=True)


@click.command()
@click.argument("what", type=click.Choice(["database", "jwt"]), metavar="database|jwt")
@options.timeout_option
@options.change_options
def rotate_secret(*, what: str, **flags: Any) -> None:
    """Replace the database's password, or what the API signs with, and restart the API.

    \b
    The old one stays until the API is ready with the new one; when it does not get ready,
    the old one is put back. A rotation that was interrupted goes on when run again.

    \b
    Example:
      release-manager rotate-secret database
    """
    from .. import wiring
    from ..operations import rotation

    settings = options.build_settings(flags, chart_setting=CHARTS[API])
    site = wiring.build_site(settings)
    chosen = rotation.Rotated(what)
    carry_out(
        PLATFORM.release,
        plan=partial(rotation.plan_secret_rotation, site.ports, settings, chosen),
        change=partial(rotation.rotate_secret, site, settings, chosen),
        **flags,
    )


COMMANDS: tuple[click.Command, ...] = (
    install_platform,
    upgrade_platform,
    show_platform,
    uninstall_platform,
    rotate_secret,
    install_api,
    upgrade_api,
    uninstall_api,
)
