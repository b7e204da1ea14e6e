"""Each chart's values.schema.json: the one contract for values, strict and described."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from release_manager.values import coalesce_values
from tests.charts.chart import Scenario, Values

# Kubernetes' own shapes, of which values.yaml shows only what it sets.
OPTIONAL = re.compile(
    r"(.*\.)?(probes|resources|strategy|podSecurityContext|securityContext|behavior)\."
)
# Free-form; typed only for the sake of a check.
FREE = {"gateway.config", "gateway.config.gateway", "gateway.config.gateway.auth"}


class Contract:
    """A chart's schema and defaults."""

    def __init__(self, chart: Path) -> None:
        self.schema: Values = json.loads((chart / "values.schema.json").read_text())
        self.defaults: Values = yaml.safe_load((chart / "values.yaml").read_text())
        self.properties = dict(self._iter_properties(self.schema))

    def _iter_properties(self, schema: Values, prefix: str = "") -> Iterator[tuple[str, Values]]:
        """Yield dotted path and schema of everything that has a name of its own."""
        for name, child in schema.get("properties", {}).items():
            yield prefix + name, self._resolve(child)
            yield from self._iter_properties(self._resolve(child), f"{prefix}{name}.")

    def _resolve(self, schema: Values) -> Values:
        """Return the definition that a schema refers to, else the schema itself."""
        name = schema.get("$ref", "").removeprefix("#/definitions/")
        found: Values = self.schema.get("definitions", {}).get(name, schema)
        return {**found, **{key: schema[key] for key in ("description",) if key in schema}}


def has_path(values: Any, path: str) -> bool:
    for key in path.split("."):
        if not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True


@pytest.fixture
def contract(any_chart: Path) -> Contract:
    return Contract(any_chart)


def test_the_schema_is_a_schema(contract: Contract) -> None:
    Draft7Validator.check_schema(contract.schema)


def test_the_defaults_fit_the_schema(contract: Contract) -> None:
    Draft7Validator(contract.schema).validate(contract.defaults)


def test_every_property_of_the_schema_stands_in_values_yaml(contract: Contract) -> None:
    own = [path for path in contract.properties if not OPTIONAL.match(path) and path not in FREE]

    assert [path for path in own if not has_path(contract.defaults, path)] == []


def test_every_object_with_known_properties_is_closed(contract: Contract) -> None:
    objects = {"": contract.schema} | contract.properties
    open_ones = {
        path
        for path, schema in objects.items()
        if "properties" in schema and schema.get("additionalProperties") is not False
    }

    assert open_ones <= FREE


def test_no_value_of_the_chart_can_be_removed_by_null(contract: Contract) -> None:
    schemas = {"": contract.schema} | contract.properties
    closed = {path: each for path, each in schemas.items() if "properties" in each}
    own = {path: each for path, each in closed.items() if not OPTIONAL.match(f"{path}.")}

    assert [
        path
        for path, each in own.items()
        if path not in FREE and each.get("required") != list(each["properties"])
    ] == []


def test_every_leaf_says_what_it_must_be(contract: Contract) -> None:
    leaves = {
        path: each for path, each in contract.properties.items() if each.get("type") != "object"
    }

    assert [path for path, schema in leaves.items() if "description" not in schema] == []


def test_every_scenario_fits_the_schema(any_scenario: Scenario) -> None:
    contract = Contract(any_scenario.chart)
    values = yaml.safe_load(any_scenario.values.read_text()) or {}

    Draft7Validator(contract.schema).validate(coalesce_values(contract.defaults, values))
