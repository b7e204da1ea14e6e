"""Ending every helm that runs, from another thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from pyhelm3.errors import Error as PyhelmError

from release_manager.clients.helm_command import HelmCommand

BuildHelm = Callable[[str], Path]
DEADLINE_SECONDS = 10.0
# Each verb leaves a file when it has begun and waits for another one; a SIGTERM ends it with 7.
SCRIPT = """
trap 'exit 7' TERM
touch "$0.$1.begun"
until test -e "$0.go"; do sleep 0.02; done
echo done
"""


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not path.exists():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


@contextmanager
def _starting(helm: Path) -> Iterator[ThreadPoolExecutor]:
    """Give threads to run helm in; none of them is waited for in vain when a test fails."""
    with ThreadPoolExecutor(2) as pool:
        try:
            yield pool
        finally:
            Path(f"{helm}.go").touch()


def _start(pool: ThreadPoolExecutor, command: HelmCommand, helm: Path, verb: str) -> Future[bytes]:
    running = pool.submit(asyncio.run, command.run([verb]))
    _wait_for(Path(f"{helm}.{verb}.begun"))
    return running


def test_every_helm_that_can_be_ended_safely_is_ended(build_helm: BuildHelm) -> None:
    helm = build_helm(SCRIPT)
    command = HelmCommand(executable=str(helm))
    with _starting(helm) as pool:
        running = [_start(pool, command, helm, verb) for verb in ("upgrade", "template")]
        command.interrupt()
        for ended in running:
            with pytest.raises(PyhelmError) as caught:
                ended.result(DEADLINE_SECONDS)
            assert caught.value.returncode == 7


def test_a_helm_that_is_just_beginning_is_ended_too(build_helm: BuildHelm) -> None:
    """The interruption comes when the process is there and nobody knows of it yet."""
    helm = build_helm(SCRIPT)
    command = HelmCommand(executable=str(helm))

    async def run() -> bytes:
        running = asyncio.ensure_future(command.run(["upgrade"]))
        # Once round the loop it has been started, and has not been told to this thread yet.
        await asyncio.sleep(0)
        assert not running.done()
        command.interrupt()
        return await asyncio.wait_for(running, DEADLINE_SECONDS)

    with _starting(helm), pytest.raises(PyhelmError):
        asyncio.run(run())


@pytest.mark.parametrize("verb", ["rollback", "uninstall"])
def test_a_helm_that_would_leave_the_release_pending_is_left_to_finish(
    build_helm: BuildHelm, verb: str
) -> None:
    helm = build_helm(SCRIPT)
    command = HelmCommand(executable=str(helm))
    with _starting(helm) as pool:
        running = _start(pool, command, helm, verb)
        command.interrupt()
        Path(f"{helm}.go").touch()
        assert running.result(DEADLINE_SECONDS) == b"done\n"


def test_a_helm_that_has_ended_is_left_alone(build_helm: BuildHelm) -> None:
    command = HelmCommand(executable=str(build_helm("echo done")))
    assert asyncio.run(command.run(["upgrade"])) == b"done\n"
    command.interrupt()
    assert asyncio.run(command.run(["upgrade"])) == b"done\n"
