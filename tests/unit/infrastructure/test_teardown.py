"""Which plans of Terraform are refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from release_manager.errors import InvalidInputError, TeardownRefusedError
from release_manager.infrastructure.teardown import Fate, Loss, read_losses, refuse_losses

DELETE, REPLACE, REPLACE_AFTER = ["delete"], ["delete", "create"], ["create", "delete"]


def build_change(
    kind: str, actions: Sequence[str], *, address: str = "", **before: str
) -> dict[str, Any]:
    return {
        "address": address or f"{kind}.main",
        "mode": "managed",
        "type": kind,
        "change": {"actions": list(actions), "before": before},
    }


def build_plan(*changes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "format_version": "1.2",
        "planned_values": {},
        "resource_changes": list(changes),
        **more,
    }


def read(
    *changes: dict[str, Any], allowed: Sequence[str] = (), state_bucket: str = ""
) -> list[Loss]:
    return read_losses(build_plan(*changes), allowed=frozenset(allowed), state_bucket=state_bucket)


@pytest.mark.parametrize("actions", [DELETE, REPLACE, REPLACE_AFTER])
@pytest.mark.parametrize("kind", ["aws_route53_zone", "aws_ecr_repository", "aws_eip"])
def test_what_must_stay_is_refused_deleted_or_replaced(kind: str, actions: list[str]) -> None:
    with pytest.raises(TeardownRefusedError, match=rf"{kind}\.main"):
        refuse_losses(read(build_change(kind, actions, name="x")))


@pytest.mark.parametrize("actions", [["no-op"], ["update"], ["create"], ["forget"], ["read"]])
def test_what_is_not_deleted_is_nothing(actions: list[str]) -> None:
    assert read(build_change("aws_route53_zone", actions)) == []


def test_all_that_must_stay_is_in_one_sentence() -> None:
    losses = read(
        build_change("aws_route53_zone", DELETE, name="wareit.ai"),
        build_change("aws_eip", DELETE, public_ip="203.0.113.10"),
        build_change("aws_ecs_service", DELETE, name="tenant-acme"),
    )
    with pytest.raises(TeardownRefusedError) as caught:
        refuse_losses(losses)
    assert caught.value.problem == (
        "the plan would delete the Elastic IP 203.0.113.10 (aws_eip.main) "
        "and the zone wareit.ai (aws_route53_zone.main)"
    )
    assert "'terraform state rm aws_eip.main'" in caught.value.remedy


def test_the_bucket_of_the_state_must_stay_whatever_is_allowed() -> None:
    change = build_change("aws_s3_bucket", DELETE, bucket="state")
    (loss,) = read(change, allowed=["aws_s3_bucket.main"], state_bucket="state")
    assert loss.fate is Fate.FOREVER


@pytest.mark.parametrize(
    "kind", ["aws_s3_bucket", "aws_db_instance", "aws_ebs_volume", "aws_efs_file_system"]
)
def test_what_holds_data_goes_only_when_that_was_said(kind: str) -> None:
    change = build_change(kind, DELETE, id="x")
    with pytest.raises(TeardownRefusedError, match="holds data") as caught:
        refuse_losses(read(change))
    assert f"--allow {kind}.main" in caught.value.remedy
    refuse_losses(read(change, allowed=[f"{kind}.main"]))


def test_an_address_that_is_not_deleted_cannot_be_allowed() -> None:
    with pytest.raises(InvalidInputError, match="field --allow"):
        read(allowed=["aws_db_instance.other"])


def test_what_a_module_has_is_found_too() -> None:
    address = 'module.dns["wareit.ai"].aws_route53_zone.this[0]'
    (loss,) = read(build_change("aws_route53_zone", DELETE, address=address))
    assert (loss.address, loss.fate) == (address, Fate.FOREVER)


def test_what_a_failed_replacement_left_behind_is_told_apart() -> None:
    change = {**build_change("aws_instance", DELETE, id="i-1"), "deposed": "ab12"}
    (loss,) = read(change)
    assert loss.address == "aws_instance.main (deposed ab12)"


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ([], "is no plan"),
        ({}, "is no plan"),
        ({"format_version": "2.0", "planned_values": {}}, "is no plan"),
        ({"format_version": "1.0", "values": {}}, "a state and no plan"),
        (build_plan(errored=True), "is not whole"),
        (build_plan(complete=False), "is not whole"),
    ],
)
def test_what_is_no_whole_plan_is_refused(document: object, sentence: str) -> None:
    with pytest.raises(InvalidInputError, match=sentence):
        read_losses(document, allowed=frozenset(), state_bucket="")
