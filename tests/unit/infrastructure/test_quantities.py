"""Kubernetes' quantities."""

from __future__ import annotations

import pytest

from release_manager.errors import InvalidValuesError
from release_manager.infrastructure.quantities import (
    format_mib,
    format_millicores,
    parse_mib,
    parse_millicores,
    parse_quantity,
)


@pytest.mark.parametrize(
    ("quantity", "memory_mib"),
    [
        ("64Mi", 64),
        ("1Gi", 1024),
        ("1.5Gi", 1536),
        ("1048576", 1),
        (1048576, 1),
        ("1024Ki", 1),
        ("1e9", 953.67),
        ("1G", 953.67),
        ("1500M", 1430.51),
        ("128974848000m", 123),
    ],
)
def test_memory_is_read_as_kubernetes_writes_it(quantity: str, memory_mib: float) -> None:
    assert parse_mib(quantity) == pytest.approx(memory_mib, abs=0.01)


@pytest.mark.parametrize(
    ("quantity", "cpu_millicores"), [("250m", 250), ("2", 2000), (0.5, 500), ("100u", 0.1)]
)
def test_cpu_is_read_as_kubernetes_writes_it(quantity: str, cpu_millicores: float) -> None:
    assert parse_millicores(quantity) == pytest.approx(cpu_millicores)


def test_pods_are_pieces() -> None:
    assert parse_quantity("5k") == 5000


@pytest.mark.parametrize("quantity", ["", "lots", "1X", "-1", "Mi"])
def test_anything_else_is_refused_with_its_field(quantity: str) -> None:
    with pytest.raises(InvalidValuesError, match=r"field resources\.requests\.memory"):
        parse_mib(quantity, field="resources.requests.memory")


@pytest.mark.parametrize(
    ("memory_mib", "text"),
    [(64, "64Mi"), (1024, "1Gi"), (1536, "1536Mi"), (312.9, "312Mi"), (0, "0Mi")],
)
def test_memory_is_written_as_an_operator_would(memory_mib: float, text: str) -> None:
    assert format_mib(memory_mib) == text


def test_cpu_is_written_in_millicores() -> None:
    assert format_millicores(1250.7) == "1250m"
