"""`python -m local_cluster.node.init CLUSTER_FOLDER`: process 1 of a node.

It sets up the network and keeps the node's services running, as an init system does: a service
that ends, however it ends, is started again. It runs on Debian's Python, so it and what it imports
need the standard library alone.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from local_cluster.control_plane import LOOPBACK, SERVICE_RANGE
from local_cluster.node.layout import (
    API_SERVICE,
    GATEWAY_ADDRESS,
    NODE_ADDRESS,
    NODE_NAME,
    POD_RANGE,
    Layout,
)

RESTART_SECONDS = 0.5


def set_up_network() -> None:
    """Give the node an address, and pods a way to the Services.

    A Service's address needs a route, for it is replaced only after routing; any other address
    is refused at once.
    """
    for line in (
        "link set lo up",
        "link add eth0 type veth peer name uplink",
        f"address add {NODE_ADDRESS}/24 dev eth0",
        "link set uplink up",
        "link set eth0 up",
        f"route add {SERVICE_RANGE} via {GATEWAY_ADDRESS} dev eth0 onlink",
        "route add unreachable default",
    ):
        subprocess.run(["ip", *line.split()], check=True)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def make_certificate(path: Path, subject: str, *extensions: str) -> None:
    """Make a key and a certificate that vouches for itself, unless they are there."""
    if path.exists():
        return
    unfinished = path.with_suffix(".unfinished")
    # Kubernetes reads no elliptic key in the form that openssl writes.
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 3650"
    files = ["-keyout", str(path.with_suffix(".key")), "-out", str(unfinished), "-subj", subject]
    added = [part for extension in extensions for part in ("-addext", extension)]
    os.umask(0o077)
    subprocess.run([*command.split(), *files, *added], check=True, capture_output=True)
    os.umask(0o022)
    unfinished.rename(path)


def make_certificates(layout: Layout) -> None:
    """Make what the API server shows to its clients, and what it shows to the kubelet.

    Its own first certificate would not name 127.0.0.1, for it listens on every address.
    """
    hosts = ["DNS:localhost", f"IP:{LOOPBACK}", f"IP:{NODE_ADDRESS}", f"IP:{API_SERVICE}"]
    names = ("", ".default", ".default.svc", ".default.svc.cluster.local")
    hosts += [f"DNS:kubernetes{name}" for name in names]
    pki = layout.cluster / "pki"
    alternatives = f"subjectAltName={','.join(hosts)}"
    make_certificate(pki / "apiserver.crt", "/CN=kube-apiserver", alternatives)
    subject = "/O=system:masters/CN=kube-apiserver-kubelet-client"
    make_certificate(layout.client_certificate, subject, "extendedKeyUsage=clientAuth")


def plan_services(layout: Layout, programs: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the command line of each service."""
    pki = layout.cluster / "pki"
    return {
        "containerd": ["containerd", f"--config={layout.config}/containerd.toml"],
        "kubelet": [
            programs["kubelet"],
            f"--config={layout.config}/kubelet.yaml",
            f"--kubeconfig={pki}/system-node-{NODE_NAME}.kubeconfig",
            f"--hostname-override={NODE_NAME}",
            f"--node-ip={NODE_ADDRESS}",
        ],
        "kube-proxy": [
            programs["kube-proxy"],
            f"--kubeconfig={pki}/system-kube-proxy.kubeconfig",
            f"--hostname-override={NODE_NAME}",
            "--proxy-mode=iptables",
            f"--cluster-cidr={POD_RANGE}",
            # With the default, a Service may refuse connections for a second after its pods came.
            "--iptables-min-sync-period=100ms",
            # They are settings of the whole machine: left as they are.
            "--conntrack-max-per-core=0",
            "--conntrack-tcp-timeout-established=0",
            "--conntrack-tcp-timeout-close-wait=0",
        ],
        "volumes": [sys.executable, "-B", "-m", "local_cluster.node.volumes", str(layout.cluster)],
    }


def start(name: str, command: Sequence[str], logs: Path) -> int:
    """Start one service and return its pid; its output goes to the end of its log.

    Not by `subprocess`, which collects ended processes of its own accord: their end would be
    missed here.
    """
    log, appended = str(logs / f"{name}.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, log, appended, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawnp(command[0], list(command), os.environ, file_actions=files, setsid=True)


def keep_running(services: Mapping[str, Sequence[str]], logs: Path) -> None:
    """Start again what ends, and collect what other processes left behind; never return."""
    running = {start(name, services[name], logs): name for name in services}
    while True:
        pid, _ = os.wait()
        name = running.pop(pid, None)
        if name is not None:
            time.sleep(RESTART_SECONDS)
            running[start(name, services[name], logs)] = name


def main(cluster: Path) -> None:
    """Run a node."""
    layout = Layout(cluster)
    plan = json.loads(layout.plan.read_text())
    set_up_network()
    make_certificates(layout)
    layout.ready.touch()
    services = plan_services(layout, {Path(path).name: path for path in plan["programs"]})
    keep_running(services, layout.logs)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
