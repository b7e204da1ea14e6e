"""Archives of OCI images, written without a container tool.

The same input gives the same bytes: entries are sorted, as old as can be, and owned by numbers.
Layers stay uncompressed, so a layer's digest is its diff id, too. Nothing is read as a whole.
https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md
"""

import hashlib
import json
import platform
import shutil
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
# What containerd calls an image by; the specification's own name is for the tag.
NAME_ANNOTATION = "io.containerd.image.name"
TAG_ANNOTATION = "org.opencontainers.image.ref.name"

END_OF_TAR = bytes(2 * tarfile.BLOCKSIZE)
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class Sink(Protocol):
    """What bytes are poured into."""

    def write(self, content: bytes, /) -> int:
        """Take some bytes; return how many."""


Pour = Callable[[Sink], None]


@dataclass(frozen=True)
class Entry:
    """One thing in a layer: a file with its content, else a link to `link`, else a folder."""

    content: bytes | Path | None = None
    link: str = ""
    mode: int = 0o755
    owner: int = 0


@dataclass(frozen=True)
class Blob:
    """Bytes that are known by their digest; `pour` writes them into a file."""

    pour: Pour
    digest: str
    size: int

    @classmethod
    def measure(cls, pour: Pour) -> Self:
        """Return a blob with the digest and the size of what `pour` writes."""
        meter = _Meter()
        pour(meter)
        return cls(pour, f"sha256:{meter.digest.hexdigest()}", meter.size)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Return a blob of JSON."""
        text = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
        return cls.measure(_pour_bytes(text))

    def describe(self, media_type: str) -> dict[str, Any]:
        """Return the blob's descriptor, by which other blobs refer to it."""
        return {"mediaType": media_type, "digest": self.digest, "size": self.size}


class Layer(Blob):
    """One layer of a root file system: a tar, whose bytes are the blob."""

    @classmethod
    def from_tar(cls, path: Path) -> Self:
        """Return a tar file as a layer; it is read again when the archive is written."""
        return cls.measure(_pour_file(path))

    @classmethod
    def from_files(cls, entries: Mapping[str, Entry]) -> Self:
        """Return a layer of these entries, by their paths without a slash at the beginning."""

        def pour(target: Sink) -> None:
            for path, entry in sorted(entries.items()):
                _add(target, path, entry)
            target.write(END_OF_TAR)

        return cls.measure(pour)


def read_architecture() -> str:
    """Return what images for this machine call its processor."""
    machine = platform.machine()
    return ARCHITECTURES.get(machine, machine)


@dataclass(frozen=True)
class Image:
    """An image by its full reference; `config` is what a container of it starts with.

    Its keys are the specification's: User, Env, Entrypoint, Cmd, WorkingDir, Labels and so on.
    """

    reference: str
    layers: Sequence[Layer]
    config: Mapping[str, Any]
    architecture: str = field(default_factory=read_architecture)


def write_archive(path: Path, images: Sequence[Image]) -> None:
    """Write an archive that holds these images, and what several of them share once."""
    blobs: dict[str, Blob] = {}
    manifests = [_collect(image, blobs) for image in images]
    index = {"schemaVersion": 2, "manifests": manifests}
    with path.open("wb") as target:
        _put(target, "oci-layout", Blob.from_json({"imageLayoutVersion": "1.0.0"}))
        _put(target, "index.json", Blob.from_json(index))
        for digest, blob in sorted(blobs.items()):
            _put(target, f"blobs/{digest.replace(':', '/')}", blob)
        target.write(END_OF_TAR)


def _collect(image: Image, blobs: dict[str, Blob]) -> dict[str, Any]:
    """Add an image's blobs to `blobs`; return the descriptor of its manifest."""
    config = Blob.from_json(
        {
            "architecture": image.architecture,
            "os": "linux",
            "config": image.config,
            "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in image.layers]},
        }
    )
    manifest = Blob.from_json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": config.describe(CONFIG_TYPE),
            "layers": [layer.describe(LAYER_TYPE) for layer in image.layers],
        }
    )
    blobs |= {blob.digest: blob for blob in (*image.layers, config, manifest)}
    names = {
        NAME_ANNOTATION: image.reference,
        TAG_ANNOTATION: image.reference.rpartition(":")[2],
    }
    return manifest.describe(MANIFEST_TYPE) | {"annotations": names}


def _put(target: Sink, name: str, blob: Blob) -> None:
    """Add a blob to the archive as a file."""
    header = tarfile.TarInfo(name)
    header.size = blob.size
    _append(target, header, blob.pour)


def _add(target: Sink, path: str, entry: Entry) -> None:
    """Add an entry to a layer."""
    header = tarfile.TarInfo(path)
    header.mode = entry.mode
    header.uid = header.gid = entry.owner
    content = entry.content
    if content is None:
        header.type = tarfile.SYMTYPE if entry.link else tarfile.DIRTYPE
        header.linkname = entry.link
        _append(target, header, lambda _: None)
    elif isinstance(content, Path):
        header.size = content.stat().st_size
        _append(target, header, _pour_file(content))
    else:
        header.size = len(content)
        _append(target, header, _pour_bytes(content))


def _append(target: Sink, header: tarfile.TarInfo, pour: Pour) -> None:
    """Append one member to a tar; tarfile itself would want to read what can only be poured."""
    target.write(header.tobuf(tarfile.USTAR_FORMAT))
    pour(target)
    target.write(bytes(-header.size % tarfile.BLOCKSIZE))


def _pour_file(path: Path) -> Pour:
    """Return what pours a file, piece by piece."""

    def pour(target: Sink) -> None:
        with path.open("rb") as source:
            shutil.copyfileobj(source, target)

    return pour


def _pour_bytes(content: bytes) -> Pour:
    """Return what pours these bytes."""

    def pour(target: Sink) -> None:
        target.write(content)

    return pour


class _Meter:
    """Keeps nothing of what is written, only its digest and size."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self.size = 0

    def write(self, content: bytes, /) -> int:
        """Count some bytes."""
        self.digest.update(content)
        self.size += len(content)
        return len(content)
