"""The commands of docs/aws.md, executed as they stand there, in their order.

terraform is real with the provider's stand-in, and keeps its state in an S3 that moto plays; so are
AWS' answers to `aws`. kubectl builds what it would send. Nothing is downloaded.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from release_manager.cli import release_manager
from tests.aws import serve_aws
from tests.postgres.servers import AWS
from tests.terraform.conftest import MakeTerraform
from tests.terraform.declarations import PROJECT, SOURCE
from tests.terraform.machine import read_files
from tests.terraform.test_user_data import render

PAGE = (PROJECT / "docs" / "aws.md").read_text()
BUCKET = "wareit-terraform"
TIMEOUT_SECONDS = 120
# What a person answers, or would do on a cluster, is given here; all else is as on the page.
ANSWERED = (
    (r"^(terraform .*\bapply\b(?! \w))(.*)$", r"\1 -auto-approve -input=false\2"),
    (r"^(terraform .*-migrate-state)(.*)$", r"\1 -force-copy\2"),
    (r"^(kubectl .*\bcreate\b.*)$", r"\1 --dry-run=client -o yaml"),
)
# Not from here: the internet, a cluster of one's own, a session on the node.
NOT_EXECUTED = (
    *("curl ", "kubectl get", "release-manager ", "aws eks ", "k3s ", "systemctl ", "pkill "),
)


def read_commands(heading: str) -> list[str]:
    """Return the commands of one section."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\$ (.+)$", section, re.MULTILINE)


@dataclass(frozen=True)
class Desk:
    """A clone of the project, and who works in it."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, command: str) -> str:
        """Run a line of shell; return what it printed."""
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self.folder,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        assert ended.returncode == 0, f"{command}\n{ended.stdout}{ended.stderr}"
        return ended.stdout

    def run_section(self, heading: str) -> list[str]:
        """Run the commands of a section; return what each printed."""
        printed = []
        for line in read_commands(heading):
            command = line
            for pattern, answer in ANSWERED:
                command = re.sub(pattern, answer, command)
            if not command.startswith(NOT_EXECUTED):
                printed.append(self.run(command))
        return printed


@pytest.fixture(scope="module")
def aws_endpoint() -> Iterator[str]:
    """What moto serves in AWS' place."""
    with serve_aws() as endpoint:
        yield endpoint


@pytest.fixture
def desk(
    program: str, configuration: Path, tools_path: Path, aws_endpoint: str, tmp_path: Path
) -> Desk:
    """A clone of the project's Terraform and documents, with an account that moto plays."""
    folder = tmp_path / "project"
    shutil.copytree(SOURCE, folder / "terraform", ignore=shutil.ignore_patterns(".terraform*"))
    paths = [AWS, Path(sys.executable).parent, tools_path, Path(program).parent]
    environment = {
        "PATH": os.pathsep.join([*map(str, paths), "/usr/bin", "/bin"]),
        "HOME": str(tmp_path),
        "TF_CLI_CONFIG_FILE": str(configuration),
        "CHECKPOINT_DISABLE": "1",
        "AWS_ENDPOINT_URL": aws_endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "KUBECONFIG": str(tmp_path / "none"),
    }
    return Desk(folder, environment)


def make_bucket(desk: Desk) -> None:
    # The stand-in of the provider makes nothing.
    desk.run(f"aws s3 mb s3://{BUCKET} 2>/dev/null || true")


def test_the_foundations_state_moves_to_the_bucket_that_it_makes(desk: Desk) -> None:
    make_bucket(desk)
    desk.run_section("The foundation")
    assert "foundation" in desk.run(f"aws s3 ls s3://{BUCKET}")
    resources = desk.run("terraform -chdir=terraform/foundation state list").splitlines()
    assert "aws_route53_zone.main" in resources
    assert "module.state.aws_s3_bucket.main" in resources


@pytest.fixture
def node(desk: Desk) -> Desk:
    """The node of the smallest example, with its state in the bucket."""
    make_bucket(desk)
    desk.run(
        "aws ssm put-parameter --overwrite --type SecureString "
        "--name /aware-k3s/kubeconfig --value 'kind: Config'"
    )
    desk.run_section("The node")
    return desk


def test_the_nodes_outputs_become_settings(node: Desk) -> None:
    assert (node.folder / "kubeconfig").read_text().strip() == "kind: Config"
    assert (node.folder / "kubeconfig").stat().st_mode & 0o777 == 0o600
    (command,) = (
        line
        for line in read_commands("Platform, API, tenant")
        if line.startswith("release-manager write-settings")
    )
    node.run(command)
    assert "wareit-backups" in (node.folder / "fleet.yaml").read_text()


def test_keys_become_secrets_and_leave_nothing_behind(desk: Desk) -> None:
    for user in ("aware-k3s-backups", "aware-k3s-certificates"):
        desk.run(f"aws iam create-user --user-name {user} || true")
    printed = "\n---\n".join(desk.run_section("Keys for the jobs"))
    for key in ("credentials:", "access-key-id:", "secret-access-key:"):
        assert f"\n  {key} " in printed
    left = {file.name for file in desk.folder.iterdir()}
    assert left == {"terraform"}


def test_names_come_by_the_canary_and_can_be_taken_back(node: Desk) -> None:
    node.run_section("Cutting over")
    terraform = "terraform -chdir=terraform/k3s"
    names = json.loads(node.run(f"{terraform} output -json dns_names"))
    assert names == ["*.wareit.ai", "api.wareit.ai"]
    node.run(f"{terraform} apply -auto-approve -var dns_mode=none")
    assert json.loads(node.run(f"{terraform} output -json dns_names")) == []


def test_another_instance_and_another_volume_come_as_it_says(node: Desk) -> None:
    show = "terraform -chdir=terraform/k3s state show -no-color"
    node.run_section("Another version of k3s, a newer system")
    node.run_section("The data volume is lost")
    volume = node.run(f"{show} module.node.aws_ebs_volume.data")
    assert re.search(r'snapshot_id\s+= "snap-0123456789abcdef0"', volume)


def test_eks_has_the_same_outputs(desk: Desk) -> None:
    make_bucket(desk)
    desk.run_section("EKS")
    outputs = json.loads((desk.folder / "outputs.json").read_text())
    assert outputs["distribution"]["value"] == "eks"


@pytest.mark.parametrize(
    "line", sorted(set(re.findall(r"^\$ (release-manager .+)$", PAGE, re.MULTILINE)))
)
def test_every_command_of_the_release_manager_is_one(line: str) -> None:
    _program, name, *arguments = line.split()
    command = release_manager.commands[name]
    command.make_context(name, arguments)


def test_what_the_page_downloads_is_what_the_node_downloads(
    make_terraform: MakeTerraform,
) -> None:
    settings = read_files(render(make_terraform, "minimal"))["/etc/aware/bootstrap.env"]["content"]
    for url in re.findall(r"curl -fsSL (\S+)", PAGE):
        folder = url.rpartition("/")[0]
        assert f"={folder}/" in settings
