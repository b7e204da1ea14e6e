"""Asking an API server whether it, and what a cluster starts with, is there."""

import http
import http.client
import json
import ssl
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True)
class ApiServer:
    """An API server on the loopback address."""

    host: str
    port: int
    certificate: Path
    token: str

    def read(self, path: str) -> bytes | None:
        """Return what the API server answers; None when it does not, or answers with an error."""
        try:
            trust = ssl.create_default_context(cafile=str(self.certificate))
            # Not urllib: it would send this through the proxy that the environment may name.
            connection = http.client.HTTPSConnection(
                self.host, self.port, timeout=TIMEOUT_SECONDS, context=trust
            )
            with closing(connection):
                headers = {"Authorization": f"Bearer {self.token}"}
                connection.request("GET", path, headers=headers)
                answer = connection.getresponse()
                return answer.read() if answer.status == http.HTTPStatus.OK else None
        except (OSError, http.client.HTTPException):
            return None

    def is_ready(self) -> bool:
        """Tell whether the API server says that it is ready."""
        return self.read("/readyz") is not None

    def has_content(self) -> bool:
        """Tell whether a node is ready, every CRD is served and pods can be created."""
        return (
            self.read("/api/v1/namespaces/default/serviceaccounts/default") is not None
            and self._all_are("/api/v1/nodes", "Ready")
            and self._all_are(
                "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "Established"
            )
        )

    def _all_are(self, path: str, condition: str) -> bool:
        """Tell whether there are objects at a path and the condition is true of each."""
        answer = self.read(path)
        items = json.loads(answer)["items"] if answer else []
        return bool(items) and all(is_true(item, condition) for item in items)


def is_true(item: dict[str, Any], condition: str) -> bool:
    """Tell whether a condition of a Kubernetes object is there and true."""
    conditions = item.get("status", {}).get("conditions") or ()
    return any(one["type"] == condition and one["status"] == "True" for one in conditions)
