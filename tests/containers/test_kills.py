"""Killed at any moment, with real containers: afterwards the tenant runs and answers."""

from __future__ import annotations

import os
import signal

import pytest

from local_cluster.clusters import Cluster
from tests.containers.conftest import STAND_IN, WITH_VOLUME, Visitor, find_service
from tests.kills import kill_after, list_helm_upgrades, measure, wait_for_lease_to_expire
from tests.terminal import Operator, wait_for

# Parts of the time that the command takes when nobody kills it: before, in and after helm.
MOMENTS = (0.25, 0.45, 0.8)
OLD, NEW = "1.0.0-stand-in", "1.1.0-stand-in"
UPGRADE = ("upgrade-tenant", "acme", "--set", f"image.tag={NEW}")


@pytest.mark.parametrize("moment", MOMENTS)
def test_install_after_a_killed_manager_ends_with_a_tenant_that_answers(
    operator: Operator, visitor: Visitor, moment: float
) -> None:
    whole = measure(operator, "install-tenant", "other", *STAND_IN)
    install = ("install-tenant", "acme", *STAND_IN)
    kill_after(operator.start(*install), moment * whole)
    wait_for_lease_to_expire(operator)
    result = operator.call_manager(*install)
    # A killed process may have done it all already; then it says so and changes nothing.
    assert result.returncode == 0 or "exists already and is running" in result.stderr
    assert visitor.ask_with_token("acme").body["version"] == OLD


@pytest.mark.parametrize("moment", MOMENTS)
def test_upgrade_after_a_killed_manager_ends_with_the_new_version_and_the_old_data(
    operator: Operator, visitor: Visitor, moment: float
) -> None:
    whole = measure(operator, "install-tenant", "acme", *STAND_IN, *WITH_VOLUME)
    visitor.ask_with_token("acme", "/counter", method="POST")
    kill_after(operator.start(*UPGRADE), moment * whole)
    wait_for_lease_to_expire(operator)
    operator.run("recover-tenant", "acme")
    # A rollout that goes on needs no repair; it may not have ended.
    operator.kubectl("rollout", "status", "deployment/tenant-acme", "--timeout=60s")
    assert visitor.ask_with_token("acme").body["counter"] == 1
    operator.run(*UPGRADE)
    answer = visitor.ask_with_token("acme").body
    assert (answer["version"], answer["counter"]) == (NEW, 1)


def kill_helm(operator: Operator, *command: str) -> None:
    """Run a command and kill the helm that it starts; insist that it says so."""
    with operator.start(*command) as process:
        wait_for(lambda: list_helm_upgrades(process.pid), "helm to start")
        for pid in list_helm_upgrades(process.pid):
            os.kill(pid, signal.SIGKILL)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 1, said
    assert "helm was killed by signal 9" in said


def test_install_after_a_killed_helm_ends_with_a_tenant_that_answers(
    operator: Operator, visitor: Visitor
) -> None:
    install = ("install-tenant", "acme", *STAND_IN)
    kill_helm(operator, *install)
    operator.run(*install)
    assert visitor.ask_with_token("acme").body["version"] == OLD


def test_killed_helm_leaves_a_tenant_that_answers(operator: Operator, visitor: Visitor) -> None:
    operator.run("install-tenant", "acme", *STAND_IN)
    kill_helm(operator, *UPGRADE)
    assert visitor.ask_with_token("acme").body["version"] == OLD
    operator.run(*UPGRADE)
    assert visitor.ask_with_token("acme").body["version"] == NEW


def test_install_and_upgrade_survive_the_end_of_kubelet_and_containerd(
    own: Cluster, own_operator: Operator
) -> None:
    visitor = Visitor(own, own_operator)
    for slug, program in (("one", "kubelet"), ("two", "containerd")):
        pods = ("get", "pods", "-l", f"tenant={slug}", "-o", "name")
        with own_operator.start("install-tenant", slug, *STAND_IN) as install:
            wait_for(lambda pods=pods: own_operator.kubectl(*pods), "the tenant's pod")
            os.kill(find_service(own, program), signal.SIGKILL)
            _, said = install.communicate(timeout=180)
        assert install.returncode == 0, said
        assert visitor.ask_with_token(slug).body["version"] == OLD
        upgrade = ("upgrade-tenant", slug, "--set", f"image.tag={NEW}")
        with own_operator.start(*upgrade) as process:
            wait_for(lambda pods=pods: len(own_operator.kubectl(*pods).split()) == 2, "a new pod")
            os.kill(find_service(own, program), signal.SIGKILL)
            _, said = process.communicate(timeout=180)
        assert process.returncode == 0, said

        def is_new(slug: str = slug) -> bool:
            # The old pod answers until kube-proxy knows that it is going.
            return bool(visitor.ask_with_token(slug).body["version"] == NEW)

        wait_for(is_new, "an answer of the new version", seconds=20)
