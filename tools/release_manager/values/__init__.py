"""Values: read, merged the way Helm does, and checked against the chart's schema.

layers.py       what a tenant was asked to be, and what somebody set by hand since
trees.py        merging, comparing and addressing nested values
files.py        values files
assignments.py  ``--set``
schema.py       the chart's schema, violations in plain words
"""

from .assignments import parse_assignments
from .files import load_values_file
from .layers import (
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
from .schema import validate_values
from .trees import (
    Values,
    coalesce_values,
    diff_paths,
    format_value,
    iter_leaves,
    lookup_path,
    merge_values,
    remove_path,
    replace_path,
    without_key,
)

__all__ = [
    "RECORD_KEY",
    "Layers",
    "Values",
    "build_config_digest",
    "build_defaults",
    "build_defaults_digest",
    "coalesce_values",
    "diff_paths",
    "find_drift",
    "find_undone",
    "format_value",
    "iter_leaves",
    "load_values_file",
    "lookup_path",
    "merge_values",
    "parse_assignments",
    "read_layers",
    "reject_record_key",
    "remove_path",
    "replace_path",
    "validate_values",
    "without_key",
]
