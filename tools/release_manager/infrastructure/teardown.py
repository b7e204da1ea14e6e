"""What a Terraform plan would take away: read from `terraform show -json PLAN`.

For the day on which the old stack goes. What outlives it must be out of its state by then.
Format of the document: https://developer.hashicorp.com/terraform/internals/json-format
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ..errors import InvalidInputError, TeardownRefusedError

_FORMAT = "1."
_EXPORT = "Export it with 'terraform show -json PLAN', after 'terraform plan -destroy -out=PLAN'"
# What nobody can make again as it was, or what names point to.
_FOREVER = {
    "aws_ecr_repository": "repository",
    "aws_eip": "Elastic IP",
    "aws_route53_zone": "zone",
}
# What holds data; it may go once that is elsewhere.
_DATA = {
    "aws_db_instance": "database",
    "aws_ebs_volume": "volume",
    "aws_efs_file_system": "file system",
    "aws_kms_key": "key",
    "aws_rds_cluster": "database",
    "aws_s3_bucket": "bucket",
    "aws_secretsmanager_secret": "secret",
}
_NAMES = ("name", "bucket", "identifier", "public_ip", "id")


class Fate(Enum):
    """What becomes of a resource that a plan would delete."""

    GOES = "goes"
    ALLOWED = "goes, as allowed"
    DATA = "holds data"
    FOREVER = "must stay"


@dataclass(frozen=True)
class Loss:
    """A resource that a plan would delete. `name` is what AWS knows it by."""

    address: str
    kind: str
    name: str
    is_replaced: bool
    fate: Fate


def read_losses(plan: object, *, allowed: frozenset[str], state_bucket: str) -> list[Loss]:
    """Return what a plan would delete, or delete and make anew, sorted by address.

    allowed: addresses of what holds data and may go. Raises InvalidInputError for what is no whole
    plan, and for an address that the plan does not delete.
    """
    losses = [
        _build_loss(change, allowed, state_bucket)
        for change in _read_changes(plan)
        if "delete" in change["change"]["actions"]
    ]
    if unknown := sorted(allowed - {loss.address for loss in losses}):
        raise InvalidInputError(
            f"field --allow: the plan does not delete {unknown[0]}",
            remedy="Give an address as the plan has it",
        )
    return sorted(losses, key=lambda loss: loss.address)


def _read_changes(plan: object) -> Iterator[Mapping[str, Any]]:
    if not isinstance(plan, Mapping) or not str(plan.get("format_version")).startswith(_FORMAT):
        raise InvalidInputError("the file is no plan of Terraform as JSON", remedy=_EXPORT)
    # Absent before Terraform 1.8: plans were whole then.
    if plan.get("errored") or plan.get("complete") is False:
        raise InvalidInputError(
            "the plan is not whole, for planning ended with an error",
            remedy="Correct what terraform said, and plan again",
        )
    if "planned_values" not in plan:
        raise InvalidInputError("the file is a state and no plan", remedy=_EXPORT)
    for change in plan.get("resource_changes", []):
        if change["mode"] == "managed":
            yield change


def _build_loss(change: Mapping[str, Any], allowed: frozenset[str], state_bucket: str) -> Loss:
    before = change["change"].get("before") or {}
    address, kind = change["address"], change["type"]
    if deposed := change.get("deposed"):
        address = f"{address} (deposed {deposed})"
    name = next((str(before[key]) for key in _NAMES if before.get(key)), "")
    return Loss(
        address=address,
        kind=kind,
        name=name,
        is_replaced="create" in change["change"]["actions"],
        fate=_determine_fate(kind, name, is_allowed=address in allowed, state_bucket=state_bucket),
    )


def _determine_fate(kind: str, name: str, *, is_allowed: bool, state_bucket: str) -> Fate:
    if kind in _FOREVER or (kind == "aws_s3_bucket" and name == state_bucket):
        return Fate.FOREVER
    if kind in _DATA:
        return Fate.ALLOWED if is_allowed else Fate.DATA
    return Fate.GOES


def refuse_losses(losses: Sequence[Loss]) -> None:
    """Refuse a plan that deletes what must stay. Raises TeardownRefusedError naming it all."""
    if staying := [loss for loss in losses if loss.fate is Fate.FOREVER]:
        raise TeardownRefusedError(
            f"the plan would delete {_tell(staying)}",
            remedy="Take it out of this state before, and leave it in AWS: "
            f"'terraform state rm {staying[0].address}'",
        )
    if data := [loss for loss in losses if loss.fate is Fate.DATA]:
        raise TeardownRefusedError(
            f"the plan would delete {_tell(data)}, which holds data",
            remedy=f"Once the data is elsewhere, say so: --allow {data[0].address}",
        )


def _tell(losses: Sequence[Loss]) -> str:
    words = {**_FOREVER, **_DATA}
    told = [f"the {words[loss.kind]} {loss.name} ({loss.address})" for loss in losses]
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
