"""The layers of a tenant's values, the record of them, and drift."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_manager.errors import ChartNotFoundError, InvalidValuesError
from release_manager.values import (
    RECORD_KEY,
    Layers,
    build_config_digest,
    build_defaults,
    build_defaults_digest,
    find_drift,
    find_undone,
    read_layers,
    reject_record_key,
)
from tests.unit.fakes import build_chart

CHART = build_chart()
LAYERS = Layers("default", {"domain": "wareit.ai", "env": {"A": "1"}}, {"env": {"B": "2"}})
TREES = st.dictionaries(
    st.sampled_from("abc"),
    st.integers(0, 3) | st.dictionaries(st.sampled_from("xy"), st.integers(0, 3)),
)


def test_the_tenants_own_values_win_over_the_defaults() -> None:
    layers = Layers("default", {"replicas": 1, "domain": "x.y"}, {"replicas": 2})
    assert layers.merged() == {"replicas": 2, "domain": "x.y"}


@given(TREES, TREES, st.none() | st.integers(2, 9))
def test_the_values_of_a_revision_tell_its_layers(
    defaults: Any, overrides: Any, start_replicas: int | None
) -> None:
    layers = Layers("openclaw", defaults, overrides, start_replicas)
    assert read_layers(layers.to_values()) == layers


@pytest.mark.parametrize("record", [None, "text", {}, {"defaults": {}}, {"overrides": {}}])
def test_a_record_without_both_layers_is_none(record: Any) -> None:
    assert read_layers({RECORD_KEY: record}) is None


def test_values_without_a_record_tell_no_layers() -> None:
    assert read_layers({"replicas": 1}) is None


def test_a_record_whose_empty_maps_became_null_is_read() -> None:
    record = {"profile": "default", "defaults": None, "overrides": None}
    assert read_layers({RECORD_KEY: record}) == Layers("default", {}, {})


def test_fleet_values_win_over_the_profile() -> None:
    defaults = build_defaults(CHART, "openclaw", {"env": {"NODE_OPTIONS": "", "A": "1"}})
    assert defaults == {"env": {"NODE_OPTIONS": "", "A": "1"}}


def test_an_unknown_profile_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ChartNotFoundError) as caught:
        build_defaults(CHART, "huge", {})
    assert "has no profile 'huge'" in caught.value.problem
    assert caught.value.remedy == "Choose one of: default, openclaw"


@pytest.mark.parametrize(
    "changed",
    [
        replace(LAYERS, overrides={}),
        replace(LAYERS, defaults={}),
        replace(LAYERS, profile="openclaw"),
        replace(LAYERS, start_replicas=3),
    ],
    ids=["overrides", "defaults", "profile", "replicas to start with"],
)
def test_every_layer_changes_the_config_digest(changed: Layers) -> None:
    assert build_config_digest(CHART, LAYERS) != build_config_digest(CHART, changed)


def test_a_default_that_becomes_an_override_changes_the_config_digest() -> None:
    as_default = Layers("default", {"replicas": 2}, {})
    as_override = Layers("default", {}, {"replicas": 2})
    assert build_config_digest(CHART, as_default) != build_config_digest(CHART, as_override)


def test_another_chart_changes_both_digests() -> None:
    other = build_chart("0.2.0")
    assert build_config_digest(CHART, LAYERS) != build_config_digest(other, LAYERS)
    assert build_defaults_digest(CHART, {}) != build_defaults_digest(other, {})


@pytest.mark.parametrize(
    ("live", "drift"),
    [
        ({"domain": "wareit.ai", "env": {"A": "1", "B": "2"}}, {}),
        ({"domain": "wareit.ai", "env": {"A": "1", "B": "3"}}, {"env.B": "3"}),
        ({"domain": "wareit.ai", "env": {"A": "1", "B": "2"}, "replicas": 4}, {"replicas": 4}),
        ({"domain": "wareit.ai", "env": {"A": "1"}}, {"env.B": None}),
        ({"env": {"A": "1", "B": "2"}}, {"domain": None}),
    ],
    ids=["none", "changed", "added", "removed", "default removed"],
)
def test_what_was_set_by_hand_is_found(live: dict[str, Any], drift: dict[str, Any]) -> None:
    assert find_drift(live, LAYERS) == drift


@given(TREES, TREES)
def test_a_revision_of_our_own_has_no_drift(defaults: Any, overrides: Any) -> None:
    layers = Layers("default", defaults, overrides)
    assert find_drift(layers.to_values(), layers) == {}


@pytest.mark.parametrize(
    ("planned", "undone"),
    [
        ({"replicas": 4}, {}),
        ({"replicas": 1}, {"replicas": 4}),
        ({}, {"replicas": 4}),
    ],
    ids=["kept", "changed", "dropped"],
)
def test_drift_that_the_new_values_keep_is_not_undone(
    planned: dict[str, Any], undone: dict[str, Any]
) -> None:
    assert find_undone({"replicas": 4}, live={"replicas": 4}, planned=planned) == undone


def test_what_was_removed_by_hand_and_comes_back_is_undone() -> None:
    assert find_undone({"domain": None}, live={}, planned={"domain": "wareit.ai"}) == {
        "domain": None
    }


def test_what_was_removed_by_hand_and_stays_away_is_not_undone() -> None:
    assert find_undone({"domain": None}, live={}, planned={}) == {}


def test_a_null_set_by_hand_is_undone_by_leaving_it_out() -> None:
    live = {**LAYERS.merged(), "resources": None}
    undone = find_undone({"resources": None}, live=live, planned=LAYERS.merged())
    assert undone == {"resources": None}


def test_the_key_of_the_record_is_nobodys_to_set() -> None:
    layers = [("values.yaml", {}), ("--set", {RECORD_KEY: {"profile": "x"}})]
    with pytest.raises(InvalidValuesError, match=r"--set sets it, but it belongs to the release"):
        reject_record_key(layers, tenant="acme")
