"""Charts from folders, packages and OCI registries."""

from __future__ import annotations

import atexit
import gzip
import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pathspec
import yaml

from ..chart import DEFAULT_PROFILE, Chart, build_files_digest
from ..errors import ChartNotFoundError

if TYPE_CHECKING:
    from .helm import Helm

Files = dict[str, bytes]

# The same as safe_load, ten times as fast, where libyaml is at hand.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# What Helm leaves out even without a .helmignore.
_ALWAYS_IGNORED = ["templates/.?*"]
_MAX_PACKAGE_BYTES = 20_000_000


class ChartSources:
    """Port ``Charts``. Packages from registries are kept in ``cache``."""

    def __init__(self, cache: Path, load_helm: Callable[[], Helm]) -> None:
        self._cache = cache
        self._load_helm = load_helm

    def load(self, reference: str) -> Chart:
        """Read a folder, a package or an ``oci://`` reference. Raises ChartNotFoundError.

        A reference may end in the digest of its manifest, such as ``@sha256:...``.
        """
        path = self._pull(reference) if reference.startswith("oci://") else Path(reference)
        try:
            files = _read_folder(path) if path.is_dir() else _read_package(path)
            return _build_chart(files, str(path))
        except (OSError, tarfile.TarError, yaml.YAMLError, ValueError) as exc:
            why = getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
            raise ChartNotFoundError(
                f"field chart: {reference} is no chart: {why}",
                remedy="Name a chart folder, a .tgz package or an oci:// reference",
            ) from exc

    def pack(self, chart: Chart) -> bytes:
        """Return a package of a chart that was loaded. Raises ChartNotFoundError."""
        path = Path(chart.reference)
        if not path.is_dir():
            return path.read_bytes()
        buffer = io.BytesIO()
        with (
            # Else the package would tell when it was made, and never be the same again.
            gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as compressed,
            tarfile.open(fileobj=compressed, mode="w") as package,
        ):
            for name, content in sorted(_read_folder(path).items()):
                member = tarfile.TarInfo(f"{chart.name}/{name}")
                member.size = len(content)
                member.mode = 0o644
                package.addfile(member, io.BytesIO(content))
        return buffer.getvalue()

    def unpack(self, package: bytes) -> Chart:
        """Return the chart of a package, kept for as long as this process lives."""
        path = make_temporary_folder() / "chart.tgz"
        path.write_bytes(package)
        return self.load(str(path))

    def _pull(self, reference: str) -> Path:
        reference, _, digest = reference.partition("@")
        url, version = _split_version(reference)
        self._cache.mkdir(parents=True, exist_ok=True)
        # Pulled each time: a version in a registry may be replaced.
        if not digest:
            self._load_helm().pull(url, version, self._cache)
            return self._cache / f"{url.rsplit('/', 1)[-1]}-{version}.tgz"
        # Helm checks it, and names the file as it likes.
        folder = make_temporary_folder()
        self._load_helm().pull(f"{url}@{digest}", version, folder)
        return next(folder.glob("*.tgz"))


def make_temporary_folder() -> Path:
    """Return a new folder that is removed when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="release-manager-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _split_version(reference: str) -> tuple[str, str]:
    url, colon, version = reference.removeprefix("oci://").rpartition(":")
    if not colon or "/" in version:
        raise ChartNotFoundError(
            f"field chart: {reference} names no version",
            remedy="Write oci://registry/path/aware-tenant:0.1.0",
        )
    return f"oci://{url}", version


def _read_folder(folder: Path) -> Files:
    ignored = _read_ignored(folder)
    files: Files = {}
    for root, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(root, name)
            relative = path.relative_to(folder).as_posix()
            if not ignored.match_file(relative):
                files[relative] = path.read_bytes()
    return files


def _read_ignored(folder: Path) -> pathspec.PathSpec[Any]:
    path = folder / ".helmignore"
    lines = path.read_text().splitlines() if path.is_file() else []
    return pathspec.PathSpec.from_lines("gitignore", [*lines, *_ALWAYS_IGNORED])


def _read_package(path: Path) -> Files:
    if path.stat().st_size > _MAX_PACKAGE_BYTES:
        raise ValueError("the package is too large")
    files: Files = {}
    with tarfile.open(path, "r:gz") as package:
        for member in package:
            content = package.extractfile(member) if member.isfile() else None
            if content is not None:
                files[member.name.partition("/")[2]] = content.read()
    return files


def _build_chart(files: Mapping[str, bytes], reference: str) -> Chart:
    if "Chart.yaml" not in files:
        raise ValueError("it has no Chart.yaml")
    metadata = _read_mapping(files, "Chart.yaml")
    if not {"name", "version"} <= metadata.keys():
        raise ValueError("its Chart.yaml lacks name or version")
    return Chart(
        name=metadata["name"],
        version=str(metadata["version"]),
        reference=reference,
        digest=build_files_digest(files, metadata),
        default_values=_read_mapping(files, "values.yaml"),
        schema=json.loads(files.get("values.schema.json", b"{}")),
        profiles=_read_profiles(files),
    )


def _read_profiles(files: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    profiles: dict[str, dict[str, Any]] = {DEFAULT_PROFILE: {}}
    for name in files:
        folder, _, file = name.rpartition("/")
        if folder == "profiles" and file.endswith(".yaml"):
            profiles[file.removesuffix(".yaml")] = _read_mapping(files, name)
    return profiles


def _read_mapping(files: Mapping[str, bytes], name: str) -> dict[str, Any]:
    content = yaml.load(files.get(name, b""), Loader=_Loader) or {}  # noqa: S506
    if isinstance(content, dict):
        return content
    raise ValueError(f"its {name} holds no mapping")
