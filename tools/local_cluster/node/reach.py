"""Reaching, from the host, what listens in a node's network: a Service, by its address."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local_cluster.errors import StartError
from local_cluster.node import host
from local_cluster.ports import is_free, pick_ports

START_SECONDS = 10.0
POLL_SECONDS = 0.02


@contextmanager
def reach(cluster: Path, address: str, port: int) -> Iterator[int]:
    """Yield a port of 127.0.0.1 that leads to an address in the node's network, for as long."""
    first = host.find_first_process(cluster)
    if first is None:
        raise StartError(f"The node of the cluster {cluster.name} does not run; start it first.")
    (local,) = pick_ports(1)
    command = host.list_forward_command(cluster, first, str(local), address, str(port))
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as forward:
        try:
            _wait_for_listener(forward, local)
            yield local
        finally:
            forward.terminate()


def _wait_for_listener(forward: subprocess.Popen[bytes], port: int) -> None:
    """Wait until the forwarding process listens; it connects to nothing before it is asked."""
    deadline = time.monotonic() + START_SECONDS
    while is_free(port):
        if forward.poll() is not None or time.monotonic() > deadline:
            raise StartError(f"Port {port} cannot be carried into the node's network.")
        time.sleep(POLL_SECONDS)
