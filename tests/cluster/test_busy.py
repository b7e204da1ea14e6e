"""Two managers, or a manager and a hand-run helm, on one tenant at the same time."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

from release_manager.clients.leases import LeaseLiveness
from release_manager.ports import Ports
from tests.terminal import Operator, wait_for

SLOW = ("--set", "podLabels.local-cluster/behaviour=slow-start")


def make_pending(operator: Operator, status: str = "pending-upgrade", **labels: str) -> None:
    """Set the latest revision of acme to pending, as a helm that was killed leaves it."""
    number = operator.tenant("acme")["revision"]
    name = f"sh.helm.release.v1.tenant-acme.v{number}"
    secret = operator.get("secret", name)
    packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
    release = json.loads(gzip.decompress(packed))
    release["info"]["status"] = status
    data = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode())))
    patch = {
        "metadata": {"labels": {"status": status, **labels}},
        "data": {"release": data.decode()},
    }
    operator.kubectl("patch", "secret", name, "-p", json.dumps(patch))


def test_one_of_two_managers_wins_and_the_tenant_ends_running(operator: Operator) -> None:
    operator.run("install-tenant", "acme")
    upgrades = [
        operator.start("upgrade-tenant", "acme", "--set", f"podLabels.x=v{number}", "--no-wait")
        for number in range(2)
    ]
    said = [process.communicate(timeout=120)[1] for process in upgrades]
    codes = sorted(process.returncode for process in upgrades)
    assert codes in ([0, 0], [0, 5]), said
    operator.kubectl("rollout", "status", "deployment/tenant-acme", "--timeout=60s")
    value = operator.helm_values("acme")["podLabels"]["x"]
    deployment = operator.get("deployment", "tenant-acme")
    assert deployment["spec"]["template"]["metadata"]["labels"]["x"] == value
    assert operator.tenant("acme")["state"] == "running"


def test_a_tenant_that_hand_run_helm_changes_meanwhile_is_not_rolled_back(
    operator: Operator, chart: Path
) -> None:
    operator.run("install-tenant", "acme")
    never = ("--set", "podLabels.local-cluster/behaviour=never-ready", "--timeout", "12s")
    with operator.start("upgrade-tenant", "acme", *never) as upgrade:
        wait_for(lambda: operator.tenant("acme")["revision"] == 2, "the upgrade to begin")
        changed = ("--set", "podLabels=null,podAnnotations.second=yes")
        operator.helm("upgrade", "tenant-acme", chart, "--reuse-values", *changed)
        _, said = upgrade.communicate(timeout=60)
    assert upgrade.returncode == 1, said
    assert "revision 2 was replaced by revision 3 while waiting for it" in said
    assert operator.helm_values("acme")["podAnnotations"] == {"second": "yes"}
    assert operator.tenant("acme")["revision"] == 3


def test_a_release_that_a_living_process_changes_is_busy(operator: Operator, ports: Ports) -> None:
    operator.run("install-tenant", "acme")
    with ports.liveness.hold() as writer:
        make_pending(operator, **{"wareit.ai/writer": writer})
        row = operator.tenant("acme")
        assert row["state"] == "busy"
        assert "(process " in row["reason"]
        for command in (
            ("upgrade-tenant", "acme", "--set", "podLabels.x=y"),
            ("stop-tenant", "acme"),
            ("rollback-tenant", "acme", "--to-revision", 1),
            ("recover-tenant", "acme"),
            ("uninstall-tenant", "acme", "--yes"),
        ):
            result = operator.run(*command, exit_code=5)
            assert "tenant acme: it is busy: " in result.stderr


def test_a_release_whose_process_died_is_stuck_and_the_next_command_repairs_it(
    operator: Operator,
) -> None:
    operator.run("install-tenant", "acme")
    operator.run("upgrade-tenant", "acme", "--set", "podLabels.x=y")
    make_pending(operator)
    assert operator.tenant("acme")["state"] == "stuck"
    operator.run("upgrade-tenant", "acme", "--set", "podLabels.x=z")
    assert operator.tenant("acme")["state"] == "running"
    assert operator.helm_values("acme")["podLabels"] == {"x": "z"}


def test_a_hand_run_helm_is_busy_until_its_timeout(operator: Operator, chart: object) -> None:
    operator.run("install-tenant", "acme")
    operator.helm("upgrade", "tenant-acme", chart, "--reuse-values", "--set", "podLabels.x=y")
    make_pending(operator)
    row = operator.tenant("acme")
    assert row["state"] == "busy"
    assert "hand-run helm" in row["reason"]
    result = operator.run("upgrade-tenant", "acme", exit_code=5)
    assert "busy" in result.stderr
    operator.run("recover-tenant", "acme", exit_code=5)


def test_recover_repairs_a_hand_run_helm_that_the_operator_declares_dead(
    operator: Operator, chart: object
) -> None:
    operator.run("install-tenant", "acme")
    operator.helm("upgrade", "tenant-acme", chart, "--reuse-values", "--set", "podLabels.x=y")
    operator.helm("upgrade", "tenant-acme", chart, "--reuse-values", "--set", "podLabels.x=z")
    make_pending(operator)
    operator.run("recover-tenant", "acme", "--older-than", "0s")
    assert operator.tenant("acme")["state"] in ("running", "progressing")


def test_recover_finishes_a_first_install(operator: Operator) -> None:
    operator.run("install-tenant", "acme", "--set", "podLabels.x=y")
    make_pending(operator, "pending-install")
    operator.kubectl("delete", "deployment", "tenant-acme")
    operator.run("recover-tenant", "acme")
    row = operator.tenant("acme")
    assert (row["state"], row["revision"]) == ("running", 2)
    assert operator.helm_values("acme")["podLabels"] == {"x": "y"}


def test_recover_leaves_a_healthy_tenant_alone(operator: Operator) -> None:
    operator.run("install-tenant", "acme")
    result = operator.run("recover-tenant", "acme")
    assert "it is running" in result.stdout
    assert operator.tenant("acme")["revision"] == 1


def test_recover_finishes_an_uninstall(operator: Operator) -> None:
    operator.run("install-tenant", "acme", "--set", "persistence.enabled=true")
    make_pending(operator, "uninstalling")
    operator.run("recover-tenant", "acme", exit_code=5)
    operator.run("recover-tenant", "acme", "--older-than", "0s")
    assert operator.read("list-tenants") == []
    assert operator.exists("pvc", "tenant-acme-data")


def test_a_lease_ends_with_its_process(ports: Ports) -> None:
    with ports.liveness.hold() as writer:
        assert writer in ports.liveness.list_alive()
    assert writer not in ports.liveness.list_alive()
    assert isinstance(ports.liveness, LeaseLiveness)
