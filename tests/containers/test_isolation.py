"""The walls of a tenant, tried from inside containers.

Whatever they keep apart is connected before, from the same pods, while the tenant has no policy. So
no test passes because nobody listens, or because nothing works.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from local_cluster import images
from local_cluster.clusters import Cluster
from local_cluster.node import host
from local_cluster.node.layout import API_SERVICE, DNS_ADDRESS, NODE_ADDRESS
from local_cluster.node.namespaces import enter_network
from tests.containers.conftest import PORT, STAND_IN, read_policies
from tests.terminal import Operator, wait_for

Address = tuple[str, int]

API_AND_POSTGRES = Path(__file__).parent / "manifests" / "api-and-postgres.yaml"
METADATA, PUBLIC = "169.254.169.254", "203.0.113.10"
# What is let through answers at once, or when the kernel tries again, after a second.
PATIENCE_SECONDS = 2
OPEN, SILENT, REFUSED = "open", "silent", "[Errno 111] Connection refused"

KNOCK = f"""\
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor

def knock(address):
    try:
        socket.create_connection(address, timeout={PATIENCE_SECONDS}).close()
    except TimeoutError:
        return "{SILENT}"
    except OSError as error:
        return str(error)
    return "{OPEN}"

targets = json.loads(sys.argv[1])
with ThreadPoolExecutor(len(targets)) as threads:
    print(json.dumps(dict(zip(targets, threads.map(knock, targets.values())))))
"""
RESOLVE = "import socket, sys; print(socket.gethostbyname(sys.argv[1]))"
END_GATEWAY = "import os, signal; os.kill(1, signal.SIGTERM)"
ASK_TENANT = "import os, urllib.request as http; http.urlopen(os.environ['TENANT_URL'], timeout=10)"
IDLE = "import signal; signal.pause()"


@dataclass(frozen=True)
class Caller:
    """A container that has Python, from which connections are tried."""

    operator: Operator
    workload: str

    def run(self, program: str, *arguments: str) -> str:
        """Run a Python program in the container and return what it prints."""
        command = ("exec", self.workload, "--", "python3", "-I", "-c", program, *arguments)
        return self.operator.kubectl(*command).strip()

    def knock(self, targets: Mapping[str, Address]) -> dict[str, str]:
        """Try to connect to all targets at once; return for each how that ended."""
        return dict(json.loads(self.run(KNOCK, json.dumps(targets))))


def read_pod_address(operator: Operator, selector: str) -> str:
    """Return the address of the one pod that a selector finds."""
    path = "jsonpath={.items[*].status.podIP}"
    return operator.kubectl("get", "pods", "--selector", selector, "-o", path)


def read_service_address(operator: Operator, name: str) -> str:
    """Return the address of a Service."""
    return str(operator.get("service", name)["spec"]["clusterIP"])


def read_api_server(operator: Operator) -> Address:
    """Return the address behind the API server's Service: the node's own."""
    found = replace(operator, namespace="default").get("endpointslice", "kubernetes")
    return found["endpoints"][0]["addresses"][0], found["ports"][0]["port"]


def install_without_walls(operator: Operator, *slugs: str) -> None:
    """Install tenants that have no policy, at once."""
    options = (*STAND_IN, "--set", "networkPolicy.enabled=false")
    with ThreadPoolExecutor(len(slugs)) as threads:
        list(threads.map(lambda slug: operator.run("install-tenant", slug, *options), slugs))


def wait_for_walls(cluster: Cluster, operator: Operator, slug: str) -> None:
    """Wait until the node enforces the policy of a tenant's pod."""
    address = read_pod_address(operator, f"tenant={slug}")
    wait_for(
        lambda: f"chain ingress_{address} {{" in read_policies(cluster),
        f"the policy of {slug} to be enforced",
    )


def build_walls(cluster: Cluster, operator: Operator, slug: str) -> None:
    """Give a tenant its policy; its pod stays."""
    operator.run("upgrade-tenant", slug, "--set", "networkPolicy.enabled=true")
    wait_for_walls(cluster, operator, slug)


@contextmanager
def listen(cluster: Cluster, address: str) -> Iterator[Address]:
    """Give the node an address and listen there, on a free port; the kernel lets callers in."""
    added = host.run(cluster.folder, ["ip", "address", "replace", f"{address}/32", "dev", "lo"])
    assert added.returncode == 0, added.stderr
    first = host.find_first_process(cluster.folder)
    assert first is not None
    with ThreadPoolExecutor(1) as thread:
        thread.submit(enter_network, first).result()
        listener = thread.submit(socket.create_server, (address, 0)).result()
    with listener:
        yield listener.getsockname()


@contextmanager
def run_caller(operator: Operator, name: str, labels: Mapping[str, str]) -> Iterator[Caller]:
    """Yield a pod to call from, which does nothing of its own."""
    main = {
        "name": "main",
        "image": images.references("stand-ins")[0],
        "command": ["python3", "-c", IDLE],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    spec = {
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [main],
    }
    metadata = {"name": name, "labels": dict(labels)}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    operator.kubectl("create", "--filename", "-", input=json.dumps(pod))
    try:
        operator.kubectl("wait", "--for=condition=Ready", "--timeout=60s", f"pod/{name}")
        yield Caller(operator, f"pod/{name}")
    finally:
        operator.kubectl("delete", "pod", name, "--wait=false")


def test_tenant_gets_out_to_names_and_the_internet_alone(
    operator: Operator, cluster: Cluster
) -> None:
    cluster.load("postgres")
    operator.kubectl("apply", "--filename", API_AND_POSTGRES)
    install_without_walls(operator, "acme", "globex")
    for workload in ("statefulset/postgres", "deployment/api"):
        operator.kubectl("rollout", "status", "--timeout=60s", workload)
    name_server = read_pod_address(replace(operator, namespace="kube-system"), "k8s-app=kube-dns")
    acme = Caller(operator, "deployment/tenant-acme")
    with listen(cluster, METADATA) as metadata, listen(cluster, PUBLIC) as public:
        inside = {
            "another tenant's pod": (read_pod_address(operator, "tenant=globex"), PORT),
            "another tenant's Service": (read_service_address(operator, "tenant-globex"), PORT),
            "Postgres' pod": (read_pod_address(operator, "app=postgres"), 5432),
            "Postgres' Service": (read_service_address(operator, "postgres"), 5432),
            "Aware's API": (read_service_address(operator, "api"), 3001),
            "the API server": read_api_server(operator),
            "the API server's Service": (API_SERVICE, 443),
            "the kubelet": (NODE_ADDRESS, 10250),
            "the metadata service": metadata,
            "the name server's health": (name_server, 8080),
        }
        outside = {"the name server": (DNS_ADDRESS, 53), "the internet": public}
        targets = inside | outside
        assert acme.knock(targets) == dict.fromkeys(targets, OPEN)
        build_walls(cluster, operator, "acme")
        assert acme.knock(targets) == dict.fromkeys(inside, SILENT) | dict.fromkeys(outside, OPEN)
    assert acme.run(RESOLVE, "kubernetes.default.svc") == API_SERVICE


def test_ingress_controller_alone_gets_in_to_a_tenant(operator: Operator, cluster: Cluster) -> None:
    install_without_walls(operator, "acme", "globex")
    system = replace(operator, namespace="kube-system")
    traefik = {"app.kubernetes.io/name": "traefik"}
    with (
        run_caller(system, f"{operator.namespace}-traefik", traefik) as controller,
        run_caller(system, f"{operator.namespace}-other", {}) as neighbour,
        run_caller(operator, "traefik", traefik) as impostor,
    ):
        callers = {
            "the ingress controller": controller,
            "its neighbour": neighbour,
            "a pod with its label": impostor,
            "another tenant": Caller(operator, "deployment/tenant-globex"),
        }
        pod = read_pod_address(operator, "tenant=acme")
        service = read_service_address(operator, "tenant-acme")
        gateway = {"the pod": (pod, PORT), "the Service": (service, PORT)}
        targets = gateway | {"another port": (pod, PORT + 1)}
        reached = dict.fromkeys(gateway, OPEN)
        before = reached | {"another port": REFUSED}
        assert knock_from(callers, targets) == dict.fromkeys(callers, before)
        build_walls(cluster, operator, "acme")
        silence = dict.fromkeys(callers, dict.fromkeys(targets, SILENT))
        alone = {"the ingress controller": reached | {"another port": SILENT}}
        assert knock_from(callers, targets) == silence | alone


def knock_from(
    callers: Mapping[str, Caller], targets: Mapping[str, Address]
) -> dict[str, dict[str, str]]:
    """Try to connect from several containers at once."""
    with ThreadPoolExecutor(len(callers)) as threads:
        answers = threads.map(lambda caller: caller.knock(targets), callers.values())
        return dict(zip(callers, answers, strict=True))


def test_probes_get_in_to_a_tenant(operator: Operator, cluster: Cluster) -> None:
    operator.run("install-tenant", "acme", *STAND_IN)
    wait_for_walls(cluster, operator, "acme")
    # Which may end before it is done, like all that is in the container.
    end = ("exec", "deployment/tenant-acme", "--", "python3", "-c", END_GATEWAY)
    operator.call("kubectl", "--namespace", operator.namespace, *end)
    selected = ("--selector", "tenant=acme", "-o", "jsonpath={.items[*].status.containerStatuses}")

    def is_ready_again() -> bool:
        (container,) = json.loads(operator.kubectl("get", "pods", *selected))
        return bool(container["restartCount"] == 1 and container["ready"])

    wait_for(is_ready_again, "the restarted gateway to be ready")


def test_helm_test_gets_in_to_a_tenant(
    operator: Operator, cluster: Cluster, tmp_path: Path
) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(json.dumps({"test": {"command": ["python3", "-c", ASK_TENANT]}}))
    operator.run("install-tenant", "acme", *STAND_IN, "--values", values)
    wait_for_walls(cluster, operator, "acme")
    operator.helm("test", "tenant-acme")
