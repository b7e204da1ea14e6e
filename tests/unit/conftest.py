"""A fresh world in memory for each test."""

from __future__ import annotations

import pytest
from hypothesis import settings

from tests.unit.fakes import FakeWorld

settings.register_profile("unit", max_examples=40, deadline=None)
settings.load_profile("unit")


@pytest.fixture
def world() -> FakeWorld:
    """A cluster, Helm and clock in memory."""
    return FakeWorld()
