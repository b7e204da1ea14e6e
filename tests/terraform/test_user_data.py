"""The first start of the k3s node: what the instance is told, read, checked, and done."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from local_cluster.debian import MACHINE_ROOT
from release_manager.infrastructure import capacity
from tests.roots import unpack_root
from tests.terraform.conftest import MakeTerraform, read_example
from tests.terraform.machine import (
    DEVICE,
    K3S,
    KUBECONFIG_SECRET,
    PROVIDER,
    VOLUME,
    Machine,
    hash_text,
    read_files,
)

LIMIT_BYTES = 16 * 2**10
BOOTSTRAP = "/usr/local/sbin/k3s-bootstrap"
CONFIG = "/etc/rancher/k3s/config.yaml"
K3S_PROGRAM = "/usr/local/bin/k3s"
PROVIDER_PROGRAM = "/usr/local/libexec/credential-provider/ecr-credential-provider"
TOKEN_PARAMETER = "/parameters/_aware-k3s_token"
KUBECONFIG_PARAMETER = "/parameters/_aware-k3s_kubeconfig"


@pytest.fixture(scope="session", params=["minimal", "live-arm"])
def user_data(request: pytest.FixtureRequest, make_terraform: MakeTerraform) -> str:
    """User-data of an example of the root k3s, as Terraform would hand it to EC2."""
    return render(make_terraform, request.param)


@pytest.fixture(scope="session")
def runnable(make_terraform: MakeTerraform) -> str:
    """User-data whose checksums are those of what the machine downloads here."""
    return render(
        make_terraform,
        "minimal",
        k3s={"version": "v1.35.8+k3s1", "sha256": hash_text(K3S)},
        ecr_credential_provider={"version": "v1.35.0", "sha256": hash_text(PROVIDER)},
    )


def render(make_terraform: MakeTerraform, example: str, **more: Any) -> str:
    terraform = make_terraform("k3s")
    terraform.apply({**read_example("k3s", example), **more})
    instance = terraform.read_state()["module.node.aws_instance.node"]
    return str(instance["user_data"])


@pytest.fixture(scope="session")
def debian(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A Debian with cloud-init, unpacked once for all workers."""
    return unpack_root(MACHINE_ROOT, tmp_path_factory.getbasetemp(), worker_id)


@pytest.fixture
def machine(debian: Path, tmp_path: Path) -> Machine:
    """A machine that was never started."""
    root = tmp_path / "machine"
    # Links to the same files: what the machine writes is new files.
    subprocess.run(["cp", "-al", debian, root], check=True)
    machine = Machine(root)
    machine.prepare()
    return machine


# ---- What it says ----


def test_it_is_smaller_than_ec2_allows(user_data: str) -> None:
    assert len(user_data.encode()) < LIMIT_BYTES


def test_cloud_init_finds_nothing_wrong_with_it(user_data: str, machine: Machine) -> None:
    machine.write("/user-data", user_data)
    ended = machine.run_plainly("cloud-init", "schema", "--config-file", "/user-data")
    assert "Valid" in ended.stdout, ended.stdout + ended.stderr
    assert ended.returncode == 0


def test_it_uses_only_keys_that_are_meant(user_data: str) -> None:
    config = yaml.safe_load(user_data)
    assert set(config) == {"write_files", "runcmd"}
    for file in config["write_files"]:
        assert set(file) <= {"path", "permissions", "content"}
        assert file["path"].startswith("/")
    assert all(isinstance(command, list) for command in config["runcmd"])


def test_shellcheck_finds_nothing_in_the_bootstrap(user_data: str, tmp_path: Path) -> None:
    script = tmp_path / "bootstrap.sh"
    script.write_text(read_files(user_data)[BOOTSTRAP]["content"])
    ended = subprocess.run(
        [Path(sys.executable).parent / "shellcheck", script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout


def test_k3s_is_configured_by_a_file_that_only_root_reads(user_data: str) -> None:
    file = read_files(user_data)[CONFIG]
    assert file["permissions"] == "0600"
    config = yaml.safe_load(file["content"])
    assert config["write-kubeconfig-mode"] == "0600"
    assert config["secrets-encryption"] is True
    assert config["cluster-init"] is True
    assert config["tls-san"] == ["203.0.113.10"]
    assert config["node-name"] == "aware-k3s"
    assert config["etcd-s3"] is True
    assert config["etcd-s3-bucket"] == "wareit-backups"
    assert config["etcd-s3-folder"] == "etcd"
    # S3 has a retention of its own, of five.
    assert config["etcd-s3-retention"] == config["etcd-snapshot-retention"] == 28
    unit = read_files(user_data)["/etc/systemd/system/k3s.service"]["content"]
    assert "ExecStart=/usr/local/bin/k3s server\n" in unit


def test_the_node_keeps_back_what_the_release_manager_counts_with(user_data: str) -> None:
    config = yaml.safe_load(read_files(user_data)[CONFIG]["content"])
    kubelet = dict(argument.split("=", 1) for argument in config["kubelet-arg"])
    system, kube = (_read_amounts(kubelet[name]) for name in ("system-reserved", "kube-reserved"))
    assert system == (
        capacity.K3S_SYSTEM_RESERVED_CPU_MILLICORES,
        capacity.K3S_SYSTEM_RESERVED_MEMORY_MIB,
    )
    assert kube == (
        capacity.K3S_KUBE_RESERVED_CPU_MILLICORES,
        capacity.K3S_KUBE_RESERVED_MEMORY_MIB,
    )
    assert f"memory.available<{capacity.K3S_EVICTION_MEMORY_MIB}Mi" in kubelet["eviction-hard"]
    assert "max-pods" not in kubelet


def _read_amounts(text: str) -> tuple[float, float]:
    found = re.fullmatch(r"cpu=(\d+)m,memory=(\d+)Mi", text)
    assert found is not None
    return float(found.group(1)), float(found.group(2))


def test_images_are_pulled_without_a_static_key(user_data: str) -> None:
    files = read_files(user_data)
    config = yaml.safe_load(files[CONFIG]["content"])
    provider = yaml.safe_load(files[config["image-credential-provider-config"]]["content"])
    assert provider["providers"][0]["name"] == Path(PROVIDER_PROGRAM).name
    assert config["image-credential-provider-bin-dir"] == str(Path(PROVIDER_PROGRAM).parent)
    assert not re.search(r"AKIA|aws_secret|docker login|cron\.d", user_data)


def test_security_updates_are_installed_unattended(user_data: str) -> None:
    files = read_files(user_data)
    automatic = files["/etc/dnf/automatic.conf"]["content"]
    assert "upgrade_type = security\napply_updates = yes\n" in automatic
    assert files["/etc/dnf/vars/releasever"]["content"] == "latest"
    settings = files["/etc/aware/bootstrap.env"]["content"]
    assert 'PACKAGES="dnf-automatic' in settings
    assert 'UNITS="dnf-automatic.timer' in settings


def test_certificates_and_kernels_are_renewed_by_a_restart_each_month(user_data: str) -> None:
    files = read_files(user_data)
    timer = files["/etc/systemd/system/monthly-restart.timer"]["content"]
    assert "OnCalendar=Sun *-*-01..07 04:00 UTC" in timer
    assert "reboot" in files["/etc/systemd/system/monthly-restart.service"]["content"]
    assert "monthly-restart.timer" in files["/etc/aware/bootstrap.env"]["content"]


def test_programs_are_of_the_architecture(user_data: str) -> None:
    settings = read_files(user_data)["/etc/aware/bootstrap.env"]["content"]
    is_arm = "k3s-arm64" in settings
    assert ("ecr-credential-provider-linux-arm64" in settings) is is_arm
    assert ("ecr-credential-provider-linux-amd64" in settings) is not is_arm
    assert "v1.35.8%2Bk3s1" in settings


def test_the_log_goes_to_cloudwatch_only_where_it_is_asked_for(user_data: str) -> None:
    files = read_files(user_data)
    settings = files["/etc/aware/bootstrap.env"]["content"]
    has_agent = "amazon-cloudwatch-agent rsyslog" in settings
    has_file = any("cloudwatch" in path for path in files)
    is_started = "amazon-cloudwatch-agent.service" in settings
    # Only one of the examples has it.
    assert {has_agent, has_file, is_started} == {"k3s-arm64" in user_data}


# ---- What it does ----


def test_the_first_start_does_everything_once_and_in_this_order(
    machine: Machine, runnable: str
) -> None:
    ended = machine.start(runnable)
    assert ended.returncode == 0, ended.stderr
    steps = [
        "systemctl daemon-reload",
        "systemctl enable --now k3s-bootstrap.service",
        "curl .*/k3s-io/k3s/releases/download/v1.35.8%2Bk3s1/k3s",
        "sha256sum --check --status",
        "curl .*/ecr-credential-provider-linux-amd64",
        "sha256sum --check --status",
        "blkid --probe /disk",
        "mkfs.ext4 -q /disk",
        "mount -o noatime /disk /var/lib/rancher",
        "resize2fs /disk",
        f"install -D --mode=0755 .* {K3S_PROGRAM}.new",
        f"install -D --mode=0755 .* {PROVIDER_PROGRAM}.new",
        "aws ssm get-parameter --name /aware-k3s/token .*",
        "aws ssm put-parameter --name /aware-k3s/token --type SecureString .*",
        "systemctl start k3s.service",
        "k3s kubectl get --raw=/readyz",
        "aws ssm get-parameter --name /aware-k3s/kubeconfig .*",
        "aws ssm put-parameter --name /aware-k3s/kubeconfig --type SecureString .*",
        "rpm --query --quiet dnf-automatic",
        "dnf install --assumeyes --quiet dnf-automatic",
        "systemctl enable --now dnf-automatic.timer monthly-restart.timer",
    ]
    _assert_in_order(machine.take_calls(), steps)


def _assert_in_order(calls: list[str], steps: list[str]) -> None:
    rest = iter(calls)
    for step in steps:
        assert any(re.fullmatch(step, call) for call in rest), f"no {step!r} after that: {calls}"


def test_the_first_start_leaves_what_is_needed(machine: Machine, runnable: str) -> None:
    machine.start(runnable)
    assert machine.read(K3S_PROGRAM) == K3S
    assert (machine.root / "usr/local/bin/k3s").stat().st_mode & 0o777 == 0o755
    assert machine.read(PROVIDER_PROGRAM) == PROVIDER
    assert "server: https://203.0.113.10:6443" in machine.read(KUBECONFIG_PARAMETER)
    token = machine.read(TOKEN_PARAMETER)
    assert re.fullmatch("[0-9a-f]{64}", token)
    assert machine.read("/etc/rancher/k3s/token") == token
    assert (machine.root / "etc/rancher/k3s/token").stat().st_mode & 0o777 == 0o600


def test_a_second_start_changes_nothing(machine: Machine, runnable: str) -> None:
    machine.start(runnable)
    machine.take_calls()
    before = _collect(machine)
    ended = machine.start_again()
    assert ended.returncode == 0, ended.stderr
    calls = machine.take_calls()
    changing = ("curl", "mkfs.ext4", "aws ssm put-parameter", "install -D", "dnf")
    assert [call for call in calls if call.startswith(changing)] == []
    assert any(call.startswith("systemctl start k3s") for call in calls)
    assert _collect(machine) == before


def _collect(machine: Machine) -> dict[str, bytes]:
    """Return what the machine keeps: programs, configuration, parameters, and its volume."""
    folders = ("usr/local", "etc/rancher", "etc/aware", "etc/systemd", "parameters", "volume")
    files = [
        file
        for folder in folders
        for file in (machine.root / folder).rglob("*")
        if file.is_file() and not file.is_symlink()
    ]
    # Of the disk its file system's identity: that it was looked at again is written on it.
    disk = machine.run_plainly("blkid", "--probe", "--output", "export", "/disk").stdout
    assert "UUID=" in disk
    return {"disk": disk.encode(), **{str(file): file.read_bytes() for file in files}}


@pytest.mark.parametrize("artifact", ["k3s", "ecr-credential-provider-linux-amd64"])
def test_a_wrong_checksum_stops_it_before_anything_is_installed(
    machine: Machine, runnable: str, artifact: str
) -> None:
    machine.write(f"/internet/{artifact}", "#!/bin/sh\necho somebody else\n")
    ended = machine.start(runnable)
    assert ended.returncode != 0
    assert "another checksum" in ended.stderr
    assert not machine.has(K3S_PROGRAM)
    assert not machine.has(PROVIDER_PROGRAM)
    calls = machine.take_calls()
    forbidden = ("install", "mkfs.ext4", "mount ", "aws", "systemctl start")
    assert [call for call in calls if call.startswith(forbidden)] == []


def test_a_new_instance_takes_over_the_old_volume(
    debian: Path, tmp_path: Path, machine: Machine, runnable: str
) -> None:
    machine.start(runnable)
    successor = _replace(machine, debian, tmp_path)
    ended = successor.start(runnable)
    assert ended.returncode == 0, ended.stderr
    calls = successor.take_calls()
    assert [call for call in calls if call.startswith("mkfs")] == []
    assert not any("put-parameter --name /aware-k3s/token" in call for call in calls)
    assert successor.read("/etc/rancher/k3s/token") == machine.read("/etc/rancher/k3s/token")
    # What the cluster knows a node by is on the volume, too.
    assert (successor.root / "etc/rancher/node").readlink() == Path("/var/lib/rancher/node")


def _replace(machine: Machine, debian: Path, tmp_path: Path) -> Machine:
    """Return a new machine with the volume and the parameters of another one."""
    root = tmp_path / "successor"
    subprocess.run(["cp", "-al", debian, root], check=True)
    successor = Machine(root)
    successor.prepare()
    for name in ("disk", "volume", "parameters"):
        subprocess.run(["rm", "-rf", root / name], check=True)
        subprocess.run(["cp", "-a", machine.root / name, root / name], check=True)
    return successor


def test_the_token_comes_from_the_volume_where_ssm_has_lost_it(
    debian: Path, tmp_path: Path, machine: Machine, runnable: str
) -> None:
    machine.start(runnable)
    token = machine.read(TOKEN_PARAMETER)
    (machine.root / TOKEN_PARAMETER.removeprefix("/")).unlink()
    successor = _replace(machine, debian, tmp_path)
    successor.start(runnable)
    assert successor.read(TOKEN_PARAMETER) == token


def test_a_machine_that_starts_again_needs_no_ssm_for_its_cluster(
    machine: Machine, runnable: str
) -> None:
    machine.start(runnable)
    machine.take_calls()
    machine.write("/aws-fails", "")
    ended = machine.start_again()
    assert any(call.startswith("systemctl start k3s.service") for call in machine.take_calls())
    # What it could not do it says, and systemd tries again.
    assert ended.returncode != 0
    assert "cannot read /aware-k3s/kubeconfig" in ended.stderr


def test_packages_that_could_not_be_had_are_tried_again(machine: Machine, runnable: str) -> None:
    machine.write("/dnf-fails", "")
    assert machine.start(runnable).returncode != 0
    (machine.root / "dnf-fails").unlink()
    assert machine.start_again().returncode == 0
    assert machine.has("/packages/dnf-automatic")


def test_the_token_comes_from_ssm_where_the_volume_is_new(machine: Machine, runnable: str) -> None:
    machine.write(TOKEN_PARAMETER, "kept-since-the-first-node")
    machine.start(runnable)
    assert machine.read("/etc/rancher/k3s/token") == "kept-since-the-first-node"


def test_no_token_is_made_up_where_ssm_does_not_answer(machine: Machine, runnable: str) -> None:
    machine.write("/aws-fails", "")
    ended = machine.start(runnable)
    assert ended.returncode != 0
    assert "cannot read /aware-k3s/token: An error occurred (AccessDenied)" in ended.stderr
    assert not any("start k3s.service" in call for call in machine.take_calls())


def test_a_disk_that_is_not_empty_is_never_formatted(machine: Machine, runnable: str) -> None:
    with (machine.root / "disk").open("r+b") as disk:
        disk.seek(5000)
        disk.write(b"somebody's data")
    ended = machine.start(runnable)
    assert ended.returncode != 0
    assert "is not empty" in ended.stderr
    assert not any(call.startswith("mkfs") for call in machine.take_calls())


def test_it_waits_for_the_volume_and_says_when_it_does_not_come(
    machine: Machine, runnable: str
) -> None:
    machine.write("/detached", "")
    ended = machine.start(runnable)
    assert ended.returncode != 0
    assert f"{VOLUME} was not attached within five minutes" in ended.stderr
    assert machine.take_calls().count("sleep 2") == 150
    assert DEVICE.endswith("vol0123456789abcdef0")


def test_what_was_interrupted_goes_on(machine: Machine, runnable: str) -> None:
    machine.write("/aws-fails", "")
    machine.start(runnable)
    (machine.root / "aws-fails").unlink()
    ended = machine.start_again()
    assert ended.returncode == 0, ended.stderr
    assert machine.has(KUBECONFIG_PARAMETER)


def test_no_secret_is_on_a_command_line_or_in_the_log(machine: Machine, runnable: str) -> None:
    first = machine.start(runnable)
    second = machine.start_again()
    token = machine.read(TOKEN_PARAMETER)
    calls = machine.take_calls()
    assert len(calls) > 40
    told = "\n".join([*calls, *(end.stdout + end.stderr for end in (first, second))])
    assert token not in told
    assert KUBECONFIG_SECRET not in told
    assert KUBECONFIG_SECRET in machine.read(KUBECONFIG_PARAMETER)
    assert not list((machine.root / "run").iterdir())
