"""The container images of local clusters, made here: a registry is never asked.

An archive is written beside its place and gets its final name, in one rename, only when it is
whole; a lock per archive makes a second run wait instead of writing the same again.
"""

import tarfile
from collections.abc import Mapping
from pathlib import Path

from local_cluster.build import build_groups, group_folder
from local_cluster.debian import DebianRoot, build_root
from local_cluster.errors import BuildError
from local_cluster.folders import cache
from local_cluster.locks import make_once
from local_cluster.oci import Entry, Image, Layer, write_archive
from local_cluster.progress import Stopwatch, say
from local_cluster.recipes import ARCHIVES, PAUSE, Archive, Made, Recipe, RootFile, Tool

__all__ = ["ARCHIVES", "PAUSE", "archive_path", "build_archive", "references"]


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
    lock = cache() / "locks" / f"images-{name}.lock"
    return make_once(path, lock, f"making the {name} images", lambda: _make(ARCHIVES[name], path))


def _make(archive: Archive, path: Path) -> None:
    """Write an archive beside `path`, then move it there in one step."""
    bases = {root: build_root(root) for recipe in archive.recipes for root in recipe.roots}
    watch = Stopwatch(f"making the {archive.name} images")
    say(f"making the {archive.name} images: {', '.join(references(archive.name))}")
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    try:
        layers = {root: Layer.from_tar(tar) for root, tar in bases.items()}
        write_archive(unfinished, [_assemble(recipe, layers) for recipe in archive.recipes])
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
        try:
            member = tar.extractfile(f"./{path}")
        except KeyError:
            member = None
        if member is None:
            raise BuildError(f"There is no file {path} in {archive}; remove that, it is made anew.")
        return member.read()
