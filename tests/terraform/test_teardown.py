"""The guard over the old stack's end, on plans that terraform itself made."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.terraform.conftest import Terraform

OLD_STACK = Path(__file__).with_name("old_stack")
STAYING = (
    "aws_ecr_repository.main",
    "aws_eip.main",
    "aws_route53_zone.main",
    "aws_s3_bucket.state",
)
STATE_BUCKET = ("--state-bucket", "wareit-terraform")


@pytest.fixture(scope="module")
def stack(program: str, configuration: Path, tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """The old stack as it runs."""
    folder = tmp_path_factory.mktemp("old") / "stack"
    shutil.copytree(OLD_STACK, folder)
    terraform = Terraform(program, folder, configuration)
    terraform.run("init", "-input=false")
    terraform.run("apply", "-input=false", "-auto-approve")
    return terraform


def plan(terraform: Terraform, *more: str) -> Path:
    terraform.run("plan", "-input=false", "-out=plan", *more)
    file = terraform.folder / "plan.json"
    file.write_text(terraform.run("show", "-json", "plan"))
    return file


def check(file: Path, *more: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "release-manager"
    return subprocess.run(
        [program, "check-teardown", str(file), *more],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_end_of_everything_is_refused_and_all_that_must_stay_is_named(
    stack: Terraform,
) -> None:
    ended = check(plan(stack, "-destroy"), *STATE_BUCKET)
    assert ended.returncode == 2
    (sentence,) = ended.stderr.splitlines()
    assert sentence.startswith("Error: the plan would delete ")
    for address in STAYING:
        assert address in sentence
    assert "the zone wareit.ai (aws_route53_zone.main)" in sentence
    assert "the bucket wareit-terraform (aws_s3_bucket.state)" in sentence
    assert "'terraform state rm " in sentence


@pytest.mark.parametrize("address", ["aws_route53_zone.main", "aws_s3_bucket.state"])
def test_no_flag_lets_go_what_must_stay(stack: Terraform, address: str) -> None:
    ended = check(plan(stack, "-destroy"), *STATE_BUCKET, "--allow", address)
    assert ended.returncode == 2
    assert address in ended.stderr


def test_a_zone_that_would_be_made_anew_is_refused(stack: Terraform) -> None:
    ended = check(plan(stack, "-replace=aws_route53_zone.main"))
    assert ended.returncode == 2
    assert "the zone wareit.ai (aws_route53_zone.main)" in ended.stderr


def test_a_plan_without_what_must_stay_is_taken_once_the_database_may_go(
    stack: Terraform, tmp_path: Path
) -> None:
    folder = tmp_path / "stack"
    shutil.copytree(stack.folder, folder)
    copy = Terraform(stack.program, folder, stack.configuration)
    # What the sentence says.
    copy.run("state", "rm", *STAYING)
    file = plan(copy, "-destroy")
    refused = check(file, *STATE_BUCKET)
    assert refused.returncode == 2
    assert "the database aware (aws_db_instance.main), which holds data" in refused.stderr
    taken = check(file, *STATE_BUCKET, "--allow", "aws_db_instance.main", "-o", "json")
    assert taken.returncode == 0, taken.stderr
    fates = {loss["address"]: loss["fate"] for loss in json.loads(taken.stdout)}
    assert fates["aws_db_instance.main"] == "goes, as allowed"
    assert fates["aws_ecs_service.tenant"] == "goes"
    assert not fates.keys() & set(STAYING)


def test_a_plan_that_changes_nothing_is_taken(stack: Terraform) -> None:
    ended = check(plan(stack))
    assert ended.returncode == 0
    assert "deletes nothing" in ended.stderr
