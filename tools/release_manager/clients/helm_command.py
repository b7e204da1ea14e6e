"""Running the helm binary, through pyhelm3's ``Command`` and nothing else of it.

pyhelm3 is pinned exactly. Never its ``Client``: its ``ensure_release`` and
``get_proceedable_revision`` uninstall a pending release.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from pyhelm3.command import Command
from pyhelm3.errors import Error as PyhelmError

from ..ports import Deployment
from ..tenant import Target

# Helm would read every revision with its body twice to remove the oldest one.
NO_LIMIT = ("--history-max", 0)
GRACE_SECONDS = 20.0
# They have no signal handler: ended half-way they would leave the release pending.
_UNINTERRUPTIBLE = frozenset({"rollback", "uninstall"})
# Bits of /proc/self/status, see capabilities(7).
_DAC_OVERRIDE, _DAC_READ_SEARCH, _SETPCAP = 1 << 1, 1 << 2, 1 << 8
# Where helm goes is decided by our settings, and the releases are Secrets.
_OWN_VARIABLES = re.compile(r"HELM_(KUBE.*|NAMESPACE|DRIVER.*|DEBUG|MAX_HISTORY)")

_log = logging.getLogger(__name__)


class HelmCommand(Command):
    """pyhelm3's Command, run without a shell and in a process group of its own.

    So a Ctrl-C in the terminal does not reach helm, and cancelling does: SIGTERM, which
    lets an upgrade end as ``failed``, then SIGKILL after a grace period. Several threads may
    run commands at once. provide_cache: returns what upgrades get as their ``KUBECACHEDIR``.
    """

    def __init__(
        self, *, provide_cache: Callable[[], Path | None] = lambda: None, **options: Any
    ) -> None:
        super().__init__(**options)
        self._provide_cache = provide_cache
        self._interruptible: set[asyncio.subprocess.Process] = set()
        self._interruptions = 0
        self._lock = threading.RLock()

    def interrupt(self) -> None:
        """Send SIGTERM to every helm that runs now and can be ended safely."""
        with self._lock:
            self._interruptions += 1
            for process in self._interruptible:
                if process.returncode is None:
                    _signal_group(process, signal.SIGTERM)

    async def run(self, command: list[Any], input: bytes | None = None) -> bytes:
        """Run one helm command and return its stdout; raises pyhelm3's Error."""
        verb = str(command[0])
        # Values, the one place for anything confidential, go through stdin.
        _log.info("helm %s", " ".join(str(part) for part in command))
        interruptions = self._interruptions
        cache_folder = self._provide_cache() if verb == "upgrade" else None
        argv = [self._executable, *command, *self._connection_flags()]
        if verb not in _UNINTERRUPTIBLE:
            argv = [*_build_launcher(is_bounded=cache_folder is not None), *argv]
        process = await asyncio.create_subprocess_exec(
            *(str(part) for part in argv),
            stdin=asyncio.subprocess.PIPE if input is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            env=_environment(self._kubeconfig, cache_folder),
        )
        if verb in _UNINTERRUPTIBLE:
            stdout, stderr = await self._communicate(process, verb, input)
        else:
            with self._ending_with(process, since=interruptions):
                stdout, stderr = await self._communicate(process, verb, input)
        if process.returncode != 0:
            raise PyhelmError(process.returncode or 1, stdout, stderr)
        return stdout

    @contextmanager
    def _ending_with(self, process: asyncio.subprocess.Process, *, since: int) -> Iterator[None]:
        """Let ``interrupt`` reach a process while it runs, also one that came as it began.

        since: how many interruptions there had been before it began.
        """
        with self._lock:
            self._interruptible.add(process)
            if self._interruptions != since:
                _signal_group(process, signal.SIGTERM)
        try:
            yield
        finally:
            with self._lock:
                self._interruptible.discard(process)

    async def _communicate(
        self, process: asyncio.subprocess.Process, verb: str, text: bytes | None
    ) -> tuple[bytes, bytes]:
        try:
            return await process.communicate(text)
        except asyncio.CancelledError:
            await _end(process, is_interruptible=verb not in _UNINTERRUPTIBLE)
            raise

    async def upgrade_install(
        self, deployment: Deployment, *, namespace: str, labels: Mapping[str, str]
    ) -> bytes:
        """Install or upgrade without waiting for pods; values go through stdin."""
        return await self.run(
            [
                "upgrade",
                Target(deployment.slug).release,
                deployment.chart.reference,
                *(["--install"] if deployment.is_install else []),
                "--namespace",
                namespace,
                *NO_LIMIT,
                "--timeout",
                f"{max(1, round(deployment.timeout_seconds))}s",
                "--reset-values",
                "--values",
                "-",
                "--labels",
                ",".join(f"{key}={value}" for key, value in labels.items()),
                # The values passed the schema, and the API server checks every object.
                "--disable-openapi-validation",
                *(["--force-conflicts"] if deployment.is_forcing else []),
            ],
            json.dumps(deployment.values).encode(),
        )

    async def template_text(
        self, release: str, reference: str, values: dict[str, Any], *, namespace: str
    ) -> bytes:
        """Return the rendered manifest as text; no cluster is asked."""
        command = ["template", release, reference, "--namespace", namespace, "--values", "-"]
        # Helm must not even look for a kubeconfig here.
        return await self.run([*command, "--no-hooks"], json.dumps(values).encode())

    def _connection_flags(self) -> list[str]:
        return ["--kube-context", str(self._kubecontext)] if self._kubecontext else []


def _build_launcher(*, is_bounded: bool) -> list[str]:
    """Return what a helm is started with: it ends with its parent.

    is_bounded: whether it also heeds a read-only folder, where it can be made to.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return []
    bounded = ["--bounding-set", "-dac_override"] if is_bounded and _can_be_bounded() else []
    return [setpriv, "--pdeathsig", "TERM", *bounded, "--"]


@cache
def _can_be_bounded() -> bool:
    """Whether this is a root who loses nothing: it reads everything still, and its home is its."""
    needed = _DAC_OVERRIDE | _DAC_READ_SEARCH | _SETPCAP
    if _read_capabilities() & needed != needed:
        return False
    try:
        return Path.home().stat().st_uid == os.geteuid()
    except (OSError, RuntimeError):
        return False


def _read_capabilities() -> int:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return int(found[1], 16) if found else 0


def _environment(kubeconfig: object, cache_folder: Path | None) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not _OWN_VARIABLES.fullmatch(name)}
    # By the variable and not by the flag, which takes no list of files.
    named = {"KUBECONFIG": str(kubeconfig)} if kubeconfig else {}
    if cache_folder is not None:
        named["KUBECACHEDIR"] = str(cache_folder)
    # Helm's heap is small and short-lived: without garbage collection it saves 30 % of CPU, and
    # with one thread for its Go code a tenth of what is left.
    return {"GOGC": "off", "GOMAXPROCS": "1", **kept, **named}


async def _end(process: asyncio.subprocess.Process, *, is_interruptible: bool) -> None:
    if not is_interruptible:
        await process.communicate()
        return
    _signal_group(process, signal.SIGTERM)
    try:
        await asyncio.wait_for(process.communicate(), GRACE_SECONDS)
    except TimeoutError:
        _signal_group(process, signal.SIGKILL)
        await process.communicate()


def _signal_group(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
