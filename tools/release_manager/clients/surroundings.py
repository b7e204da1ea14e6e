"""What the parts find, and need, beside their releases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from ..errors import ClusterUnreachableError, ForbiddenError
from ..part import PLATFORM
from ..ports import Condition
from .kubernetes_api import ApiStatusError, Json, KubernetesApi

_CERT_MANAGER = "/apis/cert-manager.io/v1"
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_HELM = "meta.helm.sh/release"
_KINDS = {"ClusterIssuer": "clusterissuers", "Certificate": "certificates"}
_OURS = f"app.kubernetes.io/instance={PLATFORM.release}"


class KubernetesSurroundings:
    """Port ``Surroundings``."""

    def __init__(self, api: KubernetesApi, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._path = f"/api/v1/namespaces/{namespace}"

    def read_namespace_labels(self) -> Mapping[str, str] | None:
        """Return the labels of the namespace, or None where it does not exist."""
        namespace = self._api.find(self._path)
        return (namespace["metadata"].get("labels") or {}) if namespace is not None else None

    def create_namespace(self, labels: Mapping[str, str]) -> bool:
        """Create the namespace; False when it is there already."""
        metadata = {"name": self._namespace, "labels": dict(labels)}
        try:
            self._api.create(
                "/api/v1/namespaces",
                {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata},
            )
        except ApiStatusError as exc:
            if exc.code == HTTPStatus.CONFLICT:
                return False
            raise
        return True

    def label_namespace(self, labels: Mapping[str, str]) -> None:
        """Write labels on the namespace, and keep its others."""
        self._api.patch(self._path, {"metadata": {"labels": dict(labels)}})

    def find_release_of(self, definition: str) -> tuple[str, str] | None:
        """Return namespace and name of the Helm release that a CustomResourceDefinition is of.

        Both are empty where it is of none, or may not be read; None where it is not there.
        """
        try:
            found = self._api.find(f"{_DEFINITIONS}/{definition}")
        except ForbiddenError:
            return "", ""
        if found is None:
            return None
        annotations = found["metadata"].get("annotations") or {}
        return annotations.get(f"{_HELM}-namespace", ""), annotations.get(f"{_HELM}-name", "")

    def find_certificates_problem(self) -> str:
        """Return why cert-manager's API does not take objects yet; empty when it does.

        What cert-manager's own check does: it lets the API server judge an issuer, and stores
        nothing (cert-manager.io/docs/installation/kubectl/#verify).
        """
        issuer = {
            "apiVersion": "cert-manager.io/v1",
            "kind": "Issuer",
            "metadata": {"generateName": "release-manager-check-"},
            "spec": {"selfSigned": {}},
        }
        path = f"{_CERT_MANAGER}/namespaces/{self._namespace}/issuers?dryRun=All"
        try:
            self._api.create(path, issuer)
        except (ApiStatusError, ClusterUnreachableError) as exc:
            return exc.problem
        return ""

    def list_conditions(self) -> Sequence[Condition]:
        """Return the issuers and certificates of the platform, in whatever namespace."""
        groups = self._api.get("/apis")["groups"]
        if not any(item["name"] == "cert-manager.io" for item in groups):
            return []
        return [
            _parse_condition(item, kind)
            for kind, plural in _KINDS.items()
            for item in self._list(plural)
        ]

    def _list(self, plural: str) -> Sequence[Json]:
        answer = self._api.get(f"{_CERT_MANAGER}/{plural}", labelSelector=_OURS)
        return answer["items"] or ()


def _parse_condition(item: Json, kind: str) -> Condition:
    name = item["metadata"]["name"]
    for entry in item.get("status", {}).get("conditions") or ():
        if entry["type"] == "Ready":
            is_ready = entry["status"] == "True"
            return Condition(kind, name, is_ready, "" if is_ready else entry.get("message", ""))
    return Condition(kind, name, is_ready=False, reason="cert-manager has not looked at it yet")
