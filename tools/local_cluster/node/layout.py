"""Where a node keeps what, and its addresses. The same paths outside and inside the node."""

from dataclasses import dataclass
from pathlib import Path

NODE_NAME = "node-1"
# All inside the node's own network, so any number of nodes can have the same.
NODE_ADDRESS = "192.168.77.2"
GATEWAY_ADDRESS = "192.168.77.1"
POD_RANGE = "10.244.0.0/16"
API_SERVICE = "10.96.0.1"
DNS_ADDRESS = "10.96.0.10"
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"


@dataclass(frozen=True)
class Layout:
    """The folder of one node, inside its cluster's."""

    cluster: Path

    @property
    def folder(self) -> Path:
        """Everything that belongs to the node."""
        return self.cluster / "node"

    @property
    def root(self) -> Path:
        """Where the node's root file system is mounted; empty when seen from the host."""
        return self.folder / "root"

    @property
    def config(self) -> Path:
        """The configuration of containerd, of the pods' network and of the kubelet."""
        return self.folder / "config"

    @property
    def logs(self) -> Path:
        """The logs of the node's processes and of its pods."""
        return self.folder / "logs"

    @property
    def volumes(self) -> Path:
        """One folder for each PersistentVolume."""
        return self.folder / "volumes"

    @property
    def containerd(self) -> Path:
        """Containerd's images and containers."""
        return self.folder / "containerd"

    @property
    def kubelet(self) -> Path:
        """What the kubelet keeps of its pods."""
        return self.folder / "kubelet"

    @property
    def cgroups(self) -> Path:
        """A file that lists the control groups that were made for the node."""
        return self.folder / "cgroups"

    @property
    def plan(self) -> Path:
        """What `hold`, `enter` and `init` have to do, as JSON."""
        return self.folder / "plan.json"

    @property
    def ready(self) -> Path:
        """A file that is there once the node's network and certificates are."""
        return self.folder / "ready"

    @property
    def imported(self) -> Path:
        """A file that lists the image archives that containerd has."""
        return self.folder / "imported"

    @property
    def client_certificate(self) -> Path:
        """What the API server shows to the kubelet; its key is beside it."""
        return self.cluster / "pki" / "kubelet-client.crt"
