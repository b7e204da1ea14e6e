"""Killed at any moment: the next command, or recover-tenant, ends in the right state."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cluster.conftest import Operator, wait_for

# Spread over the whole run of a command, which takes about 1.2 seconds here.
INSTALL_DELAYS = [0.25, 0.45, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9, 1.1]
UPGRADE_DELAYS = [0.25, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 1.0, 1.2]
HELM_KILLS = range(4)


def _kill_after(process: subprocess.Popen[str], seconds: float) -> None:
    # The delay is the experiment itself: the moment at which the process dies.
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    process.kill()
    process.communicate()


def _children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def _wait_for_lease_to_expire(operator: Operator) -> None:
    """Wait until the dead process's Lease counts as dead, and its helm has ended."""
    wait_for(
        lambda: (
            operator.tenant("acme")["state"] != "busy" if operator.read("list-tenants") else True
        ),
        "the dead process's Lease to expire",
    )


@pytest.mark.parametrize("delay", INSTALL_DELAYS)
def test_install_after_a_killed_install_ends_running(operator: Operator, delay: float) -> None:
    arguments = ("install-tenant", "acme", "--set", "podLabels.x=y")
    _kill_after(operator.start(*arguments), delay)
    _wait_for_lease_to_expire(operator)
    result = operator.call_manager(*arguments)
    # A killed process may have done it all already; then it says so and changes nothing.
    assert result.returncode == 0 or "exists already and is running" in result.stderr
    assert operator.tenant("acme")["state"] == "running"
    assert operator.helm_values("acme")["podLabels"] == {"x": "y"}
    assert operator.exists("secret", "tenant-acme-token")


@pytest.mark.parametrize("delay", UPGRADE_DELAYS)
def test_recover_after_a_killed_upgrade_ends_running_with_one_of_both_values(
    operator: Operator, delay: float
) -> None:
    operator.run("install-tenant", "acme", "--set", "podLabels.x=old,persistence.enabled=true")
    volume = operator.get("pvc", "tenant-acme-data")["metadata"]["uid"]
    token = operator.run("show-token", "acme").stdout
    upgrade = ("upgrade-tenant", "acme", "--set", "podLabels.x=new")
    _kill_after(operator.start(*upgrade), delay)
    _wait_for_lease_to_expire(operator)
    operator.run("recover-tenant", "acme")
    operator.kubectl("rollout", "status", "deployment/tenant-acme", "--timeout=60s")
    value = operator.helm_values("acme")["podLabels"]["x"]
    pod = operator.get("deployment", "tenant-acme")["spec"]["template"]["metadata"]["labels"]["x"]
    assert pod == value
    assert operator.tenant("acme")["state"] == "running"
    operator.run(*upgrade)
    assert operator.helm_values("acme")["podLabels"]["x"] == "new"
    assert operator.get("pvc", "tenant-acme-data")["metadata"]["uid"] == volume
    assert operator.run("show-token", "acme").stdout == token


@pytest.mark.parametrize("trial", HELM_KILLS)
def test_a_killed_helm_fails_the_upgrade_and_the_next_one_goes_through(
    operator: Operator, trial: int
) -> None:
    operator.run("install-tenant", "acme")
    upgrade = ("upgrade-tenant", "acme", "--set", "podLabels.x=new")
    process = operator.start(*upgrade)
    wait_for(lambda: _children(process.pid) or process.poll() is not None, "helm to start")
    # The first child may be the check of helm's version; the moment is random on purpose.
    time.sleep(random.Random(trial).uniform(0.0, 0.6))  # noqa: S311
    for pid in _children(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=120)
    assert process.returncode in (0, 1, 2, 5)
    operator.run(*upgrade)
    assert operator.tenant("acme")["state"] == "running"
    assert operator.helm_values("acme")["podLabels"]["x"] == "new"


def _helm_upgrades(pid: int) -> list[int]:
    found = []
    for child in _children(pid):
        with contextlib.suppress(OSError):
            if b"--reset-values" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
    return found


def test_helm_ends_with_a_manager_that_was_killed(operator: Operator) -> None:
    operator.run("install-tenant", "acme")
    with operator.start("upgrade-tenant", "acme", "--set", "podLabels.x=new") as process:
        wait_for(lambda: _helm_upgrades(process.pid), "helm upgrade to start")
        helm = _helm_upgrades(process.pid)
        process.kill()
    wait_for(
        lambda: not any(Path(f"/proc/{pid}").exists() for pid in helm), "helm to end", seconds=15
    )


def test_an_interrupted_upgrade_leaves_no_pending_release(operator: Operator) -> None:
    operator.run("install-tenant", "acme")
    never = ("--set", "podLabels.local-cluster/behaviour=never-ready")
    process = operator.start("upgrade-tenant", "acme", *never)
    wait_for(lambda: operator.tenant("acme")["revision"] == 2, "the upgrade to begin")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert operator.tenant("acme")["state"] in ("progressing", "failed", "degraded")
    operator.run("rollback-tenant", "acme")
    assert operator.tenant("acme")["state"] == "running"
    assert operator.kubectl("get", "leases", "-o", "name") == ""
