"""cert-manager's own chart, the platform's issuers and its certificate, on a real API server.

The control plane is real and pods are simulated, so nobody answers cert-manager's webhook and
nobody issues a certificate: the test does both.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from local_cluster import clusters
from local_cluster.build import group_folder
from local_cluster.catalogue import CRDS, FOREIGN_CHARTS
from local_cluster.clusters import Cluster
from tests.conftest import build_environment
from tests.terminal import Operator, wait_for

WEBHOOKS = ("mutatingwebhookconfiguration", "validatingwebhookconfiguration")
NAME = "cert-manager-webhook"


@pytest.fixture
def own(tools_path: Path) -> Iterator[Cluster]:
    """A cluster of this test alone, which knows nothing of cert-manager."""
    name = f"own-certificates-{os.getpid()}"
    cluster = clusters.start(name, containers="simulated", owner_pid=os.getpid())
    yield cluster
    clusters.stop(name)


@pytest.fixture
def site(own: Cluster, tmp_path: Path) -> Operator:
    """Somebody at a terminal of that cluster."""
    operator = Operator("aware", build_environment(own, "aware", tmp_path))
    definitions = operator.kubectl("get", "crd", "-o", "name").split()
    for name in definitions:
        if name.endswith("cert-manager.io"):
            # Nothing of that kind is there, and the one who would look takes minutes at times.
            patch = json.dumps({"metadata": {"finalizers": None}})
            operator.kubectl("patch", name, "--type=merge", "-p", patch)
            operator.kubectl("delete", name)
    return operator


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    """cert-manager's own chart, which gets its version when it is released."""
    source = group_folder(FOREIGN_CHARTS) / "cert-manager-chart"
    folder = shutil.copytree(source, tmp_path / "chart")
    metadata = folder / "Chart.yaml"
    metadata.chmod(0o644)
    metadata.write_text(metadata.read_text().replace("v0.0.0", "v1.21.1"))
    return folder


@contextmanager
def answering(cluster: Cluster) -> Iterator[dict[str, str]]:
    """Be cert-manager's webhook; give what its configuration has to say for that."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = {"uid": review["request"]["uid"], "allowed": True}
            body = json.dumps({**review, "request": None, "response": answer}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Keep the test's output quiet."""

    pki = cluster.kubeconfig.parent / "pki"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "apiserver.crt", pki / "apiserver.key")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    bundle = base64.b64encode((pki / "apiserver.crt").read_bytes()).decode()
    try:
        yield {"url": f"https://127.0.0.1:{server.server_port}/", "caBundle": bundle}
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def iter_until(lines: Iterable[str], text: str) -> Iterator[str]:
    """Yield lines until one has that text in it."""
    for line in lines:
        yield line
        if text in line:
            return
    raise AssertionError(f"nothing says {text!r}")


def redirect_webhooks(operator: Operator, config: dict[str, str]) -> None:
    for kind in WEBHOOKS:
        found = operator.get(kind, NAME)
        found["webhooks"] = [{**hook, "clientConfig": config} for hook in found["webhooks"]]
        operator.kubectl("replace", "-f", "-", input=json.dumps(found))


def issue(operator: Operator, kind: str, name: str, *namespace: str) -> None:
    """Say that an issuer or a certificate is ready, as cert-manager does."""
    ready = {"type": "Ready", "status": "True", "reason": "Ready", "message": "issued by the test"}
    patch = json.dumps({"status": {"conditions": [ready]}})
    options = ("--subresource=status", "--type=merge", "-p", patch)
    operator.kubectl("patch", kind, name, *namespace, *options)


def show(operator: Operator) -> dict[str, Any]:
    return {row["part"]: row for row in operator.read("show-platform")}


def test_an_empty_cluster_gets_cert_manager_issuers_and_a_certificate(
    own: Cluster, site: Operator, chart: Path
) -> None:
    install = ("install-platform", "--cert-manager-chart", chart, "--timeout", "2m")
    process = site.start(*install)
    assert process.stderr is not None
    said = "".join(iter_until(process.stderr, "waiting for cert-manager's API: "))
    with answering(own) as config:
        redirect_webhooks(site, config)
        in_kube_system = ("--namespace", "kube-system")
        wait_for(
            lambda: "wildcard" in site.kubectl("get", "certificate", *in_kube_system, "-o", "name"),
            "the certificate",
        )
        issue(site, "clusterissuer", "self-signed")
        issue(site, "certificate", "wildcard", *in_kube_system)
        stdout, stderr = process.communicate()

        assert process.returncode == 0, stderr
        assert stdout == "platform: installed, revision 1\n"
        assert "cert-manager: install chart v1.21.1 in cert-manager" in said
        assert "waiting: its certificate wildcard is not ready" in stderr
        certificate = json.loads(
            site.kubectl("get", "certificate", "wildcard", *in_kube_system, "-o", "json")
        )
        assert certificate["spec"]["dnsNames"] == ["wareit.ai", "*.wareit.ai"]

        site.run("install-api")
        rows = show(site)
        assert {row["state"] for row in rows.values()} == {"ready"}, rows
        assert rows["cert-manager"]["version"] == "v1.21.1"

        # Nothing is done twice.
        assert "nothing to do" in site.run(*install).stdout
        plan = site.read(*install, "--dry-run")
        assert {step["action"] for step in plan["steps"]} == {"nothing"}
        there = site.call("helm", "history", "cert-manager", "-n", "cert-manager", "-o", "json")
        assert len(json.loads(there.stdout)) == 1

    # A webhook that has gone away again.
    assert show(site)["cert-manager"]["state"] == "failed"


def test_a_certificate_that_nobody_issues_is_told_in_time(site: Operator, own: Cluster) -> None:
    definitions = group_folder(CRDS) / "cert-manager"
    files = [f"--filename={path}" for path in definitions.glob("*.yaml")]
    site.kubectl("apply", "--server-side", *files)
    wait_for(lambda: "issuers" in site.kubectl("api-resources"), "the kinds")
    said = site.run("install-platform", "--timeout", "10s", exit_code=1).stderr

    assert "cert-manager is left as it is: the cluster has it from elsewhere" in said
    assert "platform: it is installed, but after 10 seconds its certificate wildcard is not" in said
    assert "show-platform" in said
