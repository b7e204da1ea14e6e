"""Kubernetes' quantities: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/."""

from __future__ import annotations

import math
import re

from ..errors import InvalidValuesError

_BYTES_PER_MIB = 1024**2
_MIB_PER_GIB = 1024
_UNITS = {"": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3}
_UNITS |= {letter: 1000.0**power for power, letter in enumerate("MGTPE", start=2)}
_UNITS |= {f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTPE", start=1)}
_QUANTITY = re.compile(r"([0-9.]+(?:[eE][+-]?[0-9]+)?)([A-Za-z]*)")


def parse_quantity(quantity: str | float, *, field: str = "resources") -> float:
    """Return what a quantity is in bytes, cores or pieces. Raises InvalidValuesError."""
    match = _QUANTITY.fullmatch(str(quantity))
    if match is None or match[2] not in _UNITS:
        raise InvalidValuesError(
            f"field {field}: {quantity!r} is no quantity", remedy="Write it as 250m, 64Mi or 1Gi"
        )
    return float(match[1]) * _UNITS[match[2]]


def parse_mib(quantity: str | float, *, field: str = "resources") -> float:
    """Return an amount of memory. Raises InvalidValuesError."""
    return parse_quantity(quantity, field=field) / _BYTES_PER_MIB


def parse_millicores(quantity: str | float, *, field: str = "resources") -> float:
    """Return an amount of CPU. Raises InvalidValuesError."""
    return parse_quantity(quantity, field=field) * 1000


def format_mib(memory_mib: float) -> str:
    """Return memory as ``64Mi`` or ``1Gi``, rounded down."""
    whole = math.floor(memory_mib)
    is_in_gib = whole and whole % _MIB_PER_GIB == 0
    return f"{whole // _MIB_PER_GIB}Gi" if is_in_gib else f"{whole}Mi"


def format_millicores(cpu_millicores: float) -> str:
    """Return CPU as ``250m``, rounded down."""
    return f"{math.floor(cpu_millicores)}m"
