"""What AWS charges for, each price with its source and day, and what is assumed of use.

The shipped document is ``prices.yaml``; a document of the user's lies over it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from importlib import resources
from typing import TYPE_CHECKING, Any

from ..errors import InvalidSettingsError

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

CURRENCY = "USD"
SHIPPED = "shipped"

_FILE = "prices.yaml"
# Above it is a slip, and not a price or an amount: 1e999 is a number, too.
_MAX_NUMBER = 1_000_000
_AMOUNT = {"type": "number", "minimum": 0, "maximum": _MAX_NUMBER}
_COUNT = {"type": "integer", "minimum": 0, "maximum": _MAX_NUMBER}
_TEXT = {"type": "string", "minLength": 1}


@dataclass(frozen=True)
class Price:
    """What one unit costs. as_of: the day the source states it for, as ``2026-01-31``.

    origin: the file it is from, or ``shipped``.
    """

    key: str
    unit: str
    usd: float
    source: str
    as_of: str
    region: str
    origin: str
    note: str = ""


@dataclass(frozen=True)
class Assumptions:
    """How much of everything is used; ``prices.yaml`` tells what each means."""

    hours_per_month: float
    availability_zones: int
    ecs_nat_gateways: int
    ecs_public_addresses_per_task: int
    ecs_api_tasks: int
    secrets_per_tenant: float
    shared_secrets: int
    eks_nat_gateways: int
    egress_gib_per_tenant: float
    nat_gib_per_tenant: float
    load_balancer_units_per_tenant: float
    used_gib_per_tenant: float
    logs_gib_per_tenant: float
    eks_logs_gib: float
    logs_kept_months: float
    k3s_root_volume_gib: float
    k3s_data_volume_gib: float
    k3s_alarms: int
    eks_node_volume_gib: float
    snapshot_fraction: float
    backup_gib: float
    rds_volume_gib: float
    ecr_gib: float


@dataclass(frozen=True)
class PriceBook:
    """All prices by key, and the assumptions."""

    prices: Mapping[str, Price]
    assumptions: Assumptions

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions that prices are of, in order."""
        return tuple(sorted({price.region for price in self.prices.values()}))

    @property
    def days(self) -> tuple[str, str]:
        """The day of the oldest price, and that of the newest."""
        days = sorted(price.as_of for price in self.prices.values())
        return days[0], days[-1]


def _to_camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


_ASSUMPTION_NAMES = {_to_camel(item.name): item.name for item in fields(Assumptions)}
_COUNTS = frozenset(item.name for item in fields(Assumptions) if item.type == "int")

SCHEMA: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "title": "prices",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "currency": {"const": CURRENCY},
        "region": _TEXT,
        "prices": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["unit", "usd", "source", "asOf"],
                "properties": {
                    "unit": _TEXT,
                    "usd": _AMOUNT,
                    "source": _TEXT,
                    "asOf": _TEXT,
                    "note": {"type": "string"},
                },
            },
        },
        "assumptions": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                name: _COUNT if field in _COUNTS else _AMOUNT
                for name, field in _ASSUMPTION_NAMES.items()
            },
        },
    },
}


def load_shipped_prices() -> PriceBook:
    """Return the prices that this program carries."""
    import yaml

    text = resources.files(__package__).joinpath(_FILE).read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    _check_schema(document, SHIPPED)
    values = {_ASSUMPTION_NAMES[name]: value for name, value in document["assumptions"].items()}
    return PriceBook(_build_prices(document, SHIPPED, document["region"]), Assumptions(**values))


def merge_prices(book: PriceBook, document: Mapping[str, Any], origin: str) -> PriceBook:
    """Return a book with a document over it. origin: its file.

    Raises InvalidSettingsError naming the file, the field and the remedy.
    """
    _check_schema(document, origin)
    region = document.get("region", book.regions[0])
    prices = _build_prices(document, origin, region)
    for price in prices.values():
        _check_price(price, book)
    given = document.get("assumptions", {})
    assumed = {_ASSUMPTION_NAMES[name]: value for name, value in given.items()}
    return PriceBook({**book.prices, **prices}, replace(book.assumptions, **assumed))


def _build_prices(document: Mapping[str, Any], origin: str, region: str) -> dict[str, Price]:
    return {
        key: Price(
            key=key,
            unit=entry["unit"],
            usd=entry["usd"],
            source=entry["source"],
            as_of=entry["asOf"],
            region=region,
            origin=origin,
            note=entry.get("note", ""),
        )
        for key, entry in document.get("prices", {}).items()
    }


def _check_price(price: Price, book: PriceBook) -> None:
    known = book.prices.get(price.key)
    where = f"field prices.{price.key} (file {price.origin})"
    if known is None:
        raise InvalidSettingsError(
            f"{where}: nothing has that price", remedy=f"Known keys: {', '.join(book.prices)}"
        )
    if price.unit != known.unit:
        raise InvalidSettingsError(
            f"{where}: the unit is {price.unit!r}, but this price is one of {known.unit!r}",
            remedy=f"Convert the price, and write unit: {known.unit}",
        )
    try:
        is_day = date.fromisoformat(price.as_of).isoformat() == price.as_of
    except ValueError:
        is_day = False
    if not is_day:
        raise InvalidSettingsError(
            f"{where}: asOf {price.as_of!r} is no day", remedy="Write it as 2026-01-31"
        )


def _check_schema(document: Mapping[str, Any], origin: str) -> None:
    # Slow to import.
    from jsonschema import Draft7Validator

    for error in Draft7Validator(SCHEMA).iter_errors(document):
        where = ".".join(str(part) for part in error.absolute_path) or "(top level)"
        raise InvalidSettingsError(
            f"field {where} (file {origin}): {_explain(error)}", remedy=_find_remedy(error)
        )


def _explain(error: ValidationError) -> str:
    schema: Any = error.schema
    given: Any = error.instance
    if error.validator == "additionalProperties":
        unknown = [name for name in given if name not in schema["properties"]]
        return f"nothing is called {unknown[0]!r}"
    if error.validator == "required":
        missing = [name for name in schema["required"] if name not in given]
        return f"{missing[0]} is missing"
    return f"{given!r} is not allowed"


def _find_remedy(error: ValidationError) -> str:
    schema: Any = error.schema
    match error.validator:
        case "additionalProperties":
            return f"Known names: {', '.join(schema['properties'])}"
        case "required":
            return f"A price has {', '.join(schema['required'])}, and may have note"
        case "const":
            return f"Convert the prices, and write {schema['const']}"
    wanted = {
        "number": f"a number from 0 to {_MAX_NUMBER}",
        "integer": f"a whole number from 0 to {_MAX_NUMBER}",
        "string": "a text, in quotes where it looks like a number",
    }
    return f"It must be {wanted.get(schema['type'], 'a mapping of names to values')}"
