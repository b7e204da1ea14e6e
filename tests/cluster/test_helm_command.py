"""Our way of running helm: cancelled, killed and failing, with the real program."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyhelm3.errors import Error as PyhelmError

from release_manager.clients import helm_command
from release_manager.clients.discovery import DiscoveryCache
from release_manager.clients.helm_command import HelmCommand
from release_manager.clients.helm_errors import classify_error
from release_manager.clients.kubernetes_api import connect
from release_manager.clients.releases import HelmReleases
from release_manager.errors import (
    ChartNotFoundError,
    ClusterUnreachableError,
    HelmFailedError,
    InvalidValuesError,
    NamespaceNotFoundError,
    OperationFailedError,
    ReleaseBusyError,
    ReleaseManagerError,
    TenantNotFoundError,
)
from release_manager.settings import Settings
from tests.cluster.test_busy import make_pending
from tests.terminal import Operator, write_dead_kubeconfig

HOOK = """
apiVersion: batch/v1
kind: Job
metadata:
  name: never-ends
  annotations: {helm.sh/hook: "pre-upgrade,pre-rollback,pre-delete"}
spec:
  suspend: true
  template:
    spec:
      restartPolicy: Never
      containers: [{name: x, image: x}]
"""


@pytest.fixture
def command(settings: Settings, cluster: Any) -> HelmCommand:
    return HelmCommand(executable=settings.helm, kubeconfig=cluster.kubeconfig)


@pytest.fixture
def slow_chart(tmp_path: Path) -> Path:
    """A chart whose upgrade hangs in a hook, so that there is time to interfere."""
    folder = tmp_path / "slow"
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: slow\nversion: 0.1.0\n")
    (folder / "templates" / "hook.yaml").write_text(HOOK)
    config = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: slow}\ndata: {x: '{{ .Values.x }}'}\n"
    )
    (folder / "templates" / "config.yaml").write_text(config)
    return folder


async def _cancel_when(
    running: Awaitable[bytes], is_time: Callable[[], bool], *, seconds: float = 30
) -> None:
    task = asyncio.ensure_future(running)
    deadline = asyncio.get_running_loop().time() + seconds
    while not is_time():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def _helm_pids() -> list[int]:
    return [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if b"tenant-slow" in _read(path)
    ]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_cancelled_upgrade_ends_helm_and_leaves_the_release_failed(
    command: HelmCommand, operator: Operator, slow_chart: Path
) -> None:
    operator.helm("install", "tenant-slow", slow_chart)
    arguments = ["upgrade", "tenant-slow", str(slow_chart), "--namespace", operator.namespace]

    def is_pending() -> bool:
        return "pending-upgrade" in operator.helm("status", "tenant-slow").stdout

    asyncio.run(_cancel_when(command.run([*arguments, "--timeout", "120s"]), is_pending))
    assert _helm_pids() == []
    assert "STATUS: failed" in operator.helm("status", "tenant-slow").stdout


def test_a_helm_that_ignores_sigterm_is_killed_after_the_grace_period(
    command: HelmCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf = tmp_path / "helm"
    started = tmp_path / "started"
    deaf.write_text(f"#!/bin/sh\ntrap '' TERM\ntouch {started}\nwhile :; do sleep 0.1; done\n")
    deaf.chmod(0o755)
    monkeypatch.setattr(helm_command, "GRACE_SECONDS", 0.5)
    command._executable = str(deaf)
    asyncio.run(_cancel_when(command.run(["upgrade", "tenant-slow"]), started.exists))
    assert _helm_pids() == []


def test_a_cancelled_uninstall_is_left_to_finish(command: HelmCommand, tmp_path: Path) -> None:
    polite = tmp_path / "helm"
    started, ended = tmp_path / "started", tmp_path / "ended"
    polite.write_text(f"#!/bin/sh\ntouch {started}\nsleep 1\ntouch {ended}\n")
    polite.chmod(0o755)
    command._executable = str(polite)
    asyncio.run(_cancel_when(command.run(["uninstall", "tenant-slow"]), started.exists))
    assert ended.exists()


def test_ctrl_c_in_the_terminal_does_not_reach_helm(command: HelmCommand, tmp_path: Path) -> None:
    fake = tmp_path / "helm"
    group = tmp_path / "group"
    fake.write_text(f"#!/bin/sh\nps -o pgid= -p $$ > {group}\n")
    fake.chmod(0o755)
    command._executable = str(fake)
    asyncio.run(command.run(["upgrade", "x"]))
    assert int(group.read_text()) != os.getpgid(0)


def test_a_killed_helm_is_an_error(command: HelmCommand, tmp_path: Path) -> None:
    fake = tmp_path / "helm"
    fake.write_text("#!/bin/sh\nkill -9 $$\n")
    fake.chmod(0o755)
    command._executable = str(fake)
    with pytest.raises(PyhelmError) as failure:
        asyncio.run(command.run(["upgrade", "x"]))
    assert failure.value.returncode == -signal.SIGKILL


def _fail(command: HelmCommand, *arguments: object) -> ReleaseManagerError:
    with pytest.raises(PyhelmError) as failure:
        asyncio.run(command.run([str(argument) for argument in arguments]))
    return classify_error(failure.value.stderr.decode(), "acme")


def test_what_real_helm_says_becomes_the_right_error(
    command: HelmCommand, operator: Operator, chart: Path, tmp_path: Path
) -> None:
    operator.run("install-tenant", "acme")
    here = ("--namespace", operator.namespace)
    upgrade = ("upgrade", "tenant-acme", chart, *here)
    errors: dict[type[ReleaseManagerError], ReleaseManagerError] = {
        TenantNotFoundError: _fail(command, "uninstall", "tenant-nobody", *here),
        ChartNotFoundError: _fail(command, "upgrade", "tenant-acme", tmp_path / "none", *here),
        InvalidValuesError: _fail(command, *upgrade, "--set", "replica=2"),
        NamespaceNotFoundError: _fail(command, "install", "tenant-x", chart, "-n", "nowhere"),
    }
    for expected, error in errors.items():
        assert type(error) is expected, error
    operator.kubectl("create", "service", "clusterip", "tenant-foreign", "--tcp=1:1")
    foreign = _fail(command, "install", "tenant-foreign", chart, *here)
    assert type(foreign) is OperationFailedError, foreign
    assert "belongs to something else" in foreign.problem
    make_pending(operator)
    assert type(_fail(command, *upgrade)) is ReleaseBusyError


def test_an_unreachable_cluster_becomes_the_right_error(
    command: HelmCommand, operator: Operator, chart: Path, tmp_path: Path
) -> None:
    command._kubeconfig = write_dead_kubeconfig(operator, tmp_path)
    assert type(_fail(command, "upgrade", "tenant-acme", chart)) is ClusterUnreachableError


def test_an_unknown_failure_keeps_helms_own_words() -> None:
    error = classify_error("level=WARN x\nError: the moon is full\n", "acme")
    assert type(error) is HelmFailedError
    assert "the moon is full" in error.problem


def test_mark_failed_loses_against_a_change_in_between(operator: Operator, ports: Any) -> None:
    operator.run("install-tenant", "acme")
    make_pending(operator)
    releases: HelmReleases = ports.releases
    (revision,) = releases.list_revisions("acme")
    releases.mark_failed(revision, reason="for the test")
    with pytest.raises(OperationFailedError, match="changed by somebody else"):
        releases.mark_failed(revision, reason="once more")
    assert replace(revision, status=releases.list_revisions("acme")[0].status) != revision


def _build_cache(settings: Settings) -> tuple[DiscoveryCache, Path]:
    """A cache that knows ConfigMaps and their like, and where its documents are."""
    discovery = DiscoveryCache(connect(settings.kubeconfig, settings.context))
    discovery.learn("apiVersion: v1\n")
    folder = discovery.provide()
    assert folder is not None
    return discovery, folder / "discovery"


def _upgrade(
    settings: Settings, operator: Operator, chart: Path, discovery: DiscoveryCache
) -> None:
    command = HelmCommand(
        executable=settings.helm,
        kubeconfig=Path(settings.kubeconfig),
        provide_cache=discovery.provide,
    )
    arguments = ["upgrade", "tenant-slow", str(chart), "--namespace", operator.namespace]
    asyncio.run(command.run([*arguments, "--set", "x=1", "--no-hooks"]))


def test_helm_adds_nothing_to_the_cache_that_it_is_given(
    settings: Settings, operator: Operator, slow_chart: Path
) -> None:
    operator.helm("install", "tenant-slow", slow_chart, "--no-hooks")
    discovery, folder = _build_cache(settings)
    _upgrade(settings, operator, slow_chart, discovery)
    assert "x: '1'" in operator.helm("get", "manifest", "tenant-slow").stdout
    documents = {path.parent.relative_to(folder).parts[1:] for path in folder.rglob("*.json")}
    assert documents == {(), ("v1",)}


def test_helm_believes_the_cache_that_it_is_given(
    settings: Settings, operator: Operator, slow_chart: Path
) -> None:
    operator.helm("install", "tenant-slow", slow_chart, "--no-hooks")
    discovery, folder = _build_cache(settings)
    (document,) = folder.rglob("v1/serverresources.json")
    document.write_text(document.read_text().replace('"configmaps"', '"nonsense"'))
    with pytest.raises(PyhelmError) as caught:
        _upgrade(settings, operator, slow_chart, discovery)
    assert b"nonsense" in caught.value.stderr or b"could not find" in caught.value.stderr


def test_helm_finds_a_kind_that_its_cache_does_not_have(
    settings: Settings, operator: Operator, slow_chart: Path
) -> None:
    budget = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: slow}\n"
    operator.helm("install", "tenant-slow", slow_chart, "--no-hooks")
    (slow_chart / "templates" / "budget.yaml").write_text(
        f"{budget}spec:\n  minAvailable: 1\n  selector: {{matchLabels: {{app: slow}}}}\n"
    )
    _upgrade(settings, operator, slow_chart, _build_cache(settings)[0])
    assert "slow" in operator.kubectl("get", "poddisruptionbudget")
