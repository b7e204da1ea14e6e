"""The command lines and the files of one control plane; starting it is `launch`'s part.

Everything listens on 127.0.0.1 only. The controller manager and the scheduler do not listen at
all, and etcd's peer port, which a cluster of one never uses, is whatever the kernel gives.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local_cluster.apiserver import ApiServer
from local_cluster.ports import is_free, pick_ports

LOOPBACK = "127.0.0.1"
ADMINISTRATOR = "admin"
# An address of documentation (RFC 5737): the API server insists on one that is not loopback and
# would not start on a machine without a network.
ADVERTISED = "192.0.2.1"
# The default range holds about 250 Services.
SERVICE_RANGE = "10.96.0.0/16"


@dataclass(frozen=True)
class Ports:
    """The ports of one control plane."""

    etcd: int
    apiserver: int
    kubelet: int

    def are_free(self) -> bool:
        """Tell whether all of them could be listened on now."""
        return all(is_free(port) for port in (self.etcd, self.apiserver, self.kubelet))

    @staticmethod
    def pick() -> "Ports":
        """Choose free ones."""
        return Ports(*pick_ports(3))


@dataclass(frozen=True)
class Surroundings:
    """What a control plane's flags say of its network and its nodes.

    advertised: the API server's address for pods. node_grace_seconds: how long a node may be
    silent. has_kubelet: whether there is a kubelet that wants a certificate of the API server.
    """

    bind_address: str = LOOPBACK
    advertised: str = ADVERTISED
    # A machine that is busy with a benchmark is not a node that died.
    node_grace_seconds: int = 200
    has_kubelet: bool = False


@dataclass(frozen=True)
class ControlPlane:
    """A control plane's folder and ports; `programs` maps each program to its path."""

    folder: Path
    ports: Ports
    programs: dict[str, Path]
    surroundings: Surroundings = Surroundings()

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.folder / "kubeconfig"

    @property
    def certificate(self) -> Path:
        """The API server's certificate and its authority, in one file."""
        return self.folder / "pki" / "apiserver.crt"

    @property
    def url(self) -> str:
        """Where the API server listens."""
        return f"https://{LOOPBACK}:{self.ports.apiserver}"

    def commands(self) -> dict[str, list[str]]:
        """Return the command line of each process, in the order of starting them."""
        arguments = {
            "etcd": self._etcd(),
            "kube-apiserver": self._apiserver(),
            "kube-controller-manager": self._controller_manager(),
            "kube-scheduler": self._scheduler(),
        }
        return {name: [str(self.programs[name]), *line] for name, line in arguments.items()}

    def _etcd(self) -> list[str]:
        client = f"http://{LOOPBACK}:{self.ports.etcd}"
        return [
            f"--data-dir={self.folder}/etcd",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls=http://{LOOPBACK}:0",
            # Survives the death of every process, not a power cut: enough here, and much faster.
            "--unsafe-no-fsync",
            "--auto-compaction-retention=1",
            "--quota-backend-bytes=8589934592",
            "--log-level=warn",
        ]

    def _apiserver(self) -> list[str]:
        pki = self.folder / "pki"
        client = ("--kubelet-client-certificate=", ".crt"), ("--kubelet-client-key=", ".key")
        kubelet = [f"{flag}{pki}/kubelet-client{end}" for flag, end in client]
        return [
            f"--etcd-servers=http://{LOOPBACK}:{self.ports.etcd}",
            f"--bind-address={self.surroundings.bind_address}",
            f"--advertise-address={self.surroundings.advertised}",
            f"--secure-port={self.ports.apiserver}",
            f"--cert-dir={pki}",
            f"--token-auth-file={pki}/tokens.csv",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={pki}/apiserver.key",
            f"--service-account-signing-key-file={pki}/apiserver.key",
            f"--service-cluster-ip-range={SERVICE_RANGE}",
            "--authorization-mode=Node,RBAC",
            "--allow-privileged=true",
            "--kubelet-preferred-address-types=InternalIP",
            *(kubelet if self.surroundings.has_kubelet else ()),
        ]

    def _controller_manager(self) -> list[str]:
        return [
            f"--kubeconfig={self.kubeconfig}",
            f"--root-ca-file={self.certificate}",
            f"--service-account-private-key-file={self.folder}/pki/apiserver.key",
            "--secure-port=0",
            "--leader-elect=false",
            f"--node-monitor-grace-period={self.surroundings.node_grace_seconds}s",
            # With the default of 20 requests a second, 100 rollouts take minutes.
            "--kube-api-qps=1000",
            "--kube-api-burst=2000",
        ]

    def _scheduler(self) -> list[str]:
        return [
            f"--kubeconfig={self.kubeconfig}",
            "--secure-port=0",
            "--leader-elect=false",
            "--kube-api-qps=1000",
            "--kube-api-burst=2000",
        ]

    def write_credentials(self, further_users: Mapping[str, str]) -> None:
        """Write a token for the administrator and for each further user, with its group.

        Tokens that are there already stay. Each further user gets `pki/USER.kubeconfig`, where a
        colon in the name becomes a dash.
        """
        pki = self.folder / "pki"
        pki.mkdir(mode=0o700, parents=True, exist_ok=True)
        tokens = pki / "tokens.csv"
        users = {ADMINISTRATOR: "system:masters", **further_users}
        if not tokens.exists():
            tokens.touch(mode=0o600)
            lines = (f"{secrets.token_hex(32)},{name},{name},{users[name]}\n" for name in users)
            tokens.write_text("".join(lines))
        for user in further_users:
            path = pki / f"{user.replace(':', '-')}.kubeconfig"
            self._write_kubeconfig(path, "node", user)

    def read_token(self, user: str = ADMINISTRATOR) -> str:
        """Return a user's token."""
        lines = (self.folder / "pki" / "tokens.csv").read_text().splitlines()
        return next(
            token for token, name, *_ in (line.split(",") for line in lines) if name == user
        )

    def write_kubeconfig(self, context: str) -> None:
        """Write the administrator's kubeconfig."""
        self._write_kubeconfig(self.kubeconfig, context, ADMINISTRATOR)

    def _write_kubeconfig(self, path: Path, context: str, user: str) -> None:
        """Write a kubeconfig, readable by its owner only, in one step.

        It is JSON, which is YAML too.
        """
        cluster = {"server": self.url, "certificate-authority": str(self.certificate)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": context, "cluster": cluster}],
            "users": [{"name": context, "user": {"token": self.read_token(user)}}],
            "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
            "current-context": context,
        }
        unfinished = path.with_name(f"{path.name}.unfinished")
        unfinished.touch(mode=0o600)
        unfinished.write_text(json.dumps(config, indent=2) + "\n")
        unfinished.replace(path)

    def api_server(self) -> ApiServer:
        """Return the API server, to ask it."""
        return ApiServer(LOOPBACK, self.ports.apiserver, self.certificate, self.read_token())
