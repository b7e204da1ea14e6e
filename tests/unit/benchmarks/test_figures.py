"""What is made of figures; nothing here measures anything."""

from __future__ import annotations

import statistics

import pytest

from benchmarks.figures import FleetFigures, Row, build_growth, format_table


def test_a_ratio_is_of_the_best_runs() -> None:
    row = Row("x", "s", (3.0, 2.0), (8.0, 4.0), bar=0.5)
    assert (row.ratio, row.is_met) == (0.5, True)


def test_a_row_may_choose_the_median() -> None:
    row = Row("x", "s", (1.0, 3.0, 9.0), (2.0,), bar=1.0, choose=statistics.median)
    assert (row.our_figure, row.is_met) == (3.0, False)


@pytest.mark.parametrize(("figure", "is_met"), [(2.0, True), (2.1, False)])
def test_a_limit_is_compared_with_our_own_figure(figure: float, is_met: bool) -> None:
    assert Row("x", "s", (figure,), None, bar=2.0).is_met is is_met


def test_no_write_at_all_meets_a_limit_of_none() -> None:
    row = Row("x", "writes", (0,), None, bar=0)
    assert row.is_met
    assert row.is_measured


@pytest.mark.parametrize(("ours", "other"), [((), (1.0,)), ((1.0,), ()), ((), None)])
def test_what_could_not_be_measured_is_not_met(
    ours: tuple[float, ...], other: tuple[float, ...] | None
) -> None:
    row = Row("x", "s", ours, other, bar=1.0)
    assert (row.is_measured, row.is_met, row.ratio) == (False, False, None)


def test_growth_compares_seconds_a_tenant_of_the_largest_and_the_smallest_fleet() -> None:
    fleets = [
        FleetFigures(tenants, (Row("x", "s", (seconds,), (1.0,), bar=1.0),))
        for tenants, seconds in ((1000, 22.0), (100, 2.0), (500, 99.0))
    ]
    growth = build_growth(fleets, name="x", bar=1.2)
    assert growth is not None
    assert growth.ratio == pytest.approx(1.1)


def test_one_fleet_has_no_growth() -> None:
    assert build_growth([FleetFigures(100, ())], name="x", bar=1.2) is None


def test_the_table_shows_what_is_missing_and_what_is_not_met() -> None:
    rows = [Row("one", "s", (0.5,), (1.0,), bar=0.35), Row("two", "MiB", (), None, bar=200)]
    assert format_table("fleet", rows).splitlines() == [
        "fleet",
        "        ours   other  ratio      bar  met",
        "one  0.500 s  1.00 s   0.50     0.35   NO",
        "two        -                 200 MiB   NO",
    ]


def test_json_names_the_figures_and_keeps_every_run() -> None:
    row = Row("x", "s", (3.0, 2.0), (4.0,), bar=0.5)
    assert row.to_json() == {
        "name": "x",
        "unit": "s",
        "ours": 2.0,
        "other": 4.0,
        "ratio": 0.5,
        "bar": 0.5,
        "isMet": True,
        "oursRuns": [3.0, 2.0],
        "otherRuns": [4.0],
    }
