"""Our reading, merging and ``--set`` against the real helm's, through a chart that shows values."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from release_manager.errors import InvalidValuesError
from release_manager.values import (
    coalesce_values,
    load_values_file,
    merge_values,
    parse_assignments,
)

ShowValues = Callable[..., Any]

REFUSED = object()
TEMPLATE = "shown: {{ toJson .Values | quote }}\n"


@pytest.fixture
def show_values(tools_path: Path, tmp_path: Path) -> ShowValues:
    """Return what the templates of a chart see, or REFUSED where helm refuses the values."""
    chart = tmp_path / "probe"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: probe\nversion: 0.1.0\n")
    (chart / "templates" / "shown.yaml").write_text(TEMPLATE)

    def show(*arguments: object, defaults: dict[str, Any] | None = None) -> Any:
        (chart / "values.yaml").write_text(json.dumps(defaults or {}))
        command = [tools_path / "helm", "template", "probe", chart, *arguments]
        result = subprocess.run(
            [*map(str, command)], capture_output=True, text=True, check=False, timeout=60
        )
        if result.returncode != 0:
            return REFUSED
        line = next(line for line in result.stdout.splitlines() if line.startswith("shown: "))
        return json.loads(json.loads(line.removeprefix("shown: ")))

    return show


def _same(left: Any, right: Any) -> bool:
    """Compare, and tell 1 from true."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


@pytest.mark.parametrize(
    ("defaults", "layers"),
    [
        ({"a": 1}, []),
        ({"a": 1}, [{"b": 2}]),
        ({"a": {"x": 1, "y": 2}}, [{"a": {"y": 3}}, {"a": {"z": 4}}]),
        ({"a": [1, 2]}, [{"a": [3]}]),
        ({}, [{"a": [1, 2]}, {"a": [3]}]),
        ({"a": [1]}, [{"a": []}]),
        ({"a": {"x": 1}}, [{"a": {}}]),
        # nulls
        ({"a": 1}, [{"a": None}]),
        ({"a": {"x": 1, "y": 2}}, [{"a": {"x": None}}]),
        ({"a": {"x": {"y": 1}}}, [{"a": {"x": None}}]),
        ({"a": {"x": 1}}, [{"a": None}]),
        ({"a": {}}, [{"a": {"x": None}}]),
        ({}, [{"a": None}]),
        ({}, [{"a": {"x": None, "y": 1}}]),
        ({"a": None}, []),
        ({"a": None}, [{"a": None}]),
        ({"a": None}, [{"a": {"x": None}}]),
        ({"a": {"x": None}}, []),
        ({"a": {"x": {"y": None}}}, [{"a": {"z": 1}}]),
        ({"a": 1}, [{"a": None}, {"a": 2}]),
        ({"a": 1}, [{"a": 2}, {"a": None}]),
        ({}, [{"a": {"x": 1}}, {"a": None}, {"a": {"y": None}}]),
        ({"a": [1]}, [{"a": [None, {"x": None}]}]),
        # a map where something else was, and the other way round
        ({"a": {"x": 1}}, [{"a": "text"}]),
        ({"a": "text"}, [{"a": {"x": 1, "y": None}}]),
        ({"a": [1]}, [{"a": {"x": None}}]),
        ({}, [{"a": {"x": 1}}, {"a": "text"}]),
        ({}, [{"a": "text"}, {"a": {"x": 1}}]),
        ({"a.b": 1, "a": {"b": 2}}, [{"a.b": 3}]),
    ],
)
def test_templates_see_the_values_that_we_validate(
    show_values: ShowValues, tmp_path: Path, defaults: dict[str, Any], layers: list[dict[str, Any]]
) -> None:
    arguments = []
    for number, layer in enumerate(layers):
        path = tmp_path / f"{number}.yaml"
        path.write_text(json.dumps(layer))
        arguments += ["--values", path]
    ours = coalesce_values(defaults, merge_values(*layers))
    assert _same(show_values(*arguments, defaults=defaults), ours)


@pytest.mark.parametrize(
    "expression",
    [
        *("a=1", "a=-1", "a=+5", "a=-0", "a=00", "a=007", "a=0", "a=0x10", "a=1e3", "a=1.0"),
        *("a=1_000", "a=9223372036854775807", "a=9223372036854775808", "a=-9223372036854775808"),
        *("a=true", "a=False", "a=TRUE", "a=null", "a=NULL", "a=~", "a=yes", "a=", "a=b=c"),
        *("a.b=1,a.c=2", "a.b.c=x,a.b.d=y", "a=1,b=2", "a=x y", "a=é", "é=1", 'a="x"', "a='x'"),
        *("a={}", "a=[]", "a={x}", "a={x,y}", "a={x,1,true,null}", "a={x,}", "a={ x , y }"),
        *("a={x},b=1", "a={x,y},b={z}", "a=[1]", "a={[1]}", "a={a=b}", "a=x{y", "a=x}y"),
        *("a[0]=1", "a[2]=x", "a[0][1]=2", "a[0].b=1,a[0].c=2", "a[1].b.c={x}", "a.b[0].c[1]=x"),
        *("a={x},a[1]=y", "a={x},a[0]=y", "a[1]=x,a[0]=y"),
        *(r"a\.b=1", r"a\=b=1", r"a\[0\]=1", r"a=x\,y", r"a={x\,y}", r"a={\}}", r"a=\{x\}"),
        *(r"a=\1", r"a=\t", r"a=\\", "a=\\", "a=x\ny", "a={x\n}", "a]=1"),
    ],
)
def test_an_assignment_that_we_accept_reads_as_in_helm(
    show_values: ShowValues, expression: str
) -> None:
    assert _same(show_values("--set", expression), parse_assignments([expression]))


@pytest.mark.parametrize(
    "expression",
    [
        *("a", "a.=1", "a..b=1", "a[x]=1", "a[-1]=1", "a[]=1", "a[ 0]=1", "a[0]b=1", "a[0]]=1"),
        *("a={x", "a={x}y", "a={x,{y}}", "a={\\", "a=b,c", "a=1,a.b=2", "a={x},a.b=2"),
        *("a.b=1,a[0]=2", "a=null,a.b=1"),
    ],
)
def test_an_assignment_that_helm_refuses_is_refused(
    show_values: ShowValues, expression: str
) -> None:
    assert show_values("--set", expression) is REFUSED
    with pytest.raises(InvalidValuesError):
        parse_assignments([expression])


def test_several_assignments_read_as_in_helm(show_values: ShowValues) -> None:
    expressions = ["a.b=1", "a.c={x}", "a.b=2,d[1]=y", r"a.e\.f=null"]
    arguments = [text for expression in expressions for text in ("--set", expression)]
    assert _same(show_values(*arguments), parse_assignments(expressions))


@pytest.mark.parametrize(
    "text",
    [
        *("1", "-1", "+1", "0", "0755", "0x1F", "0b11", "1_000", "1.5", ".5", "0.1", "true"),
        *("True", "yes", "no", "on", "off", "~", "null", "", "'1'", '"x"', "text", "1.2.3", "1:30"),
        *("190:20:30", "2026-03-01", "2026-03-01T01:02:03Z", "=", "[1, x]", "{}", "{x: 1}"),
        *("|\n  two\n  lines", ">\n  one\n  line", '"\\u00e9"'),
    ],
)
def test_a_values_file_reads_as_in_helm(show_values: ShowValues, tmp_path: Path, text: str) -> None:
    path = tmp_path / "values.yaml"
    path.write_text(f"a: {text}\n")
    assert _same(show_values("--values", path), load_values_file(path))
