"""What the stand-ins have in common: how they answer, how they end, how they refuse to start."""

import json
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NoReturn, Protocol

# Of sysexits.h: something is wrong with the configuration, and a restart will not help.
WRONG_CONFIGURATION = 78
ENDINGS = (signal.SIGTERM, signal.SIGINT)
FINISH_SECONDS = 10.0
IDLE_SECONDS = 75.0
LARGEST_BODY = 1 << 20


@dataclass(frozen=True)
class Request:
    """What a client asks; `client` is its address."""

    method: str
    path: str
    headers: Message
    client: str


@dataclass(frozen=True)
class Answer:
    """A status, and either a text of one line or fields of JSON."""

    status: int
    body: str | Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


class Service(Protocol):
    """What answers requests."""

    def answer(self, request: Request) -> Answer:
        """Answer a request; several threads ask at once."""


def tell(text: str) -> None:
    """Write one line to the log."""
    print(text, flush=True)


def refuse(reason: str, exit_code: int = WRONG_CONFIGURATION) -> NoReturn:
    """End, with one sentence on stderr."""
    print(reason, file=sys.stderr, flush=True)
    sys.exit(exit_code)


def read_number(environment: Mapping[str, str], name: str, default: float) -> float:
    """Return a variable that is a number of at least 0; refuse to start when it is not."""
    text = environment.get(name, "")
    try:
        number = float(text) if text else default
    except ValueError:
        number = -1
    if number < 0:
        refuse(f"{name} must be a number of at least 0.")
    return number


def serve(service: Service, port: int, *, is_deaf: bool = False) -> None:
    """Serve on all addresses until SIGTERM or SIGINT, then finish what is open and end.

    `is_deaf` ignores both.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
    try:
        server = _Server(service, port)
    except OSError as exc:
        refuse(f"cannot listen on port {port}: {exc.strerror}", exit_code=1)
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    tell(f"listens on port {port}")
    name = signal.Signals(signal.sigwait(ENDINGS)).name
    while is_deaf:
        tell(f"{name}: told to ignore it")
        name = signal.Signals(signal.sigwait(ENDINGS)).name
    tell(f"{name}: finishes what is open, then ends")
    server.shutdown()
    server.server_close()
    server.wait_for_open_requests()
    tell("ended")


class _Server(ThreadingHTTPServer):
    """A server that knows how many requests are open."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, service: Service, port: int) -> None:
        self.service = service
        self._open = 0
        self._changed = threading.Condition()
        super().__init__(("0.0.0.0", port), _Handler)  # noqa: S104

    @contextmanager
    def request_open(self) -> Iterator[None]:
        """Count a request as open."""
        with self._changed:
            self._open += 1
        try:
            yield
        finally:
            with self._changed:
                self._open -= 1
                self._changed.notify_all()

    def wait_for_open_requests(self) -> None:
        """Wait until no request is open, but not for ever."""
        with self._changed:
            self._changed.wait_for(lambda: self._open == 0, FINISH_SECONDS)


class _Handler(BaseHTTPRequestHandler):
    """Hands requests to the service; keeps connections open between them."""

    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "stand-in"
    sys_version = ""
    timeout = IDLE_SECONDS
    # Headers and body in one packet.
    wbufsize = -1

    def log_message(self, format: str, *args: object) -> None:
        """Log no requests."""

    def _respond(self) -> None:
        """Answer one request."""
        with self.server.request_open():
            if not self._skip_body():
                self._send(Answer(413, "this body is too large\n"))
                return
            path = self.path.partition("?")[0]
            request = Request(self.command, path, self.headers, self.client_address[0])
            self._send(self.server.service.answer(request))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _respond  # noqa: N815

    def _skip_body(self) -> bool:
        """Read the body, which nobody needs, so that the next request is found; False if not."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdigit():
            self.close_connection = True
            return False
        if int(length) > LARGEST_BODY:
            self.close_connection = True
            return False
        self.rfile.read(int(length))
        return True

    def _send(self, answer: Answer) -> None:
        """Send an answer."""
        is_text = isinstance(answer.body, str)
        body = answer.body if isinstance(answer.body, str) else json.dumps(answer.body) + "\n"
        content = body.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "text/plain" if is_text else "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        self.wfile.flush()
