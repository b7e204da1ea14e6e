"""``--set``: Helm's notation for single values."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from typing import Any

from ..errors import InvalidValuesError
from .trees import Values

_MAX_LIST_INDEX = 999


def parse_assignments(expressions: Iterable[str]) -> Values:
    """Return the values that ``--set`` expressions describe, in Helm's syntax.

    ``a.b=1,c={x,y},d[0].e=true,f\\.g=null``: integers, booleans and null are typed like
    Helm types them, everything else is text. Raises InvalidValuesError.
    """
    values: Values = {}
    for expression in expressions:
        for assignment in _split_unescaped(expression, ","):
            _apply_assignment(values, assignment)
    return values


def _apply_assignment(values: Values, assignment: str) -> None:
    name, equals, text = _partition_unescaped(assignment, "=")
    steps = _parse_path(name) if equals else []
    if not steps:
        raise InvalidValuesError(
            f"field --set: {assignment!r} is no assignment",
            remedy="Write --set key.subkey=value",
        )
    node: Any = values
    for step, following in itertools.pairwise(steps):
        node = _descend(node, step, [] if isinstance(following, int) else {}, assignment)
    _store(node, steps[-1], _parse_typed(text), assignment)


def _descend(node: Any, step: str | int, empty: Any, assignment: str) -> Any:
    current = _get(node, step, assignment)
    if current is None:
        _store(node, step, empty, assignment)
        return empty
    return current


def _get(node: Any, step: str | int, assignment: str) -> Any:
    if isinstance(step, int) and isinstance(node, list):
        return node[step] if step < len(node) else None
    if isinstance(step, str) and isinstance(node, dict):
        return node.get(step)
    raise _wrong_shape(assignment)


def _store(node: Any, step: str | int, value: Any, assignment: str) -> None:
    if isinstance(step, int) and isinstance(node, list):
        node.extend([None] * (step + 1 - len(node)))
        node[step] = value
    elif isinstance(step, str) and isinstance(node, dict):
        node[step] = value
    else:
        raise _wrong_shape(assignment)


def _wrong_shape(assignment: str) -> InvalidValuesError:
    return InvalidValuesError(
        f"field --set: {assignment!r} goes into a value that is no map or list",
        remedy="Check the path against the chart's values",
    )


def _parse_path(name: str) -> list[str | int]:
    steps: list[str | int] = []
    for part in _split_unescaped(name, "."):
        match = re.fullmatch(r"(.*?)((?:\[\d+\])*)", part, re.DOTALL)
        if match is None or not match[1]:
            return []
        steps.append(_unescape(match[1]))
        indexes = [int(index) for index in re.findall(r"\[(\d+)\]", match[2])]
        if any(index > _MAX_LIST_INDEX for index in indexes):
            return []
        steps.extend(indexes)
    return steps


def _parse_typed(text: str) -> Any:
    if text.startswith("{") and text.endswith("}"):
        inner = text[1:-1]
        return [_parse_scalar(item) for item in _split_unescaped(inner, ",")] if inner else []
    return _parse_scalar(text)


def _parse_scalar(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    if text == "null":
        return None
    if re.fullmatch(r"0|-?[1-9][0-9]{0,17}", text):
        return int(text)
    return _unescape(text)


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _split_unescaped(text: str, separator: str) -> list[str]:
    parts, current, depth, escaped = [], "", 0, False
    for char in text:
        depth += 0 if escaped else (char == "{") - (char == "}")
        if char == separator and depth <= 0 and not escaped:
            parts.append(current)
            current = ""
        else:
            current += char
        escaped = char == "\\" and not escaped
    return [*parts, current]


def _partition_unescaped(text: str, separator: str) -> tuple[str, str, str]:
    match = re.match(rf"((?:\\.|[^\\{separator}])*){separator}(.*)", text, re.DOTALL)
    return (match[1], separator, match[2]) if match else (text, "", "")
