"""The profile `openclaw`, with a stand-in that insists on all that OpenClaw needs."""

from __future__ import annotations

import pytest

from local_cluster.clusters import Cluster
from tests.containers.conftest import Visitor
from tests.terminal import Operator

STAND_IN = ("--set", "image.repository=openclaw", "--set", "image.tag=2026.9.6-stand-in")
OPENCLAW = ("--profile", "openclaw", *STAND_IN, "--set", "persistence.size=10Mi")


@pytest.fixture(autouse=True)
def _image(cluster: Cluster) -> None:
    cluster.load("openclaw")


def test_openclaw_starts_with_its_configuration_volume_and_user(
    operator: Operator, visitor: Visitor
) -> None:
    operator.run("install-tenant", "acme", *OPENCLAW)
    assert visitor.ask("acme", "/counter", method="POST").status == 401
    for number in (1, 2):
        answer = visitor.ask_with_token("acme", "/counter", method="POST").body
        assert (answer["name"], answer["counter"], answer["volume"]) == ("openclaw", number, True)
    operator.run("stop-tenant", "acme")
    operator.run("start-tenant", "acme")
    assert visitor.ask_with_token("acme", "/").body["counter"] == 2
    assert "Succeeded" in operator.helm("test", "tenant-acme").stdout


@pytest.mark.parametrize(
    ("without", "sentence"),
    [
        ("gateway.config.gateway.bind=loopback", "gateway.bind must be lan"),
        ("persistence.mountPath=/data", "/home/node/.openclaw must be a volume of its own"),
        ("podSecurityContext.runAsUser=1001", "It must run as the user 1000, not as 1001"),
    ],
)
def test_openclaw_without_what_it_needs_says_so(
    operator: Operator, without: str, sentence: str
) -> None:
    failed = operator.run("install-tenant", "acme", *OPENCLAW, "--set", without, exit_code=1)
    assert "container gateway keeps crashing with exit code 78" in failed.stderr
    assert sentence in failed.stderr
