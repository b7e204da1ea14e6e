"""Every scenario before the real API server: Pod Security, and what a release costs."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from local_cluster.clusters import Cluster
from tests.charts.chart import CHART, Manifest, Render, RunTool, Scenario

NAMESPACE = "restricted"
# What the default tenant's release took when this was written: 27 600 bytes.
MAX_RELEASE_BYTES = 29_000

Admit = Callable[[Manifest], str]


@pytest.fixture(scope="module")
def run_kubectl(run_tool: RunTool, cluster: Cluster) -> Callable[..., str]:
    """Run kubectl; return what it says, whether it succeeds or not."""

    def run(*args: str, **options: str) -> str:
        result = run_tool("kubectl", "--kubeconfig", cluster.kubeconfig, *args, **options)
        return result.stdout + result.stderr

    return run


@pytest.fixture(scope="module")
def admit(run_kubectl: Callable[..., str]) -> Admit:
    """Show a pod to the API server, in a namespace that enforces the level restricted."""
    label = "pod-security.kubernetes.io/enforce=restricted"
    run_kubectl("create", "namespace", NAMESPACE)
    run_kubectl("label", "namespace", NAMESPACE, label)
    run_kubectl("create", "serviceaccount", "gateway", "--namespace", NAMESPACE)

    def create(pod: Manifest) -> str:
        manifest = copy.deepcopy(pod)
        manifest["metadata"]["namespace"] = NAMESPACE
        # The chart's own ServiceAccount and priority class are not there, nor what is asked here.
        manifest["spec"]["serviceAccountName"] = "gateway"
        manifest["spec"].pop("priorityClassName", None)
        return run_kubectl(
            "create", "--dry-run=server", "--filename=-", input=yaml.safe_dump(manifest)
        )

    return create


def add_claims(spec: Manifest) -> Manifest:
    """Return the template of a pod with the volumes that a StatefulSet gives it."""
    template: Manifest = spec["template"]
    claims = [claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", ())]
    own = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]
    template["spec"]["volumes"] = [*template["spec"].get("volumes", ()), *own]
    return template


def read_pods(manifests: list[Manifest]) -> list[Manifest]:
    """Return the pods among the manifests, and those that the others would make."""
    jobs = [each["spec"]["jobTemplate"] for each in manifests if each["kind"] == "CronJob"]
    owners = [each for each in manifests if each["kind"] in ("Deployment", "StatefulSet", "Job")]
    templates = [add_claims(each["spec"]) for each in (*owners, *jobs)]
    made = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "gateway", "labels": template["metadata"]["labels"]},
            "spec": template["spec"],
        }
        for template in templates
    ]
    return made + [each for each in manifests if each["kind"] == "Pod"]


def test_every_pod_passes_the_restricted_level(
    any_scenario: Scenario, render: Render, admit: Admit
) -> None:
    manifests = render("--values", any_scenario.values, chart=any_scenario.chart)
    answers = [admit(pod) for pod in read_pods(manifests)]

    assert answers
    assert [answer for answer in answers if "created (server dry run)" not in answer] == []


def test_the_restricted_level_is_enforced(render: Render, admit: Admit) -> None:
    pod = read_pods(render("--set", "securityContext.allowPrivilegeEscalation=true"))[0]

    assert 'violates PodSecurity "restricted' in admit(pod)


@pytest.fixture(scope="module")
def run_helm(run_tool: RunTool, cluster: Cluster) -> Callable[..., str]:
    """Run helm on one release in the namespace that enforces; it must succeed."""

    def run(verb: str, release: str, *args: object) -> str:
        options = ("--namespace", NAMESPACE, "--kubeconfig", cluster.kubeconfig, *args)
        result = run_tool("helm", verb, release, *options)
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run


@pytest.mark.usefixtures("admit")
def test_a_tenant_may_get_a_volume_and_lose_it_again(
    run_helm: Callable[..., str], run_kubectl: Callable[..., str]
) -> None:
    upgrade = ("tenant-volume", CHART, "--install", "--reset-values", "--wait")
    profile = CHART / "profiles" / "openclaw.yaml"

    run_helm("upgrade", *upgrade, "--set", "strategy.type=RollingUpdate")
    run_helm("upgrade", *upgrade, "--values", profile)
    run_helm("upgrade", *upgrade)

    claim = run_kubectl("get", "pvc", "--namespace", NAMESPACE, "--output", "name")
    assert claim == "persistentvolumeclaim/tenant-volume-data\n"


@pytest.mark.usefixtures("admit")
def test_a_new_chart_version_alone_restarts_no_pod(
    run_helm: Callable[..., str],
    run_kubectl: Callable[..., str],
    run_tool: RunTool,
    tmp_path: Path,
) -> None:
    def read_revision() -> str:
        path = "jsonpath={.metadata.annotations.deployment\\.kubernetes\\.io/revision}"
        return run_kubectl(
            "get", "deployment", "tenant-version", "--namespace", NAMESPACE, "--output", path
        )

    run_helm("install", "tenant-version", CHART, "--wait")
    before = read_revision()
    run_tool("helm", "package", CHART, "--version", "9.9.9", "--destination", tmp_path)
    run_helm("upgrade", "tenant-version", tmp_path / "aware-tenant-9.9.9.tgz", "--wait")

    assert (before, read_revision()) == ("1", "1")


@pytest.mark.usefixtures("admit")
def test_a_release_is_small(run_helm: Callable[..., str], run_kubectl: Callable[..., str]) -> None:
    run_helm("install", "tenant-size", CHART)
    name = "sh.helm.release.v1.tenant-size.v1"
    secret = run_kubectl("get", "secret", name, "--namespace", NAMESPACE, "--output", "json")

    assert len(base64.b64decode(json.loads(secret)["data"]["release"])) <= MAX_RELEASE_BYTES
