"""The life of a tenant, by the commands an operator types, on a real Kubernetes API."""

from __future__ import annotations

from pathlib import Path

from tests.terminal import Operator

PERSISTENT = ("--set", "persistence.enabled=true")


def test_an_installed_tenant_runs_with_the_contracts_objects(operator: Operator) -> None:
    operator.run("install-tenant", "acme")
    deployment = operator.get("deployment", "tenant-acme")
    assert deployment["status"]["readyReplicas"] == 1
    assert operator.exists("ingressroute", "tenant-acme")
    row = operator.tenant("acme")
    assert (row["state"], row["host"], row["upToDate"]) == ("running", "acme.wareit.ai", True)


def test_list_tenants_and_helm_list_agree(operator: Operator) -> None:
    operator.run("install-tenant", "acme")
    operator.run("install-tenant", "globex", "--stopped")
    lines = operator.helm("list", "--no-headers").stdout.splitlines()
    by_helm = {(line.split()[0], line.split()[2]) for line in lines}
    rows = operator.read("list-tenants")
    assert by_helm == {(f"tenant-{row['slug']}", str(row["revision"])) for row in rows}


def test_a_tenant_installed_stopped_has_no_pod(operator: Operator) -> None:
    operator.run("install-tenant", "acme", "--stopped")
    assert operator.tenant("acme")["state"] == "stopped"
    assert operator.kubectl("get", "pods", "-l", "tenant=acme", "-o", "name") == ""


def test_a_stopped_tenant_stays_stopped_through_upgrades(
    operator: Operator, changed_chart: Path
) -> None:
    operator.run("install-tenant", "acme")
    operator.run("stop-tenant", "acme")
    operator.run("upgrade-tenant", "acme", "--chart", changed_chart, "--set", "podLabels.x=y")
    row = operator.tenant("acme")
    assert (row["state"], row["replicas"], row["chart"]) == ("stopped", 0, "aware-tenant-0.2.0")


def test_stop_and_start_keep_chart_values_and_replicas(
    operator: Operator, changed_chart: Path
) -> None:
    operator.run("install-tenant", "acme", "--chart", changed_chart, "--set", "podLabels.x=y")
    operator.run("scale-tenant", "acme", "--replicas", 3)
    operator.run("stop-tenant", "acme")
    # From here on the chart at hand is another one: start must not upgrade in passing.
    operator.run("start-tenant", "acme")
    row = operator.tenant("acme")
    assert (row["state"], row["readyReplicas"], row["chart"]) == (
        "running",
        3,
        "aware-tenant-0.2.0",
    )
    assert operator.helm_values("acme")["podLabels"] == {"x": "y"}


def test_stopping_a_stopped_tenant_writes_no_revision(operator: Operator) -> None:
    operator.run("install-tenant", "acme", "--stopped")
    operator.run("stop-tenant", "acme")
    assert operator.tenant("acme")["revision"] == 1


def test_an_upgrade_without_changes_writes_no_revision(operator: Operator) -> None:
    operator.run("install-tenant", "acme", "--set", "podLabels.x=y")
    result = operator.run("upgrade-tenant", "acme")
    assert "nothing to do" in result.stdout
    assert operator.tenant("acme")["revision"] == 1


def test_an_upgrade_keeps_the_tenants_own_values(operator: Operator, changed_chart: Path) -> None:
    operator.run("install-tenant", "acme", "--set", "podLabels.x=y")
    operator.run("upgrade-tenant", "acme", "--set", "podLabels.z=1x")
    operator.run("upgrade-tenant", "acme", "--chart", changed_chart)
    assert operator.helm_values("acme")["podLabels"] == {"x": "y", "z": "1x"}


def test_unset_drops_one_of_the_tenants_own_values(operator: Operator) -> None:
    operator.run("install-tenant", "acme", "--set", "podLabels.x=y,podLabels.z=w")
    operator.run("upgrade-tenant", "acme", "--unset", "podLabels.x")
    assert operator.helm_values("acme")["podLabels"] == {"z": "w"}


def test_a_new_chart_makes_tenants_out_of_date(operator: Operator, changed_chart: Path) -> None:
    operator.run("install-tenant", "acme")
    rows = operator.read("list-tenants", "--chart", changed_chart)
    assert [row["upToDate"] for row in rows] == [False]


def test_rollback_restores_values_and_makes_the_old_digest_right_again(operator: Operator) -> None:
    operator.run("install-tenant", "acme")
    operator.run("upgrade-tenant", "acme", "--set", "podLabels.x=y")
    operator.run("rollback-tenant", "acme")
    assert "podLabels" not in operator.helm_values("acme")
    result = operator.run("upgrade-tenant", "acme")
    assert "nothing to do" in result.stdout
    assert operator.tenant("acme")["upToDate"] is True


def test_uninstall_keeps_the_volume_and_the_token_and_reinstall_finds_them(
    operator: Operator,
) -> None:
    operator.run("install-tenant", "acme", *PERSISTENT)
    volume = operator.get("pvc", "tenant-acme-data")["metadata"]["uid"]
    token = operator.run("show-token", "acme").stdout
    operator.run("uninstall-tenant", "acme", "--yes")
    assert operator.helm("list", "-q").stdout == ""
    operator.run("install-tenant", "acme", *PERSISTENT)
    assert operator.get("pvc", "tenant-acme-data")["metadata"]["uid"] == volume
    assert operator.run("show-token", "acme").stdout == token


def test_delete_data_removes_volume_and_token(operator: Operator) -> None:
    operator.run("install-tenant", "acme", *PERSISTENT)
    operator.run("uninstall-tenant", "acme", "--delete-data", "--yes")
    operator.kubectl("wait", "--for=delete", "pvc/tenant-acme-data", "--timeout=60s")
    assert not operator.exists("secret", "tenant-acme-token")


def test_data_that_an_uninstall_kept_can_be_deleted_later(operator: Operator) -> None:
    operator.run("install-tenant", "acme", *PERSISTENT)
    operator.run("uninstall-tenant", "acme", "--yes")
    operator.run("uninstall-tenant", "acme", "--delete-data", "--yes")
    operator.kubectl("wait", "--for=delete", "pvc/tenant-acme-data", "--timeout=60s")
    operator.run("uninstall-tenant", "acme", "--yes", exit_code=2)


def test_rotate_token_restarts_the_tenant_and_forgets_the_old_token(operator: Operator) -> None:
    operator.run("install-tenant", "acme")
    before = operator.run("show-token", "acme").stdout
    pods = operator.kubectl("get", "pods", "-l", "tenant=acme", "-o", "name")
    operator.run("rotate-token", "acme")
    assert operator.run("show-token", "acme").stdout != before
    assert list(operator.get("secret", "tenant-acme-token")["data"]) == ["token"]
    assert operator.kubectl("get", "pods", "-l", "tenant=acme", "-o", "name") != pods


def test_a_rotation_that_was_cut_off_goes_on_with_the_same_new_token(operator: Operator) -> None:
    operator.run("install-tenant", "acme")
    half_done = '{"stringData":{"token":"new-one","previous":"old-one"}}'
    operator.kubectl("patch", "secret", "tenant-acme-token", "-p", half_done)
    operator.run("rotate-token", "acme")
    assert operator.run("show-token", "acme").stdout.strip() == "new-one"
    assert list(operator.get("secret", "tenant-acme-token")["data"]) == ["token"]


def _versions(operator: Operator) -> list[str]:
    kinds = "secrets,deployments,leases"
    return sorted(operator.kubectl("get", kinds, "-o", "jsonpath={..resourceVersion}").split())


def test_a_dry_run_changes_nothing(operator: Operator) -> None:
    operator.run("install-tenant", "acme")
    before = _versions(operator)
    for command in (
        ("install-tenant", "globex"),
        ("upgrade-tenant", "acme", "--set", "podLabels.x=y"),
        ("stop-tenant", "acme"),
        ("scale-tenant", "acme", "--replicas", 2),
        ("rotate-token", "acme"),
        ("recover-tenant", "acme"),
        ("uninstall-tenant", "acme", "--delete-data"),
    ):
        operator.run(*command, "--dry-run")
    assert _versions(operator) == before


def test_diff_tenant_shows_what_the_upgrade_then_does(operator: Operator) -> None:
    operator.run("install-tenant", "acme")
    assert operator.run("diff-tenant", "acme").stdout == ""
    diff = operator.run("diff-tenant", "acme", "--set", "podLabels.team=blue").stdout
    added = [line for line in diff.splitlines() if line.startswith("+ ")]
    assert [line.strip("+ ") for line in added] == ["team: blue"]


def test_render_tenant_needs_no_cluster(operator: Operator) -> None:
    offline = Operator(operator.namespace, {**operator.environment, "KUBECONFIG": "/nonexistent"})
    manifest = offline.run("render-tenant", "acme", "--profile", "openclaw").stdout
    assert "kind: IngressRoute" in manifest
    assert "NODE_OPTIONS" in manifest


def test_install_with_openclaws_profile_runs_and_upgrades_keep_the_profile(
    operator: Operator,
) -> None:
    operator.run("install-tenant", "acme", "--profile", "openclaw")
    operator.run("upgrade-tenant", "acme", "--set", "podLabels.x=y")
    detail = operator.read("show-tenant", "acme")
    assert (detail["profile"], detail["state"]) == ("openclaw", "running")
    assert operator.exists("pvc", "tenant-acme-data")


def test_doctor_finds_everything_that_tenants_need(operator: Operator) -> None:
    checks = {check["name"]: check for check in operator.read("doctor")}
    needed = [check for check in checks.values() if check["required"]]
    assert all(check["ok"] for check in needed), needed
    assert "v1.35" in checks["cluster"]["detail"]
