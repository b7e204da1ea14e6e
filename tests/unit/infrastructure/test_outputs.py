"""Fleet files from what Terraform tells."""

from __future__ import annotations

from typing import Any

import pytest

from release_manager.errors import InvalidInputError
from release_manager.infrastructure.outputs import build_settings, read_outputs

VALUES = {
    "distribution": "k3s",
    "domain": "wareit.ai",
    "zone_id": "Z1",
    "region": "eu-central-1",
    "registry": "1.dkr.ecr.eu-central-1.amazonaws.com",
    "backup_bucket": "wareit-backups",
    "backup_prefix": "postgres",
    "backup_role_arn": "",
    "certificate_role_arn": "",
}
ROLES = {
    "distribution": "eks",
    "backup_role_arn": "arn:aws:iam::1:role/backups",
    "certificate_role_arn": "arn:aws:iam::1:role/certificates",
}


def build_document(**more: Any) -> dict[str, Any]:
    values = {**VALUES, **more}
    return {name: {"value": value, "type": "string"} for name, value in values.items()}


def build(**more: Any) -> dict[str, Any]:
    return build_settings(read_outputs(build_document(**more)), "ops@wareit.ai")


def test_k3s_has_secrets_of_users() -> None:
    platform = build()["platform"]
    assert platform["backups"]["s3"]["credentials"] == "secret"
    assert platform["backups"]["s3"]["existingSecret"] == "backup-credentials"
    assert platform["certificates"]["route53"]["existingSecret"] == "route53-credentials"
    assert "traefik" not in platform


def test_eks_has_roles_of_service_accounts_and_no_secret() -> None:
    settings = build(**ROLES)
    platform = settings["platform"]
    assert platform["backups"]["s3"]["credentials"] == "irsa"
    assert platform["backups"]["s3"]["roleArn"] == "arn:aws:iam::1:role/backups"
    annotations = platform["certManager"]["values"]["serviceAccount"]["annotations"]
    assert annotations == {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/certificates"}
    assert "existingSecret" not in str(settings)


@pytest.mark.parametrize("block", ["api", "defaults"])
def test_eks_lets_its_own_traefik_in(block: str) -> None:
    (peer,) = build(**ROLES)[block]["networkPolicy"]["ingressFrom"]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "traefik"}


@pytest.mark.parametrize("name", VALUES)
def test_an_output_that_is_missing_is_named(name: str) -> None:
    document = build_document()
    del document[name]
    with pytest.raises(InvalidInputError, match=f"output {name}: it is missing"):
        read_outputs(document)


@pytest.mark.parametrize("document", [[], "k3s", None])
def test_what_is_no_output_is_refused(document: object) -> None:
    with pytest.raises(InvalidInputError, match="no output of Terraform"):
        read_outputs(document)


def test_another_kind_of_cluster_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="neither k3s nor eks"):
        read_outputs(build_document(distribution="gke"))
