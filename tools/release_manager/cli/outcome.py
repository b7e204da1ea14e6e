"""Printing what a command that changes a tenant would do, and what it has done."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..errors import ReleaseManagerError
from ..part import PARTS, tell_subject
from .output import (
    print_data,
    print_fields,
    print_table,
    print_text,
    report_progress,
    to_plain,
)

if TYPE_CHECKING:
    from ..operations.deploy import Result
    from ..operations.hold import HoldPlan
    from ..operations.plan import Plan
    from ..operations.platform import PlatformPlan
    from ..operations.recover import RecoverPlan
    from ..operations.rollback import RollbackPlan
    from ..operations.rotation import RotationPlan
    from ..operations.uninstall import UninstallPlan
    from ..ports import Ports, RunOptions

    AnyPlan = (
        Plan | RollbackPlan | UninstallPlan | RecoverPlan | HoldPlan | PlatformPlan | RotationPlan
    )

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
    "rotate-secret": "secret replaced",
    "hold": "left alone by rollouts",
    "unhold": "no longer held",
}


def carry_out(
    slug: str,
    *,
    plan: Callable[[], AnyPlan],
    change: Callable[[RunOptions], Result],
    describe_end: Callable[[], str] = lambda: "",
    timeout: float,
    is_waiting: bool = True,
    dry_run: bool,
    form: str,
) -> None:
    """Print the plan if this is a dry run; else do it, tell what goes on, and how it ended."""
    from ..ports import RunOptions

    if dry_run:
        print_plan(plan(), form)
        return
    with report_progress(slug) as progress:
        result = change(RunOptions(timeout, progress, is_waiting=is_waiting))
    print_result(result, form, access=describe_end() if form == "table" else "")


def print_result(result: Result, form: str, *, access: str = "") -> None:
    """Print how an operation ended. access: see describe_access; only for ``table``."""
    if form != "table":
        print_data(to_plain(result), form)
        return
    if result.action == "nothing":
        text = result.detail or "nothing to do, it is up to date"
    else:
        done = _DONE.get(result.action, result.action)
        number = f", revision {result.revision}" if result.revision else ""
        text = f"{done}{number}" + (f" ({result.detail})" if result.detail else "")
    print_text(f"{tell_subject(result.slug)}: {text}{access}")


def describe_access(ports: Ports, slug: str) -> str:
    """Return where a tenant is and how to get its token, as the end of a sentence.

    Empty when it cannot be read: what has succeeded does not fail for its report.
    """
    with suppress(ReleaseManagerError):
        workload = ports.cluster.read_workload(slug)
        address = f", at https://{workload.host}" if workload and workload.host else ""
        # A tenant with token.existingSecret has none that show-token could print.
        has_token = ports.secrets.read_token(slug) is not None
        return address + (f" (token: release-manager show-token {slug})" if has_token else "")
    return ""


def print_plan(plan: AnyPlan, form: str) -> None:
    """Print what would be done."""
    from ..operations.plan import Plan
    from ..operations.platform import PlatformPlan

    if isinstance(plan, PlatformPlan):
        _print_platform(plan, form)
    elif isinstance(plan, Plan):
        _print_deployment(plan, form)
    elif form != "table":
        print_data(to_plain(plan), form)
    else:
        _print_record(to_plain(plan))


def _print_platform(plan: PlatformPlan, form: str) -> None:
    if form != "table":
        steps = to_plain(plan.steps)
        print_data({"steps": steps, "release": _describe_deployment(plan.release)}, form)
        return
    print_table(("PART", "WOULD DO", "DETAIL"), [tuple(vars(step).values()) for step in plan.steps])
    print_text("")
    _print_deployment(plan.release, form)


def _describe_deployment(plan: Plan) -> dict[str, Any]:
    return {
        "slug": plan.slug,
        "action": plan.action.value,
        "revision": plan.revision,
        "chart": f"{plan.chart.name}-{plan.chart.version}",
        "chartBefore": plan.chart_before,
        "changes": to_plain(plan.changes),
        "notes": list(plan.notes),
    }


def _print_deployment(plan: Plan, form: str) -> None:
    if form != "table":
        print_data(_describe_deployment(plan), form)
        return
    chart = f"{plan.chart.name}-{plan.chart.version}"
    print_fields(
        [
            ("part" if plan.slug in PARTS else "tenant", plan.slug),
            ("would do", plan.action.value),
            ("revision", str(plan.revision)),
            ("chart", _describe_chart(plan.chart_before, chart)),
            *(("note", note) for note in plan.notes),
        ]
    )
    if plan.changes:
        rows = [
            (change.path, _format_cell(change.old), _format_cell(change.new))
            for change in plan.changes
        ]
        print_table(("VALUE", "NOW", "THEN"), rows)


def _describe_chart(before: str, after: str) -> str:
    if not before:
        return after
    return f"{after} (unchanged)" if before == after else f"{before} -> {after}"


def _format_cell(value: Any) -> str:
    from ..values import format_value

    return "-" if value is None else format_value(value)


def _print_record(record: dict[str, Any]) -> None:
    said = {name: value for name, value in record.items() if value not in (None, "", [])}
    print_fields(
        [("tenant" if name == "slug" else name, _join(value)) for name, value in said.items()]
    )


def _join(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
