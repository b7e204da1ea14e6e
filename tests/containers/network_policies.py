"""A NetworkPolicy controller for one node, with nftables: for tests only.

    KUBECONFIG=FILE python3 network_policies.py [--once]

It runs in the node's namespaces, needs nothing but Python 3.11 and ``nft``, and asks the API
server twice a second. When the rules that follow are other ones than those in place, it replaces
its table in one transaction: no packet sees half of them. It leaves the table when it ends.

Where packets are looked at, always with the pods' own addresses, since a Service's address is
rewritten before and a source is masqueraded after:

- ``forward``: from pod to pod, from a pod to elsewhere and from elsewhere to a pod. Each pod has a
  link to the node of its own, so the packets between two pods are forwarded like any others.
- ``input``: from a pod to any address of the node itself, so that egress holds there, too.
- ``output``: not at all. The kubelet's probes always arrive, as Kubernetes wants it.

What it does not do:

- A pod is known by its address, and that is in its status only once its containers start. Until
  then, and for up to one poll more, it is open, and policies of others do not know it as a peer.
- A connection that is established stays, also when a policy comes that would not allow it.
- IPv6 is not filtered: pods have addresses of IPv4 only, and blocks of IPv6 are passed over.
- Pods on the node's own network are the node: never isolated, and no selector means them.
"""

from __future__ import annotations

import argparse
import http
import http.client
import json
import logging
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network
from itertools import product
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

POLL_SECONDS = 0.5
TIMEOUT_SECONDS = 5.0
LISTS = ("/api/v1/pods", "/api/v1/namespaces", "/apis/networking.k8s.io/v1/networkpolicies")

# The table is made first, so that there is one to delete; all three are one transaction. The maps
# jump to a chain per isolated pod, which returns for what is allowed and drops the rest: a packet
# between two isolated pods has to pass both.
TABLE = """\
table inet network_policies
delete table inet network_policies
table inet network_policies {{
  chain forward {{
    type filter hook forward priority filter; policy accept;
    ct state established,related accept
    ip saddr vmap @egress
    ip daddr vmap @ingress
  }}
  chain input {{
    type filter hook input priority filter; policy accept;
    ct state established,related accept
    ip saddr vmap @egress
  }}
{maps_and_chains}
}}
"""

Object = dict[str, Any]
Labels = Mapping[str, str]

log = logging.getLogger("network-policies")


class EnforcementError(Exception):
    """The policies in force could not be read or installed."""


@dataclass(frozen=True)
class Port:
    """A port that a container names."""

    name: str
    protocol: str
    number: int


@dataclass(frozen=True)
class Pod:
    """A pod with an address of its own, and with what selectors look at."""

    address: str
    namespace: str
    labels: Labels
    namespace_labels: Labels
    ports: tuple[Port, ...]


@dataclass(frozen=True)
class Direction:
    """How a policy and a packet call things in one direction.

    own_address, peer_address: where a packet carries the isolated pod's and the other one's.
    """

    name: str
    policy_type: str
    peers: str
    own_address: str
    peer_address: str


INGRESS = Direction("ingress", "Ingress", "from", "daddr", "saddr")
EGRESS = Direction("egress", "Egress", "to", "saddr", "daddr")

OPERATORS: dict[str, Callable[[str | None, Sequence[str]], bool]] = {
    "In": lambda value, values: value in values,
    "NotIn": lambda value, values: value not in values,
    "Exists": lambda value, _: value is not None,
    "DoesNotExist": lambda value, _: value is None,
}


def render(pods: Iterable[Object], namespaces: Iterable[Object], policies: Iterable[Object]) -> str:
    """Return the nft script that replaces the table by one that enforces the policies.

    All three are objects as the API server lists them.
    """
    known, wanted = build_pods(pods, namespaces), list(policies)
    parts = [_render_direction(direction, known, wanted) for direction in (EGRESS, INGRESS)]
    return TABLE.format(maps_and_chains="\n".join(parts))


def build_pods(pods: Iterable[Object], namespaces: Iterable[Object]) -> list[Pod]:
    """Return the pods that policies are about: not ended, with an IPv4 address of their own.

    An address that two pods have, since the API server still shows the one before, is the
    younger one's.
    """
    labels = {one["metadata"]["name"]: one["metadata"].get("labels") or {} for one in namespaces}
    by_age = sorted(pods, key=lambda pod: pod["metadata"].get("creationTimestamp") or "")
    by_address = {
        pod["status"]["podIP"]: _build_pod(pod, labels) for pod in by_age if _has_own_address(pod)
    }
    return list(by_address.values())


def _has_own_address(pod: Object) -> bool:
    """Tell whether a pod has an IPv4 address that is neither the node's nor given back."""
    status = pod["status"]
    return (
        "." in (status.get("podIP") or "")
        and status.get("phase") not in ("Succeeded", "Failed")
        and not pod["spec"].get("hostNetwork")
    )


def _build_pod(pod: Object, namespace_labels: Mapping[str, Labels]) -> Pod:
    namespace = pod["metadata"]["namespace"]
    return Pod(
        address=pod["status"]["podIP"],
        namespace=namespace,
        labels=pod["metadata"].get("labels") or {},
        namespace_labels=namespace_labels.get(namespace, {}),
        ports=tuple(
            Port(port["name"], _protocol(port), port["containerPort"])
            for container in pod["spec"].get("containers") or ()
            for port in container.get("ports") or ()
            if "name" in port
        ),
    )


def _protocol(port: Object) -> str:
    """Return the protocol of a port, of a container or of a policy, as nft calls it."""
    return str(port.get("protocol", "TCP")).lower()


def matches(selector: Object, labels: Labels) -> bool:
    """Tell whether a label selector selects what has these labels; an empty one selects all."""
    return all(
        labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items()
    ) and all(
        OPERATORS[one["operator"]](labels.get(one["key"]), one.get("values") or ())
        for one in selector.get("matchExpressions") or ()
    )


def _render_direction(direction: Direction, pods: Sequence[Pod], policies: Sequence[Object]) -> str:
    """Return the map from the pods isolated in one direction to their chains, and the chains."""
    chains: dict[str, list[str]] = {}
    for pod in pods:
        isolating = [one for one in policies if _isolates(one, pod, direction)]
        if isolating:
            chains[pod.address] = _build_chain(direction, pod, pods, isolating)
    jumps = [f"{address} : jump {direction.name}_{address}" for address in chains]
    elements = [f"elements = {{ {', '.join(jumps)} }}"] if jumps else []
    blocks = [_render_block(f"map {direction.name}", ["type ipv4_addr : verdict", *elements])]
    blocks += [
        _render_block(f"chain {direction.name}_{address}", rules)
        for address, rules in chains.items()
    ]
    return "\n".join(blocks)


def _render_block(title: str, lines: Iterable[str]) -> str:
    return "\n".join([f"  {title} {{", *(f"    {line}" for line in lines), "  }"])


def _isolates(policy: Object, pod: Pod, direction: Direction) -> bool:
    """Tell whether a policy selects a pod and is about a direction."""
    spec = policy["spec"]
    return (
        policy["metadata"]["namespace"] == pod.namespace
        and direction.policy_type in _policy_types(spec)
        and matches(spec.get("podSelector") or {}, pod.labels)
    )


def _policy_types(spec: Object) -> Sequence[str]:
    """Return the directions that a policy is about; without any it means what Kubernetes says."""
    default = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    return spec.get("policyTypes") or default


def _build_chain(
    direction: Direction, pod: Pod, pods: Sequence[Pod], policies: Iterable[Object]
) -> list[str]:
    """Return the rules for a pod's packets: back to the hook if one policy allows it, else drop.

    A pod always reaches itself, by a Service.
    """
    rules = [f"ip {direction.peer_address} {pod.address} return"]
    for policy in policies:
        for rule in policy["spec"].get(direction.name) or ():
            peers = _match_peers(direction, rule, pod.namespace, pods)
            ports = _match_ports(rule, [pod] if direction is INGRESS else pods)
            rules += [" ".join(filter(None, (*pair, "return"))) for pair in product(peers, ports)]
    return [*rules, "counter drop"]


def _match_peers(
    direction: Direction, rule: Object, namespace: str, pods: Sequence[Pod]
) -> list[str]:
    """Return one nft match per peer of a rule: the empty one if it names none, for whomever.

    A peer that means nobody has no match, and so allows nothing.
    """
    peers = rule.get(direction.peers)
    if not peers:
        return [""]
    matched = (_match_peer(direction.peer_address, peer, namespace, pods) for peer in peers)
    return [match for match in matched if match]


def _match_peer(address: str, peer: Object, namespace: str, pods: Sequence[Pod]) -> str:
    if "ipBlock" in peer:
        return _match_block(address, peer["ipBlock"])
    selected = sorted(pod.address for pod in pods if _means(peer, pod, namespace))
    return f"ip {address} {{ {', '.join(selected)} }}" if selected else ""


def _match_block(address: str, block: Object) -> str:
    included = ip_network(block["cidr"], strict=False)
    if not isinstance(included, IPv4Network):
        return ""
    excepted = [ip_network(one, strict=False) for one in block.get("except") or ()]
    return " ".join([f"ip {address} {included}", *(f"ip {address} != {one}" for one in excepted)])


def _means(peer: Object, pod: Pod, namespace: str) -> bool:
    """Tell whether a peer selects a pod; without a namespace selector, in the policy's own."""
    is_in_namespace = (
        matches(peer["namespaceSelector"], pod.namespace_labels)
        if "namespaceSelector" in peer
        else pod.namespace == namespace
    )
    return is_in_namespace and matches(peer.get("podSelector") or {}, pod.labels)


def _match_ports(rule: Object, destinations: Sequence[Pod]) -> list[str]:
    """Return nft matches for the ports of a rule: the empty one if it names none, for all.

    A name means what the pod says that the packet goes to, so it has one match per such pod, and
    none where no pod has a port of that name.
    """
    ports = rule.get("ports")
    if not ports:
        return [""]
    return [match for port in ports for match in _match_port(port, destinations)]


def _match_port(port: Object, destinations: Iterable[Pod]) -> Iterator[str]:
    protocol, number = _protocol(port), port.get("port")
    if number is None:
        yield f"meta l4proto {protocol}"
    elif isinstance(number, int):
        last = port.get("endPort", number)
        yield f"{protocol} dport {number}" + (f"-{last}" if last != number else "")
    else:
        for pod in destinations:
            for own in pod.ports:
                if (own.name, own.protocol) == (number, protocol):
                    yield f"ip daddr {pod.address} {protocol} dport {own.number}"


def install(script: str) -> None:
    """Let nft run a script in the network namespace of the caller: all of it or nothing."""
    nft = ["nft", "--file", "-"]
    done = subprocess.run(nft, input=script, text=True, capture_output=True, check=False)
    if done.returncode:
        raise EnforcementError(f"nft refused the rules: {done.stderr.strip()}")


@dataclass(frozen=True)
class ApiServer:
    """The API server, asked over one connection, which is opened anew after an error."""

    connection: http.client.HTTPSConnection
    token: str

    @staticmethod
    def from_kubeconfig(path: Path) -> ApiServer:
        """Return the API server that a kubeconfig names; it is JSON and has a token."""
        config = json.loads(path.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        server = urlsplit(cluster["server"])
        trust = ssl.create_default_context(cafile=cluster["certificate-authority"])
        # Not urllib: it would send this through the proxy that the environment may name.
        connection = http.client.HTTPSConnection(
            server.hostname or "", server.port, timeout=TIMEOUT_SECONDS, context=trust
        )
        return ApiServer(connection, user["token"])

    def list_objects(self, path: str) -> list[Object]:
        """Return the objects at a path."""
        self.connection.request("GET", path, headers={"Authorization": f"Bearer {self.token}"})
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise EnforcementError(f"the API server answered {answer.status} to GET {path}")
        objects: list[Object] = json.loads(body)["items"]
        return objects

    def close(self) -> None:
        """Give up the connection; the next question opens another one."""
        self.connection.close()


class Lists(Protocol):
    """What the controller asks an API server."""

    def list_objects(self, path: str) -> list[Object]:
        """Return the objects at a path."""

    def close(self) -> None:
        """Give up the connection; the next question opens another one."""


@dataclass
class Controller:
    """Keeps the installed rules those that the cluster's policies ask for."""

    api_server: Lists
    installed: str = ""
    failure: str = ""

    def try_enforcing(self) -> bool:
        """Install the rules unless they are in place; tell whether that went well.

        After a failure, whatever it was, the rules before it stay; it is logged when it begins.
        """
        try:
            self._enforce()
        except Exception as error:
            self.api_server.close()
            self._report(f"{type(error).__name__}: {error}")
            return False
        self.failure = ""
        return True

    def _report(self, failure: str) -> None:
        if failure != self.failure:
            log.warning("the rules stay as they are: %s", failure)
        self.failure = failure

    def _enforce(self) -> None:
        script = render(*(self.api_server.list_objects(path) for path in LISTS))
        if script == self.installed:
            return
        install(script)
        self.installed = script
        isolated = {one.name: script.count(f": jump {one.name}_") for one in (INGRESS, EGRESS)}
        log.info(
            "installed; pods isolated: %(ingress)d for ingress, %(egress)d for egress", isolated
        )


def main() -> int:
    """Enforce policies until stopped, or once; return the exit code."""
    parser = argparse.ArgumentParser(description="Enforce network policies on this node.")
    parser.add_argument("--once", action="store_true", help="install the rules, then end")
    arguments = parser.parse_args()
    logging.basicConfig(
        stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    controller = Controller(ApiServer.from_kubeconfig(Path(os.environ["KUBECONFIG"])))
    while True:
        is_enforced = controller.try_enforcing()
        if arguments.once:
            return 0 if is_enforced else 1
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
