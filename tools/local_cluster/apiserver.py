"""Asking an API server whether it, and what a cluster starts with, is there."""

import http.client
import json
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT_SECONDS = 2.0
SUCCESS = 2


@dataclass(frozen=True)
class ApiServer:
    """An API server on the loopback address."""

    host: str
    port: int
    certificate: Path
    token: str

    def read(self, path: str) -> bytes | None:
        """Return what the API server answers; None when it does not, or answers with an error."""
        return self._ask("GET", path)

    def create(self, path: str, manifest: Mapping[str, object]) -> bool:
        """Create an object in the list at a path; tell whether that was done now."""
        return self._ask("POST", path, json.dumps(manifest)) is not None

    def delete(self, path: str) -> bool:
        """Delete the object at a path; tell whether the API server took it."""
        return self._ask("DELETE", path) is not None

    def _ask(self, method: str, path: str, body: str | None = None) -> bytes | None:
        """Return the body of an answer that reports success."""
        try:
            trust = ssl.create_default_context(cafile=str(self.certificate))
            # Not urllib: it would send this through the proxy that the environment may name.
            connection = http.client.HTTPSConnection(
                self.host, self.port, timeout=TIMEOUT_SECONDS, context=trust
            )
            with closing(connection):
                headers = {"Authorization": f"Bearer {self.token}"}
                if body is not None:
                    headers["Content-Type"] = "application/json"
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                text = answer.read()
                return text if answer.status // 100 == SUCCESS else None
        except (OSError, http.client.HTTPException):
            return None

    def is_ready(self) -> bool:
        """Tell whether the API server says that it is ready."""
        return self.read("/readyz") is not None

    def has_content(self) -> bool:
        """Tell whether pods can be created, and find nodes, CRDs and what the cluster runs."""
        crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        served = self._read_truths(crds, "Established")
        nodes = self._read_truths("/api/v1/nodes", "Ready")
        own = self._read_truths("/apis/apps/v1/namespaces/kube-system/deployments", "Available")
        return (
            self.read("/api/v1/namespaces/default/serviceaccounts/default") is not None
            and bool(served and nodes)
            and all((*served, *nodes, *own))
        )

    def _read_truths(self, path: str, condition: str) -> list[bool]:
        """Return whether the condition is true, for each of the objects at a path."""
        answer = self.read(path)
        return [is_true(item, condition) for item in json.loads(answer)["items"]] if answer else []


def is_true(item: dict[str, Any], condition: str) -> bool:
    """Tell whether a condition of a Kubernetes object is there and true."""
    conditions = item.get("status", {}).get("conditions") or ()
    return any(one["type"] == condition and one["status"] == "True" for one in conditions)
