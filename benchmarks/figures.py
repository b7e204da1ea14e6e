"""The rows of the table: what was measured, and how that compares with what is asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Choice = Callable[[Sequence[float]], float]
HEADINGS = ("", "ours", "other", "ratio", "bar", "met")
MISSING = "-"


@dataclass(frozen=True)
class Row:
    """One comparison. `other` is None where the bar is a limit, and ours has to be within it.

    ours, other: every run; empty when it could not be measured. choose: which of them counts.
    """

    name: str
    unit: str
    ours: tuple[float, ...]
    other: tuple[float, ...] | None
    bar: float
    choose: Choice = min

    @property
    def our_figure(self) -> float | None:
        """The run of ours that counts."""
        return self.choose(self.ours) if self.ours else None

    @property
    def other_figure(self) -> float | None:
        """The run of the other one that counts."""
        return self.choose(self.other) if self.other else None

    @property
    def ratio(self) -> float | None:
        """Ours in parts of the other one's."""
        ours, other = self.our_figure, self.other_figure
        return ours / other if ours is not None and other else None

    @property
    def is_met(self) -> bool:
        """Whether ours is as good as is asked for."""
        figure = self.our_figure if self.other is None else self.ratio
        return figure is not None and figure <= self.bar

    @property
    def is_measured(self) -> bool:
        """Whether every side of it has a figure."""
        return bool(self.ours) and self.other != ()

    def to_json(self) -> dict[str, Any]:
        """Return the row as README.md describes it."""
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": self.our_figure,
            "other": self.other_figure,
            "ratio": self.ratio,
            "bar": self.bar,
            "isMet": self.is_met,
            "oursRuns": list(self.ours),
            "otherRuns": list(self.other or ()),
        }


@dataclass(frozen=True)
class FleetFigures:
    """The rows that one fleet gave."""

    tenants: int
    rows: tuple[Row, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the fleet as README.md describes it."""
        return {"tenants": self.tenants, "rows": [row.to_json() for row in self.rows]}


def build_growth(fleets: Sequence[FleetFigures], *, name: str, bar: float) -> Row | None:
    """Return how seconds per tenant grow from the smallest to the largest fleet.

    None with fewer than two fleets. name: of the row that is compared.
    """
    by_size = sorted(fleets, key=lambda fleet: fleet.tenants)
    if len(by_size) < 2:  # noqa: PLR2004
        return None
    small, large = by_size[0], by_size[-1]
    return Row(
        f"upgrade-all, a tenant of {large.tenants} beside one of {small.tenants}",
        "s",
        _per_tenant(large, name),
        _per_tenant(small, name),
        bar,
    )


def _per_tenant(fleet: FleetFigures, name: str) -> tuple[float, ...]:
    row = next(row for row in fleet.rows if row.name == name)
    return tuple(seconds / fleet.tenants for seconds in row.ours)


def format_table(title: str, rows: Sequence[Row]) -> str:
    """Return the rows as a table for a terminal."""
    cells = [HEADINGS, *map(_format_row, rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    lines = [
        "  ".join(
            text.ljust(width) if column == 0 else text.rjust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
    return "\n".join([title, *lines])


def _format_row(row: Row) -> tuple[str, ...]:
    is_limit = row.other is None
    bar = _format_figure(row.bar, row.unit) if is_limit else f"{row.bar:.2f}"
    return (
        row.name,
        _format_figure(row.our_figure, row.unit),
        "" if is_limit else _format_figure(row.other_figure, row.unit),
        "" if is_limit else MISSING if row.ratio is None else f"{row.ratio:.2f}",
        bar,
        "yes" if row.is_met else "NO",
    )


def _format_figure(figure: float | None, unit: str) -> str:
    if figure is None:
        return MISSING
    if unit == "s":
        return f"{figure:.2f} s" if figure >= 1 else f"{figure:.3f} s"
    return f"{figure:.0f} {unit}"
