"""Every scenario's manifests against strict schemas of Kubernetes, Traefik and cert-manager."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import pytest
import yaml

from local_cluster.build import group_folder
from local_cluster.catalogue import CRDS
from local_cluster.clusters import Cluster
from tests.charts.chart import Manifest, Render, RunTool, Scenario
from tests.charts.json_schemas import write_schemas

Check = Callable[[list[Manifest]], subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def check_manifests(
    tmp_path_factory: pytest.TempPathFactory,
    cluster: Cluster,
    run_tool: RunTool,
) -> Check:
    openapi = run_tool("kubectl", "--kubeconfig", cluster.kubeconfig, "get", "--raw", "/openapi/v2")
    files = group_folder(CRDS).rglob("*.yaml")
    crds = (crd for file in files for crd in yaml.safe_load_all(file.read_text()))
    folder = tmp_path_factory.mktemp("schemas")
    location = write_schemas(folder, json.loads(openapi.stdout), filter(None, crds))

    def check(manifests: list[Manifest]) -> subprocess.CompletedProcess[str]:
        return run_tool(
            "kubeconform", "-strict", "-schema-location", location, input=yaml.dump_all(manifests)
        )

    return check


def test_every_scenario_fits_the_schemas(
    any_scenario: Scenario, render: Render, check_manifests: Check
) -> None:
    manifests = render("--values", any_scenario.values, chart=any_scenario.chart)
    result = check_manifests(manifests)

    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("kind", "path"),
    [("Deployment", ["spec", "template", "spec"]), ("IngressRoute", ["spec"])],
)
def test_a_misspelt_field_is_refused(
    kind: str, path: list[str], render: Render, check_manifests: Check
) -> None:
    manifest = next(each for each in render() if each["kind"] == kind)
    place = manifest
    for key in path:
        place = place[key]
    place["servicAccountName"] = "x"

    assert "'servicAccountName' not allowed" in check_manifests([manifest]).stdout
