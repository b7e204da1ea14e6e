"""Image archives: what is in them, and that it is the same each time."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from local_cluster.oci import Entry, Image, Layer, write_archive

FILES = {
    "opt": Entry(),
    "opt/run": Entry(b"run", owner=1000),
    "opt/again": Entry(link="run"),
}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A root file system's tar, a little longer than a block."""
    path = tmp_path / "base.tar"
    with tarfile.open(path, "w") as tar:
        header = tarfile.TarInfo("etc/hostname")
        header.size = 1000
        tar.addfile(header, io.BytesIO(b"x" * 1000))
    return path


def write(path: Path, base: Path) -> Path:
    shared = Layer.from_tar(base)
    images = [
        Image("example.com/a:1", [shared, Layer.from_files(FILES)], {"User": "1000"}, "amd64"),
        Image("example.com/b:2", [shared], {}, "amd64"),
    ]
    write_archive(path, images)
    return path


def read(archive: Path) -> dict[str, bytes]:
    contents = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None
            assert member.name not in contents
            contents[member.name] = file.read()
    return contents


def read_blob(contents: dict[str, bytes], descriptor: dict[str, Any]) -> bytes:
    blob = contents[f"blobs/{descriptor['digest'].replace(':', '/')}"]
    assert len(blob) == descriptor["size"]
    return blob


def read_images(contents: dict[str, bytes]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    manifests = [
        json.loads(read_blob(contents, each))
        for each in json.loads(contents["index.json"])["manifests"]
    ]
    return [(each, json.loads(read_blob(contents, each["config"]))) for each in manifests]


def test_same_images_give_the_same_bytes(tmp_path: Path, base: Path) -> None:
    first = write(tmp_path / "first.tar", base).read_bytes()
    assert write(tmp_path / "second.tar", base).read_bytes() == first


def test_order_of_the_files_does_not_matter() -> None:
    turned = dict(reversed(FILES.items()))
    assert Layer.from_files(turned).digest == Layer.from_files(FILES).digest


def test_file_from_the_disk_is_the_same_as_its_content(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    from_disk = Layer.from_files({"file": Entry(tmp_path / "file")})
    assert from_disk.digest == Layer.from_files({"file": Entry(b"content")}).digest


def test_every_blob_has_the_digest_that_it_is_called_by(tmp_path: Path, base: Path) -> None:
    contents = read(write(tmp_path / "a.tar", base))
    blobs = {name: content for name, content in contents.items() if name.startswith("blobs/")}
    for name, content in blobs.items():
        assert name == f"blobs/sha256/{hashlib.sha256(content).hexdigest()}"


def test_layer_that_images_share_is_there_once(tmp_path: Path, base: Path) -> None:
    contents = read(write(tmp_path / "a.tar", base))
    first, second = (manifest for manifest, _ in read_images(contents))
    assert first["layers"][0] == second["layers"][0]
    assert list(contents.values()).count(base.read_bytes()) == 1


def test_diff_ids_are_the_layers_own_digests(tmp_path: Path, base: Path) -> None:
    contents = read(write(tmp_path / "a.tar", base))
    for manifest, config in read_images(contents):
        digests = [hashlib.sha256(read_blob(contents, layer)) for layer in manifest["layers"]]
        wanted = [f"sha256:{digest.hexdigest()}" for digest in digests]
        assert config["rootfs"] == {"type": "layers", "diff_ids": wanted}


def test_containerd_finds_the_full_names(tmp_path: Path, base: Path) -> None:
    index = json.loads(read(write(tmp_path / "a.tar", base))["index.json"])
    assert [each["annotations"] for each in index["manifests"]] == [
        {
            "io.containerd.image.name": "example.com/a:1",
            "org.opencontainers.image.ref.name": "1",
        },
        {
            "io.containerd.image.name": "example.com/b:2",
            "org.opencontainers.image.ref.name": "2",
        },
    ]


def test_config_is_that_of_the_image(tmp_path: Path, base: Path) -> None:
    _, config = read_images(read(write(tmp_path / "a.tar", base)))[0]
    assert (config["os"], config["architecture"]) == ("linux", "amd64")
    assert config["config"] == {"User": "1000"}


def test_layer_of_files_unpacks_to_them() -> None:
    stream = io.BytesIO()
    Layer.from_files(FILES).pour(stream)
    stream.seek(0)
    with tarfile.open(fileobj=stream) as tar:
        folder, link, file = tar.getmembers()
        assert folder.isdir()
        assert (link.issym(), link.linkname) == (True, "run")
        assert (file.uid, file.gid, file.mtime, file.mode) == (1000, 1000, 0, 0o755)
        content = tar.extractfile(file)
        assert content is not None
        assert content.read() == b"run"
