"""Reading values files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from ..errors import InvalidValuesError
from .trees import Values

MAX_FILE_BYTES = 1_000_000

_TAG = "tag:yaml.org,2002:"


class _PlainLoader(yaml.SafeLoader):
    """Reads dates, ``1:30`` and ``.inf`` as text: for Helm they are no numbers either."""


_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in (f"{_TAG}bool", f"{_TAG}null")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_PlainLoader.add_implicit_resolver(
    f"{_TAG}int",
    re.compile(r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)$"),
    list("-+0123456789"),
)
_PlainLoader.add_implicit_resolver(
    f"{_TAG}float",
    re.compile(r"[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)([eE][-+][0-9]+)?$"),
    list("-+.0123456789"),
)


def load_values_file(path: Path, *, field_name: str = "-f") -> Values:
    """Read one values file.

    Tags and aliases are refused: values are plain data, and a few nested aliases can
    grow to gigabytes. Raises InvalidValuesError.
    """
    text = _read_text(path, field_name)
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if isinstance(token, yaml.AliasToken | yaml.AnchorToken | yaml.TagToken):
                kind = "a tag" if isinstance(token, yaml.TagToken) else "an anchor or alias"
                raise InvalidValuesError(
                    f"field {field_name}: {path} has {kind} in line {token.start_mark.line + 1}",
                    remedy="Write the value out in full: values files are plain data",
                )
        values = _PlainLoader(text).get_single_data()
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        mark = getattr(exc, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        why = getattr(exc, "problem", None) or "it cannot be parsed"
        raise InvalidValuesError(
            f"field {field_name}: {path} is not YAML{where}: {why}", remedy="Correct the file"
        ) from exc
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise InvalidValuesError(
            f"field {field_name}: {path} holds no mapping of names to values",
            remedy="Write it as 'key: value' lines",
        )
    _require_text_keys(values, field_name, path)
    return values


def _require_text_keys(node: Any, field_name: str, path: Path) -> None:
    for key in node if isinstance(node, dict) else ():
        if not isinstance(key, str):
            raise InvalidValuesError(
                f"field {field_name}: {path} has a name that is no text: {key}",
                remedy="Put it in quotes",
            )
    for child in node.values() if isinstance(node, dict) else node:
        if isinstance(child, dict | list):
            _require_text_keys(child, field_name, path)


def _read_text(path: Path, field_name: str) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidValuesError(
                f"field {field_name}: {path} is larger than {MAX_FILE_BYTES} bytes",
                remedy="Helm stores values in every revision; keep them small",
            )
        return path.read_text(encoding="utf-8")
    except OSError as exc:
        raise InvalidValuesError(
            f"field {field_name}: {path} cannot be read: {exc.strerror}",
            remedy="Check the path",
        ) from exc
    except UnicodeDecodeError as exc:
        raise InvalidValuesError(
            f"field {field_name}: {path} is not UTF-8 text", remedy="Save it as UTF-8"
        ) from exc
