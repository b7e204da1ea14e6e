"""What tenants cost a month on ECS Fargate, on k3s and on EKS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InvalidInputError
from . import options
from .output import print_data, print_note, print_table, print_text, to_plain

if TYPE_CHECKING:
    from ..infrastructure.costs import Comparison, CostLine, StackCost
    from ..infrastructure.prices import Price
    from ..operations.cost import CostReport

MAX_TENANTS = 10_000
_NAMES = {"ecs": "ECS Fargate", "k3s": "k3s", "eks": "EKS"}
_NO_MACHINE = "none known here holds them"


class TenantNumbers(options.ParsedType[tuple[int, ...]]):
    """Whole numbers, such as 0,10,50; each counts once, in the order given."""

    name = "numbers"

    def parse(self, text: str) -> tuple[int, ...]:
        """Return the numbers. Raises InvalidInputError."""
        return tuple(dict.fromkeys(_parse_number(part.strip()) for part in text.split(",")))


def _parse_number(text: str) -> int:
    # Longer ones are too many anyway, and int() refuses the longest.
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_TENANTS))
    if not is_number or int(text) > MAX_TENANTS:
        raise InvalidInputError(
            f"field --tenants: {text!r} is no whole number from 0 to {MAX_TENANTS}",
            remedy="Write numbers with commas between them, such as 0,10,50",
        )
    return int(text)


@click.command()
@click.option(
    "--tenants",
    type=TenantNumbers(),
    default="0,10,50",
    show_default=True,
    help="How many tenants, one row for each number",
)
@click.option("--profile", help="Profile of the tenants, such as openclaw")
@click.option(
    "--prices",
    "prices_file",
    type=click.Path(path_type=Path),
    help="Prices and assumptions over the shipped ones, in YAML",
)
@click.option("--details", "is_detailed", is_flag=True, help="Print every line and every price")
@options.output_option
@options.settings_options
def cost(
    *,
    tenants: tuple[int, ...],
    profile: str | None,
    prices_file: Path | None,
    is_detailed: bool,
    form: str,
    **shared: Any,
) -> None:
    """Compare what tenants cost a month on ECS Fargate, on k3s and on EKS. Asks no cluster.

    \b
    List prices in USD on demand, each with its source and its day: --details. Machines are
    those that capacity --plan calls the smallest.

    \b
    Example:
      release-manager cost --tenants 0,10,50 --profile openclaw
      release-manager cost --tenants 25 --prices our-prices.yaml --details
    """
    from .. import wiring
    from ..operations.cost import estimate_costs, read_prices

    settings = options.build_settings(shared, profile=profile)
    book = read_prices(prices_file)
    report = estimate_costs(wiring.build_charts(settings), settings, book, tenants)
    if form != "table":
        return print_data(to_plain(report), form)
    return print_costs(report, is_detailed=is_detailed)


def print_costs(report: CostReport, *, is_detailed: bool) -> None:
    """Print a row for each number of tenants; on stderr, what the prices are."""
    headings = ["TENANTS"]
    for name in ("ECS", "K3S", "EKS"):
        headings += [f"{name} USD/MONTH", "EACH", "TASKS" if name == "ECS" else "MACHINES"]
    print_table(headings, [_build_row(comparison) for comparison in report.comparisons])
    if is_detailed:
        _print_details(report)
    print_note(_tell_basis(report))


def _build_row(comparison: Comparison) -> list[str]:
    row = [str(comparison.tenants)]
    for stack in comparison.stacks:
        row += [
            _tell_usd(stack.usd_per_month),
            _tell_usd(stack.usd_per_tenant),
            stack.machines or _NO_MACHINE,
        ]
    return row


def _tell_usd(usd: float | None) -> str:
    return "-" if usd is None else f"{usd:.2f}"


def _tell_basis(report: CostReport) -> str:
    oldest, newest = report.days
    return (
        f"list prices of {', '.join(report.regions)}, of {oldest} to {newest}, "
        f"profile {report.profile}; not counted: {'; '.join(report.not_counted)}"
    )


def _print_details(report: CostReport) -> None:
    for comparison in report.comparisons:
        for stack in comparison.stacks:
            _print_stack(comparison.tenants, stack)
    print_text("")
    headings = ("PRICE", "USD", "UNIT", "AS OF", "REGION", "FROM", "SOURCE", "NOTE")
    print_table(headings, [_build_price_row(price) for price in report.prices])


def _print_stack(tenants: int, stack: StackCost) -> None:
    name = _NAMES[stack.stack.value]
    print_text(f"\n{name}, {tenants} tenants: {_tell_usd(stack.usd_per_month)} USD a month")
    if not stack.lines:
        return print_text(f"machines: {_NO_MACHINE}")
    headings = ("ITEM", "QUANTITY", "UNIT", "USD/UNIT", "USD/MONTH", "ASSUMPTION")
    return print_table(headings, [_build_line_row(line) for line in stack.lines])


def _build_line_row(line: CostLine) -> tuple[str, ...]:
    return (
        line.item,
        f"{line.quantity:.10g}",
        line.unit,
        f"{line.usd_per_unit:.10g}",
        f"{line.usd_per_month:.2f}",
        line.assumption,
    )


def _build_price_row(price: Price) -> tuple[str, ...]:
    usd = f"{price.usd:.10g}"
    return (
        *(price.key, usd, price.unit, price.as_of),
        *(price.region, price.origin, price.source, price.note),
    )


COMMANDS: tuple[click.Command, ...] = (cost,)
