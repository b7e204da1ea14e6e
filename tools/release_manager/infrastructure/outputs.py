"""From `terraform output -json` to the settings of a fleet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InvalidInputError
from .capacity import Distribution

# Secrets that are made by hand, of the access keys of the two users on k3s.
BACKUP_SECRET, CERTIFICATE_SECRET = "backup-credentials", "route53-credentials"
# NodePorts that the load balancer of terraform/modules/eks forwards to.
_NODE_PORTS = {"web": 30080, "websecure": 30443}
_TRAEFIK_LABELS = {"app.kubernetes.io/name": "traefik"}


@dataclass(frozen=True)
class Outputs:
    """What the roots k3s and eks tell, see their outputs.tf. Roles are empty on k3s."""

    distribution: Distribution
    domain: str
    zone_id: str
    region: str
    registry: str
    backup_bucket: str
    backup_prefix: str
    backup_role_arn: str
    certificate_role_arn: str


def read_outputs(document: object) -> Outputs:
    """Read what `terraform output -json` printed. Raises InvalidInputError naming the output."""
    if not isinstance(document, Mapping):
        raise _refuse("the file is no output of Terraform as JSON")
    names = [name for name in Outputs.__dataclass_fields__ if name != "distribution"]
    return Outputs(
        distribution=_read_distribution(document),
        **{name: _read_text(document, name) for name in names},
    )


def _read_distribution(document: Mapping[str, Any]) -> Distribution:
    text = _read_text(document, "distribution")
    try:
        return Distribution(text)
    except ValueError as exc:
        raise _refuse(f"output distribution: {text!r} is neither k3s nor eks") from exc


def _read_text(document: Mapping[str, Any], name: str) -> str:
    output = document.get(name)
    value = output.get("value") if isinstance(output, Mapping) else None
    if not isinstance(value, str):
        raise _refuse(f"output {name}: it is missing, or no text")
    return value


def _refuse(problem: str) -> InvalidInputError:
    return InvalidInputError(
        f"field --from-terraform: {problem}",
        remedy="Give what 'terraform output -json' prints in terraform/k3s or terraform/eks",
    )


def build_settings(outputs: Outputs, email: str) -> dict[str, Any]:
    """Return the content of a fleet file. email: where the certificate authority writes to."""
    is_eks = outputs.distribution is Distribution.EKS
    platform = {
        "certificates": {
            "issuer": "letsencrypt",
            "email": email,
            "route53": _build_route53(outputs),
        },
        "backups": {"store": "s3", "s3": _build_s3(outputs)},
    }
    return {
        "domain": outputs.domain,
        "registry": outputs.registry,
        "platform": {**platform, **(_build_eks_platform(outputs) if is_eks else {})},
        "api": _build_workload("aware-api", is_eks=is_eks),
        "defaults": _build_workload("aware-tenant", is_eks=is_eks),
    }


def _build_route53(outputs: Outputs) -> dict[str, Any]:
    zone = {"hostedZoneId": outputs.zone_id, "region": outputs.region}
    # On EKS cert-manager's ServiceAccount has the role.
    has_role = bool(outputs.certificate_role_arn)
    return zone if has_role else {**zone, "existingSecret": CERTIFICATE_SECRET}


def _build_s3(outputs: Outputs) -> dict[str, Any]:
    bucket = {
        "bucket": outputs.backup_bucket,
        "prefix": outputs.backup_prefix,
        "region": outputs.region,
    }
    if outputs.backup_role_arn:
        return {**bucket, "credentials": "irsa", "roleArn": outputs.backup_role_arn}
    return {**bucket, "credentials": "secret", "existingSecret": BACKUP_SECRET}


def _build_eks_platform(outputs: Outputs) -> dict[str, Any]:
    annotations = {"eks.amazonaws.com/role-arn": outputs.certificate_role_arn}
    ports = {name: {"nodePort": port} for name, port in _NODE_PORTS.items()}
    return {
        "certManager": {"values": {"serviceAccount": {"annotations": annotations}}},
        "traefik": {
            "install": True,
            "namespace": "traefik",
            "podLabels": dict(_TRAEFIK_LABELS),
            "pin": {"values": {"service": {"type": "NodePort"}, "ports": ports}},
        },
    }


def _build_workload(priority_class: str, *, is_eks: bool) -> dict[str, Any]:
    """Return values of the API or the tenants. k3s' own Traefik is where the charts expect it."""
    if not is_eks:
        return {"priorityClassName": priority_class}
    traefik = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "traefik"}},
        "podSelector": {"matchLabels": dict(_TRAEFIK_LABELS)},
    }
    return {
        "priorityClassName": priority_class,
        "networkPolicy": {"ingressFrom": [traefik]},
    }
