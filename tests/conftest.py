"""What all tiers share: the tools and the cluster, built and started when a test asks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_cluster import simulated
from local_cluster.build import link_tools
from local_cluster.folders import TOOLS
from local_cluster.simulated import Cluster


@pytest.fixture(scope="session")
def tools_path() -> Path:
    """The folder with helm, kubectl and the chart's tools, put first on PATH."""
    link_tools()
    os.environ["PATH"] = f"{TOOLS}{os.pathsep}{os.environ['PATH']}"
    return TOOLS


@pytest.fixture(scope="session")
def cluster(tools_path: Path) -> Iterator[Cluster]:
    """A control plane of this test run alone; it ends with the run, however the run ends."""
    started = simulated.start(f"tests-{os.getpid()}", owner_pid=os.getpid())
    yield started
    started.stop()
