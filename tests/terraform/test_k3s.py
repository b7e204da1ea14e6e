"""The root k3s as terraform plans it: what is public, encrypted, allowed, and destroyed."""

from __future__ import annotations

import json
import re
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
from tests.terraform.provider import ACCOUNT, REGION

MINIMAL = read_example("k3s", "minimal")
NODE = "module.node.aws_instance.node"
# What outlives every instance.
LASTING = (
    "module.node.aws_ebs_volume.data",
    "module.node.aws_eip.node",
    "module.backups.module.bucket.aws_s3_bucket.main",
)
OTHER_SHA = "1" * 64


@pytest.fixture(scope="module")
def planned(make_terraform: MakeTerraform) -> dict[str, dict[str, Any]]:
    """What the smallest example would make, by address."""
    return read_planned(make_terraform("k3s").plan(MINIMAL))


@pytest.fixture(scope="module")
def running(make_terraform: MakeTerraform) -> Terraform:
    """The smallest example as it runs."""
    terraform = make_terraform("k3s")
    terraform.apply(MINIMAL)
    return terraform


# ---- What is public ----


def test_the_web_is_open_to_all_and_the_rest_to_administrators(
    planned: dict[str, dict[str, Any]],
) -> None:
    rules = select(planned, "aws_vpc_security_group_ingress_rule").values()
    opened = {(rule["from_port"], rule["to_port"], rule["cidr_ipv4"]) for rule in rules}
    assert opened == {
        (80, 80, "0.0.0.0/0"),
        (443, 443, "0.0.0.0/0"),
        (6443, 6443, "203.0.113.7/32"),
    }
    assert {rule["ip_protocol"] for rule in rules} == {"tcp"}


def test_there_is_no_nat_gateway_and_no_private_subnet(
    planned: dict[str, dict[str, Any]],
) -> None:
    assert not select(planned, "aws_nat_gateway")
    assert list(select(planned, "aws_subnet")) == [
        'module.network.aws_subnet.public["eu-central-1a"]'
    ]


def test_pods_cannot_reach_the_nodes_role(planned: dict[str, dict[str, Any]]) -> None:
    (options,) = planned[NODE]["metadata_options"]
    assert options["http_tokens"] == "required"
    assert options["http_put_response_hop_limit"] == 1


def test_no_name_points_here_by_default(planned: dict[str, dict[str, Any]]) -> None:
    assert not select(planned, "aws_route53_record")


# ---- What is encrypted ----


def test_every_disk_and_bucket_is_encrypted(planned: dict[str, dict[str, Any]]) -> None:
    for volume in select(planned, "aws_ebs_volume").values():
        assert volume["encrypted"] is True
        assert volume["type"] == "gp3"
    (root,) = planned[NODE]["root_block_device"]
    assert root["encrypted"] is True
    assert len(select(planned, "aws_s3_bucket_server_side_encryption_configuration")) == len(
        select(planned, "aws_s3_bucket")
    )


def test_nothing_that_holds_a_secret_is_terraforms(running: Terraform) -> None:
    kinds = {address.split(".")[-2] for address in running.read_state() if ".data." not in address}
    assert not kinds & {
        "aws_iam_access_key",
        "aws_ssm_parameter",
        "aws_key_pair",
        "tls_private_key",
    }


# ---- What it may do ----


def read_policies(running: Terraform) -> dict[str, list[dict[str, Any]]]:
    state = running.read_state()
    kinds = ("aws_iam_role_policy", "aws_iam_user_policy")
    return {
        name: json.loads(item["policy"])["Statement"]
        for kind in kinds
        for name, item in select(state, kind).items()
    }


def test_only_what_has_no_resource_is_allowed_on_all(running: Terraform) -> None:
    for name, statements in read_policies(running).items():
        for statement in statements:
            actions = statement["Action"]
            for action in [actions] if isinstance(actions, str) else actions:
                assert "*" not in action, name
                if statement["Resource"] == "*":
                    assert re.match(
                        r"ecr:GetAuthorizationToken|ec2:Describe|ssmmessages:|ssm:UpdateInstance",
                        action,
                    ), f"{name}: {action}"


def test_images_come_from_the_named_repositories_alone(running: Terraform) -> None:
    statements = read_policies(running)['module.node.aws_iam_role_policy.node["images"]']
    (pull,) = (item for item in statements if item["Sid"] == "Pull")
    assert pull["Resource"] == [
        f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{name}"
        for name in ("aware-api", "aware-gateway")
    ]


def test_the_node_reads_and_writes_one_path_of_parameters(running: Terraform) -> None:
    (statement,) = read_policies(running)['module.node.aws_iam_role_policy.node["parameters"]']
    assert statement["Resource"] == f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/aware-k3s/*"


@pytest.mark.parametrize(
    ("policy", "folder", "operator"),
    [
        # k3s asks for the bucket alone, too.
        ('module.node.aws_iam_role_policy.node["backups"]', "etcd", "StringLikeIfExists"),
        ("module.backup_access.aws_iam_user_policy.main[0]", "postgres", "StringLike"),
    ],
)
def test_backups_are_in_folders_that_the_other_cannot_reach(
    running: Terraform, policy: str, folder: str, operator: str
) -> None:
    statements = {item["Sid"]: item for item in read_policies(running)[policy]}
    assert statements["Objects"]["Resource"].endswith(f"/{folder}/*")
    assert statements["List"]["Condition"] == {operator: {"s3:prefix": [folder, f"{folder}/*"]}}


def test_cert_manager_writes_the_challenge_of_the_one_zone(running: Terraform) -> None:
    policy = read_policies(running)["module.certificate_access.aws_iam_user_policy.main[0]"]
    (change,) = (item for item in policy if item["Sid"] == "Challenges")
    assert change["Resource"] == "arn:aws:route53:::hostedzone/Z0000000000000000000"
    assert change["Condition"]["ForAllValues:StringEquals"] == {
        "route53:ChangeResourceRecordSetsNormalizedRecordNames": ["_acme-challenge.wareit.ai"],
        "route53:ChangeResourceRecordSetsRecordTypes": ["TXT"],
    }


# ---- What would be destroyed ----

# Another value for every variable, and what the plan then deletes of what is lasting.
OTHER_VALUES: dict[str, Any] = {
    "name": "aware-other",
    "instance_type": "t4g.large",
    "cpu_credits": "standard",
    "admin_cidrs": ["198.51.100.0/24"],
    "ssh_cidrs": ["198.51.100.0/24"],
    "data_volume_gib": 80,
    "data_snapshot_id": "snap-0123456789abcdef0",
    "snapshot_keep": 30,
    "ecr_repositories": ["aware-gateway"],
    "zone_id": "Z1111111111111111111",
    "domain": "example.com",
    "source_bucket": "wareit-others",
    "dns_mode": "live",
    "canary_hosts": ["canary.wareit.ai"],
    "k3s": {"version": "v1.36.0+k3s1", "sha256": OTHER_SHA},
    "ecr_credential_provider": {"version": "v1.36.0", "sha256": OTHER_SHA},
    "log_retention_days": 30,
}
# What is where the data is cannot be changed without moving it: terraform refuses.
STAYS = {
    "availability_zone": "eu-central-1b",
    "backup_bucket": "wareit-others",
    "region": "eu-west-1",
    "vpc_cidr": "10.9.0.0/16",
}
REPLACES_THE_NODE = {
    *("ecr_credential_provider", "instance_type", "k3s", "log_retention_days"),
    "name",
}


def test_every_variable_has_another_value_here() -> None:
    names = {variable.name for variable in read_variables("k3s")}
    assert names == {*OTHER_VALUES, *STAYS}


@pytest.mark.parametrize("name", OTHER_VALUES)
def test_no_change_of_a_variable_touches_the_data_the_address_or_the_zone(
    running: Terraform, name: str
) -> None:
    plan = running.plan({**MINIMAL, name: OTHER_VALUES[name]})
    lost = read_deleted(plan)
    assert not lost & set(LASTING)
    assert not any("aws_route53_zone" in address for address in read_changes(plan))
    assert (NODE in lost) is (name in REPLACES_THE_NODE)


@pytest.mark.parametrize("name", STAYS)
def test_a_variable_that_would_move_the_data_is_refused(running: Terraform, name: str) -> None:
    with pytest.raises(
        TerraformError, match=r"Instance cannot be destroyed|must be a zone of the region"
    ):
        running.plan({**MINIMAL, name: STAYS[name]})


def test_a_new_instance_takes_volume_and_address_along(running: Terraform) -> None:
    lost = read_deleted(running.plan(MINIMAL, f"-replace={NODE}"))
    assert lost == {
        NODE,
        "module.node.aws_eip_association.node",
        "module.node.aws_volume_attachment.data",
    }


def test_a_newer_image_alone_changes_nothing(running: Terraform, tmp_path: Path) -> None:
    answers = tmp_path / "answers.json"
    newer = {"insecure_value": "ami-1111111111111111"}
    answers.write_text(json.dumps({"data.aws_ssm_parameter": newer}))
    assert read_changes(running.plan(MINIMAL, answers=answers)) == {}


def test_destroying_everything_is_refused(running: Terraform) -> None:
    with pytest.raises(TerraformError, match="Instance cannot be destroyed"):
        running.plan(MINIMAL, "-destroy")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("admin_cidrs", ["0.0.0.0/0"], "must not open the Kubernetes API to the world"),
        ("admin_cidrs", ["::/0"], "admin_cidrs must"),
        ("dns_mode", "on", "mode must be none, canary or live"),
        ("instance_type", "t3.micro", "needs 2 GiB of memory"),
        ("k3s", {"version": "latest", "sha256": OTHER_SHA}, "k3s.version must be"),
    ],
)
def test_a_bad_value_is_refused_in_a_sentence(
    make_terraform: MakeTerraform, name: str, value: Any, sentence: str
) -> None:
    with pytest.raises(TerraformError, match=re.escape(sentence)):
        make_terraform("k3s").plan({**MINIMAL, name: value})
