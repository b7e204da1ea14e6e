"""The doubles keep the contracts of the ports."""

from __future__ import annotations

import pytest

from release_manager.chart import Chart
from release_manager.ports import Ports, RunOptions, Surroundings
from tests import contracts
from tests.unit.fakes import FakeWorld
from tests.unit.operations.platforms import FakeSurroundings


@pytest.fixture
def ports(world: FakeWorld) -> Ports:
    return world.ports


@pytest.fixture
def slug() -> str:
    return "acme"


@pytest.fixture
def chart(world: FakeWorld) -> Chart:
    world.charts.by_reference[world.chart.reference] = world.chart
    return world.chart


@pytest.fixture
def run(world: FakeWorld) -> RunOptions:
    return world.run(timeout_seconds=contracts.TIMEOUT_SECONDS)


@pytest.fixture
def leave_pending(world: FakeWorld) -> contracts.LeavePending:
    return world.releases.set_status


@pytest.fixture
def surroundings() -> Surroundings:
    return FakeSurroundings()


class TestFakeReleases(contracts.ReleasesContract):
    """FakeReleases."""


class TestFakeCluster(contracts.ClusterContract):
    """FakeCluster."""


class TestFakeSecrets(contracts.SecretsContract):
    """FakeSecrets."""


class TestFakeLiveness(contracts.LivenessContract):
    """FakeLiveness."""


class TestFakeCharts(contracts.ChartsContract):
    """FakeCharts."""


class TestFakeNodes(contracts.NodesContract):
    """FakeNodes."""


class TestFakeHolds(contracts.HoldsContract):
    """FakeHolds."""


class TestFakeJournals(contracts.JournalsContract):
    """FakeJournals."""


class TestFakeSurroundings(contracts.SurroundingsContract):
    """FakeSurroundings."""
