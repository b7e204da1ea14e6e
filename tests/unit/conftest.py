"""A fresh world in memory for each test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from tests.unit.fakes import FakeWorld

settings.register_profile("unit", max_examples=40, deadline=None)
settings.load_profile("unit")


@pytest.fixture
def world() -> FakeWorld:
    """A cluster, Helm and clock in memory."""
    return FakeWorld()


@pytest.fixture
def build_helm(tmp_path: Path) -> Callable[[str], Path]:
    """Make a program called helm out of one line of shell."""

    def build(script: str) -> Path:
        path = tmp_path / "helm"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return build
