"""What ``capacity`` takes and prints."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from release_manager.cli.capacity import print_live
from release_manager.infrastructure.capacity import Distribution, Footprint
from release_manager.infrastructure.scheduling import ClusterNode
from release_manager.operations.capacity import survey_capacity
from tests.unit.cli.conftest import Ended
from tests.unit.fakes import FakeWorld

CommandLine = Callable[..., Ended]
Captured = pytest.CaptureFixture[str]
PLAN = ("capacity", "--plan", "--instance-type", "t3.medium", "--tenants")


def test_a_plan_needs_no_cluster_and_tells_each_bound(command_line: CommandLine) -> None:
    ended = command_line(*PLAN, 20)
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert "CPU requests      25        ends first" in ended.stdout
    assert "memory limits     4         not enforced" in ended.stdout
    assert "20 tenants fit; the smallest that holds 20 is 1 x t3.medium" in ended.stdout


def test_too_many_are_told_and_no_error(command_line: CommandLine) -> None:
    ended = command_line(*PLAN, 50)
    assert ended.exit_code == 0
    assert (
        "50 tenants do not fit: 25 do; the smallest that holds 50 is 1 x t3.xlarge" in ended.stdout
    )


def test_more_than_any_machine_holds_are_told(command_line: CommandLine) -> None:
    ended = command_line(*PLAN, 1000)
    assert ended.stdout.endswith("no machine known here holds 1000\n")


def test_parts_that_do_not_fit_are_told(command_line: CommandLine, tmp_path: Any) -> None:
    resources = {"requests": {"memory": "3Gi"}, "limits": {"memory": "3Gi"}}
    settings = tmp_path / "fleet.yaml"
    settings.write_text(json.dumps({"platform": {"postgres": {"resources": resources}}}))
    assert "not even what they share does" in command_line(*PLAN, 1).stdout


def test_eks_has_two_machines_unless_more_are_asked_for(command_line: CommandLine) -> None:
    eks = (*PLAN, 5, "--distribution", "eks")
    assert "2 x t3.medium, eks" in command_line(*eks).stdout
    assert "3 x t3.medium, eks" in command_line(*eks, "--nodes", 3).stdout


def test_the_data_of_a_plan_has_the_documented_keys(command_line: CommandLine) -> None:
    data = json.loads(command_line(*PLAN, 50, "-o", "json").stdout)
    assert list(data) == [
        *("tenant", "distribution", "instanceType", "nodes", "tenants", "enough", "room"),
        *("allocatable", "shared", "smallest"),
    ]
    assert data["smallest"] == {"instanceType": "t3.xlarge", "nodes": 1, "tenants": 65}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--plan", "--tenants", 5), "field --instance-type"),
        (("--plan", "--instance-type", "t3.medium"), "field --tenants"),
        (("--plan", "--instance-type", "t9.huge", "--tenants", 5), "'t9.huge'"),
        (("--instance-type", "t3.medium"), "field --instance-type"),
        (("--nodes", 2), "field --nodes"),
        (("--distribution", "eks"), "field --distribution"),
        (("--tenants", 5), "field --tenants"),
        ((*PLAN[1:], 0), "--tenants"),
        ((*PLAN[1:], 5, "--profile", "huge"), "has no profile 'huge'"),
    ],
    ids=str,
)
def test_flags_that_make_no_sense_together_are_refused(
    command_line: CommandLine, arguments: tuple[object, ...], problem: str
) -> None:
    ended = command_line("capacity", *arguments)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert problem in ended.stderr


def show(world: FakeWorld, capsys: Captured) -> str:
    print_live(survey_capacity(world.nodes, world.charts, world.settings))
    return capsys.readouterr().out


def test_the_cluster_is_shown_node_by_node(world: FakeWorld, capsys: Captured) -> None:
    node = ClusterNode(
        "a",
        memory_mib=2000,
        cpu_millicores=1750,
        pods=110,
        others=Footprint(500, 250, pods=7),
        distribution=Distribution.K3S,
        instance_type="t3.medium",
    )
    world.nodes.nodes = [node, replace(node, name="b", is_cordoned=True, instance_type="")]
    said = show(world, capsys)
    assert "more tenants:  23, memory requests end first" in said
    rows = [line.split() for line in said.splitlines()[-2:]]
    assert rows[0][:6] == ["a", "t3.medium", "500/2000Mi", "250/1750m", "7/110", "23"]
    assert rows[0][-2:] == ["t3.large:", "30"]
    assert said.splitlines()[-1].endswith("does not count: it is cordoned")


def test_a_tenant_without_a_memory_limit_is_warned_of(world: FakeWorld, capsys: Captured) -> None:
    world.settings = replace(world.settings, defaults={"resources": {"limits": None}})
    assert "by limits:     unlimited" in show(world, capsys)


def test_a_cluster_without_a_node_says_so(world: FakeWorld, capsys: Captured) -> None:
    world.nodes.nodes = []
    assert show(world, capsys).endswith("the cluster has no node\n")
