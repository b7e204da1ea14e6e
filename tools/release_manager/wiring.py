"""Settings become real clients here, and only here.

Imports are local: ``--help`` must not wait for the Kubernetes client's half second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from .settings import Settings, cache_folder

if TYPE_CHECKING:
    from .clients.helm import Helm
    from .clients.kubernetes_api import KubernetesApi
    from .operations.doctor import Inspection
    from .operations.manifest import Render
    from .ports import Charts, Ports, Site


def bundled_chart(name: str = "aware-tenant") -> Path:
    """Return a chart that this program carries: in the wheel, else in the source tree."""
    package = Path(__file__).parent
    in_wheel = package / "charts" / name
    return in_wheel if in_wheel.is_dir() else package.parents[1] / "charts" / name


def complete_settings(settings: Settings) -> Settings:
    """Return the settings with the carried charts where none were named."""
    return replace(
        settings,
        chart=settings.chart or str(bundled_chart()),
        platform_chart=settings.platform_chart or str(bundled_chart("platform")),
        api_chart=settings.api_chart or str(bundled_chart("aware-api")),
    )


def build_ports(settings: Settings, *, is_writing: bool = True) -> Ports:
    """Connect to the cluster; for writing, find helm before anything is done.

    Raises HelmUnusableError, ClusterUnreachableError.
    """
    from .clients.charts import ChartSources
    from .clients.cluster import KubernetesCluster
    from .clients.discovery import DiscoveryCache
    from .clients.helm_binary import find_helm
    from .clients.holds import KubernetesHolds
    from .clients.journals import KubernetesJournals
    from .clients.kubernetes_api import connect
    from .clients.leases import LeaseLiveness
    from .clients.nodes import KubernetesNodes
    from .clients.releases import HelmReleases
    from .clients.secrets import KubernetesSecrets
    from .ports import Ports

    if is_writing:
        find_helm(settings.helm)
    api = connect(settings.kubeconfig, settings.context)
    discovery = DiscoveryCache(api)
    load_helm = _defer_helm(settings, api, provide_cache=discovery.provide)
    if is_writing:
        # While the cluster is looked at: what helm is run with takes a while to import.
        threading.Thread(target=load_helm).start()
    return Ports(
        releases=HelmReleases(api, settings.namespace, load_helm, discovery.learn),
        cluster=KubernetesCluster(api, settings.namespace),
        secrets=KubernetesSecrets(api, settings.namespace),
        liveness=LeaseLiveness(api, settings.namespace),
        charts=ChartSources(cache_folder() / "charts", load_helm),
        holds=KubernetesHolds(api, settings.namespace),
        journals=KubernetesJournals(api, settings.namespace),
        nodes=KubernetesNodes(api, settings.namespace),
    )


def build_site(settings: Settings, *, is_writing: bool = True) -> Site:
    """Return what operations on the parts work with. Raises as build_ports does."""
    from .clients.jobs import KubernetesJobs
    from .clients.kubernetes_api import connect
    from .clients.surroundings import KubernetesSurroundings
    from .ports import Site

    api = connect(settings.kubeconfig, settings.context)

    @cache
    def build(namespace: str) -> Site:
        there = replace(settings, namespace=namespace)
        ports = build_ports(there, is_writing=is_writing)
        surroundings = KubernetesSurroundings(api, namespace)
        return Site(ports, surroundings, KubernetesJobs(api, namespace), build)

    return build(settings.namespace)


def build_renderer(settings: Settings) -> tuple[Charts, Render]:
    """Return what rendering needs: charts and helm, and no cluster."""
    from .clients.charts import ChartSources

    load_helm = _defer_helm(settings)
    return ChartSources(cache_folder() / "charts", load_helm), load_helm().template


def build_charts(settings: Settings) -> Charts:
    """Return where charts come from; helm is looked for when a registry is asked."""
    from .clients.charts import ChartSources

    return ChartSources(cache_folder() / "charts", _defer_helm(settings))


def build_inspection(settings: Settings) -> Inspection:
    """Return the facts that ``doctor`` asks for; connects when the first one is needed."""
    from .clients.inspection import KubernetesInspection
    from .clients.kubernetes_api import connect
    from .operations.doctor import RIGHTS

    return KubernetesInspection(
        lambda: connect(settings.kubeconfig, settings.context),
        settings.helm,
        settings.namespace,
        RIGHTS,
    )


def _defer_helm(
    settings: Settings,
    api: KubernetesApi | None = None,
    *,
    provide_cache: Callable[[], Path | None] = lambda: None,
) -> Callable[[], Helm]:
    """Return a function that loads helm once, whatever thread asks. Raises HelmUnusableError."""
    lock = threading.Lock()

    @cache
    def load() -> Helm:
        from .clients.helm import Helm
        from .clients.helm_binary import find_helm
        from .clients.helm_command import HelmCommand

        command = HelmCommand(
            executable=find_helm(settings.helm),
            kubeconfig=Path(settings.kubeconfig) if settings.kubeconfig and api else None,
            # Named, so that helm cannot come to another cluster than our own reads.
            kubecontext=api.context or None if api else None,
            provide_cache=provide_cache,
        )
        return Helm(command, settings.namespace)

    def load_once() -> Helm:
        with lock:
            return load()

    return load_once
