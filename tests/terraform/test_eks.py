"""The root EKS as terraform plans it, and the charts as they are rendered for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.terraform.conftest import (
    MakeTerraform,
    Terraform,
    TerraformError,
    read_changes,
    read_deleted,
    read_example,
    read_planned,
    select,
)
from tests.terraform.declarations import read_variables

MINIMAL = read_example("eks", "minimal")
CLUSTER = "module.cluster.aws_eks_cluster.main"
LASTING = (
    CLUSTER,
    "module.cluster.aws_kms_key.secrets",
    "module.backups.module.bucket.aws_s3_bucket.main",
)


@pytest.fixture(scope="module")
def running(make_terraform: MakeTerraform) -> Terraform:
    """The smallest example as it runs."""
    terraform = make_terraform("eks")
    terraform.apply(MINIMAL)
    return terraform


@pytest.fixture(scope="module")
def state(running: Terraform) -> dict[str, dict[str, Any]]:
    """What it made, by address."""
    return running.read_state()


def test_network_policies_are_enforced_before_there_is_a_node(running: Terraform) -> None:
    state = running.read_state()
    addon = state['module.cluster.aws_eks_addon.before_nodes["vpc-cni"]']
    assert json.loads(addon["configuration_values"]) == {"enableNetworkPolicy": "true"}
    nodes = _read_resource(running, "module.cluster.aws_eks_node_group.main")
    assert "module.cluster.aws_eks_addon.before_nodes" in nodes["depends_on"]


def _read_resource(terraform: Terraform, address: str) -> dict[str, Any]:
    def walk(module: dict[str, Any]) -> list[dict[str, Any]]:
        own: list[dict[str, Any]] = module.get("resources", [])
        return own + [item for child in module.get("child_modules", []) for item in walk(child)]

    shown = json.loads(terraform.run("show", "-json"))
    return next(item for item in walk(shown["values"]["root_module"]) if item["address"] == address)


def test_volumes_need_no_class_in_any_values(state: dict[str, dict[str, Any]]) -> None:
    addon = state['module.cluster.aws_eks_addon.on_nodes["aws-ebs-csi-driver"]']
    assert json.loads(addon["configuration_values"]) == {"defaultStorageClass": {"enabled": True}}
    assert addon["service_account_role_arn"]


def test_nodes_are_in_two_zones_and_private(state: dict[str, dict[str, Any]]) -> None:
    subnets = select(state, "aws_subnet.private").values()
    assert {subnet["availability_zone"] for subnet in subnets} == {"eu-central-1a", "eu-central-1b"}
    (cluster,) = state[CLUSTER]["vpc_config"]
    assert cluster["public_access_cidrs"] == ["203.0.113.7/32"]


def test_secrets_are_encrypted_and_the_control_plane_logs(
    state: dict[str, dict[str, Any]],
) -> None:
    (encryption,) = state[CLUSTER]["encryption_config"]
    assert encryption["resources"] == ["secrets"]
    assert set(state[CLUSTER]["enabled_cluster_log_types"]) == {
        *("api", "audit", "authenticator", "controllerManager", "scheduler")
    }
    assert state["module.cluster.aws_cloudwatch_log_group.cluster"]["retention_in_days"] == 30


def test_only_the_named_administrate(state: dict[str, dict[str, Any]]) -> None:
    (access,) = state[CLUSTER]["access_config"]
    assert access["authentication_mode"] == "API"
    assert access["bootstrap_cluster_creator_admin_permissions"] is False
    entries = select(state, "aws_eks_access_entry").values()
    assert {entry["principal_arn"] for entry in entries} == {
        "arn:aws:iam::123456789012:role/administrator"
    }


@pytest.mark.parametrize(
    ("role", "account"),
    [
        ("backup_access", "system:serviceaccount:aware:postgres-backup"),
        ("certificate_access", "system:serviceaccount:cert-manager:cert-manager"),
    ],
)
def test_a_role_is_that_of_one_service_account(
    state: dict[str, dict[str, Any]], role: str, account: str
) -> None:
    trust = json.loads(state[f"module.{role}.aws_iam_role.main[0]"]["assume_role_policy"])
    (statement,) = trust["Statement"]
    conditions = statement["Condition"]["StringEquals"]
    assert {key.rpartition(":")[2]: value for key, value in conditions.items()} == {
        "aud": "sts.amazonaws.com",
        "sub": account,
    }
    assert not select(state, "aws_iam_user")


def test_no_pod_reaches_the_nodes_role(state: dict[str, dict[str, Any]]) -> None:
    (options,) = state["module.cluster.aws_launch_template.nodes"]["metadata_options"]
    assert options["http_tokens"] == "required"
    assert options["http_put_response_hop_limit"] == 1


def test_the_load_balancer_reaches_traefik_and_nothing_else(
    state: dict[str, dict[str, Any]],
) -> None:
    rules = select(state, "aws_vpc_security_group_ingress_rule.nodes").values()
    assert {(rule["from_port"], rule["to_port"]) for rule in rules} == {
        (30080, 30080),
        (30443, 30443),
    }
    assert all(rule["referenced_security_group_id"] for rule in rules)
    assert len(select(state, "aws_autoscaling_attachment")) == 2


# Another value for every variable that may change while the cluster runs.
OTHER_VALUES: dict[str, Any] = {
    "kubernetes_version": "1.36",
    "is_private": True,
    "admin_cidrs": ["198.51.100.0/24"],
    "admin_principal_arns": ["arn:aws:iam::123456789012:user/other"],
    "instance_types": ["m6i.large"],
    "availability_zones": ["eu-central-1a", "eu-central-1b", "eu-central-1c"],
    "node_count": {"min": 3, "max": 9, "desired": 3},
    "node_volume_gib": 80,
    "addon_versions": {"coredns": "v1.12.0-eksbuild.1"},
    "namespace": "other",
    "zone_id": "Z1111111111111111111",
    "domain": "example.com",
    "source_bucket": "wareit-others",
    "dns_mode": "live",
    "canary_hosts": ["canary.wareit.ai"],
    "log_retention_days": 90,
}
# Another cluster beside this one is the way.
STAYS = {
    "name": "aware-other",
    "region": "eu-west-1",
    "vpc_cidr": "10.9.0.0/16",
    "backup_bucket": "wareit-others",
}
# Goes with instance_types alone.
ARM = {"architecture": "arm64", "instance_types": ["t4g.large"]}
NODES = "module.cluster.aws_eks_node_group.main"


def test_every_variable_has_another_value_here() -> None:
    names = {variable.name for variable in read_variables("eks")}
    assert names == {*OTHER_VALUES, *STAYS, *ARM}


@pytest.mark.parametrize("name", OTHER_VALUES)
def test_no_change_of_a_variable_touches_cluster_or_data(running: Terraform, name: str) -> None:
    lost = read_deleted(running.plan({**MINIMAL, name: OTHER_VALUES[name]}))
    assert not lost & set(LASTING)


@pytest.mark.parametrize(
    "values",
    [ARM, *({name: OTHER_VALUES[name]} for name in ("instance_types", "availability_zones"))],
    ids=lambda values: next(iter(values)),
)
def test_new_nodes_are_there_before_the_old_ones_go(
    running: Terraform, values: dict[str, Any]
) -> None:
    changes = read_changes(running.plan({**MINIMAL, **values}))
    assert changes[NODES] == ("create", "delete")


def test_more_nodes_are_a_change_in_place(running: Terraform) -> None:
    changes = read_changes(running.plan({**MINIMAL, "node_count": OTHER_VALUES["node_count"]}))
    assert changes == {NODES: ("update",)}


def test_the_cluster_is_never_destroyed(running: Terraform) -> None:
    with pytest.raises(TerraformError, match="Instance cannot be destroyed"):
        running.plan(MINIMAL, f"-replace={CLUSTER}")


@pytest.mark.parametrize("name", STAYS)
def test_a_variable_that_would_move_cluster_or_data_is_refused(
    running: Terraform, name: str
) -> None:
    with pytest.raises(
        TerraformError, match=r"Instance cannot be destroyed|must be zones of the region"
    ):
        running.plan({**MINIMAL, name: STAYS[name]})


def test_backups_of_another_cluster_may_be_read_and_never_written(running: Terraform) -> None:
    plan = running.plan({**MINIMAL, "source_bucket": "wareit-k3s"})
    policy = read_planned(plan)["module.backup_access.aws_iam_role_policy.main[0]"]["policy"]
    statements = [
        item for item in json.loads(policy)["Statement"] if "wareit-k3s" in item["Resource"]
    ]
    assert {action for item in statements for action in item["Action"]} == {
        *("s3:GetObject", "s3:ListBucket")
    }
    assert statements[0]["Resource"] == "arn:aws:s3:::wareit-k3s/postgres/*"


def test_volumes_are_refused_where_the_account_does_not_encrypt_them(
    running: Terraform, tmp_path: Path
) -> None:
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps({"data.aws_ebs_encryption_by_default": {"enabled": False}}))
    with pytest.raises(TerraformError, match="apply terraform/foundation in this region"):
        running.plan(MINIMAL, answers=answers)
