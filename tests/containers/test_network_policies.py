"""Rules rendered from policies, and the same rules between pods that are network namespaces.

The second half needs Linux and root. It leaves nothing behind, however it ends.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from local_cluster.node.namespaces import NEW_NETWORK, make_own
from local_cluster.node.system import build_system
from tests.containers.network_policies import (
    Controller,
    EnforcementError,
    install,
    render,
)

Object = dict[str, Any]
Target = tuple[str, int]
T = TypeVar("T")

OPEN_WITHIN_SECONDS = 5.0
# What is let through comes in less than a millisecond.
BLOCKED_SECONDS = 0.2
TCP_PORTS = (8080, 8090, 8091, 8092)

WEB, CLIENT, STRANGER = "10.244.0.10", "10.244.0.11", "10.244.0.12"
OPS_CLIENT, OPS_STRANGER, DNS = "10.244.0.20", "10.244.0.21", "10.244.0.53"
ADDRESSES = (WEB, CLIENT, STRANGER, OPS_CLIENT, OPS_STRANGER, DNS)
GATEWAY, METADATA = "10.244.0.1", "169.254.169.254"
OUTSIDE, OUTSIDE_EXCEPTED = "203.0.113.10", "203.0.113.200"
SERVICE = ("10.96.0.10", 80)
# As kube-proxy does it: the address of a Service becomes a pod's before any filter, and a pod that
# reaches itself this way appears as the node.
SERVICES = f"""\
table ip services {{
  chain prerouting {{
    type nat hook prerouting priority dstnat;
    ip daddr {SERVICE[0]} tcp dport {SERVICE[1]} dnat to {WEB}:8080
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat;
    ip saddr {WEB} ip daddr {WEB} masquerade
  }}
}}
"""

DNS_PORTS = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
HTTP = {"name": "http", "containerPort": 8080}


def make_pod(address: str, namespace: str, app: str, *ports: Object, **status: str) -> Object:
    return {
        "metadata": {"namespace": namespace, "labels": {"app": app}},
        "spec": {"containers": [{"name": "main", "ports": list(ports)}]},
        "status": {"phase": "Running", "podIP": address, **status},
    }


PODS = [
    make_pod(WEB, "shop", "web", HTTP),
    make_pod(CLIENT, "shop", "client"),
    make_pod(STRANGER, "shop", "stranger"),
    make_pod(OPS_CLIENT, "ops", "client"),
    make_pod(OPS_STRANGER, "ops", "stranger"),
    make_pod(DNS, "kube-system", "dns", {"name": "http", "containerPort": 8090}),
]
NAMESPACES: list[Object] = [
    {"metadata": {"name": "shop", "labels": {"team": "shop"}}},
    {"metadata": {"name": "ops", "labels": {"team": "ops"}}},
    {"metadata": {"name": "kube-system"}},
]


def selector(**labels: str) -> Object:
    return {"matchLabels": labels}


def expression(key: str, operator: str, *values: str) -> Object:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


def make_policy(app: str, **spec: Any) -> Object:
    """A policy for the pods of an app in the namespace shop; {} instead of an app: for all."""
    return {
        "metadata": {"name": "policy", "namespace": "shop"},
        "spec": {"podSelector": selector(app=app) if app else {}, **spec},
    }


def allow_to(app: str, *rules: Object) -> Object:
    """Isolate the pods of an app for ingress, but for what the rules allow."""
    return make_policy(app, policyTypes=["Ingress"], ingress=list(rules))


def allow_from(app: str, *rules: Object) -> Object:
    """Isolate the pods of an app for egress, but for what the rules allow."""
    return make_policy(app, policyTypes=["Egress"], egress=list(rules))


def render_for(*policies: Object, pods: list[Object] = PODS) -> str:
    return render(pods, NAMESPACES, policies)


def chain(name: str, script: str) -> list[str]:
    """The rules of a chain in a script."""
    lines = iter(line.strip() for line in script.splitlines())
    assert f"chain {name} {{" in lines
    return list(iter(lambda: next(lines), "}"))


def allowed(name: str, *policies: Object) -> list[str]:
    """What a chain lets through beside the pod itself; the rest is dropped."""
    own, *rules, last = chain(name, render_for(*policies))
    assert own.endswith(f"{name.split('_')[1]} return")
    assert last == "counter drop"
    return [rule.removesuffix("return").strip() for rule in rules]


# What is rendered


@pytest.mark.parametrize(
    ("peer", "match"),
    [
        ({"podSelector": {}}, f"{{ {WEB}, {CLIENT}, {STRANGER} }}"),
        ({"podSelector": selector(app="client")}, f"{{ {CLIENT} }}"),
        ({"podSelector": expression("app", "In", "client", "web")}, f"{{ {WEB}, {CLIENT} }}"),
        ({"podSelector": expression("app", "NotIn", "client", "web")}, f"{{ {STRANGER} }}"),
        ({"podSelector": expression("tier", "NotIn", "x")}, f"{{ {WEB}, {CLIENT}, {STRANGER} }}"),
        ({"podSelector": {**selector(app="web"), **expression("app", "Exists")}}, f"{{ {WEB} }}"),
        ({"namespaceSelector": selector(team="ops")}, f"{{ {OPS_CLIENT}, {OPS_STRANGER} }}"),
        ({"namespaceSelector": expression("team", "DoesNotExist")}, f"{{ {DNS} }}"),
        (
            {"namespaceSelector": selector(team="ops"), "podSelector": selector(app="client")},
            f"{{ {OPS_CLIENT} }}",
        ),
        (
            {"namespaceSelector": {}, "podSelector": selector(app="client")},
            f"{{ {CLIENT}, {OPS_CLIENT} }}",
        ),
        ({"ipBlock": {"cidr": "0.0.0.0/0"}}, "0.0.0.0/0"),
        (
            {"ipBlock": {"cidr": "10.0.0.9/8", "except": ["10.1.0.0/16", "10.1.2.0/24"]}},
            "10.0.0.0/8 ip saddr != 10.1.0.0/16 ip saddr != 10.1.2.0/24",
        ),
    ],
)
def test_peer_means_these_addresses(peer: Object, match: str) -> None:
    assert allowed(f"ingress_{WEB}", allow_to("web", {"from": [peer]})) == [f"ip saddr {match}"]


@pytest.mark.parametrize(
    "rule",
    [
        {"from": [{"podSelector": selector(app="nobody")}]},
        {"from": [{"ipBlock": {"cidr": "::/0", "except": ["fc00::/7"]}}]},
        {"ports": [{"port": "no-such-port"}]},
        {"ports": [{"port": "http", "protocol": "UDP"}]},
    ],
)
def test_rule_that_means_nobody_allows_nothing(rule: Object) -> None:
    assert allowed(f"ingress_{WEB}", allow_to("web", rule)) == []


@pytest.mark.parametrize(
    ("port", "match"),
    [
        ({"port": 80}, "tcp dport 80"),
        ({"port": 53, "protocol": "UDP"}, "udp dport 53"),
        ({"port": 80, "endPort": 90}, "tcp dport 80-90"),
        ({"port": 80, "endPort": 80}, "tcp dport 80"),
        ({"protocol": "UDP"}, "meta l4proto udp"),
        ({"port": "http"}, f"ip daddr {WEB} tcp dport 8080"),
    ],
)
def test_port_of_ingress(port: Object, match: str) -> None:
    assert allowed(f"ingress_{WEB}", allow_to("web", {"ports": [port]})) == [match]


def test_named_port_of_egress_is_what_each_destination_calls_so() -> None:
    rule = {"to": [{"namespaceSelector": {}}], "ports": [{"port": "http"}]}
    first, second = allowed(f"egress_{CLIENT}", allow_from("client", rule))
    assert first.endswith(f"}} ip daddr {WEB} tcp dport 8080")
    assert second.endswith(f"}} ip daddr {DNS} tcp dport 8090")


def test_each_peer_may_use_each_port() -> None:
    peers = [{"podSelector": selector(app="client")}, {"ipBlock": {"cidr": "192.0.2.0/24"}}]
    rule = {"from": peers, "ports": [{"port": 80}, {"port": 81}]}
    assert allowed(f"ingress_{WEB}", allow_to("web", rule)) == [
        f"ip saddr {{ {CLIENT} }} tcp dport 80",
        f"ip saddr {{ {CLIENT} }} tcp dport 81",
        "ip saddr 192.0.2.0/24 tcp dport 80",
        "ip saddr 192.0.2.0/24 tcp dport 81",
    ]


@pytest.mark.parametrize("rule", [{}, {"from": []}, {"ports": []}])
def test_empty_rule_allows_everything(rule: Object) -> None:
    assert allowed(f"ingress_{WEB}", allow_to("web", rule)) == [""]


def test_several_policies_add_up() -> None:
    one, two = ({"ports": [{"port": port}]} for port in (80, 81))
    assert allowed(f"ingress_{WEB}", allow_to("web", one), allow_to("", two)) == [
        "tcp dport 80",
        "tcp dport 81",
    ]


@pytest.mark.parametrize(
    ("spec", "chains"),
    [
        ({}, {"ingress"}),
        ({"ingress": [{}]}, {"ingress"}),
        ({"egress": [{}]}, {"ingress", "egress"}),
        ({"policyTypes": ["Egress"]}, {"egress"}),
        ({"policyTypes": ["Ingress"], "egress": [{}]}, {"ingress"}),
        ({"policyTypes": ["Ingress", "Egress"]}, {"ingress", "egress"}),
    ],
)
def test_policy_types_tell_the_directions(spec: Object, chains: set[str]) -> None:
    script = render_for(make_policy("web", **spec))
    assert {one for one in ("ingress", "egress") if f"jump {one}_{WEB}" in script} == chains


def test_policy_isolates_the_selected_pods_of_its_namespace_only() -> None:
    script = render_for(allow_to("client"))
    assert [
        address for address in (CLIENT, WEB, OPS_CLIENT) if f"jump ingress_{address}" in script
    ] == [CLIENT]


def test_no_policy_isolates_nothing() -> None:
    assert "jump" not in render_for()


@pytest.mark.parametrize("status", [{"phase": "Succeeded"}, {"phase": "Failed"}, {"podIP": ""}])
def test_pod_that_ended_or_has_no_address_is_left_out(status: dict[str, str]) -> None:
    pod = make_pod(WEB, "shop", "web", **status)
    assert "jump" not in render_for(allow_to("web"), pods=[pod])


def test_pod_on_the_network_of_the_node_is_left_out() -> None:
    pod = make_pod(WEB, "shop", "web")
    pod["spec"]["hostNetwork"] = True
    assert "jump" not in render_for(allow_to("web"), pods=[pod])


def test_address_given_anew_is_the_younger_pods() -> None:
    old, young = make_pod(WEB, "shop", "client"), make_pod(WEB, "shop", "web")
    old["metadata"]["creationTimestamp"] = "2030-01-01T00:00:00Z"
    young["metadata"]["creationTimestamp"] = "2030-01-01T00:00:01Z"
    assert "jump" in render_for(allow_to("web"), pods=[young, old])
    assert "jump" not in render_for(allow_to("client"), pods=[young, old])


# What is enforced


def open_network() -> ThreadPoolExecutor:
    """Return a thread with a network of its own, which ends with the thread.

    A socket made in it stays in it, whichever thread uses the socket.
    """
    thread = ThreadPoolExecutor(1)
    thread.submit(make_own, NEW_NETWORK).result()
    return thread


def run_command(command: list[str], text: str = "") -> str:
    """Return what a command prints that has to succeed."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Node:
    """A node with a link to each pod, an outside world, a Service, and listeners everywhere.

    Its places are "node", "outside" and the pods' addresses.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._places = {name: open_network() for name in ("node", "outside", *ADDRESSES)}
        self._build_node()
        self._build_outside()
        for address in ADDRESSES:
            self._build_pod(address)
        for place in self._places:
            for port in TCP_PORTS:
                self.listen(place, port)
        self.dns = self._stack.enter_context(self.open_socket(DNS, socket.SOCK_DGRAM))
        self.dns.bind((DNS, 53))

    def _build_node(self) -> None:
        self._ip(
            "node",
            "link set lo up",
            f"addr add {METADATA}/32 dev lo",
        )
        self.run(Path("/proc/sys/net/ipv4/ip_forward").write_text, "1")
        self.run(install, SERVICES)

    def _build_outside(self) -> None:
        self._ip(
            "node",
            f"link add name uplink type veth peer name eth0 netns {self._thread_id('outside')}",
            "addr add 203.0.113.1/24 dev uplink",
            "link set uplink up",
        )
        self._ip(
            "outside",
            f"addr add {OUTSIDE}/24 dev eth0",
            f"addr add {OUTSIDE_EXCEPTED}/24 dev eth0",
            "link set eth0 up",
            "route add default via 203.0.113.1",
        )

    def _build_pod(self, address: str) -> None:
        port = f"veth{address.rpartition('.')[2]}"
        self._ip(
            "node",
            f"link add name {port} type veth peer name eth0 netns {self._thread_id(address)}",
            f"addr add {GATEWAY}/32 dev {port}",
            f"link set {port} up",
            f"route add {address} dev {port}",
        )
        self._ip(
            address,
            "link set lo up",
            f"addr add {address}/32 dev eth0",
            "link set eth0 up",
            f"route add {GATEWAY} dev eth0",
            f"route add default via {GATEWAY}",
        )

    def _thread_id(self, place: str) -> int:
        return self.run(threading.get_native_id, place=place)

    def _ip(self, place: str, *commands: str) -> None:
        self.run(run_command, ["ip", "-batch", "-"], "\n".join(commands), place=place)

    def run(self, function: Callable[..., T], *arguments: Any, place: str = "node") -> T:
        """Call a function in a place's network."""
        result: T = self._places[place].submit(function, *arguments).result()
        return result

    def open_socket(self, place: str, kind: socket.SocketKind) -> socket.socket:
        """Return a socket that stays in a place's network."""
        return self.run(socket.socket, socket.AF_INET, kind, place=place)

    def listen(self, place: str, port: int) -> socket.socket:
        """Return a socket that listens until the end; the kernel lets callers in."""
        listener = self._stack.enter_context(self.open_socket(place, socket.SOCK_STREAM))
        listener.bind(("", port))
        listener.listen(1000)
        listener.settimeout(OPEN_WITHIN_SECONDS)
        return listener

    def connect(self, place: str, target: Target) -> socket.socket:
        """Return a socket on its way to an address and port."""
        connecting = self.open_socket(place, socket.SOCK_STREAM)
        connecting.settimeout(0)
        connecting.connect_ex(target)
        return connecting

    def enforce(self, *policies: Object) -> None:
        """Install what a cluster with only these policies asks for."""
        self.run(install, render_for(*policies))

    def assert_open(self, place: str, *targets: Target) -> None:
        """Assert that all targets can be reached from a place."""
        for target in targets:
            with self.connect(place, target) as connecting:
                _, answered, _ = select.select([], [connecting], [], OPEN_WITHIN_SECONDS)
                assert answered, f"{place} gets no answer from {target}"
                assert connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0

    def assert_blocked(self, *probes: tuple[str, Target]) -> None:
        """Assert that from none of the places there comes any answer from its target."""
        with ExitStack() as stack:
            connecting = [stack.enter_context(self.connect(*probe)) for probe in probes]
            _, answered, _ = select.select([], connecting, [], BLOCKED_SECONDS)
            assert not answered, f"answered: {[probes[connecting.index(one)] for one in answered]}"

    def stop(self) -> None:
        """Close all sockets and end the threads, and so the networks."""
        self._stack.close()
        for place in self._places.values():
            place.shutdown()


@pytest.fixture(scope="module")
def programs(real_containers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """`ip` and `nft` on PATH, out of the root file system of nodes: the machine may lack them."""
    folder = tmp_path_factory.mktemp("programs")
    system = build_system()
    (loader,) = system.glob("usr/lib/*-linux-gnu/ld-linux-*.so.*")
    for path in (system / "usr/bin/ip", system / "usr/sbin/nft"):
        script = folder / path.name
        script.write_text(f'#!/bin/sh\nexec {loader} --library-path {loader.parent} {path} "$@"\n')
        script.chmod(0o755)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PATH", str(folder), prepend=os.pathsep)
        yield


@pytest.fixture(scope="module")
def started_node(programs: None) -> Iterator[Node]:
    started = Node()
    yield started
    started.stop()


@pytest.fixture
def node(started_node: Node) -> Node:
    """A node without any policy."""
    started_node.enforce()
    return started_node


def test_everything_is_open_without_a_policy(node: Node) -> None:
    for place in ("node", "outside", *ADDRESSES):
        node.assert_open(place, (WEB, 8080))
    node.assert_open(CLIENT, (METADATA, 8080), (GATEWAY, 8080), (OUTSIDE, 8080), SERVICE)


def test_isolated_pod_is_reached_by_the_node_only(node: Node) -> None:
    node.enforce(make_policy("web", policyTypes=["Ingress", "Egress"]))
    node.assert_open("node", (WEB, 8080))
    node.assert_blocked(*((place, (WEB, 8080)) for place in ("outside", *ADDRESSES[1:])))
    node.assert_open(CLIENT, (STRANGER, 8080))


def test_pod_selector_and_port_open_that_only(node: Node) -> None:
    peers = [{"podSelector": selector(app="client")}]
    node.enforce(allow_to("web", {"from": peers, "ports": [{"port": 8080}]}))
    node.assert_open(CLIENT, (WEB, 8080))
    node.assert_blocked((CLIENT, (WEB, 8090)), (STRANGER, (WEB, 8080)), (OPS_CLIENT, (WEB, 8080)))


def test_namespace_selector_opens_to_its_pods(node: Node) -> None:
    node.enforce(allow_to("web", {"from": [{"namespaceSelector": selector(team="ops")}]}))
    node.assert_open(OPS_CLIENT, (WEB, 8080))
    node.assert_open(OPS_STRANGER, (WEB, 8080))
    node.assert_blocked((CLIENT, (WEB, 8080)), (DNS, (WEB, 8080)), ("outside", (WEB, 8080)))


def test_both_selectors_open_to_what_both_select(node: Node) -> None:
    peer = {"namespaceSelector": selector(team="ops"), "podSelector": selector(app="client")}
    node.enforce(allow_to("web", {"from": [peer]}))
    node.assert_open(OPS_CLIENT, (WEB, 8080))
    node.assert_blocked((CLIENT, (WEB, 8080)), (OPS_STRANGER, (WEB, 8080)))


def test_block_opens_but_for_its_exceptions(node: Node) -> None:
    block = {"cidr": "0.0.0.0/0", "except": ["203.0.113.128/25", "10.0.0.0/8", "10.1.0.0/16"]}
    node.enforce(allow_from("client", {"to": [{"ipBlock": block}]}))
    node.assert_open(CLIENT, (OUTSIDE, 8080))
    node.assert_blocked((CLIENT, (OUTSIDE_EXCEPTED, 8080)), (CLIENT, (WEB, 8080)))


def test_block_opens_to_callers_from_outside(node: Node) -> None:
    node.enforce(allow_to("web", {"from": [{"ipBlock": {"cidr": f"{OUTSIDE}/32"}}]}))
    node.assert_open("outside", (WEB, 8080))
    node.assert_blocked((CLIENT, (WEB, 8080)))


def test_end_port_opens_the_range(node: Node) -> None:
    node.enforce(allow_to("web", {"ports": [{"port": 8090, "endPort": 8091}]}))
    node.assert_open(CLIENT, (WEB, 8090), (WEB, 8091))
    node.assert_blocked((CLIENT, (WEB, 8080)), (CLIENT, (WEB, 8092)))


def test_named_port_opens_to_callers(node: Node) -> None:
    node.enforce(allow_to("web", {"ports": [{"port": "http"}]}))
    node.assert_open(CLIENT, (WEB, 8080))
    node.assert_blocked((CLIENT, (WEB, 8090)))


def test_named_port_opens_what_each_destination_calls_so(node: Node) -> None:
    node.enforce(allow_from("client", {"ports": [{"port": "http"}]}))
    node.assert_open(CLIENT, (WEB, 8080), (DNS, 8090))
    node.assert_blocked((CLIENT, (WEB, 8090)), (CLIENT, (DNS, 8080)))


def test_egress_for_dns_only(node: Node) -> None:
    node.enforce(allow_from("client", {"to": [{"namespaceSelector": {}}], **DNS_PORTS}))
    with node.open_socket(CLIENT, socket.SOCK_DGRAM) as asking:
        asking.sendto(b"question", (DNS, 53))
        node.dns.settimeout(OPEN_WITHIN_SECONDS)
        _, sender = node.dns.recvfrom(100)
        node.dns.sendto(b"answer", sender)
        asking.settimeout(OPEN_WITHIN_SECONDS)
        assert asking.recv(100) == b"answer"
    node.assert_blocked((CLIENT, (DNS, 8080)), (CLIENT, (OUTSIDE, 8080)))


def test_datagram_that_no_policy_allows_is_dropped(node: Node) -> None:
    node.enforce(allow_from("client", {"ports": [{"port": 53, "protocol": "TCP"}]}))
    with node.open_socket(CLIENT, socket.SOCK_DGRAM) as asking:
        asking.sendto(b"question", (DNS, 53))
    node.dns.settimeout(BLOCKED_SECONDS)
    with pytest.raises(TimeoutError):
        node.dns.recv(100)


def test_packet_between_isolated_pods_needs_both(node: Node) -> None:
    to_web, from_client = allow_to("web", {}), allow_from("client", {})
    node.enforce(to_web, from_client)
    node.assert_open(CLIENT, (WEB, 8080))
    node.enforce(to_web, allow_from("client"))
    node.assert_blocked((CLIENT, (WEB, 8080)))
    node.enforce(allow_to("web"), from_client)
    node.assert_blocked((CLIENT, (WEB, 8080)))


def test_pod_opens_again_when_its_policy_goes(node: Node) -> None:
    node.enforce(allow_to("web"))
    node.assert_blocked((CLIENT, (WEB, 8080)))
    node.enforce()
    node.assert_open(CLIENT, (WEB, 8080))


@pytest.mark.parametrize("address", [METADATA, GATEWAY])
def test_egress_holds_for_addresses_of_the_node(node: Node, address: str) -> None:
    node.enforce(allow_from("client", {"to": [{"podSelector": {}}]}))
    node.assert_blocked((CLIENT, (address, 8080)))
    node.assert_open(STRANGER, (address, 8080))
    node.enforce(allow_from("client", {"to": [{"ipBlock": {"cidr": f"{address}/32"}}]}))
    node.assert_open(CLIENT, (address, 8080))


def test_egress_holds_for_a_service(node: Node) -> None:
    node.enforce(allow_from("client"))
    node.assert_blocked((CLIENT, SERVICE))
    ports = [{"port": 8080}]
    node.enforce(
        allow_from("client", {"to": [{"podSelector": selector(app="web")}], "ports": ports})
    )
    node.assert_open(CLIENT, SERVICE)


def test_ingress_by_a_service_is_by_who_calls(node: Node) -> None:
    node.enforce(allow_to("web", {"from": [{"podSelector": selector(app="client")}]}))
    node.assert_open(CLIENT, SERVICE)
    node.assert_blocked((STRANGER, SERVICE))


def test_isolated_pod_reaches_itself_by_a_service(node: Node) -> None:
    node.enforce(make_policy("web", policyTypes=["Ingress", "Egress"]))
    node.assert_open(WEB, SERVICE)


def test_established_connection_stays(node: Node) -> None:
    listener = node.listen(WEB, 9000)
    with node.connect(CLIENT, (WEB, 9000)) as caller, listener.accept()[0] as callee:
        node.enforce(make_policy("", policyTypes=["Ingress", "Egress"]))
        callee.settimeout(OPEN_WITHIN_SECONDS)
        caller.send(b"still here")
        assert callee.recv(100) == b"still here"
    node.assert_blocked((CLIENT, (WEB, 9000)))


# The controller


@dataclass
class FakeApiServer:
    """An API server with one policy, which may not answer."""

    is_up: bool = True

    def list_objects(self, path: str) -> list[Object]:
        if not self.is_up:
            raise ConnectionRefusedError("nobody there")
        lists = {"pods": PODS, "namespaces": NAMESPACES, "networkpolicies": [allow_to("web")]}
        return lists[path.rpartition("/")[2]]

    def close(self) -> None:
        """Nothing is open."""


def test_controller_keeps_the_rules_while_the_api_server_is_away(node: Node) -> None:
    api_server = FakeApiServer(is_up=False)
    controller = Controller(api_server)
    assert not node.run(controller.try_enforcing)
    node.assert_open(CLIENT, (WEB, 8080))
    api_server.is_up = True
    assert node.run(controller.try_enforcing)
    api_server.is_up = False
    assert not node.run(controller.try_enforcing)
    node.assert_blocked((CLIENT, (WEB, 8080)))


def test_controller_installs_only_what_changed(node: Node) -> None:
    controller = Controller(FakeApiServer())
    handles = []
    for _ in range(2):
        assert node.run(controller.try_enforcing)
        handles.append(node.run(run_command, ["nft", "--handle", "list", "ruleset"]))
    assert handles[0] == handles[1]


def test_refused_rules_are_an_error(node: Node) -> None:
    with pytest.raises(EnforcementError, match="nft refused the rules"):
        node.run(install, "no rules")
