"""The catalogue pins everything by version and hash."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from local_cluster.catalogue import (
    CHART_TOOLS,
    CRDS,
    FOREIGN_CHARTS,
    HELM,
    TFLINT,
    ToolGroup,
    read_go_directive,
)
from local_cluster.clusters import REAL, SIMULATED

GROUPS = tuple(
    {
        group.name: group
        for group in (*SIMULATED.groups, *REAL.groups, *CHART_TOOLS, TFLINT, FOREIGN_CHARTS)
    }.values()
)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_every_copied_file_comes_from_a_module_whose_hash_is_committed(group: ToolGroup) -> None:
    sums = (group.module / "go.sum").read_text()
    for file in group.files.values():
        module, version = file.module.split("@")
        assert f"{module} {version} h1:" in sums


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_every_program_is_a_tool_of_its_module_or_the_module(group: ToolGroup) -> None:
    go_mod = (group.module / "go.mod").read_text()
    own = go_mod.splitlines()[0].removeprefix("module ")
    for package in set(group.packages.values()) - {own}:
        assert re.search(rf"^(tool|\t)\s*{re.escape(package)}$", go_mod, re.MULTILINE), package


def test_no_two_groups_make_the_same_program() -> None:
    names = [name for group in GROUPS for name in group.outputs]
    assert len(names) == len(set(names))


def test_key_changes_with_the_flags() -> None:
    assert HELM.key != dataclasses.replace(HELM, linker_flags="-s").key


def test_key_changes_with_the_pins(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module a\n\ngo 1.26\n")
    (tmp_path / "go.sum").write_text("")
    group = ToolGroup("a", tmp_path)
    before = group.key
    (tmp_path / "go.sum").write_text("example.com/b v1.0.0 h1:x=\n")
    assert group.key != before


def test_crds_are_those_of_traefik_and_cert_manager() -> None:
    assert set(CRDS.outputs) == {"traefik.yaml", "cert-manager"}


def test_go_directive_without_a_patch_is_patch_zero() -> None:
    assert read_go_directive("module a\n\ngo 1.26\n") == (1, 26, 0)
    assert read_go_directive("module a\n\ngo 1.25.3\n") == (1, 25, 3)


def test_go_mod_without_go_directive_is_refused() -> None:
    with pytest.raises(ValueError, match="no go line"):
        read_go_directive("module a\n")
