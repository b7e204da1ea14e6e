"""Facts about the cluster that only ``doctor`` asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property

from ..part import PLATFORM
from ..ports import Job, Schedule
from .helm_binary import find_helm, read_helm_version
from .jobs import KubernetesJobs
from .kubernetes_api import METADATA_ONLY, KubernetesApi

_DEFINITIONS = ("ingressroutes.traefik.io", "middlewares.traefik.io")
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"

Rights = Sequence[tuple[str, str, tuple[str, ...]]]


class KubernetesInspection:
    """What ``operations.doctor`` examines.

    connect: called once, on first need, so that what it raises is a finding about the
    cluster like any other.
    """

    def __init__(
        self, connect: Callable[[], KubernetesApi], helm: str, namespace: str, rights: Rights
    ) -> None:
        self._connect = connect
        self._helm = helm
        self._namespace = namespace
        self._rights = rights

    @cached_property
    def _api(self) -> KubernetesApi:
        return self._connect()

    def read_helm_version(self) -> str:
        """Return path and version of helm. Raises HelmUnusableError."""
        path = find_helm(self._helm)
        return f"{read_helm_version(path)} ({path})"

    def read_cluster(self) -> str:
        """Return context, address and version.

        Raises InvalidSettingsError without a usable kubeconfig, ClusterUnreachableError.
        """
        version = self._api.get("/version")["gitVersion"]
        return f"{version} at {self._api.server} (context {self._api.context})"

    def has_namespace(self) -> bool:
        """Return whether the namespace exists."""
        return self._api.find(f"/api/v1/namespaces/{self._namespace}") is not None

    def list_missing_rights(self) -> list[str]:
        """Return the rights that the credentials lack, as ``verb resource``."""
        missing = []
        for group, resource, verbs in self._rights:
            lacking = [verb for verb in verbs if not self._may(verb, group, resource)]
            if lacking:
                missing.append(f"{','.join(lacking)} {resource}")
        return missing

    def _may(self, verb: str, group: str, resource: str) -> bool:
        name, _, subresource = resource.partition("/")
        attributes = {
            "namespace": self._namespace,
            "verb": verb,
            "group": group,
            "resource": name,
            "subresource": subresource,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        return bool(self._api.create(_REVIEWS, review)["status"]["allowed"])

    def list_missing_definitions(self) -> list[str]:
        """Return the custom resources that tenants use and the cluster does not know."""
        groups = {item["name"] for item in self._api.get("/apis")["groups"]}
        if "traefik.io" not in groups:
            return list(_DEFINITIONS)
        known = {item["name"] for item in self._api.get("/apis/traefik.io/v1alpha1")["resources"]}
        return [name for name in _DEFINITIONS if name.partition(".")[0] not in known]

    def count_ingress_pods(self) -> int:
        """Return how many Traefik pods are ready, in any namespace."""
        pods = self._api.get("/api/v1/pods", labelSelector="app.kubernetes.io/name=traefik")
        return sum(
            any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)
            for pod in pods["items"] or ()
            if (conditions := pod.get("status", {}).get("conditions", ()))
        )

    def find_default_storage_class(self) -> str:
        """Return the name of the default StorageClass, or nothing."""
        classes = self._api.get("/apis/storage.k8s.io/v1/storageclasses")["items"] or ()
        for item in classes:
            if item["metadata"].get("annotations", {}).get(_DEFAULT_CLASS) == "true":
                return str(item["metadata"]["name"])
        return ""

    def count_ready_nodes(self) -> int:
        """Return how many nodes are ready."""
        nodes = self._api.get("/api/v1/nodes")["items"] or ()
        return sum(
            any(
                entry["type"] == "Ready" and entry["status"] == "True"
                for entry in node["status"].get("conditions", ())
            )
            for node in nodes
        )

    def has_platform(self) -> bool:
        """Return whether there is a release of the platform."""
        selector = f"owner=helm,name={PLATFORM.release}"
        path = f"/api/v1/namespaces/{self._namespace}/secrets"
        return bool(self._api.get(path, labelSelector=selector, accept=METADATA_ONLY)["items"])

    def read_schedule(self, name: str) -> Schedule | None:
        """Return a CronJob, or None."""
        return self._jobs.read_schedule(name)

    def list_jobs(self, template: str) -> Sequence[Job]:
        """Return the Jobs made from a CronJob, newest first."""
        return self._jobs.list(template)

    def now(self) -> datetime:
        """Return the time by the API server's clock."""
        return self._api.now()

    @property
    def _jobs(self) -> KubernetesJobs:
        return KubernetesJobs(self._api, self._namespace)

    def read_clock_offset_seconds(self) -> float:
        """Return how far the API server's clock is ahead of this machine's."""
        return self._api.clock_offset_seconds
