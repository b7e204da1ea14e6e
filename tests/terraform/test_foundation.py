"""The root foundation: what is there is taken over, and nothing is ever destroyed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.terraform.conftest import MakeTerraform, TerraformError, read_changes, read_example

NEW, TAKEN_OVER = read_example("foundation", "new"), read_example("foundation", "taken-over")
KEPT = {
    "aws_route53_zone.main",
    'aws_ecr_repository.main["aware-api"]',
    'aws_ecr_repository.main["aware-gateway"]',
    "module.state.aws_s3_bucket.main",
}


def test_a_new_foundation_is_made(make_terraform: MakeTerraform) -> None:
    changes = read_changes(make_terraform("foundation").plan(NEW))
    assert {changes[address] for address in KEPT} == {("create",)}


def test_what_is_there_is_imported_and_not_made_again(make_terraform: MakeTerraform) -> None:
    plan = make_terraform("foundation").plan(TAKEN_OVER)
    imported = {
        item["address"]: item["change"]["importing"]["id"]
        for item in plan["resource_changes"]
        if item["change"].get("importing")
    }
    assert imported == {
        "aws_route53_zone.main": "Z0000000000000000000",
        'aws_ecr_repository.main["aware-api"]': "aware-api",
        'aws_ecr_repository.main["aware-gateway"]': "aware-gateway",
        "module.state.aws_s3_bucket.main": "wareit-terraform",
    }
    changes = read_changes(plan)
    for address in KEPT:
        assert changes.get(address, ("update",)) == ("update",)


def test_what_was_taken_over_stays_taken_over(make_terraform: MakeTerraform) -> None:
    terraform = make_terraform("foundation")
    outputs = terraform.apply(TAKEN_OVER)
    assert outputs["zone_id"] == "Z0000000000000000000"
    assert read_changes(terraform.plan(TAKEN_OVER)) == {}
    # Once it is here, nobody needs to say any more that it was there.
    without = {name: value for name, value in TAKEN_OVER.items() if name != "existing"}
    assert read_changes(terraform.plan(without)) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [("domain", "example.com"), ("repositories", ["aware-api"]), ("state_bucket", "wareit-other")],
)
def test_a_change_that_would_destroy_is_refused(
    make_terraform: MakeTerraform, name: str, value: Any
) -> None:
    terraform = make_terraform("foundation")
    terraform.apply(NEW)
    with pytest.raises(TerraformError, match="Instance cannot be destroyed"):
        terraform.plan({**NEW, name: value})


def test_destroying_everything_is_refused(make_terraform: MakeTerraform) -> None:
    terraform = make_terraform("foundation")
    terraform.apply(NEW)
    with pytest.raises(TerraformError, match="Instance cannot be destroyed"):
        terraform.plan(NEW, "-destroy")


def test_another_comment_of_the_zone_changes_the_zone_in_place(
    make_terraform: MakeTerraform, tmp_path: Path
) -> None:
    terraform = make_terraform("foundation")
    terraform.apply(NEW)
    changes = read_changes(terraform.plan({**NEW, "zone_comment": "other"}))
    assert changes == {"aws_route53_zone.main": ("update",)}
    assert json.loads(terraform.run("show", "-json"))["values"]
