"""`python empty_registry.py`: a registry of images, on loopback, that has none.

It prints its port and ends when its standard input does, so with the test that started it.
"""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class EmptyRegistry(BaseHTTPRequestHandler):
    """Answers as the distribution specification wants it of whoever does not have an image."""

    def do_GET(self) -> None:
        is_root = self.path == "/v2/"
        unknown = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}
        content = json.dumps({} if is_root else unknown).encode()
        self.send_response(200 if is_root else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Log no requests."""


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), EmptyRegistry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)  # noqa: T201
    sys.stdin.read()


if __name__ == "__main__":
    main()
