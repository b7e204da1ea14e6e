"""Nested values: merging the way Helm does, comparing, addressing by dotted path."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

Values = dict[str, Any]

MAX_SHOWN_LENGTH = 60
_UNSET = object()
# A dot that no backslash precedes separates two keys.
_SEPARATOR = re.compile(r"(?<!\\)\.")


def merge_values(*layers: Mapping[str, Any]) -> Values:
    """Merge layers like ``helm -f A -f B``: maps deeply, later ones win, lists are replaced.

    A null is kept: it tells Helm to drop the chart's default.
    """
    merged: Values = {}
    for layer in layers:
        for key, value in layer.items():
            old = merged.get(key)
            if isinstance(old, dict) and isinstance(value, dict):
                merged[key] = merge_values(old, value)
            else:
                merged[key] = copy.deepcopy(value)
    return merged


def coalesce_values(defaults: Mapping[str, Any], values: Mapping[str, Any]) -> Values:
    """Return what templates and schema see: ``values`` over the chart's defaults.

    A null drops the default of its key. Where there is no default it stays, and the schema
    sees it. So does Helm.
    """
    seen: Values = {}
    for key in [*defaults, *(key for key in values if key not in defaults)]:
        default, value = defaults.get(key), values.get(key, defaults.get(key))
        if value is None and key in defaults:
            continue
        if isinstance(value, dict):
            inner = default if isinstance(default, dict) else {}
            seen[key] = coalesce_values(inner, value if key in values else {})
        else:
            seen[key] = copy.deepcopy(value)
    return seen


def diff_paths(left: Mapping[str, Any], right: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return the dotted paths at which two value trees differ.

    Lists are compared whole, and an empty map is like none: templates see no difference.
    """
    paths: list[str] = []
    for key in sorted({*left, *right}):
        path = prefix + key.replace(".", "\\.")
        a, b = left.get(key, _UNSET), right.get(key, _UNSET)
        a_map, b_map = isinstance(a, dict), isinstance(b, dict)
        if (a_map or a is _UNSET) and (b_map or b is _UNSET) and (a or b):
            paths += diff_paths(a if a_map else {}, b if b_map else {}, f"{path}.")
        elif a != b:
            paths.append(path)
    return paths


def lookup_path(values: Mapping[str, Any], path: str, default: Any = None) -> Any:
    """Return the value at a dotted path, the default where there is none."""
    node: Any = values
    for part in _SEPARATOR.split(path):
        key = part.replace("\\.", ".")
        if not isinstance(node, dict) or key not in node:
            return default
        node = node[key]
    return node


def format_value(value: Any, max_length: int = MAX_SHOWN_LENGTH) -> str:
    """Return a value as one line of YAML, cut at ``max_length`` characters."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False)
    text = text.removesuffix("\n").removesuffix("\n...").strip()
    return text if len(text) <= max_length else f"{text[: max_length - 3]}..."


def iter_leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted paths and values, lists whole."""
    for key, value in values.items():
        path = prefix + key.replace(".", "\\.")
        if isinstance(value, dict) and value:
            yield from iter_leaves(value, f"{path}.")
        else:
            yield path, value


def without_key(values: Mapping[str, Any], key: str) -> Values:
    """Return the values without one top-level key."""
    return {name: value for name, value in values.items() if name != key}


def replace_path(values: Mapping[str, Any], path: str, value: Any) -> Values:
    """Return the values with another one at a dotted path; None removes what is there."""
    changed = merge_values(values)
    if value is None:
        remove_path(changed, path)
        return changed
    patch: Any = value
    for part in reversed(_SEPARATOR.split(path)):
        patch = {part.replace("\\.", "."): patch}
    return merge_values(changed, patch)


def remove_path(values: Values, path: str) -> bool:
    """Remove a dotted path in place, and the maps that it leaves empty; False if absent."""
    head, *rest = _SEPARATOR.split(path, maxsplit=1)
    key = head.replace("\\.", ".")
    if key not in values:
        return False
    if rest:
        node = values[key]
        if not isinstance(node, dict) or not remove_path(node, rest[0]):
            return False
        if node:
            return True
    del values[key]
    return True
