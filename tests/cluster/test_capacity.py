"""How many tenants fit on real nodes' records, and what an install does where none is left.

Each test has a node of its own, which only tenants of the test tolerate and ask for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local_cluster.clusters import Cluster
from tests.cluster.test_rights import bind_rights_of_doctor
from tests.conftest import administer
from tests.terminal import Operator, wait_for

KEY = "tests/only-for"
# Room for two tenants, and for a third one's pod but not for its memory.
ALLOCATABLE = {"cpu": "1", "memory": "150Mi", "pods": "3"}


def _read_node(cluster: Cluster, name: str) -> dict[str, Any]:
    return dict(json.loads(administer(cluster, "get", "node", name, "-o", "json")))


def _resize(cluster: Cluster, name: str, **allocatable: str) -> None:
    """Write what a node has, as a kubelet does, and insist that it stays."""
    patch = {"status": {"allocatable": {**ALLOCATABLE, **allocatable}}}
    administer(
        cluster,
        *("patch", "node", name, "--subresource=status", "--type=merge"),
        *("-p", json.dumps(patch)),
    )


@pytest.fixture
def node(cluster: Cluster, namespace: str) -> Iterator[str]:
    """A small node for the tenants of one test."""
    name = f"small-{namespace}"
    manifest = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                KEY: namespace,
                "kubernetes.io/hostname": name,
                "type": "kwok",
                "node.kubernetes.io/instance-type": "t3.small",
            },
        },
        "spec": {"taints": [{"key": KEY, "value": namespace, "effect": "NoSchedule"}]},
    }
    administer(cluster, "create", "-f", "-", text=json.dumps(manifest))
    wait_for(lambda: _is_ready(_read_node(cluster, name)), "the node to be ready")
    _resize(cluster, name)
    yield name
    administer(cluster, "delete", "node", name, "--wait=false")


def _is_ready(node: dict[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions", ())
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


@pytest.fixture
def there(operator: Operator, node: str, tmp_path: Path) -> Operator:
    """An operator whose fleet file sends all tenants to that node."""
    file = tmp_path / "fleet.yaml"
    place = {
        "nodeSelector": {KEY: operator.namespace},
        "tolerations": [{"key": KEY, "operator": "Exists"}],
    }
    file.write_text(yaml.safe_dump({"defaults": place}))
    environment = {**operator.environment, "RELEASE_MANAGER_SETTINGS": str(file)}
    return Operator(operator.namespace, environment)


def _snapshot(operator: Operator) -> str:
    return operator.kubectl("get", "all,secrets,leases,configmaps", "-o", "name")


def test_capacity_counts_the_pods_that_are_there(there: Operator, node: str) -> None:
    before = there.read("capacity")
    there.run("install-tenant", "acme")
    after = there.read("capacity")
    assert (before["room"]["count"], after["room"]["count"]) == (2, 1)
    assert after["room"]["binding"] == "memory requests"
    (own,) = (item for item in after["nodes"] if item["name"] == node)
    assert own["taken"] == {"memoryMib": 64, "cpuMillicores": 50, "pods": 1}
    assert own["instanceType"] == "t3.small"


def test_capacity_tells_why_the_other_nodes_do_not_count(there: Operator, node: str) -> None:
    said = there.run("capacity").stdout
    assert f"does not count: it lacks the label {KEY}={there.namespace}" in said
    assert node in said


def test_a_cordoned_node_does_not_count(there: Operator, cluster: Cluster, node: str) -> None:
    administer(cluster, "cordon", node)
    wait_for(lambda: there.read("capacity")["room"]["count"] == 0, "the cordon to be seen")
    result = there.run("install-tenant", "acme", exit_code=2)
    assert "no node takes its pod" in result.stderr


def test_a_tenant_without_room_is_refused_and_nothing_is_made(there: Operator, node: str) -> None:
    there.run("install-tenant", "acme")
    there.run("install-tenant", "globex")
    before = _snapshot(there)
    for flags in ((), ("--dry-run",)):
        result = there.run("install-tenant", "initech", *flags, exit_code=2)
        assert result.stderr.startswith(
            "Error: tenant initech: no node has room for its pod: it requests 64Mi of memory and "
            f"50m of CPU; node {node} has 22Mi of memory left. "
        )
    assert _snapshot(there) == before


def test_a_node_that_holds_all_the_pods_it_may_is_told(
    there: Operator, cluster: Cluster, node: str
) -> None:
    _resize(cluster, node, pods="1")
    there.run("install-tenant", "acme")
    result = there.run("install-tenant", "globex", exit_code=2)
    assert "has no pod left of the 1 that it may have" in result.stderr


def test_force_installs_it_and_it_starts_when_there_is_room(
    there: Operator, cluster: Cluster, node: str
) -> None:
    _resize(cluster, node, memory="10Mi")
    there.run("install-tenant", "acme", "--force", "--no-wait")
    assert there.exists("secret", "tenant-acme-token")
    _resize(cluster, node)
    wait_for(lambda: there.tenant("acme")["state"] == "running", "the pod to find room")


def test_a_stopped_tenant_needs_no_room(there: Operator, cluster: Cluster, node: str) -> None:
    _resize(cluster, node, memory="10Mi")
    there.run("install-tenant", "acme", "--stopped")
    assert there.tenant("acme")["state"] == "stopped"


def test_who_may_not_list_nodes_installs_without_being_asked(
    there: Operator, cluster: Cluster, node: str, tmp_path: Path
) -> None:
    _resize(cluster, node, memory="10Mi")
    weak = bind_rights_of_doctor(there, tmp_path)
    result = weak.run("install-tenant", "acme", "--no-wait")
    assert "whether a node has room for it is not checked" in result.stderr
    refused = weak.run("capacity", exit_code=4)
    assert "cannot list resource" in refused.stderr


def test_the_documented_keys_are_those_that_are_printed(there: Operator, node: str) -> None:
    document = (Path(__file__).parents[2] / "docs" / "output.md").read_text()
    section = document.split("\n## capacity: an object")[1].split("\n## ")[0]
    data = there.read("capacity")
    (own,) = (item for item in data["nodes"] if item["name"] == node)
    for keys in (data, data["tenant"], data["room"], own, own["taken"]):
        assert all(key in section for key in keys), keys
