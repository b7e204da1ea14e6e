"""The cache of the API's kinds that helm is given."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, cast

import pytest

from release_manager.clients import helm_command
from release_manager.clients.discovery import DiscoveryCache, find_api_versions
from release_manager.clients.kubernetes_api import Json, KubernetesApi
from release_manager.errors import ForbiddenError

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
    """Answers with what it was asked for. requests: the paths, in order."""

    def __init__(self, server: str = "https://10.0.0.1:6443") -> None:
        self.server = server
        self.requests: list[str] = []
        self.problem: Exception | None = None

    def get(self, path: str, **_query: Any) -> Json:
        self.requests.append(path)
        if self.problem is not None:
            raise self.problem
        return {"kind": "APIResourceList", "groupVersion": path}


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


def test_answers_are_kept_where_helm_always_keeps_them(home: Path) -> None:
    cache = _cache(_Api())
    cache.learn("apiVersion: v1\n")
    folder = cache.provide()
    assert folder is not None
    (folder / "http" / "answer").write_text("x")
    assert (home / ".kube" / "cache" / "http" / "answer").read_text() == "x"


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


def test_an_api_server_that_refuses_leaves_helm_its_own_cache() -> None:
    api = _Api()
    api.problem = ForbiddenError("the API server forbids it", remedy="Ask for the right")
    cache = _cache(api)
    cache.learn("apiVersion: v1\n")
    assert cache.provide() is None
    assert cache.provide() is None
    assert api.requests == ["/api/v1"]


def test_a_process_that_has_seen_no_manifest_asks_for_nothing() -> None:
    api = _Api()
    assert (_cache(api).provide(), api.requests) == (None, [])


@pytest.mark.parametrize(
    ("capabilities", "is_bounded"),
    [
        (helm_command._DAC_OVERRIDE | helm_command._SETPCAP, True),
        (helm_command._DAC_OVERRIDE, False),
        (helm_command._SETPCAP, False),
        (0, False),
    ],
)
def test_helm_heeds_a_read_only_folder_where_it_can_be_made_to(
    monkeypatch: pytest.MonkeyPatch, capabilities: int, *, is_bounded: bool
) -> None:
    monkeypatch.setattr(helm_command, "_read_capabilities", lambda: capabilities)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    helm_command._hold.cache_clear()
    assert ("--bounding-set" in helm_command._hold()) is is_bounded
    helm_command._hold.cache_clear()


def test_root_in_somebody_elses_home_may_write_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(helm_command, "_read_capabilities", lambda: -1)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr("os.geteuid", lambda: tmp_path.stat().st_uid + 1)
    helm_command._hold.cache_clear()
    assert "--bounding-set" not in helm_command._hold()
    helm_command._hold.cache_clear()
