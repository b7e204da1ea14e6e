"""``--set``: Helm's notation for single values."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from typing import Any

from ..errors import InvalidValuesError
from .trees import Values

_MAX_LIST_INDEX = 999
_INT64 = 2**63


def parse_assignments(expressions: Iterable[str]) -> Values:
    """Return the values that ``--set`` expressions describe, in Helm's syntax.

    ``a.b=1,c={x,y},d[0].e=true,f\\.g=null``: integers, booleans and null are typed like
    Helm types them, everything else is text. Some of Helm's oddities are refused, but what
    is accepted reads as in Helm. Raises InvalidValuesError.
    """
    values: Values = {}
    for expression in expressions:
        for assignment in _split_assignments(expression):
            _apply_assignment(values, assignment)
    return values


def _apply_assignment(values: Values, assignment: str) -> None:
    name, equals, text = _partition_unescaped(assignment, "=")
    steps = _parse_path(name) if equals else []
    if not steps:
        raise _no_assignment(assignment)
    value = _parse_value(text, assignment)
    node: Any = values
    for step, following in itertools.pairwise(steps):
        node = _descend(node, step, [] if isinstance(following, int) else {}, assignment)
    _store(node, steps[-1], value, assignment)


def _descend(node: Any, step: str | int, empty: Any, assignment: str) -> Any:
    if isinstance(step, int) and isinstance(node, list):
        current = node[step] if step < len(node) else None
    elif isinstance(step, str) and isinstance(node, dict) and node.get(step, empty) is not None:
        current = node.get(step)
    else:
        raise _wrong_shape(assignment)
    if current is None:
        _store(node, step, empty, assignment)
        return empty
    return current


def _store(node: Any, step: str | int, value: Any, assignment: str) -> None:
    if isinstance(step, int) and isinstance(node, list):
        node.extend([None] * (step + 1 - len(node)))
        node[step] = value
    elif isinstance(step, str) and isinstance(node, dict):
        node[step] = value
    else:
        raise _wrong_shape(assignment)


def _no_assignment(assignment: str) -> InvalidValuesError:
    return InvalidValuesError(
        f"field --set: {assignment!r} is no assignment", remedy="Write --set key.subkey=value"
    )


def _wrong_shape(assignment: str) -> InvalidValuesError:
    return InvalidValuesError(
        f"field --set: {assignment!r} goes into a value that is no map or list",
        remedy="Check the path against the chart's values",
    )


def _parse_path(name: str) -> list[str | int]:
    steps: list[str | int] = []
    for part in _split_unescaped(name, "."):
        match = re.fullmatch(r"((?:\\.|[^\\\[])+)((?:\[[0-9]+\])*)", part, re.DOTALL)
        if match is None:
            return []
        steps.append(_unescape(match[1]))
        indexes = [int(index) for index in re.findall(r"[0-9]+", match[2])]
        if any(index > _MAX_LIST_INDEX for index in indexes):
            return []
        steps.extend(indexes)
    return steps


def _parse_value(text: str, assignment: str) -> Any:
    if not text.startswith("{"):
        return _parse_scalar(text)
    inner = re.fullmatch(r"\{((?:\\.|[^\\}])*)\}", text, re.DOTALL)
    if inner is None:
        raise _no_assignment(assignment)
    return [_parse_scalar(item) for item in _split_unescaped(inner[1], ",")]


def _parse_scalar(text: str) -> Any:
    text = _unescape(text)
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if text.lower() == "null":
        return None
    if re.fullmatch(r"0|[+-][0-9]+|[1-9][0-9]*", text) and -_INT64 <= int(text) < _INT64:
        return int(text)
    return text


def _unescape(text: str) -> str:
    return re.sub(r"\\(.?)", r"\1", text, flags=re.DOTALL)


def _split_assignments(expression: str) -> list[str]:
    """Split at commas, except inside the braces of a list."""
    assignments: list[str] = []
    for part in _split_unescaped(expression, ","):
        if assignments and _is_open_list(assignments[-1]):
            assignments[-1] += f",{part}"
        else:
            assignments.append(part)
    return assignments


def _is_open_list(assignment: str) -> bool:
    _, _, text = _partition_unescaped(assignment, "=")
    return re.fullmatch(r"\{(?:\\.|[^\\}])*", text, re.DOTALL) is not None


def _split_unescaped(text: str, separator: str) -> list[str]:
    parts, current, escaped = [], "", False
    for char in text:
        if char == separator and not escaped:
            parts.append(current)
            current = ""
        else:
            current += char
        escaped = char == "\\" and not escaped
    return [*parts, current]


def _partition_unescaped(text: str, separator: str) -> tuple[str, str, str]:
    match = re.match(rf"((?:\\.|[^\\{separator}])*){separator}(.*)", text, re.DOTALL)
    return (match[1], separator, match[2]) if match else (text, "", "")
