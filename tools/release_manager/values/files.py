"""Reading values files."""

from __future__ import annotations

from pathlib import Path

import yaml

from ..errors import InvalidValuesError
from .trees import Values

MAX_FILE_BYTES = 1_000_000


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
        values = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as exc:
        mark = getattr(exc, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        why = getattr(exc, "problem", None) or "it cannot be parsed"
        raise InvalidValuesError(
            f"field {field_name}: {path} is not YAML{where}: {why}", remedy="Correct the file"
        ) from exc
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise InvalidValuesError(
            f"field {field_name}: {path} holds no mapping of names to values",
            remedy="Write it as 'key: value' lines",
        )
    return values


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
