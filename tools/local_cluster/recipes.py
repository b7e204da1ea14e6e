"""What the container images of local clusters are made of, and which are imported together.

The key of an archive is a digest of everything that decides what is in it, as with the tools in
the catalogue.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_cluster import oci
from local_cluster.catalogue import COREDNS, ToolGroup
from local_cluster.debian import NODE_ROOT, NODEJS_ROOT, POSTGRES_ROOT, PYTHON_ROOT, DebianRoot
from local_cluster.folders import STAND_INS
from local_cluster.oci import Entry

PAUSE = "localhost/local-cluster/pause:1"
DNS = "localhost/local-cluster/coredns:1"
GATEWAY = "registry.wareit.ai/aware-gateway"
API = "registry.wareit.ai/aware-api"
OPENCLAW = "registry.wareit.ai/openclaw"
POSTGRES = "docker.io/library/postgres"

NODE_USER, POSTGRES_USER = 1000, 999
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PROGRAMS = "usr/local/lib/python3.11/dist-packages/stand_ins"


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
    """A program in an image whose content is made here, too, and may not be there yet."""

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

    @property
    def identity(self) -> tuple[object, ...]:
        """What tells it from other recipes."""
        roots = [root.key for root in self.roots]
        files = [
            (path, _identify(entry)) for each in self.files for path, entry in sorted(each.items())
        ]
        return (self.reference, sorted(self.config.items()), roots, files)


@dataclass(frozen=True)
class Archive:
    """Images that are imported together."""

    name: str
    recipes: tuple[Recipe, ...]

    @property
    def key(self) -> str:
        """Digest of the recipes, what goes into them, and how archives are written."""
        digest = hashlib.sha256(Path(oci.__file__).read_bytes())
        digest.update(oci.read_architecture().encode())
        for recipe in self.recipes:
            digest.update(repr(recipe.identity).encode())
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


def _build_config(reference: str, description: str, **config: Any) -> dict[str, Any]:
    """Return an image's config with the labels that all images have."""
    title, _, version = reference.rpartition("/")[2].partition(":")
    prefix = "org.opencontainers.image"
    labels = {
        f"{prefix}.title": title,
        f"{prefix}.description": description,
        f"{prefix}.version": version,
    }
    return {"Labels": labels, **config}


def _build_environment(reference: str, *more: str, path: str = SEARCH_PATH) -> list[str]:
    """Return the variables of a stand-in: the version it tells is its image's tag."""
    version = reference.rpartition(":")[2]
    return [f"PATH={path}", "LANG=C.UTF-8", f"STAND_IN_VERSION={version}", *more]


# What a root file system of mere packages lacks: users, and places that every Debian has.
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
    "home/node": Entry(owner=NODE_USER),
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
    "var/lib/gateway": Entry(owner=NODE_USER),
}
_OPENCLAW_COMMAND = {
    "usr/local/bin/openclaw": Entry(b'#!/bin/sh\nexec python3 -I -m stand_ins.openclaw "$@"\n')
}
_POSTGRES_FILES = {
    "docker-entrypoint-initdb.d": Entry(),
    "usr/local/bin/docker-entrypoint.sh": Entry(STAND_INS / "postgres-entrypoint.sh"),
    "var/lib/postgresql": Entry(owner=POSTGRES_USER),
    "var/lib/postgresql/data": Entry(owner=POSTGRES_USER, mode=0o700),
    "var/run/postgresql": Entry(owner=POSTGRES_USER, mode=0o3777),
}


def _build_recipe(
    reference: str,
    program: str,
    port: int,
    *,
    environment: tuple[str, ...] = (),
    user: str = f"{NODE_USER}:{NODE_USER}",
) -> Recipe:
    """Return the recipe of an image that plays one of Aware's programs."""
    config = _build_config(
        reference,
        "STAND-IN of a local cluster for Aware's program, which it is not",
        Entrypoint=["python3", "-I", "-m", f"stand_ins.{program}"],
        Env=_build_environment(reference, *environment),
        ExposedPorts={f"{port}/tcp": {}},
        User=user,
        WorkingDir="/home/node",
    )
    return Recipe(reference, config, roots=(PYTHON_ROOT,), files=(_PLACES, _PROGRAMS))


def _build_openclaw_recipe(reference: str) -> Recipe:
    """Return the recipe of an image that plays OpenClaw's own, with Node as in that."""
    config = _build_config(
        reference,
        "STAND-IN of a local cluster for OpenClaw, which it is not",
        Env=_build_environment(reference),
        ExposedPorts={"18789/tcp": {}},
        User=f"{NODE_USER}:{NODE_USER}",
        WorkingDir="/home/node",
    )
    files = (_PLACES, _PROGRAMS, _OPENCLAW_COMMAND)
    return Recipe(reference, config, roots=(PYTHON_ROOT, NODEJS_ROOT), files=files)


def _build_postgres_recipe(reference: str) -> Recipe:
    """Return the recipe of an image that plays the official one of PostgreSQL."""
    data = "/var/lib/postgresql/data"
    path = f"/usr/lib/postgresql/15/bin:{SEARCH_PATH}"
    config = _build_config(
        reference,
        "STAND-IN of a local cluster for the official image: Debian's PostgreSQL",
        Cmd=["postgres"],
        Entrypoint=["docker-entrypoint.sh"],
        Env=_build_environment(reference, f"PGDATA={data}", path=path),
        ExposedPorts={"5432/tcp": {}},
        # SIGTERM would wait until all clients have gone.
        StopSignal="SIGINT",
        Volumes={data: {}},
    )
    return Recipe(reference, config, roots=(POSTGRES_ROOT,), files=(_PLACES, _POSTGRES_FILES))


_ARCHIVES = (
    Archive(
        "system",
        (
            Recipe(
                PAUSE,
                _build_config(
                    PAUSE,
                    "Debian's catatonit, which holds a pod's place",
                    Entrypoint=["/catatonit", "-P"],
                    User="65535:65535",
                ),
                files=({"catatonit": Made(RootFile(NODE_ROOT, "usr/bin/catatonit"))},),
            ),
            Recipe(
                DNS,
                _build_config(
                    DNS, "CoreDNS with what local clusters need", Entrypoint=["/coredns"]
                ),
                files=({"coredns": Made(Tool(COREDNS, "coredns"))},),
            ),
        ),
    ),
    Archive(
        "stand-ins",
        (
            _build_recipe(f"{GATEWAY}:1.0.0-stand-in", "gateway", 18789),
            _build_recipe(f"{GATEWAY}:1.1.0-stand-in", "gateway", 18789),
            _build_recipe(
                f"{GATEWAY}:1.2.0-crashes-stand-in",
                "gateway",
                18789,
                environment=("STAND_IN_CRASH_AFTER_SECONDS=0.2",),
            ),
            _build_recipe(f"{GATEWAY}:1.0.0-root-stand-in", "gateway", 18789, user=""),
            _build_recipe(f"{API}:1.0.0-stand-in", "api", 3001),
        ),
    ),
    Archive("openclaw", (_build_openclaw_recipe(f"{OPENCLAW}:2026.9.6-stand-in"),)),
    Archive("postgres", (_build_postgres_recipe(f"{POSTGRES}:15-stand-in"),)),
)
ARCHIVES = {archive.name: archive for archive in _ARCHIVES}
