"""Free ports on the loopback address."""

import random
import socket

# Below the kernel's own range for outgoing connections (from 32768 on Linux), which could take a
# port between the moment it was found free and the moment a server listens on it.
FIRST_PORT, LAST_PORT = 20_000, 29_999


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def pick_ports(count: int) -> list[int]:
    """Return as many different free ports, at random so that two starts at once rarely meet."""
    candidates = list(range(FIRST_PORT, LAST_PORT + 1))
    random.shuffle(candidates)
    free = (port for port in candidates if is_free(port))
    return [next(free) for _ in range(count)]
