"""Merging, comparing and addressing nested values. Real Helm is asked in tests/cluster."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_manager.values import (
    coalesce_values,
    diff_paths,
    format_value,
    iter_leaves,
    merge_values,
    remove_path,
    without_key,
)
from release_manager.values.trees import lookup_path

SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab.\\", max_size=3)
KEYS = st.text("ab.", min_size=1, max_size=2)
NODES = st.recursive(
    SCALARS | st.lists(SCALARS, max_size=2),
    lambda inner: st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
TREES = st.dictionaries(KEYS, NODES, max_size=3)
# Layers of one chart: what is a map in one of them is a map in all.
LAYERS = st.fixed_dictionaries(
    {}, optional={"a": SCALARS, "m": st.dictionaries(KEYS, SCALARS | st.lists(SCALARS), max_size=3)}
)


@pytest.mark.parametrize(
    ("layers", "merged"),
    [
        ([], {}),
        ([{"a": 1}, {"b": 2}], {"a": 1, "b": 2}),
        ([{"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}], {"a": {"x": 1, "y": 3}}),
        ([{"a": [1, 2]}, {"a": [3]}], {"a": [3]}),
        ([{"a": {"x": 1}}, {"a": None}], {"a": None}),
        ([{"a": None}, {"a": {"x": 1}}], {"a": {"x": 1}}),
        ([{"a": {"x": 1}}, {"a": "text"}], {"a": "text"}),
        ([{"a": {"x": 1}}, {"a": {}}], {"a": {"x": 1}}),
    ],
    ids=[
        "nothing",
        "disjoint",
        "deep",
        "lists replace",
        "null stays",
        "null gives way",
        "text replaces a map",
        "an empty map changes nothing",
    ],
)
def test_layers_merge_the_way_helm_merges_files(
    layers: list[dict[str, Any]], merged: dict[str, Any]
) -> None:
    assert merge_values(*layers) == merged


@given(LAYERS, LAYERS, LAYERS)
def test_it_does_not_matter_which_layers_are_merged_first(a: Any, b: Any, c: Any) -> None:
    assert merge_values(merge_values(a, b), c) == merge_values(a, merge_values(b, c))


@given(TREES)
def test_merging_a_tree_with_itself_changes_nothing(tree: Any) -> None:
    assert merge_values(tree, tree) == tree


@given(TREES, TREES)
def test_what_was_merged_last_wins(a: Any, b: Any) -> None:
    assert merge_values(merge_values(a, b), b) == merge_values(a, b)


def test_merging_shares_nothing_with_its_layers() -> None:
    layer = {"a": {"list": [1]}}
    merge_values(layer)["a"]["list"].append(2)
    assert layer == {"a": {"list": [1]}}


def test_a_null_drops_the_charts_default() -> None:
    assert coalesce_values({"a": 1, "b": {"c": 2}}, {"a": None, "b": {"c": None}}) == {"b": {}}


def test_a_null_without_a_default_stays_for_the_schema_to_see() -> None:
    assert coalesce_values({"env": {}}, {"env": {"A": None}}) == {"env": {"A": None}}


def test_a_null_among_the_charts_defaults_is_nothing() -> None:
    assert coalesce_values({"a": None, "b": {"c": None}}, {}) == {"b": {}}


@given(TREES)
def test_without_defaults_values_are_seen_as_they_are(values: Any) -> None:
    assert coalesce_values({}, values) == values


@given(LAYERS, LAYERS)
def test_a_value_that_is_given_wins_over_the_default(defaults: Any, values: Any) -> None:
    seen = dict(iter_leaves(coalesce_values(defaults, values)))
    given = {path: value for path, value in iter_leaves(values) if value not in (None, {})}
    assert seen | given == seen


@given(TREES, TREES)
def test_coalescing_again_changes_nothing(defaults: Any, values: Any) -> None:
    once = coalesce_values(defaults, values)
    assert coalesce_values({}, once) == once


@pytest.mark.parametrize(
    ("left", "right", "paths"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, ["a"]),
        ({"a": {"b": 1}}, {"a": {"b": 2, "c": 3}}, ["a.b", "a.c"]),
        ({"a": {"b": 1}}, {}, ["a.b"]),
        ({}, {"a": {"b": 1}}, ["a.b"]),
        ({"a": [1]}, {"a": [1, 2]}, ["a"]),
        ({"a": {"b": 1}}, {"a": "text"}, ["a"]),
        ({"a": {}}, {}, []),
        ({"a": {}}, {"a": "text"}, ["a"]),
        ({"a": None}, {}, ["a"]),
        ({"a.b": 1}, {"a.b": 2}, ["a\\.b"]),
    ],
)
def test_differences_are_told_by_dotted_path(
    left: dict[str, Any], right: dict[str, Any], paths: list[str]
) -> None:
    assert diff_paths(left, right) == paths


@given(TREES, TREES)
def test_trees_differ_at_no_path_only_when_they_are_equal_but_for_empty_maps(
    left: Any, right: Any
) -> None:
    assert (diff_paths(left, right) == []) is (_prune(left) == _prune(right))


def _prune(tree: Any) -> Any:
    """Leave out empty maps, and the maps that hold nothing else."""
    if not isinstance(tree, dict):
        return tree
    pruned = {key: _prune(value) for key, value in tree.items()}
    return {key: value for key, value in pruned.items() if value != {}}


@given(TREES, TREES)
def test_every_difference_can_be_looked_up(left: Any, right: Any) -> None:
    for path in diff_paths(left, right):
        found = (lookup_path(left, path), lookup_path(right, path))
        assert found[0] != found[1] or found == (None, None)


@pytest.mark.parametrize(
    ("path", "value"),
    [("a.b", 1), ("a", {"b": 1}), ("x\\.y", 2), ("a.c", None), ("a.b.c", None), ("", None)],
)
def test_a_path_is_looked_up(path: str, value: Any) -> None:
    assert lookup_path({"a": {"b": 1}, "x.y": 2}, path) == value


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("a.b.c", {"x": 1}),
        ("a", {"x": 1}),
        ("x", {"a": {"b": {"c": 1}}}),
    ],
)
def test_a_removed_path_takes_the_maps_it_leaves_empty_along(
    path: str, left: dict[str, Any]
) -> None:
    values: dict[str, Any] = {"a": {"b": {"c": 1}}, "x": 1}
    assert remove_path(values, path)
    assert values == left


def test_a_removed_path_leaves_its_neighbours() -> None:
    values: dict[str, Any] = {"a": {"b": 1, "c": 2}}
    remove_path(values, "a.b")
    assert values == {"a": {"c": 2}}


@pytest.mark.parametrize("path", ["b", "a.c", "a.b.c", "a.b.c.d", ""])
def test_a_path_that_is_not_there_cannot_be_removed(path: str) -> None:
    values: dict[str, Any] = {"a": {"b": 1}}
    assert not remove_path(values, path)
    assert values == {"a": {"b": 1}}


@given(TREES)
def test_every_difference_to_nothing_can_be_removed(tree: Any) -> None:
    values = merge_values(tree)
    for path in diff_paths(tree, {}):
        assert remove_path(values, path)
    assert _prune(values) == {}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("text", "text"),
        ("1", "'1'"),
        (1, "1"),
        (None, "null"),
        (True, "true"),
        ([1, 2], "[1, 2]"),
        ({"a": 1}, "{a: 1}"),
    ],
)
def test_a_value_is_shown_as_one_line_of_yaml(value: Any, text: str) -> None:
    assert format_value(value) == text


def test_a_long_value_is_cut() -> None:
    assert len(format_value("x" * 1000)) == 60


def test_one_key_is_left_out() -> None:
    assert without_key({"a": 1, "b": 2}, "a") == {"b": 2}
