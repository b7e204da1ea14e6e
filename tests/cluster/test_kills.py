"""Killed at any moment: the next command, or recover-tenant, ends in the right state."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.kills import kill_after, list_helm_upgrades, measure, wait_for_lease_to_expire
from tests.terminal import Operator, wait_for

# Moments of a command, as parts of the time that it takes when nobody kills it.
MOMENTS = [0.15, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 0.95]
HELM_KILLS = range(6)


@pytest.mark.parametrize("moment", MOMENTS)
def test_install_after_a_killed_install_ends_running(operator: Operator, moment: float) -> None:
    whole = measure(operator, "install-tenant", "other")
    arguments = ("install-tenant", "acme", "--set", "podLabels.x=y")
    kill_after(operator.start(*arguments), moment * whole)
    wait_for_lease_to_expire(operator)
    result = operator.call_manager(*arguments)
    # A killed process may have done it all already; then it says so and changes nothing.
    assert result.returncode == 0 or "exists already and is running" in result.stderr
    assert operator.tenant("acme")["state"] == "running"
    assert operator.helm_values("acme")["podLabels"] == {"x": "y"}
    assert operator.exists("secret", "tenant-acme-token")


@pytest.mark.parametrize("moment", MOMENTS)
def test_recover_after_a_killed_upgrade_ends_running_with_one_of_both_values(
    operator: Operator, moment: float
) -> None:
    whole = measure(
        operator, "install-tenant", "acme", "--set", "podLabels.x=old,persistence.enabled=true"
    )
    volume = operator.get("pvc", "tenant-acme-data")["metadata"]["uid"]
    token = operator.run("show-token", "acme").stdout
    upgrade = ("upgrade-tenant", "acme", "--set", "podLabels.x=new")
    kill_after(operator.start(*upgrade), moment * whole)
    wait_for_lease_to_expire(operator)
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
def test_a_killed_helm_is_told_and_leaves_a_release_that_works(
    operator: Operator, trial: int
) -> None:
    whole = measure(operator, "install-tenant", "acme")
    upgrade = ("upgrade-tenant", "acme", "--set", "podLabels.x=new")
    with operator.start(*upgrade) as process:
        wait_for(lambda: list_helm_upgrades(process.pid) or process.poll() is not None, "helm")
        # Any moment of helm's run will do; it is about a third of the whole.
        time.sleep(random.uniform(0, whole / 3))  # noqa: S311
        for pid in list_helm_upgrades(process.pid):
            os.kill(pid, signal.SIGKILL)
        _, said = process.communicate(timeout=120)
    assert process.returncode in (0, 1), said
    assert process.returncode == 0 or "helm was killed by signal 9" in said
    # Whatever the moment, nothing is pending and nothing has to be recovered.
    operator.kubectl("rollout", "status", "deployment/tenant-acme", "--timeout=60s")
    assert operator.tenant("acme")["state"] == "running"
    operator.run(*upgrade)
    assert operator.helm_values("acme")["podLabels"]["x"] == "new"


def test_helm_ends_with_a_manager_that_was_killed(operator: Operator) -> None:
    operator.run("install-tenant", "acme")
    with operator.start("upgrade-tenant", "acme", "--set", "podLabels.x=new") as process:
        wait_for(lambda: list_helm_upgrades(process.pid), "helm upgrade to start")
        helm = list_helm_upgrades(process.pid)
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
