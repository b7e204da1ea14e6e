"""Charts from folders and packages."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

import pytest

from release_manager.clients.charts import ChartSources
from release_manager.clients.helm import Helm
from release_manager.errors import ChartNotFoundError, HelmUnusableError
from release_manager.wiring import bundled_chart

FILES = {
    "Chart.yaml": "apiVersion: v2\nname: probe\nversion: 1.2.3\n",
    "values.yaml": "replicas: 1\n",
    "values.schema.json": '{"type": "object"}',
    "profiles/big.yaml": "replicas: 3\n",
    "templates/x.yaml": "kind: X\n",
}


@pytest.fixture
def sources(tmp_path: Path) -> ChartSources:
    return ChartSources(tmp_path / "cache", _no_helm)


def _no_helm() -> Helm:
    raise HelmUnusableError("there is no helm", remedy="Install it")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "probe"
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def _pack(package: Path, files: dict[str, str]) -> str:
    with tarfile.open(package, "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"probe/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return str(package)


def test_a_folder_is_read(sources: ChartSources, folder: Path) -> None:
    chart = sources.load(str(folder))
    assert (chart.name, chart.version, chart.reference) == ("probe", "1.2.3", str(folder))
    assert chart.default_values == {"replicas": 1}
    assert chart.schema == {"type": "object"}
    assert chart.profiles == {"default": {}, "big": {"replicas": 3}}


def test_a_folder_and_its_package_are_the_same_chart(
    sources: ChartSources, folder: Path, tmp_path: Path
) -> None:
    package = _pack(tmp_path / "probe-1.2.3.tgz", FILES)
    assert sources.load(package).digest == sources.load(str(folder)).digest


def test_a_changed_template_is_another_chart(sources: ChartSources, folder: Path) -> None:
    before = sources.load(str(folder)).digest
    (folder / "templates" / "x.yaml").write_text("kind: Y\n")
    assert sources.load(str(folder)).digest != before


def test_files_that_helm_ignores_do_not_count(sources: ChartSources, folder: Path) -> None:
    (folder / ".helmignore").write_text("ci/\n*.bak\n")
    before = sources.load(str(folder)).digest
    (folder / "ci").mkdir()
    (folder / "ci" / "test-values.yaml").write_text("x: 1\n")
    (folder / "values.yaml.bak").write_text("x: 1\n")
    assert sources.load(str(folder)).digest == before


def test_a_moved_chart_is_the_same_chart(
    sources: ChartSources, folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder, tmp_path / "elsewhere")
    assert sources.load(str(tmp_path / "elsewhere")).digest == sources.load(str(folder)).digest


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("Chart.yaml", None, "it has no Chart.yaml"),
        ("Chart.yaml", "version: 1.2.3\n", "its Chart.yaml lacks name or version"),
        ("Chart.yaml", "just text\n", "its Chart.yaml holds no mapping"),
        ("Chart.yaml", "a: [\n", ""),
        ("values.yaml", "a: [\n", ""),
        ("values.yaml", "- a\n", "its values.yaml holds no mapping"),
        ("values.schema.json", "{", ""),
        ("profiles/big.yaml", "a: [\n", ""),
    ],
    ids=["none", "no name", "text", "broken", "values", "list", "schema", "profile"],
)
def test_a_folder_that_is_no_chart_is_refused(
    sources: ChartSources, folder: Path, name: str, text: str | None, why: str
) -> None:
    path = folder / name
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(ChartNotFoundError) as caught:
        sources.load(str(folder))
    assert f"field chart: {folder} is no chart: " in caught.value.problem
    assert why in caught.value.problem


def test_a_package_does_not_tell_when_it_was_made(sources: ChartSources, folder: Path) -> None:
    # RFC 1952: bytes 4 to 7 of the header are the time.
    assert sources.pack(sources.load(str(folder)))[4:8] == bytes(4)


def test_a_missing_chart_is_named(sources: ChartSources) -> None:
    with pytest.raises(ChartNotFoundError, match="field chart: /nope is no chart: No such file"):
        sources.load("/nope")


def test_a_file_that_is_no_package_is_refused(sources: ChartSources, tmp_path: Path) -> None:
    (tmp_path / "probe.tgz").write_text("no archive")
    with pytest.raises(ChartNotFoundError, match="is no chart"):
        sources.load(str(tmp_path / "probe.tgz"))


@pytest.mark.parametrize("reference", ["oci://r.example.org/aware-tenant", "oci://r:5000/aware"])
def test_a_registry_reference_needs_a_version(sources: ChartSources, reference: str) -> None:
    with pytest.raises(ChartNotFoundError, match="names no version"):
        sources.load(reference)


def test_a_registry_needs_helm(sources: ChartSources) -> None:
    with pytest.raises(HelmUnusableError, match="there is no helm"):
        sources.load("oci://r.example.org/aware-tenant:1.0.0")


def test_the_chart_that_comes_with_the_program_is_read(sources: ChartSources) -> None:
    chart = sources.load(str(bundled_chart()))
    assert chart.name == "aware-tenant"
    assert "openclaw" in chart.profiles
    assert chart.schema["additionalProperties"] is False
