"""What ``cost`` takes and prints."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Ended

CommandLine = Callable[..., Ended]
PAGE = (Path(__file__).parents[3] / "docs" / "costs.md").read_text()
SESSIONS = re.findall(r"^\$ release-manager (cost [^\n]+)\n(TENANTS .*?)^```", PAGE, re.M | re.S)


def write_prices(folder: Path, text: str) -> Path:
    file = folder / "own.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(("line", "printed"), SESSIONS, ids=[line for line, _ in SESSIONS])
def test_the_page_shows_what_the_command_prints(
    command_line: CommandLine, line: str, printed: str
) -> None:
    assert command_line(*line.split()).stdout == printed


def test_the_page_shows_both_profiles() -> None:
    assert len(SESSIONS) == 2


def test_there_is_one_row_for_each_number_in_its_order(command_line: CommandLine) -> None:
    rows = command_line("cost", "--tenants", " 3,1, 3,02").stdout.splitlines()
    assert [row.split()[0] for row in rows] == ["TENANTS", "3", "1", "2"]


def test_the_footer_tells_what_the_prices_are_and_what_is_not_counted(
    command_line: CommandLine,
) -> None:
    ended = command_line("cost", "--tenants", 10)
    basis = "list prices of us-east-1, of 2026-01-19 to 2026-11-27, profile default; "
    assert ended.stderr.startswith(f"{basis}not counted: CPU of burstable machines")


def test_more_tenants_than_machines_hold_are_told_and_no_error(command_line: CommandLine) -> None:
    ended = command_line("cost", "--tenants", 10_000, "--profile", "openclaw", "--details")
    assert ended.exit_code == 0
    assert "k3s, 10000 tenants: - USD a month\nmachines: none known here" in ended.stdout


def test_details_have_every_line_with_its_sum_and_assumption(command_line: CommandLine) -> None:
    said = command_line("cost", "--tenants", 10, "--details").stdout
    assert re.search(
        r"^NAT gateway data +40 +GB +0\.045 +1\.80 +4 GiB a tenant, both ways$", said, re.M
    )


def test_details_tell_where_each_price_is_from(command_line: CommandLine, tmp_path: Path) -> None:
    price = "{unit: hour, usd: 1, source: ours, asOf: 2026-11-01}"
    file = write_prices(tmp_path, f"region: eu-central-1\nprices: {{alb-hour: {price}}}\n")
    said = command_line("cost", "--prices", file, "--details").stdout
    assert re.search(rf"^alb-hour +1 +hour +2026-11-01 +eu-central-1 +{file} +ours$", said, re.M)


def test_assumptions_of_ones_own_count(command_line: CommandLine, tmp_path: Path) -> None:
    file = write_prices(tmp_path, "assumptions: {egressGibPerTenant: 5}\n")
    said = command_line("cost", "--tenants", 10, "--prices", file, "--details").stdout
    assert len(re.findall(r"^data to the Internet +50 .* 5 GiB a tenant$", said, re.M)) == 3


def test_the_data_have_the_documented_keys(command_line: CommandLine) -> None:
    data = json.loads(command_line("cost", "--tenants", "10", "-o", "json").stdout)
    assert list(data) == [
        *("profile", "currency", "regions", "days", "comparisons", "notCounted"),
        *("assumptions", "prices"),
    ]
    stack = data["comparisons"][0]["stacks"][0]
    assert list(stack) == ["stack", "machines", "usdPerMonth", "usdPerTenant", "lines"]
    assert list(stack["lines"][0]) == [
        *("item", "price", "quantity", "unit", "usdPerUnit", "usdPerMonth", "assumption"),
    ]
    assert list(data["prices"][0]) == [
        *("key", "unit", "usd", "source", "asOf", "region", "origin", "note"),
    ]


@pytest.mark.parametrize(
    "text", ["", "ten", "-1", "1.5", "1,,2", "10001", "9" * 5000, "٣", "0x10"], ids=lambda t: t[:9]
)
def test_what_is_no_number_of_tenants_is_refused(command_line: CommandLine, text: str) -> None:
    ended = command_line("cost", f"--tenants={text}")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.startswith("Error: field --tenants: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prices: {alb: {unit: hour, usd: 1, source: ours, asOf: 2026-11-01}}", "prices.alb "),
        ("prices: {alb-hour: {unit: hour, usd: .inf, source: x, asOf: 2026-11-01}}", "usd"),
        ("assumptions: {zones: 3}", "nothing is called 'zones'"),
        ("- 1", "holds no mapping"),
        ("a: [", "is not YAML"),
    ],
)
def test_what_is_wrong_with_a_price_file_is_told(
    command_line: CommandLine, tmp_path: Path, text: str, said: str
) -> None:
    ended = command_line("cost", "--prices", write_prices(tmp_path, text))
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert said in ended.stderr


def test_an_unknown_profile_is_refused(command_line: CommandLine) -> None:
    ended = command_line("cost", "--profile", "huge")
    assert ended.exit_code == 2
    assert "has no profile 'huge'" in ended.stderr
