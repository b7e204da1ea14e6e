"""Tenants that do not get ready: explained in one sentence, rolled back, never lost."""

from __future__ import annotations

import pytest

from tests.terminal import Operator, wait_for

BEHAVIOUR = "podLabels.local-cluster/behaviour"

CAUSES = {
    "crash-loop": "container gateway keeps crashing with exit code 1",
    "out-of-memory": "container gateway ran out of memory (limit 256Mi)",
    "image-pull": "image registry.wareit.ai/aware-gateway:",
    "missing-secret": "Secret tenant-acme-token is missing, and container gateway needs it",
}


@pytest.mark.parametrize(("behaviour", "cause"), CAUSES.items(), ids=CAUSES)
def test_a_failed_upgrade_says_why_and_is_rolled_back(
    operator: Operator, behaviour: str, cause: str
) -> None:
    operator.run("install-tenant", "acme")
    result = operator.run(
        "upgrade-tenant", "acme", "--set", f"{BEHAVIOUR}={behaviour}", exit_code=1
    )
    assert "revision 2 failed and was rolled back to revision 1" in result.stderr
    assert cause in result.stderr
    operator.kubectl("rollout", "status", "deployment/tenant-acme", "--timeout=60s")
    row = operator.tenant("acme")
    assert (row["state"], row["revision"], row["upToDate"]) == ("running", 3, True)


def test_a_crash_is_told_with_its_last_log_lines(operator: Operator) -> None:
    result = operator.run("install-tenant", "acme", "--set", f"{BEHAVIOUR}=crash-loop", exit_code=1)
    assert "its last lines: " in result.stderr


def test_a_failed_first_install_is_left_for_inspection(operator: Operator) -> None:
    operator.run("install-tenant", "acme", "--set", f"{BEHAVIOUR}=image-pull", exit_code=1)
    row = operator.tenant("acme")
    assert row["state"] == "failed"
    assert "cannot be pulled" in row["reason"]
    assert operator.exists("deployment", "tenant-acme")


def test_cleanup_on_fail_removes_a_failed_first_install(operator: Operator) -> None:
    failing = ("--set", f"{BEHAVIOUR}=image-pull", "--cleanup-on-fail")
    operator.run("install-tenant", "acme", *failing, exit_code=1)
    assert operator.kubectl("get", "secrets", "-l", "owner=helm", "-o", "name") == ""


def test_a_failed_first_install_is_mended_by_an_upgrade(operator: Operator) -> None:
    operator.run("install-tenant", "acme", "--set", f"{BEHAVIOUR}=image-pull", exit_code=1)
    operator.run("upgrade-tenant", "acme", "--unset", BEHAVIOUR)
    assert operator.tenant("acme")["state"] == "running"


def test_a_slow_start_is_no_failure(operator: Operator) -> None:
    operator.run("install-tenant", "acme", "--set", f"{BEHAVIOUR}=slow-start")
    assert operator.tenant("acme")["state"] == "running"


def test_a_tenant_that_is_never_ready_fails_by_the_timeout(operator: Operator) -> None:
    never = ("--set", f"{BEHAVIOUR}=never-ready", "--timeout", "4s")
    result = operator.run("install-tenant", "acme", *never, exit_code=1)
    assert "0 of 1 replicas ready after 4 seconds: container gateway runs, but" in result.stderr
    assert "HTTP probe failed with statuscode: 503; look at its log" in result.stderr


def test_no_room_on_the_node_is_told(operator: Operator) -> None:
    result = operator.run(
        "install-tenant", "acme", "--set",
        "resources.requests.memory=9000Gi,resources.limits.memory=9000Gi",
        "--timeout", "8s", "--force", exit_code=1,
    )  # fmt: skip
    assert "no node has room for the pod" in result.stderr
    assert "Insufficient memory" in result.stderr


def test_a_quota_is_told(operator: Operator) -> None:
    operator.kubectl("create", "quota", "small", "--hard=limits.memory=10Mi")
    result = operator.run("install-tenant", "acme", exit_code=1)
    assert "exceeded quota: small" in result.stderr


def test_a_failed_rotation_puts_the_old_token_back(operator: Operator) -> None:
    operator.run("install-tenant", "acme", "--set", "replicas=1")
    before = operator.run("show-token", "acme").stdout
    operator.kubectl("create", "quota", "none", "--hard=pods=1")
    operator.run("rotate-token", "acme", "--timeout", "20s", exit_code=1)
    assert operator.run("show-token", "acme").stdout == before
    assert list(operator.get("secret", "tenant-acme-token")["data"]) == ["token"]


def test_a_rollback_after_a_failed_upgrade_passes_the_failed_revision_over(
    operator: Operator,
) -> None:
    operator.run("install-tenant", "acme")
    operator.run("upgrade-tenant", "acme", "--set", f"{BEHAVIOUR}=image-pull", exit_code=1)
    entries = {entry["revision"]: entry for entry in operator.read("history", "acme")}
    assert entries[2]["status"] == "failed"
    assert "cannot be pulled" in entries[2]["description"]
    assert operator.read("rollback-tenant", "acme", "--dry-run")["target"] == 1


def test_recover_takes_a_tenant_back_from_a_revision_that_cannot_run(operator: Operator) -> None:
    operator.run("install-tenant", "acme")
    operator.run("upgrade-tenant", "acme", "--set", f"{BEHAVIOUR}=image-pull", "--no-wait")
    wait_for(lambda: operator.tenant("acme")["state"] == "failed", "the tenant to fail")
    operator.run("recover-tenant", "acme")
    row = operator.tenant("acme")
    assert (row["state"], row["upToDate"]) == ("running", True)


def test_a_failed_tenant_can_be_stopped(operator: Operator) -> None:
    failing = f"{BEHAVIOUR}=never-ready,progressDeadlineSeconds=3"
    operator.run("install-tenant", "acme", "--set", failing, "--no-wait")
    deployment = "deployment/tenant-acme"
    operator.kubectl("wait", deployment, "--for=condition=Progressing=False", "--timeout=60s")
    operator.run("stop-tenant", "acme")
    assert operator.tenant("acme")["state"] == "stopped"
