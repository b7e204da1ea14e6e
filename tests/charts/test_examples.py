"""The documented fleet files, rendered with every chart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from release_manager.settings import Settings, read_settings
from tests.charts.chart import API, CHART, PLATFORM, Manifest, Render, build_fleet_values

EXAMPLES = sorted((Path(__file__).parents[2] / "docs" / "examples").glob("fleet.*.yaml"))


@pytest.fixture(params=EXAMPLES, ids=lambda path: path.name)
def settings(request: pytest.FixtureRequest) -> Settings:
    """What one of the fleet files says."""
    return read_settings({}, {}, fleet_file=request.param)


@pytest.fixture
def manifests(settings: Settings, render: Render, tmp_path: Path) -> dict[Path, list[Manifest]]:
    """All that the charts make of it."""
    found = {}
    for chart, values in build_fleet_values(settings).items():
        path = tmp_path / f"{chart.name}.json"
        path.write_text(json.dumps(values))
        found[chart] = render("--values", path, chart=chart)
    return found


def test_every_chart_takes_the_file(manifests: dict[Path, list[Manifest]]) -> None:
    assert all(manifests.values())


def test_no_example_holds_a_secret(manifests: dict[Path, list[Manifest]]) -> None:
    kinds = {each["kind"] for found in manifests.values() for each in found}
    assert "Secret" not in kinds


def test_traefik_is_let_in_from_where_it_is(
    settings: Settings, manifests: dict[Path, list[Manifest]]
) -> None:
    namespace = settings.platform.get("traefik", {}).get("namespace", "kube-system")
    (store,) = [each for each in manifests[PLATFORM] if each["kind"] == "TLSStore"] or [None]
    assert store is None or store["metadata"]["namespace"] == namespace
    for chart, name in ((API, "api"), (CHART, "tenant-acme")):
        (policy,) = [
            each
            for each in manifests[chart]
            if (each["kind"], each["metadata"]["name"]) == ("NetworkPolicy", name)
        ]
        peer = policy["spec"]["ingress"][0]["from"][0]
        labels = peer["namespaceSelector"]["matchLabels"]
        assert labels == {"kubernetes.io/metadata.name": namespace}
