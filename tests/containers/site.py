"""A platform and an API in real containers, and somebody who works with them."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from local_cluster.clusters import Cluster
from local_cluster.node.reach import reach
from tests.conftest import build_environment
from tests.containers.answers import Answer, send_request, wait_for_answer
from tests.terminal import Operator

API_PORT = 3001
INSTALL_PLATFORM = (
    "install-platform",
    *("--set", "postgres.majorVersion=15", "--set", "postgres.image.tag=15-stand-in"),
    *("--set", "postgres.image.digest=", "--set", "postgres.persistence.size=100Mi"),
    *("--set", "backups.volume.size=100Mi", "--set", "certificates.enabled=false"),
    # Nothing outside of the namespace, so that several can be there at once.
    *("--set", "priorityClasses.create=false", "--set", "priorityClasses.platform="),
    *("--set", "traefik.redirect.enabled=false", "--set", "traefik.tlsOptions.enabled=false"),
)
INSTALL_API = ("install-api", "--set", "image.tag=1.0.0-stand-in")


def sign_token(secret: str) -> str:
    """Return a JSON Web Token, signed by HS256."""

    def encode(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).decode().rstrip("=")

    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": "somebody"})
    signed = ".".join(encode(json.dumps(part).encode()) for part in parts)
    return f"{signed}.{encode(hmac.digest(secret.encode(), signed.encode(), 'sha256'))}"


@dataclass(frozen=True)
class Site:
    """A platform and an API, and somebody who works with them. said: all that was printed."""

    cluster: Cluster
    operator: Operator
    said: list[str] = field(default_factory=list)

    def run(self, *arguments: object, exit_code: int = 0) -> str:
        """Run release-manager and return all that it prints."""
        done = self.operator.run(*arguments, exit_code=exit_code)
        self.said.append(done.stdout + done.stderr)
        return self.said[-1]

    def read_secret(self, name: str) -> dict[str, str]:
        data = self.operator.get("secret", name)["data"]
        return {key: base64.b64decode(text).decode() for key, text in data.items()}

    @contextmanager
    def visiting(self, timeout_seconds: float) -> Iterator[Callable[[], Answer]]:
        """Give what counts one visit by the API."""
        address = self.operator.get("service", "api")["spec"]["clusterIP"]
        token = sign_token(self.read_secret("aware-secrets")["jwt-secret"])
        with reach(self.cluster.folder, address, API_PORT) as port:
            yield lambda: send_request(
                port, "/visits", method="POST", token=token, timeout_seconds=timeout_seconds
            )

    def visit(self) -> int:
        """Count one visit by the API; return how many there have been."""
        address = self.operator.get("service", "api")["spec"]["clusterIP"]
        token = sign_token(self.read_secret("aware-secrets")["jwt-secret"])
        with reach(self.cluster.folder, address, API_PORT) as port:
            answer = wait_for_answer(port, "/visits", method="POST", token=token)
        assert answer.status == 200, answer
        return int(answer.body["visits"])

    def ask(self, statement: str, database: str = "aware") -> str:
        """Run one statement in the pod of Postgres."""
        psql = ("exec", "postgres-0", "--", "psql", "-qAt", "-U", "postgres", "-d", database)
        return self.operator.kubectl(*psql, "-c", statement).strip()

    def list_pods(self, app: str) -> set[str]:
        """Return the names of a part's pods."""
        return set(self.operator.kubectl("get", "pods", "-l", f"app={app}", "-o", "name").split())

    def show(self) -> dict[str, dict[str, str]]:
        return {row["part"]: row for row in self.operator.read("show-platform")}


def install_site(cluster: Cluster, namespace: str, home: Path) -> Site:
    """Install a platform and an API."""
    cluster.load("postgres")
    site = Site(cluster, Operator(namespace, build_environment(cluster, namespace, home)))
    site.run(*INSTALL_PLATFORM)
    site.run(*INSTALL_API)
    return site
