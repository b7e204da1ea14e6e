"""The container images of local clusters, made here: a registry is never asked.

An archive holds images that are imported together. Its key is a digest of everything that decides
what is in it, as with the tools in the catalogue.
"""

import hashlib
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_cluster import oci
from local_cluster.build import build_groups, group_folder
from local_cluster.catalogue import COREDNS, ToolGroup
from local_cluster.debian import (
    NODE_ROOT,
    PYTHON_ROOT,
    DebianRoot,
    build_root,
)
from local_cluster.folders import STAND_INS, cache
from local_cluster.locks import hold
from local_cluster.oci import Entry, Image, Layer
from local_cluster.progress import Stopwatch, say

PAUSE = "localhost/local-cluster/pause:1"
DNS = "localhost/local-cluster/coredns:1"
GATEWAY = "registry.wareit.ai/aware-gateway"
API = "registry.wareit.ai/aware-api"
OPENCLAW = "registry.wareit.ai/openclaw"
POSTGRES = "docker.io/library/postgres"

LABEL = "org.opencontainers.image"
SEARCH_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PROGRAMS = "usr/local/lib/python3.11/dist-packages/stand_ins"
USER, POSTGRES_USER = 1000, 999


@dataclass(frozen=True)
class Tool:
    """The content of a program that the catalogue builds."""

    group: ToolGroup
    name: str


@dataclass(frozen=True)
class RootFile:
    """The content of a file in a root file system."""

    root: DebianRoot
    path: str


@dataclass(frozen=True)
class Made:
    """An entry whose content is made by somebody else here, and may not be there yet."""

    source: Tool | RootFile
    mode: int = 0o755


Files = Mapping[str, Entry | Made]


@dataclass(frozen=True)
class Recipe:
    """What an image is made of: root file systems, then files, each a layer; and its config."""

    reference: str
    config: Mapping[str, Any]
    roots: tuple[DebianRoot, ...] = ()
    files: tuple[Files, ...] = ()


@dataclass(frozen=True)
class Archive:
    """Images that are imported together."""

    name: str
    recipes: tuple[Recipe, ...]

    @property
    def key(self) -> str:
        """Digest of the recipes, what goes into them and how archives are written."""
        digest = hashlib.sha256(Path(oci.__file__).read_bytes())
        for recipe in self.recipes:
            digest.update(repr((recipe.reference, sorted(recipe.config.items()))).encode())
            digest.update(repr([root.key for root in recipe.roots]).encode())
            for files in recipe.files:
                for path, entry in sorted(files.items()):
                    digest.update(repr((path, _identify(entry))).encode())
        return digest.hexdigest()[:16]


def _identify(entry: Entry | Made) -> tuple[object, ...]:
    """Return what tells one entry from another."""
    if isinstance(entry, Entry):
        content = entry.content.read_bytes() if isinstance(entry.content, Path) else entry.content
        return (content, entry.link, entry.mode, entry.owner)
    match entry.source:
        case Tool(group, name):
            return (group.name, group.key, name, entry.mode)
        case RootFile(root, path):
            return (root.name, root.key, path, entry.mode)


def _label(title: str, description: str, version: str) -> dict[str, str]:
    """Return the labels of an image."""
    return {
        f"{LABEL}.title": title,
        f"{LABEL}.description": description,
        f"{LABEL}.version": version,
    }


def _tag(reference: str) -> str:
    """Return the tag of a full reference."""
    return reference.rpartition(":")[2]


SYSTEM_ARCHIVE = Archive(
    "system",
    (
        Recipe(
            PAUSE,
            {
                "Entrypoint": ["/catatonit", "-P"],
                "User": "65535:65535",
                "Labels": _label("pause", "Debian's catatonit, which keeps a pod's place", "1"),
            },
            files=({"catatonit": Made(RootFile(NODE_ROOT, "usr/bin/catatonit"))},),
        ),
        Recipe(
            DNS,
            {
                "Entrypoint": ["/coredns"],
                "Labels": _label("coredns", "CoreDNS with the plugins of local clusters", "1"),
            },
            files=({"coredns": Made(Tool(COREDNS, "coredns"))},),
        ),
    ),
)

# What a root file system of mere packages lacks: users, and places that anybody finds in a Debian.
_PLACES = {
    "etc/passwd": Entry(
        b"root:x:0:0:root:/root:/bin/sh\n"
        b"postgres:x:999:999::/var/lib/postgresql:/bin/sh\n"
        b"node:x:1000:1000::/home/node:/bin/sh\n"
        b"nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
        mode=0o644,
    ),
    "etc/group": Entry(b"root:x:0:\npostgres:x:999:\nnode:x:1000:\nnogroup:x:65534:\n", mode=0o644),
    "home": Entry(),
    "home/node": Entry(owner=USER),
    "root": Entry(mode=0o700),
    "tmp": Entry(mode=0o1777),
    **{name: Entry() for name in ("dev", "proc", "run", "sys")},
}
_PROGRAMS = {
    PROGRAMS: Entry(),
    **{
        f"{PROGRAMS}/{path.name}": Entry(path, mode=0o644)
        for path in sorted(STAND_INS.glob("*.py"))
    },
    # Where a program writes that knows no containers; see STAND_IN_WRITE_ROOT.
    "var/lib/gateway": Entry(owner=USER),
}
_OPENCLAW = {
    "usr/local/bin/openclaw": Entry(b'#!/bin/sh\nexec python3 -I -m stand_ins.openclaw "$@"\n')
}


def _stand_in(
    reference: str,
    program: str,
    port: int,
    *,
    environment: tuple[str, ...] = (),
    user: str = f"{USER}:{USER}",
) -> Recipe:
    """Return the recipe of an image that plays one of Aware's programs."""
    title = reference.rpartition("/")[2].partition(":")[0]
    version = _tag(reference)
    return Recipe(
        reference,
        {
            "Entrypoint": ["python3", "-I", "-m", f"stand_ins.{program}"],
            "Env": [SEARCH_PATH, "LANG=C.UTF-8", f"STAND_IN_VERSION={version}", *environment],
            "ExposedPorts": {f"{port}/tcp": {}},
            "Labels": _label(title, f"STAND-IN for {title}: not Aware's program", version),
            "User": user,
            "WorkingDir": "/home/node",
        },
        roots=(PYTHON_ROOT,),
        files=(_PLACES, _PROGRAMS),
    )


STAND_IN_ARCHIVE = Archive(
    "stand-ins",
    (
        _stand_in(f"{GATEWAY}:1.0.0-stand-in", "gateway", 18789),
        _stand_in(f"{GATEWAY}:1.1.0-stand-in", "gateway", 18789),
        _stand_in(
            f"{GATEWAY}:1.2.0-crashes-stand-in",
            "gateway",
            18789,
            environment=("STAND_IN_CRASH_AFTER_SECONDS=1",),
        ),
        _stand_in(f"{GATEWAY}:1.0.0-root-stand-in", "gateway", 18789, user=""),
        _stand_in(f"{API}:1.0.0-stand-in", "api", 3001),
    ),
)

ARCHIVES = {archive.name: archive for archive in (SYSTEM_ARCHIVE, STAND_IN_ARCHIVE)}


def references(name: str) -> list[str]:
    """Return the full references of the images in an archive."""
    return [recipe.reference for recipe in ARCHIVES[name].recipes]


def archive_path(name: str) -> Path:
    """Return where an archive is, or will be."""
    return cache() / "images" / f"{name}-{ARCHIVES[name].key}.tar"


def build_archive(name: str) -> Path:
    """Return an archive, made now when it is not there; it is whole if it is there.

    Raise BuildError when it cannot be made.
    """
    path = archive_path(name)
    if path.exists():
        return path
    with hold(cache() / "locks" / f"images-{name}.lock", f"making the {name} images"):
        if not path.exists():
            _make(ARCHIVES[name], path)
    return path


def _make(archive: Archive, path: Path) -> None:
    """Write an archive beside `path`, then move it there in one step."""
    roots = {root: build_root(root) for recipe in archive.recipes for root in recipe.roots}
    watch = Stopwatch(f"making the {archive.name} images")
    say(f"making the {archive.name} images: {', '.join(references(archive.name))}")
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    try:
        bases = {root: Layer.from_tar(tar) for root, tar in roots.items()}
        oci.write_archive(unfinished, [_assemble(recipe, bases) for recipe in archive.recipes])
        unfinished.rename(path)
    finally:
        unfinished.unlink(missing_ok=True)
    say(f"made the {archive.name} images in {watch.seconds:.0f} s")


def _assemble(recipe: Recipe, bases: Mapping[DebianRoot, Layer]) -> Image:
    """Return the image that a recipe describes."""
    layers = [bases[root] for root in recipe.roots]
    for files in recipe.files:
        entries = {path: _fetch(entry) for path, entry in files.items()}
        layers.append(Layer.from_files(entries))
    return Image(recipe.reference, layers, recipe.config)


def _fetch(entry: Entry | Made) -> Entry:
    """Return an entry with its content, which is built when it is not there."""
    if isinstance(entry, Entry):
        return entry
    match entry.source:
        case Tool(group, name):
            build_groups([group])
            return Entry(group_folder(group) / name, mode=entry.mode)
        case RootFile(root, path):
            return Entry(_read_member(build_root(root), path), mode=entry.mode)


def _read_member(archive: Path, path: str) -> bytes:
    """Return a file's content out of a root file system's tar."""
    with tarfile.open(archive) as tar:
        member = tar.extractfile(f"./{path}")
        if member is None:
            raise FileNotFoundError(path)
        return member.read()
