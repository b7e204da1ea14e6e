"""Hand-run helm and kubectl beside the release manager: never broken, never undone silently."""

from __future__ import annotations

from pathlib import Path

from tests.terminal import Operator, wait_for


def test_values_set_by_hand_are_shown(operator: Operator, chart: Path) -> None:
    operator.run("install-tenant", "acme")
    operator.helm("upgrade", "tenant-acme", chart, "--reuse-values", "--set", "image.tag=by-hand")
    row = operator.tenant("acme")
    assert row["reason"] == "set by hand: image.tag=by-hand"
    assert row["upToDate"] is False
    assert operator.read("show-tenant", "acme")["drift"] == {"image.tag": "by-hand"}


def test_an_upgrade_refuses_to_undo_values_set_by_hand(operator: Operator, chart: Path) -> None:
    operator.run("install-tenant", "acme")
    operator.helm("upgrade", "tenant-acme", chart, "--reuse-values", "--set", "image.tag=by-hand")
    result = operator.run("upgrade-tenant", "acme", exit_code=2)
    assert "tenant acme: set by hand and about to be undone: image.tag=by-hand" in result.stderr
    assert operator.helm_values("acme")["image"]["tag"] == "by-hand"


def test_overwrite_drift_undoes_values_set_by_hand(operator: Operator, chart: Path) -> None:
    operator.run("install-tenant", "acme")
    operator.helm("upgrade", "tenant-acme", chart, "--reuse-values", "--set", "image.tag=by-hand")
    operator.run("upgrade-tenant", "acme", "--overwrite-drift")
    assert "tag" not in operator.helm_values("acme")["image"]
    assert operator.tenant("acme")["upToDate"] is True


def test_giving_the_hand_set_value_makes_it_the_tenants_own(
    operator: Operator, chart: Path
) -> None:
    operator.run("install-tenant", "acme")
    operator.helm("upgrade", "tenant-acme", chart, "--reuse-values", "--set", "image.tag=by-hand")
    operator.run("upgrade-tenant", "acme", "--set", "image.tag=by-hand")
    assert operator.tenant("acme")["reason"] == ""
    assert operator.read("show-tenant", "acme")["overrides"] == {"image": {"tag": "by-hand"}}


def test_stop_and_start_carry_hand_set_values_along(operator: Operator, chart: Path) -> None:
    operator.run("install-tenant", "acme")
    operator.helm("upgrade", "tenant-acme", chart, "--reuse-values", "--set", "image.tag=by-hand")
    operator.run("stop-tenant", "acme")
    operator.run("start-tenant", "acme")
    row = operator.tenant("acme")
    assert row["image"].endswith(":by-hand")
    assert "set by hand: image.tag=by-hand" in row["reason"]


def test_a_hand_run_upgrade_that_drops_the_record_is_noticed(
    operator: Operator, chart: Path
) -> None:
    operator.run("install-tenant", "acme", "--set", "podLabels.x=y")
    operator.helm("upgrade", "tenant-acme", chart, "--set", "image.tag=by-hand")
    result = operator.run("upgrade-tenant", "acme", exit_code=2)
    assert "image.tag=by-hand" in result.stderr
    operator.run("upgrade-tenant", "acme", "--overwrite-drift")
    assert operator.helm_values("acme")["podLabels"] == {"x": "y"}


def test_a_hand_run_rollback_is_no_drift(operator: Operator) -> None:
    operator.run("install-tenant", "acme")
    operator.run("upgrade-tenant", "acme", "--set", "podLabels.x=y")
    operator.helm("rollback", "tenant-acme", 1)
    row = operator.tenant("acme")
    assert (row["state"], row["reason"], row["upToDate"]) == ("running", "", True)


def test_a_tenant_installed_by_hand_is_listed_and_adopted(operator: Operator, chart: Path) -> None:
    operator.helm("install", "tenant-acme", chart, "--set", "podLabels.x=y")
    assert operator.tenant("acme")["reason"].startswith("installed or upgraded by hand-run helm")
    operator.run("upgrade-tenant", "acme")
    assert operator.read("show-tenant", "acme")["overrides"] == {"podLabels": {"x": "y"}}
    assert operator.tenant("acme")["upToDate"] is True


def test_kubectl_scale_is_shown_and_left_to_the_operator(operator: Operator) -> None:
    operator.run("install-tenant", "acme")
    operator.kubectl("scale", "deployment", "tenant-acme", "--replicas=0")
    row = operator.tenant("acme")
    assert (row["state"], row["reason"]) == (
        "degraded",
        "scaled by hand to 0, the release says 1",
    )
    operator.run("upgrade-tenant", "acme", "--set", "podLabels.x=y", exit_code=2)
    assert operator.get("deployment", "tenant-acme")["spec"]["replicas"] == 0


def test_start_tenant_ends_a_scaling_by_hand(operator: Operator) -> None:
    operator.run("install-tenant", "acme")
    operator.kubectl("scale", "deployment", "tenant-acme", "--replicas=0")
    operator.run("start-tenant", "acme")
    assert operator.tenant("acme")["state"] == "running"


def test_stop_tenant_ends_a_scaling_by_hand(operator: Operator) -> None:
    operator.run("install-tenant", "acme", "--set", "replicas=2")
    operator.kubectl("scale", "deployment", "tenant-acme", "--replicas=1")
    operator.run("stop-tenant", "acme")
    assert operator.tenant("acme")["state"] == "stopped"


def test_hand_run_helm_goes_on_after_every_kind_of_command(operator: Operator, chart: Path) -> None:
    operator.run("install-tenant", "acme")
    operator.run("stop-tenant", "acme")
    operator.run("start-tenant", "acme")
    operator.run("rotate-token", "acme")
    operator.run("rollback-tenant", "acme")
    operator.helm("upgrade", "tenant-acme", chart, "--reuse-values", "--set", "podLabels.x=y")
    operator.helm("rollback", "tenant-acme")
    operator.helm("uninstall", "tenant-acme")
    assert operator.read("list-tenants") == []


def test_history_tells_who_wrote_each_revision(operator: Operator, chart: Path) -> None:
    operator.run("install-tenant", "acme")
    operator.helm("upgrade", "tenant-acme", chart, "--reuse-values", "--set", "podLabels.x=y")
    entries = operator.read("history", "acme")
    assert [entry["writtenBy"] for entry in entries] == ["release-manager", "helm"]


def test_a_deleted_deployment_is_shown_and_the_next_upgrade_makes_it_again(
    operator: Operator,
) -> None:
    operator.run("install-tenant", "acme")
    operator.kubectl("delete", "deployment", "tenant-acme")
    assert operator.tenant("acme")["state"] == "degraded"
    operator.run("upgrade-tenant", "acme")
    assert operator.tenant("acme")["state"] == "running"


def test_an_image_set_with_kubectl_is_shown_and_an_upgrade_refuses_to_undo_it(
    operator: Operator,
) -> None:
    operator.run("install-tenant", "acme")
    operator.kubectl("set", "image", "deployment/tenant-acme", "gateway=example.org/by-hand:1")
    row = operator.tenant("acme")
    assert row["image"] == "example.org/by-hand:1"
    assert "changed by hand: Deployment spec.template.spec.containers" in row["reason"]
    assert row["upToDate"] is False
    operator.run("upgrade-tenant", "acme", "--set", "podLabels.x=y", exit_code=2)
    operator.run("stop-tenant", "acme", exit_code=2)
    operator.run("upgrade-tenant", "acme", "--overwrite-drift")
    row = operator.tenant("acme")
    assert (row["state"], row["reason"], row["upToDate"]) == ("running", "", True)
    assert "by-hand" not in row["image"]


def test_a_rollout_restart_with_kubectl_is_no_drift(operator: Operator) -> None:
    operator.run("install-tenant", "acme")
    operator.kubectl("rollout", "restart", "deployment/tenant-acme")
    operator.kubectl("rollout", "status", "deployment/tenant-acme", "--timeout=60s")
    row = operator.tenant("acme")
    assert (row["state"], row["reason"], row["upToDate"]) == ("running", "", True)


def test_a_release_of_another_chart_is_no_tenant(operator: Operator, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "Chart.yaml").write_text("apiVersion: v2\nname: other\nversion: 1.0.0\n")
    operator.helm("install", "tenant-other", tmp_path / "other")
    assert operator.read("list-tenants") == []
    result = operator.run("upgrade-tenant", "other", exit_code=2)
    assert "its release is of the chart other" in result.stderr


def test_hand_run_helm_that_comes_in_between_is_reported(
    operator: Operator, chart: Path, tmp_path: Path
) -> None:
    operator.run("install-tenant", "acme")
    # A helm that waits before it upgrades gives somebody else the time to be quicker.
    slow, go_on = tmp_path / "helm", tmp_path / "go-on"
    waiting = tmp_path / "waiting"
    slow.write_text(
        f"""#!/bin/sh
if [ "$1" = upgrade ]; then touch {waiting}; while [ ! -e {go_on} ]; do sleep 0.05; done; fi
exec {operator.environment["PATH"].split(":")[0]}/helm "$@"
"""
    )
    slow.chmod(0o755)
    with operator.start("upgrade-tenant", "acme", "--set", "env.A=a", "--helm", slow) as upgrade:
        wait_for(waiting.exists, "the upgrade to begin")
        busy = operator.run("stop-tenant", "acme", exit_code=5)
        assert "another release-manager is changing it by" in busy.stderr
        operator.helm("upgrade", "tenant-acme", chart, "--reuse-values", "--set", "env.B=b")
        go_on.touch()
        _, said = upgrade.communicate(timeout=60)
    assert upgrade.returncode == 1, said
    assert "hand-run helm changed it at the same moment" in said


def test_a_tenant_uninstalled_with_its_history_kept_is_gone_and_can_come_back(
    operator: Operator,
) -> None:
    operator.run("install-tenant", "acme")
    operator.helm("uninstall", "tenant-acme", "--keep-history")
    assert operator.read("list-tenants") == []
    operator.run("install-tenant", "acme")
    row = operator.tenant("acme")
    assert (row["state"], row["revision"]) == ("running", 2)
