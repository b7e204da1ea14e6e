"""Checking values against the chart's schema, and saying in plain words what is wrong."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..chart import Chart
from ..errors import InvalidValuesError
from .trees import coalesce_values, format_value

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

# More names than this help nobody at a terminal.
MAX_LISTED = 15


def validate_values(chart: Chart, values: Mapping[str, Any], *, tenant: str | None) -> None:
    """Check values against the chart's schema, exactly as Helm will, and the slug in them.

    tenant: None for values of every tenant. Raises InvalidValuesError naming the tenant, the
    field and the remedy.
    """
    # Slow to import, and most commands have nothing to check.
    from jsonschema import Draft7Validator

    merged = coalesce_values(chart.default_values, values)
    errors = sorted(Draft7Validator(chart.schema).iter_errors(merged), key=_depth)
    if errors:
        problem, remedy = _explain_violation(_innermost(errors[0]))
        raise InvalidValuesError(problem, remedy=remedy, tenant=tenant)
    if merged.get("slug") not in (None, "", tenant):
        raise InvalidValuesError(
            f"field slug: the values name another tenant, {merged['slug']}",
            remedy="Remove it: the command names the tenant",
            tenant=tenant,
        )


def _depth(error: ValidationError) -> tuple[int, str]:
    return len(error.absolute_path), error.json_path


def _innermost(error: ValidationError) -> ValidationError:
    while error.context:
        error = max(error.context, key=lambda inner: len(inner.absolute_path))
    return error


def _explain_violation(error: ValidationError) -> tuple[str, str]:
    where = ".".join(str(part) for part in error.absolute_path) or "(top level)"
    schema: Any = error.schema
    rule: Any = error.validator_value
    if error.validator == "additionalProperties":
        return _explain_unknown(error.instance, schema, where)
    got = format_value(error.instance)
    match error.validator:
        case "type":
            said = f"{got} is no {rule if isinstance(rule, str) else ' or '.join(rule)}"
        case "enum":
            said = f"{got} is none of {', '.join(map(format_value, rule))}"
        case "pattern":
            said = f"{got} does not have the required form"
        case "minimum":
            said = f"{got} must be at least {rule}"
        case "maximum":
            said = f"{got} must be at most {rule}"
        case "not":
            said = f"{got} is reserved or excluded"
        case _:
            said = error.message
    wanted = schema.get("description") if isinstance(schema, dict) else None
    remedy = f"It must be: {wanted}" if wanted else "See the chart's README for its values"
    return f"field {where}: {said}", remedy


def _explain_unknown(instance: Any, schema: Any, where: str) -> tuple[str, str]:
    known = sorted(schema.get("properties", {}))
    patterns = schema.get("patternProperties", {})
    unknown = next(
        key
        for key in instance
        if key not in known and not any(re.search(pattern, key) for pattern in patterns)
    )
    path = unknown if where == "(top level)" else f"{where}.{unknown}"
    close = difflib.get_close_matches(unknown, known, n=1)
    listed = ", ".join(known) if len(known) <= MAX_LISTED else "see the chart's README"
    remedy = f"Did you mean {close[0]}?" if close else f"Known here: {listed}"
    return f"field {path}: the chart has no such value", remedy
