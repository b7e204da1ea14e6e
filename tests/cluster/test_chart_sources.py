"""Charts from a folder, a package and a registry are the same chart."""

from __future__ import annotations

import hashlib
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from local_cluster.clusters import Cluster
from tests.terminal import Operator

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.cncf.helm.config.v1+json"
LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


@dataclass(frozen=True)
class Registry:
    """An OCI registry on loopback, over TLS, that holds one chart."""

    address: str
    certificate: Path
    digest: str


def _describe(kind: str, content: bytes) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return {"mediaType": kind, "digest": digest, "size": len(content)}


def _build_blobs(package: bytes) -> dict[str, tuple[str, bytes]]:
    """Return what a registry serves for a chart: paths below /v2/charts/aware-tenant."""
    config = json.dumps({"name": "aware-tenant", "version": "0.1.0", "apiVersion": "v2"}).encode()
    parts = _describe(CONFIG, config), _describe(LAYER, package)
    manifest = json.dumps(
        {"schemaVersion": 2, "mediaType": MANIFEST, "config": parts[0], "layers": [parts[1]]}
    ).encode()
    digest = _describe(MANIFEST, manifest)["digest"]
    return {
        "manifests/0.1.0": (MANIFEST, manifest),
        f"manifests/{digest}": (MANIFEST, manifest),
        f"blobs/{parts[0]['digest']}": ("application/octet-stream", config),
        f"blobs/{parts[1]['digest']}": ("application/octet-stream", package),
        "tags/list": ("application/json", b'{"name":"charts/aware-tenant","tags":["0.1.0"]}'),
    }


@pytest.fixture
def package(operator: Operator, chart: Path, tmp_path: Path) -> Path:
    """The chart as ``helm package`` makes it."""
    operator.helm("package", chart, "--destination", tmp_path)
    return tmp_path / "aware-tenant-0.1.0.tgz"


@pytest.fixture
def registry(cluster: Cluster, package: Path) -> Iterator[Registry]:
    """A registry that serves the package, with the API server's certificate for loopback."""
    blobs = _build_blobs(package.read_bytes())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, content = blobs.get(
                self.path.removeprefix("/v2/charts/aware-tenant/"), ("text/plain", b"")
            )
            self.send_response(200 if content or self.path == "/v2/" else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Docker-Content-Digest", _describe(kind, content)["digest"])
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

        def log_message(self, format: str, *arguments: object) -> None:
            """Keep the test's output quiet."""

    pki = cluster.kubeconfig.parent / "pki"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "apiserver.crt", pki / "apiserver.key")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    digest = _describe(*blobs["manifests/0.1.0"])["digest"]
    yield Registry(f"127.0.0.1:{server.server_port}", pki / "apiserver.crt", digest)
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_package_is_the_same_chart_as_its_folder(operator: Operator, package: Path) -> None:
    operator.run("install-tenant", "acme")
    result = operator.run("upgrade-tenant", "acme", "--chart", package)
    assert "nothing to do" in result.stdout


def test_a_tenant_is_installed_from_a_registry(operator: Operator, registry: Registry) -> None:
    trusting = replace(
        operator,
        environment={**operator.environment, "SSL_CERT_FILE": str(registry.certificate)},
    )
    reference = f"oci://{registry.address}/charts/aware-tenant:0.1.0"
    trusting.run("install-tenant", "acme", "--chart", reference)
    # The folder's digest is the same: nothing is left to do.
    assert "nothing to do" in operator.run("upgrade-tenant", "acme").stdout


def test_a_chart_is_pulled_by_its_digest_and_no_other(
    operator: Operator, registry: Registry
) -> None:
    trusting = replace(
        operator,
        environment={**operator.environment, "SSL_CERT_FILE": str(registry.certificate)},
    )
    reference = f"oci://{registry.address}/charts/aware-tenant:0.1.0@{registry.digest}"
    trusting.run("install-tenant", "acme", "--chart", reference)

    other = f"{reference[:-4]}0000"
    result = trusting.run("upgrade-tenant", "acme", "--chart", other, exit_code=2)
    assert "cannot be pulled" in result.stderr


def test_a_chart_that_the_registry_does_not_have_is_named(
    operator: Operator, registry: Registry
) -> None:
    trusting = replace(
        operator,
        environment={**operator.environment, "SSL_CERT_FILE": str(registry.certificate)},
    )
    reference = f"oci://{registry.address}/charts/aware-tenant:9.9.9"
    result = trusting.run("install-tenant", "acme", "--chart", reference, exit_code=2)
    assert "field chart: " in result.stderr
    assert "cannot be pulled" in result.stderr
