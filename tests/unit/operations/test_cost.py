"""What is read of settings and files before costs are counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from release_manager.errors import InvalidSettingsError
from release_manager.operations.cost import CostReport, estimate_costs, read_prices
from release_manager.settings import Settings
from release_manager.wiring import build_charts, complete_settings


def estimate(tenants: int = 10, **fields: Any) -> CostReport:
    settings = complete_settings(Settings(**fields))
    return estimate_costs(build_charts(settings), settings, read_prices(None), [tenants])


def find_line(report: CostReport, item: str) -> list[float]:
    (comparison,) = report.comparisons
    return [
        line.quantity for stack in comparison.stacks for line in stack.lines if line.item == item
    ]


def test_a_profile_without_a_volume_has_none_to_pay() -> None:
    assert find_line(estimate(), "tenants' volumes") == []


def test_a_profile_with_a_volume_pays_it_on_efs_and_on_ebs() -> None:
    assert find_line(estimate(profile="openclaw"), "tenants' volumes") == [20, 50]


def test_a_volume_counts_in_whole_gibibytes() -> None:
    own = {"persistence": {"enabled": True, "size": "1500Mi"}}
    assert find_line(estimate(defaults=own), "data volume") == [40 + 10 * 2]


def test_fleet_defaults_decide_what_a_tenant_needs() -> None:
    own = {"resources": {"requests": {"memory": "4Gi"}, "limits": {"memory": "4Gi"}}}
    (comparison,) = estimate(defaults=own).comparisons
    assert comparison.stacks[0].machines == "10 x 0.5 vCPU, 4 GB"


def test_postgres_needs_no_room_on_eks() -> None:
    large = {"postgres": {"resources": {"requests": {"memory": "100Gi"}}}}
    large["postgres"]["resources"]["limits"] = {"memory": "100Gi"}
    (comparison,) = estimate(platform=large).comparisons
    assert comparison.stacks[1].machines == "m6i.8xlarge"
    assert comparison.stacks[2].machines == "3 x t3.small"


def test_a_report_has_the_prices_of_its_lines_alone() -> None:
    report = estimate()
    used = {
        line.price for item in report.comparisons for stack in item.stacks for line in stack.lines
    }
    assert {price.key for price in report.prices} == used


def test_where_nothing_can_be_counted_the_book_tells_the_days() -> None:
    huge = {"resources": {"requests": {"memory": "1000Gi"}, "limits": {"memory": "1000Gi"}}}
    report = estimate(tenants=1, defaults=huge)
    assert [stack.usd_per_month for stack in report.comparisons[0].stacks] == [None, None, None]
    assert report.days == ("2026-01-19", "2026-11-27")


def test_a_price_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettingsError, match="field --prices"):
        read_prices(tmp_path / "none.yaml")


def test_a_day_needs_no_quotes(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("prices: {alb-hour: {unit: hour, usd: 1, source: ours, asOf: 2026-11-01}}\n")
    assert read_prices(file).prices["alb-hour"].as_of == "2026-11-01"
