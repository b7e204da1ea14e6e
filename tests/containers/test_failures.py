"""Tenants that fail for a real reason: every command tells the first cause, and no secret."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pytest

from local_cluster.clusters import Cluster
from local_cluster.node import host
from local_cluster.node.layout import NODE_NAME, Layout
from tests.containers import empty_registry
from tests.containers.conftest import Visitor, find_service
from tests.containers.failing import (
    CONTAINER,
    CUSTOMER,
    NAMESPACE,
    PLACE,
    PROBES,
    REDACTED,
    Failing,
    build_image_failures,
)
from tests.terminal import MANAGER, Completed, Operator, wait_for


@dataclass(frozen=True)
class Overheard(Operator):
    """An operator, and all that release-manager has told."""

    heard: list[str] = field(default_factory=list, repr=False)

    def call(self, program: object, *arguments: object, **options: Any) -> Completed:
        result = super().call(program, *arguments, **options)
        if program == MANAGER:
            self.heard.extend((result.stdout, result.stderr))
        return result


@contextmanager
def overhear(namespace: str, environment: Mapping[str, str], folder: Path) -> Iterator[Overheard]:
    """Yield an operator who must not be told a token, nor a value of the environment."""
    fleet = folder / "fleet.yaml"
    defaults = {"image": {"tag": "1.0.0-stand-in"}, "env": {"CUSTOMER": CUSTOMER}}
    fleet.write_text(json.dumps({"defaults": defaults}))
    operator = Overheard(namespace, {**environment, "RELEASE_MANAGER_SETTINGS": str(fleet)})
    yield operator
    heard = "\n".join(operator.heard)
    assert CUSTOMER not in heard
    tokens = read_tokens(operator)
    assert tokens
    assert not any(token in heard for token in tokens)


def read_tokens(operator: Operator) -> list[str]:
    """Return the tokens of all tenants."""
    secrets = json.loads(operator.kubectl("get", "secrets", "-l", "app=tenant", "-o", "json"))
    data = [secret["data"] for secret in secrets["items"] if "token" in secret["data"]]
    return [base64.b64decode(each["token"]).decode() for each in data]


@pytest.fixture
def operator(namespace: str, environment: dict[str, str], tmp_path: Path) -> Iterator[Overheard]:
    """Somebody at a terminal, with tenants that know two things which nobody may see."""
    with overhear(namespace, environment, tmp_path) as somebody:
        yield somebody


@pytest.fixture
def registry(cluster: Cluster) -> Iterator[str]:
    """The address of a registry, inside the node, that has no image."""
    first = host.find_first_process(cluster.folder)
    assert first is not None
    command = [*host.enter_network(first), sys.executable, empty_registry.__file__]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield f"127.0.0.1:{process.stdout.readline().strip()}"
        process.terminate()


def write_values(failing: Failing, folder: Path) -> tuple[object, ...]:
    """Return the flags that make a tenant fail."""
    with NamedTemporaryFile("w", dir=folder, suffix=".yaml", delete=False) as file:
        json.dump(failing.values, file)
    return ("--values", file.name, "--timeout", failing.timeout)


def require_told(text: str, failing: Failing) -> None:
    """Insist on the cause, and on an end of the wait as soon as waiting is of no use."""
    for part in failing.told:
        assert part in text, text
    assert ("0 of 1 replicas ready after" in text) is failing.may_pass, text


def require_shown(operator: Operator, slug: str, failing: Failing) -> None:
    """Insist on the same cause from the commands that only look.

    They look again at a tenant that is ready between two crashes just then.
    """
    for look in (partial(operator.tenant, slug), partial(operator.read, "show-tenant", slug)):
        reason = next(reason for _ in range(20) if (reason := look()["reason"]))
        for part in failing.told:
            assert part in reason, reason


def require_explained(
    operator: Operator, tenants: Mapping[str, Failing], folder: Path, subtests: pytest.Subtests
) -> None:
    """Install tenants that fail, side by side; insist on the first cause of each."""

    def install(slug: str) -> str:
        values = write_values(tenants[slug], folder)
        told = operator.run("install-tenant", slug, "--force", *values, exit_code=1).stderr
        require_shown(operator, slug, tenants[slug])
        return told

    with ThreadPoolExecutor() as pool:
        installing = {slug: pool.submit(install, slug) for slug in tenants}
    for slug, installed in installing.items():
        with subtests.test(slug):
            require_told(installed.result(), tenants[slug])
    operator.run("list-tenants")


def test_images_that_cannot_be_pulled(
    operator: Operator, registry: str, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    require_explained(operator, build_image_failures(registry), tmp_path, subtests)


@pytest.mark.parametrize("tenants", [CONTAINER, PROBES, PLACE], ids=["container", "probe", "place"])
def test_containers_that_do_not_run(
    operator: Operator, tenants: Mapping[str, Failing], tmp_path: Path, subtests: pytest.Subtests
) -> None:
    require_explained(operator, tenants, tmp_path, subtests)


def test_pods_that_the_namespace_refuses(
    operator: Operator, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    operator.kubectl("create", "quota", "small", "--hard=limits.memory=200Mi")
    require_explained(operator, NAMESPACE, tmp_path, subtests)


def test_no_secret_that_a_container_wrote_is_shown(operator: Operator, tmp_path: Path) -> None:
    values = write_values(CONTAINER["crash"], tmp_path)
    operator.run("install-tenant", "acme", "--no-wait", *values)
    wait_for(lambda: REDACTED in operator.tenant("acme")["reason"], "the crash to be told")
    written = operator.kubectl("logs", "deployment/tenant-acme")
    assert f"as {CUSTOMER} with {read_tokens(operator)[0]}" in written
    assert REDACTED in operator.run("show-tenant", "acme").stdout


def test_upgrade_that_fails_is_explained_and_taken_back(
    operator: Operator,
    visitor: Visitor,
    registry: str,
    tmp_path: Path,
    subtests: pytest.Subtests,
) -> None:
    operator.run("install-tenant", "acme")
    failing = {**build_image_failures(registry), **CONTAINER, **NAMESPACE}
    for name in ("missing", "no-secret", "privileged"):
        with subtests.test(name):
            values = write_values(failing[name], tmp_path)
            told = operator.run("upgrade-tenant", "acme", *values, exit_code=1).stderr
            require_told(told, failing[name])
            assert "failed and was rolled back to revision " in told
            assert failing[name].told[0] in operator.read("history", "acme")[-2]["description"]
            assert operator.tenant("acme")["state"] == "running"
            assert visitor.ask_with_token("acme").body["version"] == "1.0.0-stand-in"


def test_a_pod_that_a_finalizer_alone_keeps_holds_nothing_up(
    operator: Operator, visitor: Visitor
) -> None:
    operator.run("install-tenant", "acme", "--set", "strategy.type=Recreate")
    selected = ("get", "pods", "--selector", "tenant=acme", "-o", "name")
    kept = operator.kubectl(*selected).strip()
    patch = ("patch", kept, "--type=merge", "--patch")
    operator.kubectl(*patch, '{"metadata": {"finalizers": ["example.com/hold"]}}')
    operator.run("upgrade-tenant", "acme", "--set", "image.tag=1.1.0-stand-in")
    assert kept in operator.kubectl(*selected).split()
    assert visitor.ask_with_token("acme").body["version"] == "1.1.0-stand-in"
    assert operator.tenant("acme")["state"] == "running"
    operator.kubectl(*patch, '{"metadata": {"finalizers": null}}')


def test_a_slow_start_is_no_failure(operator: Overheard, tmp_path: Path) -> None:
    slow = write_values(Failing({"env": {"STAND_IN_START_SECONDS": "12"}}, ()), tmp_path)
    with operator.start("install-tenant", "acme", *slow) as installing:
        wait_for(lambda: " is still starting " in read_reason(operator), "the start to be told")
        assert operator.tenant("acme")["state"] == "progressing"
        printed, told = installing.communicate(timeout=120)
    operator.heard.extend((printed, told))
    assert installing.returncode == 0, told
    assert "its startup probe says: HTTP probe failed with statuscode: 503" in told


def read_reason(operator: Operator) -> str:
    """Return why the tenant is not well, once there is a tenant."""
    return "".join(row["reason"] for row in operator.read("list-tenants"))


@pytest.fixture
def alone(own: Cluster, environment: dict[str, str], tmp_path: Path) -> Iterator[Overheard]:
    """An operator of a node that nobody else uses."""
    there = {"KUBECONFIG": str(own.kubeconfig), "RELEASE_MANAGER_NAMESPACE": "default"}
    with overhear("default", {**environment, **there}, tmp_path) as somebody:
        yield somebody


def test_a_node_that_holds_all_the_pods_it_may_is_told(own: Cluster, alone: Overheard) -> None:
    config = Layout(own.folder).config / "kubelet.yaml"
    config.write_text(config.read_text().replace("maxPods: 110", "maxPods: 1"))
    os.kill(find_service(own, "kubelet"), signal.SIGKILL)
    pods = ("get", "node", NODE_NAME, "-o", "jsonpath={.status.allocatable.pods}")
    wait_for(lambda: alone.kubectl(*pods) == "1", "the node to take one pod only")
    full = Failing(
        {},
        (
            "no node has room for the pod, as it holds all the pods it may: 0/1 nodes are "
            "available: 1 Too many pods; add a node, or raise the kubelet's maxPods",
        ),
    )
    told = alone.run("install-tenant", "acme", "--force", "--timeout", "6s", exit_code=1).stderr
    require_told(told, full)
    require_shown(alone, "acme", full)


def test_a_node_that_is_gone_is_told_until_it_is_back(own: Cluster, alone: Overheard) -> None:
    pods = "strategy.type=Recreate,terminationGracePeriodSeconds=1"
    alone.run("install-tenant", "acme", "--set", pods)
    kubelet = find_service(own, "kubelet")
    os.kill(kubelet, signal.SIGSTOP)
    down = f"node {NODE_NAME} is not ready since "
    wait_for(lambda: read_reason(alone).startswith(down), "the node to be missed", seconds=120)
    gone = Failing({}, (down, f"see 'kubectl describe node {NODE_NAME}' and bring it back"))
    require_shown(alone, "acme", gone)
    assert alone.tenant("acme")["state"] == "degraded"

    upgrade = ("upgrade-tenant", "acme", "--set", "podLabels.made=again", "--timeout", "14s")
    stuck = alone.run(*upgrade, exit_code=1).stderr
    assert "should have ended by " in stuck
    assert f"and still holds its place: its node {NODE_NAME} is not ready; see 'kubectl" in stuck
    require_shown(alone, "acme", gone)

    os.kill(kubelet, signal.SIGCONT)
    wait_for(lambda: alone.tenant("acme")["state"] == "running", "the tenant to be back")
    assert Visitor(own, alone).ask_with_token("acme").status == 200
