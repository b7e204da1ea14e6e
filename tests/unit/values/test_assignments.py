"""``--set``. Real Helm is asked about the same notation in tests/cluster."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_manager.errors import InvalidValuesError
from release_manager.values import parse_assignments


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("a=1", {"a": 1}),
        ("a=-1", {"a": -1}),
        ("a=007", {"a": "007"}),
        ("a=1.5", {"a": "1.5"}),
        ("a=true,b=false,c=null", {"a": True, "b": False, "c": None}),
        ("a=", {"a": ""}),
        ("a=b=c", {"a": "b=c"}),
        ("a.b.c=x", {"a": {"b": {"c": "x"}}}),
        ("a={x,1}", {"a": ["x", 1]}),
        ("a={}", {"a": [""]}),
        ("a=x{y", {"a": "x{y"}),
        ("a=9223372036854775807", {"a": 2**63 - 1}),
        ("a=9223372036854775808", {"a": "9223372036854775808"}),
        ("a[1]=x", {"a": [None, "x"]}),
        ("a[0].b=x,a[0].c=y", {"a": [{"b": "x", "c": "y"}]}),
        (r"a\.b=1", {"a.b": 1}),
        (r"a=x\,y", {"a": "x,y"}),
    ],
)
def test_an_assignment_reads_as_in_helm(expression: str, values: dict[str, Any]) -> None:
    assert parse_assignments([expression]) == values


def test_later_assignments_win() -> None:
    assert parse_assignments(["a=1", "a=2,b=3"]) == {"a": 2, "b": 3}


@pytest.mark.parametrize(
    "expression",
    ["", "a", "=1", "a.=1", ".a=1", "a[x]=1", "a[-1]=1", "a[9999]=1", "a[0]b=1", "a={x", "a={x}y"],
)
def test_what_is_no_assignment_is_refused(expression: str) -> None:
    with pytest.raises(InvalidValuesError, match=r"field --set: .* is no assignment"):
        parse_assignments([expression])


@pytest.mark.parametrize("expression", ["a=1,a.b=2", "a={x},a.b=2", "a.b=1,a[0]=2", "a=null,a.b=1"])
def test_a_path_into_a_plain_value_is_refused(expression: str) -> None:
    with pytest.raises(InvalidValuesError, match=r"goes into a value that is no map or list"):
        parse_assignments([expression])


@given(st.lists(st.text("ab=.,{}[]01\\-", max_size=12) | st.text(max_size=8), max_size=3))
def test_any_text_is_read_or_refused(expressions: list[str]) -> None:
    try:
        assert isinstance(parse_assignments(expressions), dict)
    except InvalidValuesError:
        return
