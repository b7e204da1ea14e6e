"""Bad input: one clear sentence, the right exit code, and nothing changed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.terminal import Operator, write_dead_kubeconfig

SLUGS = {
    "": "is empty",
    "a" * 41: "is 41 characters long",
    "Acme": "has an upper-case letter",
    "ac_me": "has a character that a DNS label cannot have: _",
    "ac.me": "has a character that a DNS label cannot have: .",
    "-acme": "starts or ends with a dash",
    "api": "is reserved",
    "äcme": "has a character outside ASCII",
    "../etc": "looks like a path",
}
ARGUMENTS = {
    "unknown value": (("--set", "replica=2"), "field replica: the chart has no such", "replicas"),
    "nested unknown value": (("--set", "image.tags=x"), "field image.tags", "Did you mean tag?"),
    "wrong type": (("--set", "replicas=many"), "field replicas: many is no integer", ""),
    "no quantity": (("--set", "resources.limits.memory=lots"), "field resources.limits.memory", ""),
    "host outside the domain": (("--set", "host=acme.example.com"), "host", "wareit.ai"),
    "missing file": (("-f", "/nonexistent.yaml"), "field -f: /nonexistent.yaml cannot be read", ""),
    "no assignment": (("--set", "replicas"), "field --set: 'replicas' is no assignment", ""),
    "unknown profile": (("--profile", "huge"), "has no profile 'huge'", "openclaw"),
    "record key": (("--set", "releaseManager.profile=x"), "belongs to the release manager", ""),
    "missing chart": (("--chart", "/nonexistent"), "field chart: /nonexistent is no chart", ""),
    "replicas with a volume": (("--set", "persistence.enabled=true,replicas=2"), "replicas", ""),
    "missing Secret": (("--set", "token.existingSecret=nope"), "token.existingSecret", "nope"),
}  # fmt: skip
FILES = {
    "not YAML": ("a: [1,\n", "is not YAML"),
    "a tag": ("a: !!python/object/apply:os.system [ls]\n", "has a tag in line 1"),
    "an alias bomb": (
        "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n",
        "has an anchor or alias in line 1",
    ),
    "a list": ("- a\n- b\n", "holds no mapping"),
}


def _snapshot(operator: Operator) -> str:
    return operator.kubectl("get", "all,secrets,leases,configmaps", "-o", "name")


@pytest.mark.parametrize(
    ("slug", "problem"), SLUGS.items(), ids=lambda text: str(text)[:12] or "none"
)
def test_a_bad_slug_is_refused(operator: Operator, slug: str, problem: str) -> None:
    result = operator.run("install-tenant", "--", slug, exit_code=2)
    assert f"field slug: {slug!r} {problem}" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("case", ARGUMENTS)
def test_bad_values_are_refused(operator: Operator, case: str) -> None:
    arguments, problem, remedy = ARGUMENTS[case]
    before = _snapshot(operator)
    result = operator.run("install-tenant", "acme", *arguments, exit_code=2)
    assert problem in result.stderr
    assert remedy in result.stderr
    assert _snapshot(operator) == before


@pytest.mark.parametrize("case", FILES)
def test_bad_values_files_are_refused(operator: Operator, tmp_path: Path, case: str) -> None:
    content, problem = FILES[case]
    file = tmp_path / "values.yaml"
    file.write_text(content)
    result = operator.run("install-tenant", "acme", "-f", file, exit_code=2)
    assert f"field -f: {file} {problem}" in result.stderr


def test_a_tenant_that_exists_is_not_installed_again(operator: Operator) -> None:
    operator.run("install-tenant", "acme")
    result = operator.run("install-tenant", "acme", exit_code=2)
    assert "tenant acme: it exists already and is running" in result.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("upgrade-tenant", "nobody"),
        ("start-tenant", "nobody"),
        ("stop-tenant", "nobody"),
        ("scale-tenant", "nobody", "--replicas", 1),
        ("rollback-tenant", "nobody"),
        ("uninstall-tenant", "nobody", "--yes"),
        ("show-tenant", "nobody"),
        ("history", "nobody"),
        ("diff-tenant", "nobody"),
        ("show-token", "nobody"),
        ("rotate-token", "nobody"),
        ("recover-tenant", "nobody"),
    ],
    ids=lambda command: str(command[0]),
)
def test_a_tenant_that_does_not_exist_is_named(
    operator: Operator, command: tuple[object, ...]
) -> None:
    result = operator.run(*command, exit_code=2)
    assert result.stderr.startswith("Error: tenant nobody: there is no")


def test_a_missing_namespace_is_named(operator: Operator) -> None:
    result = operator.run("install-tenant", "acme", "-n", "nowhere", exit_code=2)
    assert "field namespace: there is no namespace 'nowhere'" in result.stderr
    operator.run("list-tenants", "-n", "nowhere", exit_code=2)


def test_a_rollback_to_a_revision_that_is_not_there_is_refused(operator: Operator) -> None:
    operator.run("install-tenant", "acme")
    result = operator.run("rollback-tenant", "acme", "--to-revision", 7, exit_code=2)
    assert "there is no revision 7" in result.stderr
    operator.run("rollback-tenant", "acme", exit_code=2)


def test_uninstalling_in_a_pipe_needs_yes(operator: Operator) -> None:
    operator.run("install-tenant", "acme")
    result = operator.run("uninstall-tenant", "acme", exit_code=2, stdin=subprocess.DEVNULL)
    assert "Add --yes" in result.stderr
    assert operator.tenant("acme")["state"] == "running"


def test_a_missing_helm_is_named(operator: Operator) -> None:
    result = operator.run("install-tenant", "acme", "--helm", "no-such-helm", exit_code=2)
    assert "field --helm: there is no program 'no-such-helm'" in result.stderr


def test_a_helm_that_is_too_old_is_refused(operator: Operator, tmp_path: Path) -> None:
    old = tmp_path / "helm"
    old.write_text("#!/bin/sh\necho v3.14.0\n")
    old.chmod(0o755)
    result = operator.run("install-tenant", "acme", "--helm", old, exit_code=2)
    assert "is version v3.14.0, too old" in result.stderr
    assert "4.2.2" in result.stderr


def test_a_missing_kubeconfig_is_named(operator: Operator) -> None:
    result = operator.run("list-tenants", "--kubeconfig", "/nonexistent", exit_code=2)
    assert "field --kubeconfig: there is no file /nonexistent" in result.stderr


def test_an_unknown_context_is_named_with_the_known_ones(operator: Operator) -> None:
    result = operator.run("list-tenants", "--context", "prod", exit_code=2)
    assert "has no context 'prod'" in result.stderr
    assert "local-tests-" in result.stderr


def test_an_api_server_that_is_down_is_told(operator: Operator, tmp_path: Path) -> None:
    dead = write_dead_kubeconfig(operator, tmp_path)
    result = operator.run("install-tenant", "acme", "--kubeconfig", dead, exit_code=4)
    assert "no answer from the API server https://127.0.0.1:1" in result.stderr


def test_a_broken_kubeconfig_is_told(operator: Operator, tmp_path: Path) -> None:
    broken = tmp_path / "kubeconfig"
    broken.write_text("apiVersion: [\n")
    operator.run("list-tenants", "--kubeconfig", broken, exit_code=2)


def bind_rights(operator: Operator, folder: Path, *, role: str) -> Operator:
    """Return an operator whose ServiceAccount has just one Role, by real RBAC."""
    operator.kubectl("create", "serviceaccount", "weak")
    account = f"--serviceaccount={operator.namespace}:weak"
    operator.kubectl("create", "rolebinding", role, f"--role={role}", account)
    token = operator.kubectl("create", "token", "weak").strip()
    path = folder / "weak.kubeconfig"
    config = json.loads(operator.kubectl("config", "view", "--raw", "-o", "json"))
    config["users"][0]["user"] = {"token": token}
    path.write_text(json.dumps(config))
    path.chmod(0o600)
    return Operator(operator.namespace, {**operator.environment, "KUBECONFIG": str(path)})


def _bind(operator: Operator, folder: Path, *resources: str) -> Operator:
    """Return an operator who may do everything with these resources and nothing else."""
    named = [f"--resource={resource}" for resource in resources]
    verbs = "--verb=get,list,create,update,patch,delete"
    operator.kubectl("create", "role", "weak", verbs, *named)
    return bind_rights(operator, folder, role="weak")


def test_too_few_rights_are_told_by_exit_code_4(operator: Operator, tmp_path: Path) -> None:
    weak = _bind(operator, tmp_path, "pods")
    result = weak.run("list-tenants", exit_code=4)
    assert 'cannot list resource "secrets"' in result.stderr


def test_rights_that_helm_lacks_are_told_by_exit_code_4(operator: Operator, tmp_path: Path) -> None:
    weak = _bind(
        operator, tmp_path, "secrets", "leases.coordination.k8s.io", "deployments.apps", "pods"
    )
    result = weak.run("install-tenant", "acme", exit_code=4)
    assert "tenant acme: the API server forbids it" in result.stderr


def test_doctor_lists_the_missing_rights(operator: Operator, tmp_path: Path) -> None:
    weak = _bind(operator, tmp_path, "secrets")
    result = weak.run("doctor", exit_code=1)
    assert "get,list pods" in result.stdout
