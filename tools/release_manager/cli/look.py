"""Commands that only look."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options
from .output import (
    format_age,
    print_data,
    print_fields,
    print_note,
    print_table,
    print_text,
    to_plain,
)

if TYPE_CHECKING:
    from ..operations.listing import TenantSummary
    from ..operations.show import TenantDetail
    from ..ports import TokenSecret
    from ..settings import Settings

# Characters of a value that has a line of its own.
WIDE = 2_000
_FRESHNESS = {True: "yes", False: "no", None: "unknown"}


@click.command()
@options.output_option
@options.settings_options
def list_tenants(*, form: str, **shared: Any) -> None:
    """Show every tenant: its state and why, revision, chart, host.

    \b
    States:
      running      every replica that the release asks for is ready
      stopped      the release asks for no replica and none is left
      progressing  a rollout is under way and nothing speaks against it yet
      degraded     the rollout had completed, but replicas are missing now or differ
                   from the release
      failed       the last revision could not be applied, or its rollout cannot complete
      busy         a process that is alive is changing the release
      stuck        the process that was changing the release is gone; recover-tenant repairs it

    \b
    Example:
      release-manager list-tenants -o json
    """
    from .. import wiring
    from ..operations import listing

    settings = options.build_settings(shared)
    tenants = listing.list_tenants(wiring.build_ports(settings, is_writing=False), settings)
    if form != "table":
        return print_data(to_plain(tenants), form)
    return print_tenants(tenants, settings)


def _describe_hold(tenant: TenantSummary) -> str:
    return f"held: {tenant.hold}" if tenant.hold is not None else ""


def print_tenants(tenants: Sequence[TenantSummary], settings: Settings) -> None:
    """Print the table of tenants; without any, say on stderr where they were looked for."""
    if not tenants:
        context = settings.context or "current"
        print_note(f"no tenants in namespace {settings.namespace} (context {context})")
        return
    now = datetime.now(UTC)
    rows = [
        (
            item.slug,
            item.state.value,
            str(item.revision),
            f"{item.ready_replicas}/{item.replicas}",
            item.chart,
            _FRESHNESS[item.is_up_to_date],
            item.host,
            format_age(item.updated_at, now),
            "; ".join(text for text in (_describe_hold(item), item.reason) if text),
        )
        for item in tenants
    ]
    headings = ["TENANT", "STATE", "REVISION", "READY", "CHART", "CURRENT", "HOST", "AGE", "REASON"]
    print_table(headings, rows, is_cut=True)


@click.command()
@options.slug_argument
@options.output_option
@options.settings_options
def show_tenant(*, slug: str, form: str, **shared: Any) -> None:
    """Show one tenant in full: state, cause, image, host, pods, own values, events.

    \b
    Example:
      release-manager show-tenant acme
    """
    from .. import wiring
    from ..operations import show

    settings = options.build_settings(shared)
    detail = show.show_tenant(wiring.build_ports(settings, is_writing=False), settings, slug)
    if form != "table":
        data = to_plain(detail)
        return print_data({**data.pop("summary"), **data}, form)
    return _print_detail(detail)


def _print_detail(detail: TenantDetail) -> None:
    from ..operations.baseline import format_drift
    from ..values import format_value

    summary = detail.summary
    print_fields(
        [
            ("tenant", summary.slug),
            ("state", summary.state.value),
            *([("reason", summary.reason)] if summary.reason else []),
            *([("held", summary.hold)] if summary.hold is not None else []),
            ("revision", f"{summary.revision}, {summary.updated_at:%Y-%m-%d %H:%M:%S} UTC"),
            ("chart", f"{summary.chart}, current: {_FRESHNESS[summary.is_up_to_date]}"),
            ("profile", detail.profile),
            ("image", summary.image),
            ("host", summary.host),
            ("replicas", f"{summary.ready_replicas} of {summary.replicas} ready"),
            ("resources", format_value(detail.resources, WIDE)),
            ("own values", format_value(detail.overrides, WIDE) if detail.overrides else "none"),
            *([("set by hand", format_drift(detail.drift))] if detail.drift else []),
        ]
    )
    now = datetime.now(UTC)
    if detail.pods:
        print_text("")
        rows = [
            (
                pod.name,
                pod.phase,
                "yes" if pod.is_ready else "no",
                str(sum(container.restarts for container in pod.containers)),
                pod.node,
                format_age(pod.created_at, now),
            )
            for pod in detail.pods
        ]
        print_table(("POD", "PHASE", "READY", "RESTARTS", "NODE", "AGE"), rows)
    if detail.events:
        print_text("")
        events = [
            (format_age(event.at, now), f"{event.kind}/{event.name}", event.reason, event.message)
            for event in detail.events
        ]
        print_table(("AGE", "OBJECT", "REASON", "MESSAGE"), events)


@click.command()
@options.slug_argument
@options.output_option
@options.settings_options
def history(*, slug: str, form: str, **shared: Any) -> None:
    """Show a tenant's revisions and who wrote them.

    \b
    Example:
      release-manager history acme
    """
    from .. import wiring
    from ..operations import show

    entries = show.read_history(
        wiring.build_ports(options.build_settings(shared), is_writing=False), slug
    )
    if form != "table":
        return print_data(to_plain(entries), form)
    rows = [
        (
            str(entry.revision),
            f"{entry.updated_at:%Y-%m-%d %H:%M:%S}",
            entry.status.value,
            entry.chart,
            entry.written_by,
            entry.description,
        )
        for entry in entries
    ]
    return print_table(("REVISION", "UPDATED", "STATUS", "CHART", "BY", "DESCRIPTION"), rows)


@click.command()
@options.slug_argument
@options.values_options
@options.settings_options
def render_tenant(
    *,
    slug: str,
    files: tuple[Path, ...],
    assignments: tuple[str, ...],
    profile: str | None,
    **shared: Any,
) -> None:
    """Print the manifests that install-tenant would send. Needs no cluster.

    \b
    Example:
      release-manager render-tenant acme --profile openclaw
    """
    from .. import wiring
    from ..operations import manifest

    settings = options.build_settings(shared, profile=profile)
    overrides = options.read_overrides(slug, files, assignments)
    charts, render = wiring.build_renderer(settings)
    print_text(manifest.render_tenant(charts, render, settings, slug, overrides))


@click.command()
@options.slug_argument
@options.values_options
@click.option("--unset", multiple=True, metavar="KEY", help="As of upgrade-tenant")
@options.settings_options
def diff_tenant(
    *,
    slug: str,
    files: tuple[Path, ...],
    assignments: tuple[str, ...],
    profile: str | None,
    unset: tuple[str, ...],
    **shared: Any,
) -> None:
    """Show what upgrade-tenant with the same flags would change; prints nothing for nothing.

    \b
    When upgrade-tenant would refuse, because of what was set by hand, stderr says so.

    \b
    Example:
      release-manager diff-tenant acme --set replicas=2
    """
    from .. import wiring
    from ..operations import manifest, upgrade

    settings = options.build_settings(shared)
    request = upgrade.UpgradeRequest(
        overrides=options.read_overrides(slug, files, assignments),
        unset=unset,
        profile=profile,
    )
    diff = manifest.diff_tenant(
        wiring.build_ports(settings, is_writing=False), settings, slug, request
    )
    for note in diff.notes:
        print_note(note)
    if diff.text:
        print_text(diff.text)


@click.command()
@options.slug_argument
@options.output_option
@options.settings_options
def show_token(*, slug: str, form: str, **shared: Any) -> None:
    """Print a tenant's token.

    \b
    Example:
      curl -H "Authorization: Bearer $(release-manager show-token acme)" https://acme.wareit.ai
    """
    from .. import wiring
    from ..operations import token

    ports = wiring.build_ports(options.build_settings(shared), is_writing=False)
    print_token(slug, token.read_token(ports, slug), form)


def print_token(slug: str, secret: TokenSecret, form: str) -> None:
    """Print a token, and warn on stderr while pods may still hold the one before."""
    if secret.previous is not None:
        print_note(
            "a rotation is under way: until it ends, pods may still hold the token before; "
            f"run 'release-manager rotate-token {slug}' to finish it"
        )
    if form == "table":
        print_text(secret.token)
    else:
        print_data({"slug": slug, "token": secret.token}, form)


@click.command()
@options.output_option
@options.settings_options
@click.pass_context
def doctor(context: click.Context, /, *, form: str, **shared: Any) -> None:
    """Check helm, the cluster, rights, custom resources, ingress, storage and clock.

    \b
    Exit code 0 when everything that tenants need is there, else 1.

    \b
    Example:
      release-manager doctor
    """
    from .. import wiring
    from ..operations import doctor as checks

    settings = options.build_settings(shared)
    found = list(checks.examine(wiring.build_inspection(settings), settings.namespace))
    if form != "table":
        print_data(to_plain(found), form)
    else:
        rows = [
            (
                check.name,
                "ok" if check.is_ok else ("missing" if check.is_required else "warning"),
                check.detail,
                check.remedy,
            )
            for check in found
        ]
        print_table(("CHECK", "RESULT", "DETAIL", "REMEDY"), rows)
    if any(check.is_required and not check.is_ok for check in found):
        context.exit(1)


@click.command()
@options.output_option
@options.settings_options
def show_settings(*, form: str, **shared: Any) -> None:
    """Show every setting and where it came from.

    \b
    Example:
      release-manager show-settings --namespace staging
    """
    from ..settings import SETTING_NAMES
    from ..values import format_value

    settings = options.build_settings(shared)
    items = {
        name: {"value": getattr(settings, name), "origin": settings.origins[name]}
        for name in SETTING_NAMES
    }
    if form != "table":
        return print_data(items, form)
    rows = [
        (name, format_value(item["value"], WIDE), item["origin"]) for name, item in items.items()
    ]
    return print_table(("SETTING", "VALUE", "FROM"), rows)


COMMANDS: tuple[click.Command, ...] = (
    list_tenants,
    show_tenant,
    history,
    render_tenant,
    diff_tenant,
    show_token,
    doctor,
    show_settings,
)
