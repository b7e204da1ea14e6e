"""What tenants cost a month on each stack, by the values that a tenant would have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import InvalidSettingsError, InvalidValuesError
from ..infrastructure.costs import NOT_COUNTED, Comparison, Demand, compare_costs
from ..infrastructure.prices import (
    CURRENCY,
    Assumptions,
    Price,
    PriceBook,
    load_shipped_prices,
    merge_prices,
)
from ..infrastructure.quantities import parse_quantity
from ..infrastructure.scheduling import read_demand
from ..ports import Charts
from ..settings import Settings
from ..values import Values, load_values_file, lookup_path, merge_values
from .capacity import read_shared_footprint, read_tenant_values

_BYTES_PER_GIB = 1024**3

# What fleet.eks.yaml has otherwise: Postgres at RDS, Traefik of our own, an API of two pods.
_EKS_PLATFORM = {
    "postgres": {"enabled": False},
    "externalDatabase": {"host": "rds"},
    "traefik": {"install": True},
}
_EKS_API = {"replicas": 2}


@dataclass(frozen=True)
class CostReport:
    """What each number of tenants costs on each stack, and what that rests on.

    prices: those that any line has. days: of the oldest of them, and of the newest.
    """

    profile: str
    currency: str
    regions: tuple[str, ...]
    days: tuple[str, str]
    comparisons: tuple[Comparison, ...]
    not_counted: tuple[str, ...]
    assumptions: Assumptions
    prices: tuple[Price, ...]


def read_prices(file: Path | None) -> PriceBook:
    """Return the shipped prices with the user's over them. Raises InvalidSettingsError."""
    book = load_shipped_prices()
    if file is None:
        return book
    try:
        document = load_values_file(file, field_name="--prices")
    except InvalidValuesError as exc:
        raise InvalidSettingsError(exc.problem, remedy=exc.remedy) from exc
    return merge_prices(book, document, str(file))


def estimate_costs(
    charts: Charts, settings: Settings, book: PriceBook, tenants: Sequence[int]
) -> CostReport:
    """Return what each number of tenants costs. Asks no cluster.

    Raises ChartNotFoundError, InvalidSettingsError.
    """
    demand = _read_demand(charts, settings)
    comparisons = [compare_costs(book, replace(demand, tenants=number)) for number in tenants]
    used = _restrict(book, comparisons)
    return CostReport(
        profile=settings.profile,
        currency=CURRENCY,
        regions=used.regions,
        days=used.days,
        comparisons=tuple(comparisons),
        not_counted=NOT_COUNTED,
        assumptions=book.assumptions,
        prices=tuple(used.prices.values()),
    )


def _read_demand(charts: Charts, settings: Settings) -> Demand:
    on_eks = replace(
        settings,
        platform=merge_values(settings.platform, _EKS_PLATFORM),
        api=merge_values(settings.api, _EKS_API),
    )
    values = read_tenant_values(charts, settings)
    return Demand(
        tenants=0,
        tenant=read_demand(values).tenant,
        volume_gib=_read_volume_gib(values),
        k3s_shared=read_shared_footprint(charts, settings),
        eks_shared=read_shared_footprint(charts, on_eks),
    )


def _read_volume_gib(values: Values) -> int:
    """Return the size of a new tenant's volume, rounded up as EBS does it; 0 without one."""
    if not lookup_path(values, "persistence.enabled"):
        return 0
    size = lookup_path(values, "persistence.size")
    return math.ceil(parse_quantity(size, field="persistence.size") / _BYTES_PER_GIB)


def _restrict(book: PriceBook, comparisons: Sequence[Comparison]) -> PriceBook:
    used = {
        line.price
        for comparison in comparisons
        for stack in comparison.stacks
        for line in stack.lines
    }
    prices = {key: price for key, price in book.prices.items() if key in used}
    return replace(book, prices=prices) if prices else book
