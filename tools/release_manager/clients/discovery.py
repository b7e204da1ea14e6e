"""What helm asks the API server about its kinds, prepared for it.

Each helm asks for every kind that the API server has, writes some thirty documents about them and
reads them back three times over: a seventh of its CPU. A cache that has only the kinds of the
tenants' releases, and that helm may not write to, spares it most of that. Nothing depends on it:
a kind that is missing in the cache is looked up again, without the cache
(client-go's DeferredDiscoveryRESTMapper).
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import re
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ..errors import ClusterUnreachableError, ReleaseManagerError
from .charts import make_temporary_folder
from .kubernetes_api import Json, KubernetesApi

_log = logging.getLogger(__name__)

DISCOVERY = "discovery"
# client-go believes a document for six hours.
RENEW_SECONDS = 5 * 3600.0
_READ_ONLY = 0o500


class DiscoveryCache:
    """A folder for ``KUBECACHEDIR``, made when it is first asked for. Safe to share by threads."""

    def __init__(self, api: KubernetesApi, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._learned: set[str] = set()
        self._cached: frozenset[str] = frozenset()
        self._made_at = 0.0
        self._folder: Path | None = None

    def learn(self, manifest: str) -> None:
        """Take note of the API versions of a manifest that helm will meet."""
        found = set(find_api_versions(manifest))
        if not found <= self._learned:
            with self._lock:
                self._learned |= found

    def provide(self) -> Path | None:
        """Return the folder; None where helm does better with its own cache."""
        with self._lock:
            now = self._monotonic()
            if self._cached != self._learned or now - self._made_at >= RENEW_SECONDS:
                self._cached, self._made_at = frozenset(self._learned), now
                self._folder = self._make()
            return self._folder

    def _make(self) -> Path | None:
        try:
            found = {version: self._api.find(_locate(version)) for version in self._cached}
            documents = {version: document for version, document in found.items() if document}
            return _write(self._api.server, documents) if documents else None
        except (ReleaseManagerError, OSError, RuntimeError) as exc:
            if isinstance(exc, ClusterUnreachableError):
                # It may answer for the next tenant.
                self._cached = frozenset()
            _log.info("no cache of the API's kinds: %s", exc)
            return None


def find_api_versions(manifest: str) -> list[str]:
    """Return the ``apiVersion`` of each document of a manifest."""
    pattern = r"^apiVersion:\s*[\"']?((?:[a-z0-9.-]+/)?v[a-z0-9]+)[\"']?\s*(?:#.*)?$"
    return re.findall(pattern, manifest, re.MULTILINE)


def _locate(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _write(server: str, documents: dict[str, Json]) -> Path:
    """Write documents as client-go's discovery/cached/disk does; return the folder."""
    folder = make_temporary_folder()
    # computeDiscoverCacheDir of k8s.io/cli-runtime/pkg/genericclioptions.
    host = re.sub(r"[^(\w/.)]", "_", re.sub(r"^https?://", "", server), flags=re.ASCII)
    discovery = folder / DISCOVERY / host
    for version, document in documents.items():
        _write_json(discovery / version / "serverresources.json", document)
    groups = {"kind": "APIGroupList", "apiVersion": "v1", "groups": _build_groups(documents)}
    _write_json(discovery / "servergroups.json", groups)
    _share_others(folder)
    _forbid_writing(folder / DISCOVERY)
    return folder


def _write_json(path: Path, document: Json) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))


def _build_groups(api_versions: dict[str, Json]) -> list[Json]:
    groups: dict[str, list[Json]] = {}
    for api_version in sorted(api_versions):
        group, _, version = api_version.rpartition("/")
        entry = {"groupVersion": api_version, "version": version}
        groups.setdefault(group, []).append(entry)
    return [
        {"name": name, "versions": versions, "preferredVersion": versions[0]}
        for name, versions in groups.items()
    ]


def _share_others(folder: Path) -> None:
    """Leave all other caches where they are: of the API's answers, of what plugins log in with."""
    usual = Path(os.environ.get("KUBECACHEDIR") or Path.home() / ".kube" / "cache").absolute()
    with suppress(OSError):
        (usual / "http").mkdir(parents=True, exist_ok=True)
        for entry in usual.iterdir():
            if entry.name != DISCOVERY:
                (folder / entry.name).symlink_to(entry)


def _forbid_writing(folder: Path) -> None:
    folders = [Path(root) for root, _, _ in os.walk(folder)]

    def remove() -> None:
        with suppress(OSError):
            for each in folders:
                each.chmod(0o700)
        shutil.rmtree(folder, ignore_errors=True)

    # Called before the folder around it is removed.
    atexit.register(remove)
    for each in reversed(folders):
        each.chmod(_READ_ONLY)
