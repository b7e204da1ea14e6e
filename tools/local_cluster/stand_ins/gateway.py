"""STAND-IN for Aware's gateway: this project's own program, which only behaves like one.

It keeps a counter, so that one can see whether data outlives a pod, and misbehaves when told to by
variables named STAND_IN_*. It never prints its token, nor any other variable.
"""

import hmac
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .serving import Answer, Request, read_number, refuse, serve, tell

NAME = "aware-gateway"
PORT = 18789
DATA = "/home/node/.openclaw"
STATE_FILE = Path("/var/lib/gateway/state")
# Who probes what.
PROBES = {"/startupz": "startup", "/readyz": "readiness", "/healthz": "liveness"}
# A Deployment's pod: tenant-<slug>-<hash of the template>-<five letters>.
POD_NAME = re.compile(r"tenant-(.+)-[a-z0-9]{1,10}-[a-z0-9]{5}")


@dataclass(frozen=True)
class Behaviour:
    """What the variables named STAND_IN_* tell it to do."""

    crash_after_seconds: float
    leak_mib_per_second: float
    start_seconds: float
    failing_probe: str
    ignores_sigterm: bool
    writes_root: bool


def read_behaviour(environment: Mapping[str, str]) -> Behaviour:
    """Return the behaviour; refuse to start when a variable makes no sense."""
    failing_probe = environment.get("STAND_IN_FAIL_PROBE", "")
    if failing_probe not in ("", *PROBES.values()):
        refuse("STAND_IN_FAIL_PROBE must be startup, readiness or liveness.")
    return Behaviour(
        crash_after_seconds=read_number(environment, "STAND_IN_CRASH_AFTER_SECONDS", 0),
        leak_mib_per_second=read_number(environment, "STAND_IN_LEAK_MIB_PER_SECOND", 0),
        start_seconds=read_number(environment, "STAND_IN_START_SECONDS", 0),
        failing_probe=failing_probe,
        ignores_sigterm=environment.get("STAND_IN_IGNORE_SIGTERM") == "1",
        writes_root=environment.get("STAND_IN_WRITE_ROOT") == "1",
    )


def read_token(environment: Mapping[str, str]) -> str:
    """Return the token that clients must show; refuse to start without one."""
    token = environment.get("OPENCLAW_GATEWAY_TOKEN", "")
    if not token:
        refuse("OPENCLAW_GATEWAY_TOKEN is missing or empty; set it to the gateway's token.")
    return token


def determine_tenant(environment: Mapping[str, str]) -> str | None:
    """Return the tenant's name, from TENANT or out of the pod's name."""
    found = POD_NAME.fullmatch(environment.get("HOSTNAME", ""))
    return environment.get("TENANT") or (found.group(1) if found else None)


class Counter:
    """A number in a folder that outlives this process, or in memory when there is none."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "counter"
        self._lock = threading.Lock()
        self.is_kept = folder.is_dir() and os.access(folder, os.W_OK)
        is_there = self.is_kept and self._file.exists()
        self.value = int(self._file.read_text()) if is_there else 0

    def increment(self) -> int:
        """Add one and return the new value, which is on the disk by then."""
        with self._lock:
            if self.is_kept:
                self._write(self.value + 1)
            self.value += 1
            return self.value

    def _write(self, value: int) -> None:
        """Replace the file in one step that outlives a power cut."""
        fresh = self._file.with_suffix(".new")
        with fresh.open("w") as file:
            file.write(f"{value}\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._file)
        folder = os.open(self._file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class Gateway:
    """The gateway's answers."""

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        name: str = NAME,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.behaviour = read_behaviour(environment)
        self._token = read_token(environment).encode()
        self._counter = Counter(Path(environment.get("STAND_IN_DATA") or DATA))
        self._facts = {
            "stand_in": True,
            "name": name,
            "version": environment.get("STAND_IN_VERSION", "unknown"),
            "tenant": determine_tenant(environment),
        }
        self._clock = clock
        self._started = clock()

    @property
    def introduction(self) -> str:
        """What the log begins with."""
        facts = self._facts
        return (
            f"{facts['name']} {facts['version']}, tenant {facts['tenant'] or 'unknown'}: "
            "a STAND-IN of the local cluster, not Aware's program"
        )

    def answer(self, request: Request) -> Answer:
        """Answer a request; only probes need no token."""
        if request.path in PROBES:
            return self.answer_probe(request)
        if not self._is_authorized(request):
            return Answer(
                401,
                {"stand_in": True, "error": "this needs the gateway's token"},
                {"WWW-Authenticate": "Bearer"},
            )
        return self.answer_client(request)

    def answer_probe(self, request: Request) -> Answer:
        """Answer the kubelet: ok, or the reason why not."""
        reason = self._find_fault(request.path)
        if reason:
            return Answer(503, f"{reason}\n")
        return Answer(200, {"stand_in": True, "status": "ok"})

    def answer_client(self, request: Request) -> Answer:
        """Answer somebody who has the token."""
        match request.method, request.path:
            case ("GET" | "HEAD", "/"):
                return Answer(200, self.describe())
            case ("POST", "/counter"):
                return self._count()
        return Answer(404, {"stand_in": True, "error": "there is nothing here"})

    def describe(self) -> dict[str, object]:
        """Return what the gateway tells of itself."""
        counter = {"counter": self._counter.value, "volume": self._counter.is_kept}
        return self._facts | counter

    def _count(self) -> Answer:
        """Increment the counter."""
        try:
            self._counter.increment()
        except OSError as exc:
            error = f"cannot write the counter: {exc.strerror}"
            return Answer(500, {"stand_in": True, "error": error})
        return Answer(200, self.describe())

    def _is_authorized(self, request: Request) -> bool:
        """Tell whether the client shows the token."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        # Headers are read as latin-1: turned back, they are the client's own bytes.
        shown = token.strip().encode("latin-1", "replace")
        return scheme.lower() == "bearer" and hmac.compare_digest(shown, self._token)

    def _find_fault(self, path: str) -> str | None:
        """Return why a probe fails; None when it does not."""
        probe = PROBES[path]
        if probe == self.behaviour.failing_probe:
            return f"told to fail its {probe} probe"
        if probe == "liveness":
            return None
        left = self._started + self.behaviour.start_seconds - self._clock()
        if left > 0:
            return f"still starting: {left:.0f} s to go"
        return None


def misbehave(behaviour: Behaviour) -> None:
    """Begin what makes it end badly, if it is told to."""
    if behaviour.writes_root:
        write_state(STATE_FILE)
    if behaviour.crash_after_seconds:
        _start_daemon(threading.Timer(behaviour.crash_after_seconds, _crash))
    if behaviour.leak_mib_per_second:
        leak = threading.Thread(target=_leak, args=(behaviour.leak_mib_per_second,))
        _start_daemon(leak)


def write_state(path: Path) -> None:
    """Write into the root file system, as programs do that know no containers; end if it fails."""
    try:
        path.write_text("state\n")
    except OSError as exc:
        sys.exit(f"cannot write {path}: [Errno {exc.errno}] {exc.strerror}")


def _start_daemon(thread: threading.Thread) -> None:
    """Start a thread that ends with the process."""
    thread.daemon = True
    thread.start()


def _crash() -> None:
    """End as a program does that fails early."""
    tell("stand-in gateway: opening its database")
    tell("stand-in gateway: cannot open its database: told to crash")
    os._exit(3)


def _leak(mib_per_second: float) -> None:
    """Take more and more memory, until somebody ends this."""
    hoard = []
    while True:
        hoard.append(b"x" * int(mib_per_second * (1 << 20) / 10))
        time.sleep(0.1)


def main() -> None:
    """Run the gateway until it is told to end."""
    gateway = Gateway(os.environ)
    tell(gateway.introduction)
    port = int(read_number(os.environ, "PORT", PORT))
    run(gateway, port)


def run(gateway: Gateway, port: int) -> None:
    """Serve as long as it is wanted, and misbehave as told."""
    behaviour = gateway.behaviour
    misbehave(behaviour)
    serve(gateway, port, is_deaf=behaviour.ignores_sigterm)


if __name__ == "__main__":
    main()
