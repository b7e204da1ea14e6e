"""The clients keep the contracts of the ports, on real Helm and a real Kubernetes API."""

from __future__ import annotations

import pytest

from release_manager.chart import Chart
from release_manager.clients.kubernetes_api import connect
from release_manager.clients.releases import _decode_release, _encode_release
from release_manager.clients.surroundings import KubernetesSurroundings
from release_manager.ports import Ports, RunOptions, Surroundings
from release_manager.settings import Settings
from release_manager.tenant import ReleaseStatus, Target
from tests import contracts


@pytest.fixture
def chart(ports: Ports, settings: Settings) -> Chart:
    return ports.charts.load(settings.chart)


@pytest.fixture
def run() -> RunOptions:
    return RunOptions(contracts.TIMEOUT_SECONDS, lambda _text: None)


@pytest.fixture
def leave_pending(settings: Settings, ports: Ports) -> contracts.LeavePending:
    """Write a status into body and label of the latest revision, where helm keeps it."""
    api = connect(settings.kubeconfig, settings.context)

    def write(slug: str, status: ReleaseStatus) -> None:
        number = contracts.latest(ports, slug).number
        path = (
            f"/api/v1/namespaces/{settings.namespace}/secrets/"
            f"sh.helm.release.v1.{Target(slug).release}.v{number}"
        )
        secret = api.get(path)
        release = _decode_release(secret["data"]["release"])
        release["info"]["status"] = status.value
        secret["data"]["release"] = _encode_release(release)
        secret["metadata"]["labels"]["status"] = status.value
        api.replace(path, secret)

    return write


@pytest.fixture
def surroundings(settings: Settings, slug: str) -> Surroundings:
    api = connect(settings.kubeconfig, settings.context)
    return KubernetesSurroundings(api, f"{settings.namespace}-{slug}-elsewhere")


class TestHelmReleases(contracts.ReleasesContract):
    """HelmReleases."""


class TestKubernetesCluster(contracts.ClusterContract):
    """KubernetesCluster."""


class TestKubernetesSecrets(contracts.SecretsContract):
    """KubernetesSecrets."""


class TestLeaseLiveness(contracts.LivenessContract):
    """LeaseLiveness."""


class TestChartSources(contracts.ChartsContract):
    """ChartSources."""


class TestKubernetesNodes(contracts.NodesContract):
    """KubernetesNodes."""


class TestKubernetesHolds(contracts.HoldsContract):
    """KubernetesHolds."""


class TestKubernetesJournals(contracts.JournalsContract):
    """KubernetesJournals."""


class TestKubernetesSurroundings(contracts.SurroundingsContract):
    """KubernetesSurroundings."""
