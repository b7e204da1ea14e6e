"""A site for each test."""

from __future__ import annotations

import pytest

from tests.unit.operations.platforms import FakeSite


@pytest.fixture
def site() -> FakeSite:
    """An empty cluster, in memory."""
    return FakeSite()
