"""A node with real containers, and what tests do with it that an operator would not."""

from __future__ import annotations

import base64
import http.client
import json
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local_cluster import clusters
from local_cluster.clusters import Cluster
from local_cluster.node.possible import find_obstacle
from local_cluster.node.reach import reach
from tests.conftest import REAL_NAME, RUN_PID
from tests.terminal import Operator

STAND_IN = ("--set", "image.tag=1.0.0-stand-in")
WITH_VOLUME = ("--set", "persistence.enabled=true", "--set", "persistence.size=10Mi")
PORT = 18789


@pytest.fixture(scope="session")
def cluster(tools_path: Path) -> Cluster:
    """A cluster with real containers that the workers of this run share; it ends with the run.

    What would disturb the others' tests is for `own`.
    """
    obstacle = find_obstacle()
    if obstacle is not None:
        reason = f"containers cannot be real here: {obstacle}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return clusters.start(REAL_NAME, containers="real", owner_pid=RUN_PID)


@pytest.fixture
def own(cluster: Cluster) -> Iterator[Cluster]:
    """A cluster of one test alone, beside the shared one; it ends with the test."""
    name = f"own-real-{os.getpid()}"
    yield clusters.start(name, containers="real", owner_pid=os.getpid())
    clusters.stop(name)


@dataclass(frozen=True)
class Answer:
    """What a tenant answered: the status, and the body as JSON where it is JSON."""

    status: int
    body: Any


@dataclass(frozen=True)
class Visitor:
    """Somebody who sends requests to a tenant's Service."""

    cluster: Cluster
    operator: Operator

    def read_token(self, slug: str) -> str:
        """Return a tenant's token."""
        secret = self.operator.get("secret", f"tenant-{slug}-token")
        return base64.b64decode(secret["data"]["token"]).decode()

    def ask(self, slug: str, path: str = "/", *, method: str = "GET", token: str = "") -> Answer:
        """Send one request through the tenant's Service."""
        address = self.operator.get("service", f"tenant-{slug}")["spec"]["clusterIP"]
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with reach(self.cluster.folder, address, PORT) as port:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            with closing(connection):
                connection.request(method, path, headers=headers)
                answer = connection.getresponse()
                text = answer.read().decode()
        is_json = answer.headers.get_content_type() == "application/json"
        return Answer(answer.status, json.loads(text) if is_json else text)

    def ask_with_token(self, slug: str, path: str = "/", *, method: str = "GET") -> Answer:
        """Send one request as the tenant's customer."""
        return self.ask(slug, path, method=method, token=self.read_token(slug))


@pytest.fixture
def visitor(cluster: Cluster, operator: Operator) -> Visitor:
    """Somebody who sends requests to tenants."""
    return Visitor(cluster, operator)
