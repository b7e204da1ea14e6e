"""A machine that is started for the first time, without being one.

The root file system of a Debian, in a mount namespace of its own. What reaches out is a stand-in:
curl finds what the test put there, aws keeps parameters in a folder, systemctl runs the one unit
that matters and plays k3s. Everything else is real. Every command, real or not, is recorded with
its arguments; a command that is not foreseen here is not found.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

TIMEOUT_SECONDS = 120
VOLUME = "vol-0123456789abcdef0"
DEVICE = f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{VOLUME.replace('-', '')}"
VOLUME_BYTES = 8 * 2**20
KUBECONFIG_SECRET = "the-administrator's-key"
REAL = (
    *("bash", "blkid", "cmp", "cp", "grep", "install", "ln", "mkdir", "mkfs.ext4", "mktemp"),
    *("mountpoint", "mv", "od", "readlink", "resize2fs", "rm", "sed", "sha256sum", "tr"),
)
# Records itself and its arguments, one line a call, then becomes what it is called after.
_RECORD = 'echo "${0##*/}${*:+ $*}" >>/calls\n'
_STAND_INS = {
    "curl": """
while [ $# -gt 0 ]; do
  case $1 in --output) output=$2; shift 2 ;; http*) url=$1; shift ;; *) shift ;; esac
done
exec /bin/cp "/internet/$(/usr/bin/basename "$url")" "$output"
""",
    "aws": """
verb=$2
while [ $# -gt 0 ]; do
  case $1 in --name) name=$2; shift 2 ;; --value) value=$2; shift 2 ;; *) shift ;; esac
done
[ -e /aws-fails ] && { echo "An error occurred (AccessDenied)" >&2; exit 254; }
file=/parameters/$(echo "$name" | /bin/tr / _)
if [ "$verb" = put-parameter ]; then exec /bin/cp "${value#file://}" "$file"; fi
[ -e "$file" ] || { echo "An error occurred (ParameterNotFound) when calling" >&2; exit 254; }
exec /bin/cat "$file"
""",
    "mount": """
for last; do :; done
exec /bin/mount --bind /volume "$last"
""",
    "rpm": """
for last; do :; done
exec /bin/test -e "/packages/$last"
""",
    "dnf": """
[ -e /dnf-fails ] && { echo "no repository answers" >&2; exit 1; }
for last; do case $last in -*|install) ;; *) : >"/packages/$last" ;; esac; done
""",
    "sleep": "exit 0\n",
    "systemctl": """
for last; do :; done
case " $* " in
  *dnf-automatic.timer*) [ -e /packages/dnf-automatic ] || exit 1 ;;
esac
case $last in
  k3s-bootstrap.service)
    exec $(/bin/sed -n s/^ExecStart=//p /etc/systemd/system/k3s-bootstrap.service) ;;
  k3s.service)
    /bin/mkdir -p /var/lib/rancher/k3s/server
    /bin/cp /etc/rancher/k3s/token /var/lib/rancher/k3s/server/token
    /bin/cp /kubeconfig /etc/rancher/k3s/k3s.yaml ;;
esac
""",
}
_CLEAN = ("/usr/bin/env", "-i", "PATH=/stand-ins", "HOME=/root")
# What is downloaded as k3s: it answers once it was started.
K3S = f"#!/bin/sh\n{_RECORD}exec /bin/test -e /etc/rancher/k3s/k3s.yaml\n"
PROVIDER = "#!/bin/sh\nexit 0\n"


def hash_text(text: str) -> str:
    """Return the SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Machine:
    """The machine; `root` is its root file system, a copy of its own."""

    root: Path

    def prepare(self) -> None:
        """Put the stand-ins in place, an empty volume, and what there is to download."""
        self.write("/calls", "")
        for name, script in _STAND_INS.items():
            self.write(f"/stand-ins/{name}", f"#!/bin/sh\n{_RECORD}{script}")
        for name in REAL:
            path = shutil.which(name, path=self._real_path)
            assert path is not None, f"{name} is not in the root file system"
            inside = path.removeprefix(str(self.root))
            self.write(f"/stand-ins/{name}", f'#!/bin/sh\n{_RECORD}exec {inside} "$@"\n')
        for folder in ("volume", "parameters", "packages", "internet", "proc", "dev", "run", "tmp"):
            (self.root / folder).mkdir(exist_ok=True)
        with (self.root / "disk").open("wb") as disk:
            disk.truncate(VOLUME_BYTES)
        self.write("/internet/k3s", K3S)
        self.write("/internet/ecr-credential-provider-linux-amd64", PROVIDER)
        self.write("/kubeconfig", f"server: https://127.0.0.1:6443\nkey: {KUBECONFIG_SECRET}\n")

    @property
    def _real_path(self) -> str:
        return os.pathsep.join(str(self.root / name) for name in ("usr/bin", "usr/sbin"))

    def start(self, user_data: str) -> subprocess.CompletedProcess[str]:
        """Do what cloud-init does with user-data at the first start; return the last command."""
        config = yaml.safe_load(user_data)
        for file in config["write_files"]:
            self.write(file["path"], file["content"], int(file.get("permissions", "0644"), 8))
        return self.run_all(config["runcmd"])

    def start_again(self) -> subprocess.CompletedProcess[str]:
        """Do what systemd does at every other start."""
        return self.run_all([["systemctl", "start", "k3s-bootstrap.service"]])

    def run_plainly(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the machine's own, without stand-ins."""
        return subprocess.run(
            ["chroot", str(self.root), *command],
            env={"PATH": "/usr/sbin:/usr/bin", "HOME": "/root"},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )

    def run_all(self, commands: Sequence[Sequence[str]]) -> subprocess.CompletedProcess[str]:
        """Run commands in one life of the machine: mounts end with it."""
        root = shlex.quote(str(self.root))
        dev = f"{root}/dev"
        lines = [
            "set -e",
            f"mount --bind {root} {root}",
            f"mount -t proc proc {root}/proc",
            f"mount -t tmpfs tmpfs {root}/run",
            f"mount -t tmpfs tmpfs {dev}",
            "for name in null zero urandom; do",
            f": >{dev}/$name; mount --bind /dev/$name {dev}/$name; done",
            f"ln -s /proc/self/fd {dev}/fd",
            f"mkdir -p {root}{Path(DEVICE).parent}",
            f"test -e {root}/detached || ln -s /disk {root}{DEVICE}",
            f"cd {root}",
            "set +e",
            *(f"chroot . {shlex.join([*_CLEAN, *command])}" for command in commands),
        ]
        return subprocess.run(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", "\n".join(lines)],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )

    def write(self, path: str, content: str, mode: int = 0o755) -> None:
        """Write a file, which is not one that other copies of the root file system have, too."""
        file = self.root / path.removeprefix("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_text(content)
        file.chmod(mode)

    def read(self, path: str) -> str:
        """Return a file's text."""
        return (self.root / path.removeprefix("/")).read_text()

    def has(self, path: str) -> bool:
        """Tell whether there is such a file."""
        return (self.root / path.removeprefix("/")).exists()

    def take_calls(self) -> list[str]:
        """Return the commands since the last time, with their arguments, in their order."""
        calls = self.read("/calls").splitlines()
        self.write("/calls", "")
        return calls


def read_files(user_data: str) -> dict[str, dict[str, Any]]:
    """Return what user-data writes, by path."""
    return {file["path"]: file for file in yaml.safe_load(user_data)["write_files"]}
