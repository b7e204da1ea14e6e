"""The cache of the API's kinds that helm is given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from release_manager.clients import helm_command
from release_manager.clients.discovery import (
    RENEW_SECONDS,
    DiscoveryCache,
    find_api_versions,
)
from release_manager.clients.kubernetes_api import Json, KubernetesApi
from release_manager.errors import ClusterUnreachableError, ForbiddenError

MANIFEST = """---
# Source: aware-tenant/templates/service.yaml
apiVersion: v1
kind: Service
metadata:
  annotations: {text: "apiVersion: no/v9"}
---
apiVersion: "apps/v1" # quoted
kind: Deployment
"""


class _Api:
    """Answers with what it was asked for. requests: the paths, in order. gone: answered by 404."""

    def __init__(self, server: str = "https://10.0.0.1:6443") -> None:
        self.server = server
        self.requests: list[str] = []
        self.problem: Exception | None = None
        self.gone: set[str] = set()

    def find(self, path: str, **_query: Any) -> Json | None:
        self.requests.append(path)
        if self.problem is not None:
            raise self.problem
        return None if path in self.gone else {"groupVersion": path}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECACHEDIR", raising=False)
    return tmp_path


def _cache(api: _Api) -> DiscoveryCache:
    return DiscoveryCache(cast("KubernetesApi", api))


def _read(folder: Path | None, name: str) -> Json:
    assert folder is not None
    document: Json = json.loads((folder / "discovery" / name).read_text())
    return document


def test_the_api_versions_of_a_manifest_are_found() -> None:
    assert find_api_versions(MANIFEST) == ["v1", "apps/v1"]


@pytest.mark.parametrize("version", ["../../etc/v1", "/v1", "v1/..", "", "V1", "a/b/v1"])
def test_what_is_no_api_version_is_no_path_either(version: str) -> None:
    assert find_api_versions(f"apiVersion: {version}\nkind: X\n") == []


def test_documents_are_where_client_go_looks_for_them() -> None:
    cache = _cache(_Api())
    cache.learn(MANIFEST)
    folder = cache.provide()
    host = "10.0.0.1_6443"
    assert _read(folder, f"{host}/v1/serverresources.json")["groupVersion"] == "/api/v1"
    assert _read(folder, f"{host}/apps/v1/serverresources.json")["groupVersion"] == "/apis/apps/v1"
    groups = _read(folder, f"{host}/servergroups.json")["groups"]
    core = {"groupVersion": "v1", "version": "v1"}
    apps = {"groupVersion": "apps/v1", "version": "v1"}
    assert groups == [
        {"name": "apps", "versions": [apps], "preferredVersion": apps},
        {"name": "", "versions": [core], "preferredVersion": core},
    ]


@pytest.mark.parametrize(
    ("server", "host"),
    [
        ("https://api.example.com", "api.example.com"),
        ("https://a.example/k8s/clusters/c-m-1", "a.example/k8s/clusters/c_m_1"),
        ("http://[::1]:8080", "___1__8080"),
    ],
)
def test_a_server_has_the_folder_that_client_go_gives_it(server: str, host: str) -> None:
    cache = _cache(_Api(server))
    cache.learn("apiVersion: v1\n")
    assert _read(cache.provide(), f"{host}/servergroups.json")["kind"] == "APIGroupList"


def test_nobody_may_write_to_it() -> None:
    cache = _cache(_Api())
    cache.learn(MANIFEST)
    folder = cache.provide()
    assert folder is not None
    modes = {Path(root).stat().st_mode & 0o777 for root, _, _ in os.walk(folder / "discovery")}
    assert modes == {0o500}


@pytest.mark.parametrize("is_named", [False, True])
def test_all_other_caches_stay_where_they_are(
    home: Path, monkeypatch: pytest.MonkeyPatch, *, is_named: bool
) -> None:
    usual = home / ".kube" / "cache"
    if is_named:
        usual = home / "named"
        monkeypatch.chdir(home)
        monkeypatch.setenv("KUBECACHEDIR", "named")
    # Where kubelogin keeps tokens.
    (usual / "oidc-login").mkdir(parents=True)
    (usual / "discovery").mkdir()
    cache = _cache(_Api())
    cache.learn("apiVersion: v1\n")
    folder = cache.provide()
    assert folder is not None
    for name in ("http", "oidc-login"):
        (folder / name / "answer").write_text("x")
        assert (usual / name / "answer").read_text() == "x"
    assert list((usual / "discovery").iterdir()) == []


def test_a_process_without_a_home_has_no_caches_to_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", fail)
    cache = _cache(_Api())
    cache.learn("apiVersion: v1\n")
    assert cache.provide() is None


def test_it_is_removed_when_the_process_ends(tmp_path: Path) -> None:
    program = (
        "from tests.unit.clients.test_discovery import _Api, _cache\n"
        "cache = _cache(_Api())\n"
        "cache.learn('apiVersion: v1')\n"
        "print(cache.provide())\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    folder = Path(done.stdout.strip())
    assert folder.parent == tmp_path
    assert not folder.exists()


def test_it_is_made_once_and_anew_for_a_kind_that_it_lacks() -> None:
    api = _Api()
    cache = _cache(api)
    cache.learn("apiVersion: v1\n")
    first = cache.provide()
    cache.learn("apiVersion: v1\n")
    assert (cache.provide(), api.requests) == (first, ["/api/v1"])
    cache.learn(MANIFEST)
    second = cache.provide()
    assert second != first
    assert _read(second, "10.0.0.1_6443/apps/v1/serverresources.json")


def test_an_api_server_that_refuses_is_asked_once_and_helm_has_its_own_cache() -> None:
    api = _Api()
    api.problem = ForbiddenError("the API server forbids it", remedy="Ask for the right")
    cache = _cache(api)
    cache.learn("apiVersion: v1\n")
    assert (cache.provide(), cache.provide(), api.requests) == (None, None, ["/api/v1"])


def test_an_api_server_that_was_out_of_reach_is_asked_again() -> None:
    api = _Api()
    api.problem = ClusterUnreachableError("no answer", remedy="Check it")
    cache = _cache(api)
    cache.learn("apiVersion: v1\n")
    assert cache.provide() is None
    api.problem = None
    assert cache.provide() is not None


def test_a_version_that_the_server_no_longer_has_is_left_out() -> None:
    api = _Api()
    api.gone = {"/apis/old/v1beta1"}
    cache = _cache(api)
    cache.learn("apiVersion: v1\n---\napiVersion: old/v1beta1\n")
    groups = _read(cache.provide(), "10.0.0.1_6443/servergroups.json")["groups"]
    assert [group["name"] for group in groups] == [""]


def test_it_is_made_anew_before_helm_calls_it_old() -> None:
    now = [0.0]
    cache = DiscoveryCache(cast("KubernetesApi", _Api()), lambda: now[0])
    cache.learn("apiVersion: v1\n")
    first = cache.provide()
    now[0] = RENEW_SECONDS - 1
    assert cache.provide() == first
    now[0] = RENEW_SECONDS
    assert cache.provide() not in (None, first)


def test_a_process_that_has_seen_no_manifest_asks_for_nothing() -> None:
    api = _Api()
    assert (_cache(api).provide(), api.requests) == (None, [])


@pytest.fixture
def setpriv(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine that has the program, and what was found out about this one forgotten."""
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    helm_command._can_be_bounded.cache_clear()
    yield
    helm_command._can_be_bounded.cache_clear()


def _is_bounded() -> bool:
    return "--bounding-set" in helm_command._build_launcher(is_bounded=True)


@pytest.mark.usefixtures("setpriv")
@pytest.mark.parametrize("missing", ["_DAC_OVERRIDE", "_DAC_READ_SEARCH", "_SETPCAP", None])
def test_helm_heeds_a_read_only_folder_where_root_loses_nothing_by_it(
    monkeypatch: pytest.MonkeyPatch, missing: str | None
) -> None:
    all_but = ~getattr(helm_command, missing) if missing else -1
    monkeypatch.setattr(helm_command, "_read_capabilities", lambda: all_but)
    assert _is_bounded() is (missing is None)
    assert "--bounding-set" not in helm_command._build_launcher(is_bounded=False)


@pytest.mark.usefixtures("setpriv")
def test_root_in_somebody_elses_home_may_write_there(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setattr(helm_command, "_read_capabilities", lambda: -1)
    monkeypatch.setattr("os.geteuid", lambda: home.stat().st_uid + 1)
    assert not _is_bounded()


@pytest.mark.usefixtures("setpriv")
def test_root_whose_home_was_never_made_may_write_anywhere(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setattr(helm_command, "_read_capabilities", lambda: -1)
    monkeypatch.setenv("HOME", str(home / "never"))
    assert not _is_bounded()


def test_the_capabilities_of_this_process_are_read() -> None:
    assert (helm_command._read_capabilities() != 0) is (os.geteuid() == 0)
