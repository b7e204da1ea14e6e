"""The command lines and the files of one control plane; starting it is `simulated`'s part.

Everything listens on 127.0.0.1 only. The controller manager and the scheduler do not listen at
all, and etcd's peer port, which a cluster of one never uses, is whatever the kernel gives.
"""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from local_cluster.apiserver import ApiServer
from local_cluster.ports import is_free, pick_ports

LOOPBACK = "127.0.0.1"
# An address of documentation (RFC 5737): the API server insists on one that is not loopback and
# would not start on a machine without a network.
ADVERTISED = "192.0.2.1"
# The default range holds about 250 Services, and KWOK's default about 250 pods.
SERVICE_RANGE = "10.96.0.0/16"
POD_RANGE = "10.244.0.0/16"


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
class ControlPlane:
    """A control plane's folder and ports; `programs` maps each program to its path."""

    folder: Path
    ports: Ports
    programs: dict[str, Path]

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.folder / "kubeconfig"

    @property
    def certificate(self) -> Path:
        """The API server's certificate and its authority, both made by the API server."""
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
            "kwok": self._kwok(),
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
        return [
            f"--etcd-servers=http://{LOOPBACK}:{self.ports.etcd}",
            f"--bind-address={LOOPBACK}",
            f"--advertise-address={ADVERTISED}",
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
        ]

    def _controller_manager(self) -> list[str]:
        return [
            f"--kubeconfig={self.kubeconfig}",
            f"--root-ca-file={self.certificate}",
            f"--service-account-private-key-file={self.folder}/pki/apiserver.key",
            "--secure-port=0",
            "--leader-elect=false",
            # A machine that is busy with a benchmark is not a node that died.
            "--node-monitor-grace-period=200s",
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

    def _kwok(self) -> list[str]:
        return [
            f"--kubeconfig={self.kubeconfig}",
            f"--config={self.folder}/kwok.yaml",
            "--manage-all-nodes=true",
            "--enable-crds=Logs",
            f"--cidr={POD_RANGE}",
            f"--node-ip={LOOPBACK}",
            f"--node-port={self.ports.kubelet}",
            f"--server-address={LOOPBACK}:{self.ports.kubelet}",
            f"--tls-cert-file={self.certificate}",
            f"--tls-private-key-file={self.folder}/pki/apiserver.key",
            # No node leases: after a kill -9 the next kwok would wait for the old one to expire.
            "--node-lease-duration-seconds=0",
        ]

    def write_credentials(self) -> None:
        """Write the administrator's token for the API server, unless there is one already."""
        pki = self.folder / "pki"
        pki.mkdir(mode=0o700, parents=True, exist_ok=True)
        tokens = pki / "tokens.csv"
        if not tokens.exists():
            tokens.touch(mode=0o600)
            tokens.write_text(f"{secrets.token_hex(32)},admin,admin,system:masters\n")

    def read_token(self) -> str:
        """Return the administrator's token."""
        return (self.folder / "pki" / "tokens.csv").read_text().split(",")[0]

    def write_kubeconfig(self, context: str) -> None:
        """Write the kubeconfig, readable by its owner only, in one step.

        It is JSON, which is YAML too.
        """
        unfinished = self.kubeconfig.with_suffix(".unfinished")
        unfinished.touch(mode=0o600)
        unfinished.write_text(json.dumps(self._kubeconfig(context), indent=2) + "\n")
        unfinished.replace(self.kubeconfig)

    def _kubeconfig(self, context: str) -> dict[str, object]:
        cluster = {"server": self.url, "certificate-authority": str(self.certificate)}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": context, "cluster": cluster}],
            "users": [{"name": context, "user": {"token": self.read_token()}}],
            "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
            "current-context": context,
        }

    def api_server(self) -> ApiServer:
        """Return the API server, to ask it."""
        return ApiServer(LOOPBACK, self.ports.apiserver, self.certificate, self.read_token())
