"""Settings become real clients here, and only here.

Imports are local: ``--help`` must not wait for the Kubernetes client's half second.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .settings import Settings

if TYPE_CHECKING:
    from .chart import Chart
    from .clients.helm_command import HelmCommand
    from .operations.doctor import Inspection
    from .operations.manifest import Render
    from .ports import Charts, Ports
    from .values import Values


def bundled_chart() -> Path:
    """Return the chart that this program carries: in the wheel, else in the source tree."""
    package = Path(__file__).parent
    in_wheel = package / "charts" / "aware-tenant"
    return in_wheel if in_wheel.is_dir() else package.parents[1] / "charts" / "aware-tenant"


def complete_settings(settings: Settings) -> Settings:
    """Return the settings with the carried chart where none was named."""
    return settings if settings.chart else replace(settings, chart=str(bundled_chart()))


def build_ports(settings: Settings) -> Ports:
    """Connect to the cluster and find helm.

    Raises HelmUnusableError, ClusterUnreachableError.
    """
    from .clients.cluster import KubernetesCluster
    from .clients.helm import HelmReleases
    from .clients.helm_command import HelmCommand, find_helm
    from .clients.kubernetes_api import connect
    from .clients.leases import LeaseLiveness
    from .clients.secrets import KubernetesSecrets
    from .ports import Ports

    executable = find_helm(settings.helm)
    api = connect(settings.kubeconfig, settings.context)
    command = HelmCommand(
        executable=executable,
        kubeconfig=Path(settings.kubeconfig) if settings.kubeconfig else None,
        # Named, so that helm cannot come to another one than our own reads.
        kubecontext=api.context or None,
    )
    return Ports(
        releases=HelmReleases(command, api, settings.namespace),
        cluster=KubernetesCluster(api, settings.namespace),
        secrets=KubernetesSecrets(api, settings.namespace),
        liveness=LeaseLiveness(api, settings.namespace),
        charts=_build_charts(command),
    )


def build_renderer(settings: Settings) -> tuple[Charts, Render]:
    """Return what rendering needs: charts and helm, and no cluster."""
    from .clients.helm import render_manifest
    from .clients.helm_command import HelmCommand, find_helm

    command = HelmCommand(executable=find_helm(settings.helm))

    def render(slug: str, chart: Chart, values: Values) -> str:
        return render_manifest(command, slug, chart, values, namespace=settings.namespace)

    return _build_charts(command), render


def build_inspection(settings: Settings) -> Inspection:
    """Return the facts that ``doctor`` asks for. Raises ClusterUnreachableError."""
    from .clients.inspection import KubernetesInspection
    from .clients.kubernetes_api import connect
    from .operations.doctor import RIGHTS

    api = connect(settings.kubeconfig, settings.context)
    return KubernetesInspection(api, settings.helm, settings.namespace, RIGHTS)


def _build_charts(command: HelmCommand) -> Charts:
    from .clients.charts import ChartSources

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return ChartSources(command, cache / "aware" / "charts")
