"""A chart's files, its contract for values, and the digest that names both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DEFAULT_PROFILE = "default"


@dataclass(frozen=True)
class Chart:
    """A chart that was read from a folder, a package or a registry.

    reference: what Helm is given. digest: of all files that Helm would package.
    profiles: values by profile name; the profile ``default`` is empty.
    """

    name: str
    version: str
    reference: str
    digest: str
    default_values: dict[str, Any] = field(repr=False)
    schema: dict[str, Any] = field(repr=False)
    profiles: dict[str, dict[str, Any]] = field(repr=False)


def build_digest(*parts: object) -> str:
    """Return 40 hexadecimal digits that identify JSON-like values, whatever their key order."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def build_files_digest(files: Mapping[str, bytes], metadata: Mapping[str, Any]) -> str:
    """Return the digest of a chart's files.

    Chart.yaml counts by its ``metadata`` and not by its text, because ``helm package``
    writes that file anew: a folder and its package have the same digest.
    """
    sums = {
        name: hashlib.sha256(content).hexdigest()
        for name, content in files.items()
        if name != "Chart.yaml"
    }
    return build_digest(sums, metadata)
