"""AWS as moto plays it, over HTTP on loopback. `make aws` installs it, and the AWS command line."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.postgres.servers import AWS, find_free_port, wait_for


@contextmanager
def serve_aws() -> Iterator[str]:
    """Serve until the block ends; gives the address."""
    port = find_free_port()
    server = subprocess.Popen(
        [AWS / "moto_server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def is_up() -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    try:
        wait_for(is_up, "moto")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()
