"""Free ports."""

from __future__ import annotations

import socket

from local_cluster.ports import FIRST_PORT, LAST_PORT, is_free, pick_ports


def test_picked_ports_are_different_free_and_below_those_of_outgoing_connections() -> None:
    ports = pick_ports(20)
    assert len(set(ports)) == 20
    assert all(FIRST_PORT <= port <= LAST_PORT < 32768 for port in ports)
    assert all(map(is_free, ports))


def test_port_that_somebody_listens_on_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not is_free(server.getsockname()[1])
