"""Violations of the chart's schema, in plain words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from release_manager.errors import InvalidValuesError
from release_manager.values import validate_values
from tests.unit.fakes import build_chart

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "slug": {"type": "string"},
        "count": {
            "type": "integer",
            "minimum": 0,
            "maximum": 9,
            "description": "a number of things",
        },
        "kind": {"enum": ["big", "small"]},
        "size": {"type": ["string", "number"]},
        "name": {"type": "string", "pattern": "^[a-z]+$", "not": {"enum": ["root"]}},
        "labels": {
            "type": "object",
            "additionalProperties": False,
            "patternProperties": {"^x-": {"type": "string"}},
            "properties": {"team": {"type": "string"}},
        },
        "rules": {"type": "array", "items": {"type": "object", "required": ["port"]}},
        "either": {"oneOf": [{"type": "string"}, {"properties": {"name": {"type": "string"}}}]},
    },
}
CHART = replace(build_chart(), schema=SCHEMA, default_values={"count": 1})


def _explain(values: dict[str, Any]) -> InvalidValuesError:
    with pytest.raises(InvalidValuesError) as caught:
        validate_values(CHART, values, tenant="acme")
    assert caught.value.tenant == "acme"
    return caught.value


def test_values_that_fit_pass() -> None:
    validate_values(CHART, {"count": 2, "labels": {"x-y": "z"}}, tenant="acme")


def test_a_null_drops_the_default_before_the_schema_looks() -> None:
    validate_values(CHART, {"count": None}, tenant="acme")


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"counts": 1}, "field counts: the chart has no such value"),
        ({"labels": {"tema": "x"}}, "field labels.tema: the chart has no such value"),
        ({"count": "many"}, "field count: many is no integer"),
        ({"count": "1"}, "field count: '1' is no integer"),
        ({"size": True}, "field size: true is no string or number"),
        ({"count": -1}, "field count: -1 must be at least 0"),
        ({"count": 10}, "field count: 10 must be at most 9"),
        ({"kind": "huge"}, "field kind: huge is none of big, small"),
        ({"name": "A"}, "field name: A does not have the required form"),
        ({"name": "root"}, "field name: root is reserved or excluded"),
        ({"rules": [{"port": 1}, {}]}, "field rules.1: 'port' is a required property"),
        ({"either": {"name": 1}}, "field either.name: 1 is no string"),
    ],
)
def test_a_violation_names_field_and_value(values: dict[str, Any], problem: str) -> None:
    assert _explain(values).problem == problem


def test_the_remedy_is_the_fields_own_description() -> None:
    assert _explain({"count": "x"}).remedy == "It must be: a number of things"


def test_a_misspelled_value_is_recognised() -> None:
    assert _explain({"cuont": 1}).remedy == "Did you mean count?"


def test_an_unknown_value_is_answered_with_the_known_ones() -> None:
    assert _explain({"labels": {"zzz": "x"}}).remedy == "Known here: team"


def test_the_outermost_of_several_violations_is_told() -> None:
    assert "field zzz:" in _explain({"zzz": 1, "labels": {"yyy": "x"}}).problem


def test_values_may_name_the_tenant_itself() -> None:
    validate_values(CHART, {"slug": "acme"}, tenant="acme")


def test_values_that_name_another_tenant_are_refused() -> None:
    assert (
        "field slug: the values name another tenant, other" in _explain({"slug": "other"}).problem
    )
