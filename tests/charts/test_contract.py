"""What the cluster must show for the default values, field by field."""

from __future__ import annotations

from typing import Any

import pytest

from tests.charts.chart import Manifest, Render


@pytest.fixture(scope="module")
def manifests(render: Render) -> dict[str, Manifest]:
    return {manifest["kind"]: manifest for manifest in render()}


CONTAINER = "spec.template.spec.containers.0"


@pytest.mark.parametrize(
    ("kind", "path", "expected"),
    [
        ("Deployment", "metadata.name", "tenant-acme"),
        ("Deployment", "metadata.namespace", "aware"),
        ("Deployment", "metadata.labels.app", "tenant"),
        ("Deployment", "metadata.labels.tenant", "acme"),
        ("Deployment", "metadata.annotations.wareit\\.ai/replicas", "1"),
        ("Deployment", "metadata.annotations.wareit\\.ai/host", "acme.wareit.ai"),
        ("Deployment", "spec.replicas", 1),
        ("Deployment", "spec.selector", {"matchLabels": {"tenant": "acme"}}),
        ("Deployment", "spec.template.metadata.labels.app", "tenant"),
        ("Deployment", "spec.template.metadata.labels.tenant", "acme"),
        ("Deployment", f"{CONTAINER}.name", "gateway"),
        ("Deployment", f"{CONTAINER}.image", "registry.wareit.ai/aware-gateway:2026.9.6"),
        ("Deployment", f"{CONTAINER}.ports", [{"name": "http", "containerPort": 18789}]),
        ("Deployment", f"{CONTAINER}.env.0.name", "OPENCLAW_GATEWAY_TOKEN"),
        (
            "Deployment",
            f"{CONTAINER}.env.0.valueFrom.secretKeyRef",
            {"name": "tenant-acme-token", "key": "token"},
        ),
        ("Deployment", f"{CONTAINER}.resources.requests", {"cpu": "50m", "memory": "64Mi"}),
        ("Deployment", f"{CONTAINER}.resources.limits", {"cpu": "250m", "memory": "256Mi"}),
        ("Service", "metadata.name", "tenant-acme"),
        ("Service", "spec.selector", {"tenant": "acme"}),
        ("Service", "spec.ports.0.port", 18789),
        ("IngressRoute", "apiVersion", "traefik.io/v1alpha1"),
        ("IngressRoute", "metadata.name", "tenant-acme"),
        ("IngressRoute", "spec.entryPoints", ["websecure"]),
        ("IngressRoute", "spec.routes.0.match", "Host(`acme.wareit.ai`)"),
        ("IngressRoute", "spec.routes.0.services", [{"name": "tenant-acme", "port": 18789}]),
        ("IngressRoute", "spec.tls", {}),
    ],
)
def test_the_default_rendering_keeps_the_contract(
    manifests: dict[str, Manifest], kind: str, path: str, expected: Any
) -> None:
    assert look_up(manifests[kind], path) == expected


def test_no_manifest_holds_a_secret(render: Render) -> None:
    assert "Secret" not in {manifest["kind"] for manifest in render()}


def test_every_object_tells_its_tenant(render: Render) -> None:
    labels = [each["metadata"]["labels"] for each in render("--no-hooks")]

    assert [each.get("tenant") for each in labels] == ["acme"] * len(labels)


def test_two_renderings_are_the_same(render: Render, scenario: Any) -> None:
    assert render("--values", scenario) == render("--values", scenario)


def look_up(manifest: Manifest, path: str) -> Any:
    """Return what stands at a dotted path, in which ``\\.`` is a dot inside a key."""
    place: Any = manifest
    for key in path.replace("\\.", "\0").split("."):
        place = place[int(key) if isinstance(place, list) else key.replace("\0", ".")]
    return place
