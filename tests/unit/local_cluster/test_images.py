"""The images that there are, and when an archive is written anew."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from local_cluster.folders import STAND_INS
from local_cluster.images import ARCHIVES, PAUSE, archive_path, build_archive, references
from local_cluster.oci import Entry
from local_cluster.recipes import Archive, Recipe

RECIPES = [recipe for archive in ARCHIVES.values() for recipe in archive.recipes]
STAND_IN_RECIPES = [recipe for recipe in RECIPES if recipe.roots]


def reference(recipe: Recipe) -> str:
    return recipe.reference


def find_config(image: str) -> Any:
    return next(recipe.config for recipe in RECIPES if recipe.reference == image)


def make_archive(content: bytes | Path, **config: str) -> Archive:
    return Archive("a", (Recipe("a:1", config, files=({"file": Entry(content)},)),))


def test_no_two_images_have_the_same_reference() -> None:
    assert len({recipe.reference for recipe in RECIPES}) == len(RECIPES)


def test_system_archive_holds_what_every_node_needs() -> None:
    assert references("system") == [PAUSE, "localhost/local-cluster/coredns:1"]


@pytest.mark.parametrize("recipe", STAND_IN_RECIPES, ids=reference)
def test_stand_ins_say_so_in_their_tag_and_labels(recipe: Recipe) -> None:
    tag = recipe.reference.rpartition(":")[2]
    labels = recipe.config["Labels"]
    assert tag.endswith("-stand-in")
    assert labels["org.opencontainers.image.version"] == tag
    assert "STAND-IN" in labels["org.opencontainers.image.description"]
    assert f"STAND_IN_VERSION={tag}" in recipe.config["Env"]


def test_only_the_image_made_for_that_runs_as_root() -> None:
    aware = [recipe for recipe in STAND_IN_RECIPES if "wareit" in recipe.reference]
    roots = [recipe.reference for recipe in aware if recipe.config["User"] != "1000:1000"]
    assert roots == ["registry.wareit.ai/aware-gateway:1.0.0-root-stand-in"]


def test_openclaws_command_comes_from_its_arguments() -> None:
    config = find_config("registry.wareit.ai/openclaw:2026.9.6-stand-in")
    assert "Entrypoint" not in config
    assert "Cmd" not in config


def test_every_program_is_in_the_images() -> None:
    paths = {path for recipe in RECIPES for files in recipe.files for path in files}
    for program in STAND_INS.glob("*.py"):
        assert any(path.endswith(f"/stand_ins/{program.name}") for path in paths)


def test_key_changes_with_the_config_and_the_content(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"a")
    first = make_archive(file)
    before = first.key
    assert make_archive(b"a").key == before
    assert make_archive(b"a", User="1").key != before
    file.write_bytes(b"b")
    assert first.key != before


def test_key_changes_with_a_root() -> None:
    archive = ARCHIVES["postgres"]
    recipe = archive.recipes[0]
    other = dataclasses.replace(recipe.roots[0], packages=("hello",))
    changed = dataclasses.replace(archive, recipes=(dataclasses.replace(recipe, roots=(other,)),))
    assert changed.key != archive.key


def test_archive_that_is_there_is_not_made_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    archive_path("system").parent.mkdir(parents=True)
    archive_path("system").write_text("there")
    assert build_archive("system").read_text() == "there"
