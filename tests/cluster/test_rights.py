"""The rights that doctor asks for are enough for everything."""

from __future__ import annotations

import json
from pathlib import Path

from release_manager.operations.doctor import RIGHTS
from tests.cluster.test_bad_input import bind_rights
from tests.terminal import Operator


def bind_rights_of_doctor(operator: Operator, folder: Path) -> Operator:
    """Return an operator who has the rights that doctor asks for, and no others."""
    rules = [
        {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
        for group, resource, verbs in RIGHTS
    ]
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "release-manager"},
        "rules": rules,
    }
    operator.kubectl("create", "-f", "-", input=json.dumps(role))
    return bind_rights(operator, folder, role="release-manager")


def test_the_rights_of_doctor_suffice_for_a_tenants_whole_life(
    operator: Operator, tmp_path: Path
) -> None:
    manager = bind_rights_of_doctor(operator, tmp_path)
    rights = next(check for check in manager.read("doctor") if check["name"] == "rights")
    assert rights["ok"], rights
    manager.run("install-tenant", "acme", "--profile", "openclaw")
    manager.run("upgrade-tenant", "acme", "--set", "podLabels.x=y")
    manager.run("stop-tenant", "acme")
    manager.run("start-tenant", "acme")
    manager.run("rotate-token", "acme")
    manager.run("rollback-tenant", "acme")
    manager.run("show-tenant", "acme")
    manager.run("list-tenants")
    manager.run("hold-tenant", "acme", "--reason", "none")
    manager.run("unhold-tenant", "acme")
    manager.run("upgrade-all", "--set", "podLabels.x=z", "--yes")
    manager.run("show-rollout")
    manager.run("list-rollouts")
    manager.run("abort-rollout", "--rollback", "--yes")
    manager.run("stop-all", "--yes")
    manager.run("start-all", "--yes")
    manager.run("uninstall-tenant", "acme", "--delete-data", "--yes")
