"""The stand-ins of the API and of PostgreSQL, which later charts are tried with."""

from __future__ import annotations

import base64
import hmac
import json
from pathlib import Path

from local_cluster.clusters import Cluster
from local_cluster.node.reach import reach
from tests.containers.conftest import Answer, wait_for_answer
from tests.terminal import Operator, wait_for

MANIFESTS = Path(__file__).parent / "manifests" / "api-and-postgres.yaml"
API_PORT = 3001


def sign_token(secret: str) -> str:
    """Return a JSON Web Token, signed by HS256."""

    def encode(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).decode().rstrip("=")

    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": "somebody"})
    signed = ".".join(encode(json.dumps(part).encode()) for part in parts)
    return f"{signed}.{encode(hmac.digest(secret.encode(), signed.encode(), 'sha256'))}"


def test_api_counts_visits_in_a_database_that_outlives_its_pod(
    cluster: Cluster, operator: Operator
) -> None:
    cluster.load("postgres")
    operator.kubectl("apply", "-f", MANIFESTS)
    wait = ("rollout", "status", "--timeout=60s")
    operator.kubectl(*wait, "statefulset/postgres")
    operator.kubectl(*wait, "deployment/api")
    secret = operator.get("secret", "aware-secrets")["data"]["jwt-secret"]
    token = sign_token(base64.b64decode(secret).decode())
    address = operator.get("service", "api")["spec"]["clusterIP"]

    with reach(cluster.folder, address, API_PORT) as port:

        def visit(shown: str) -> Answer:
            return wait_for_answer(port, "/visits", method="POST", token=shown)

        assert visit(sign_token("another key")).status == 401
        assert [visit(token).body["visits"] for _ in range(2)] == [1, 2]
        operator.kubectl("delete", "pod", "postgres-0")
        operator.kubectl(*wait, "statefulset/postgres")
        wait_for(lambda: visit(token).body.get("visits") == 3, "a visit in the same database")
    log = operator.kubectl("logs", "deployment/api")
    assert "not-so-secret" not in log


def test_api_without_its_secrets_says_which_one_is_missing(operator: Operator) -> None:
    image = "registry.wareit.ai/aware-api:1.0.0-stand-in"
    pod = {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "api",
                "image": image,
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    }
    overrides = f"--overrides={json.dumps({'spec': pod})}"
    operator.kubectl("run", "api", f"--image={image}", "--restart=Never", overrides)
    operator.kubectl("wait", "pod/api", "--for=jsonpath={.status.phase}=Failed", "--timeout=60s")
    assert operator.kubectl("logs", "api").startswith("DATABASE_URL is missing")
