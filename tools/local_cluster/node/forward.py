"""`python -m local_cluster.node.forward CLUSTER_FOLDER PID LISTEN TARGET_HOST TARGET_PORT`.

Carries connections to 127.0.0.1:LISTEN of the host to an address in the network namespace of the
process PID. The listening socket stays in the namespace in which it was made, so one process can
stand in both. CLUSTER_FOLDER only says whose process this is.
"""

import asyncio
import socket
import sys
from contextlib import suppress

from local_cluster.node.namespaces import enter_network

CHUNK_BYTES = 65536


def listen(port: int) -> socket.socket:
    """Listen on the loopback address of the namespace that this process is in."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry one direction until its end, and pass the end on."""
    with suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


async def serve(listener: socket.socket, host: str, port: int) -> None:
    """Carry every connection to the target until this process ends."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
        for end in (far_writer, writer):
            end.close()

    server = await asyncio.start_server(carry, sock=listener)
    await server.serve_forever()


def main(pid: int, port: int, target_host: str, target_port: int) -> None:
    """Listen here, connect there."""
    listener = listen(port)
    enter_network(pid)
    asyncio.run(serve(listener, target_host, target_port))


if __name__ == "__main__":
    main(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
