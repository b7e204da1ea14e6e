"""The command lines and the files of a control plane."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from local_cluster.control_plane import ADVERTISED, ControlPlane, Ports

NAMES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


@pytest.fixture
def plane(tmp_path: Path) -> ControlPlane:
    programs = {name: Path("/tools") / name for name in NAMES}
    return ControlPlane(tmp_path, Ports(etcd=1, apiserver=2, kubelet=3), programs)


def test_processes_start_in_the_order_in_which_they_need_each_other(plane: ControlPlane) -> None:
    assert tuple(plane.commands()) == NAMES


def test_every_address_is_the_loopback_address(plane: ControlPlane) -> None:
    arguments = [word for line in plane.commands().values() for word in line]
    listening = [word for word in arguments if re.search("listen|bind|server-address", word)]
    assert len(listening) == 3
    assert all("127.0.0.1" in word for word in listening)
    assert not any("0.0.0.0" in word.replace(ADVERTISED, "") for word in arguments)  # noqa: S104


def test_controller_manager_and_scheduler_do_not_listen(plane: ControlPlane) -> None:
    commands = plane.commands()
    assert "--secure-port=0" in commands["kube-controller-manager"]
    assert "--secure-port=0" in commands["kube-scheduler"]


def test_every_process_names_the_clusters_folder(plane: ControlPlane) -> None:
    """That is how its pid is told from another program's."""
    for command in plane.commands().values():
        assert f"{plane.folder}/" in " ".join(command)


def test_kubeconfig_and_token_are_readable_by_their_owner_only(plane: ControlPlane) -> None:
    plane.write_credentials({})
    plane.write_kubeconfig("local-demo")
    for path in (plane.kubeconfig, plane.folder / "pki" / "tokens.csv"):
        assert path.stat().st_mode & 0o077 == 0


def test_kubeconfig_has_one_context(plane: ControlPlane) -> None:
    plane.write_credentials({})
    plane.write_kubeconfig("local-demo")
    kubeconfig = json.loads(plane.kubeconfig.read_text())
    assert kubeconfig["current-context"] == "local-demo"
    assert [context["name"] for context in kubeconfig["contexts"]] == ["local-demo"]
    assert kubeconfig["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:2"
    assert kubeconfig["users"][0]["user"]["token"] == plane.read_token()


def test_token_is_kept_when_the_control_plane_starts_again(plane: ControlPlane) -> None:
    plane.write_credentials({})
    token = plane.read_token()
    plane.write_credentials({})
    assert plane.read_token() == token
