"""How data becomes JSON, YAML and tables."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

import pytest
import yaml

from release_manager.cli.output import (
    MIN_CUT_WIDTH,
    format_age,
    print_data,
    print_error,
    print_fields,
    print_note,
    print_table,
    print_text,
    report_progress,
    to_camel_case,
    to_plain,
)
from release_manager.errors import TenantNotFoundError
from release_manager.operations.listing import list_tenants
from release_manager.state import TenantState
from tests.unit.fakes import FakeWorld

NOW = datetime(2026, 3, 1, 3, tzinfo=UTC)


@dataclass(frozen=True)
class Sample:
    """Something with every kind of field."""

    slug: str
    state: TenantState
    is_up_to_date: bool | None
    has_release: bool
    updated_at: datetime
    ready_replicas: tuple[int, ...]
    values: dict[str, object]


SAMPLE = Sample(
    slug="acme",
    state=TenantState.RUNNING,
    is_up_to_date=None,
    has_release=True,
    updated_at=datetime(2026, 3, 1, 4, tzinfo=timezone(timedelta(hours=1))),
    ready_replicas=(1, 2),
    values={"some_key": [{"is_x": 1}]},
)


def test_frozen_data_becomes_plain_data() -> None:
    assert to_plain(SAMPLE) == {
        "slug": "acme",
        "state": "running",
        "upToDate": None,
        "release": True,
        "updatedAt": "2026-03-01T03:00:00Z",
        "readyReplicas": [1, 2],
        "values": {"some_key": [{"is_x": 1}]},
    }


def test_what_representations_hide_is_not_printed() -> None:
    @dataclass(frozen=True)
    class Hiding:
        name: str
        token: str = field(repr=False)

    assert to_plain(Hiding("acme", "private")) == {"name": "acme"}


@pytest.mark.parametrize(
    ("name", "camel"),
    [
        ("slug", "slug"),
        ("ready_replicas", "readyReplicas"),
        ("is_up_to_date", "upToDate"),
        ("has_release", "release"),
        ("issuer", "issuer"),
    ],
)
def test_names_become_camel_case(name: str, camel: str) -> None:
    assert to_camel_case(name) == camel


def test_a_row_of_list_tenants_has_exactly_the_promised_keys(world: FakeWorld) -> None:
    world.install()
    rows = to_plain(list_tenants(world.ports, world.settings))
    assert [list(row) for row in rows] == [
        [
            *("slug", "state", "reason", "revision", "chart", "image"),
            *("replicas", "readyReplicas", "host", "upToDate", "updatedAt"),
            "hold",
        ]
    ]


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_both_forms_carry_the_same_data(capsys: pytest.CaptureFixture[str], form: str) -> None:
    data = {"slug": "acme", "reason": "größer", "numbers": [1, None, True]}
    print_data(data, form)
    parse = json.loads if form == "json" else yaml.safe_load
    assert parse(capsys.readouterr().out) == data


def test_a_table_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("TENANT", "STATE"), [("acme", "running"), ("a-longer-one", "stopped")])
    assert capsys.readouterr().out == (
        "TENANT         STATE\nacme           running\na-longer-one   stopped\n"
    )


def test_a_table_without_rows_has_its_headings(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("TENANT", "STATE"), [])
    assert capsys.readouterr().out == "TENANT   STATE\n"


def test_a_cell_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("REASON",), [("two\n  lines",)])
    assert capsys.readouterr().out.splitlines()[1] == "two lines"


@pytest.mark.parametrize("columns", ["10", "40", "80"])
def test_a_cut_column_keeps_some_width_on_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", columns)
    print_table(("TENANT", "REASON"), [("acme", "x" * 200)], is_cut=True)
    cell = capsys.readouterr().out.splitlines()[1].split()[1]
    assert len(cell) == max(int(columns) - len("TENANT   "), MIN_CUT_WIDTH)
    assert cell.endswith("x...")


def test_there_are_no_colors_outside_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("STATE",), [("failed",)])
    print_fields([("state", "failed")])
    assert "\x1b" not in capsys.readouterr().out


def test_fields_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields([("tenant", "acme"), ("up", "yes"), ("why", "")])
    assert capsys.readouterr().out == "tenant:  acme\nup:      yes\nwhy:\n"


def test_text_ends_with_one_newline(capsys: pytest.CaptureFixture[str]) -> None:
    print_text("a\n\n")
    assert capsys.readouterr().out == "a\n"


def test_an_error_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(TenantNotFoundError("there is none", remedy="Look", tenant="acme"))
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "Error: tenant acme: there is none. Look.\n")


def test_a_note_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    print_note("worth knowing")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "worth knowing\n")


def test_progress_goes_to_stderr_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    with report_progress("acme") as progress:
        progress("waiting: 0 of 1")
        progress("done [not markup]")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "acme: waiting: 0 of 1\nacme: done [not markup]\n")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0s"), (0, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (90000, "1d")],
)
def test_an_age_has_one_unit(seconds: int, text: str) -> None:
    assert format_age(NOW - timedelta(seconds=seconds), NOW) == text
