"""Clusters whose one node runs real containers."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from local_cluster import folders, images, processes
from local_cluster.build import build_groups, group_folder, is_built
from local_cluster.catalogue import (
    CONTROL_PLANE,
    COREDNS,
    CRDS,
    HELM,
    KUBECTL,
    NODE,
    ToolGroup,
)
from local_cluster.control_plane import Ports, Surroundings
from local_cluster.node import host
from local_cluster.node.layout import NODE_ADDRESS, NODE_NAME
from local_cluster.node.system import build_system, system_folder

# Imported at every start; others on demand, by `host.import_images`.
ARCHIVES = ("system", "stand-ins")


class Real:
    """The kind that shows the truth: kubelet, containerd, DNS, volumes. It needs Linux and root."""

    name = "real"
    groups: tuple[ToolGroup, ...] = (HELM, KUBECTL, CONTROL_PLANE, NODE, COREDNS, CRDS)
    # In the node's network, which nobody else is in; a silent node is given up soon.
    surroundings = Surroundings(
        bind_address="0.0.0.0",  # noqa: S104
        advertised=NODE_ADDRESS,
        node_grace_seconds=20,
        has_kubelet=True,
    )
    users: Mapping[str, str] = {
        f"system:node:{NODE_NAME}": "system:nodes",
        "system:kube-proxy": "system:node-proxiers",
    }
    processes: tuple[str, ...] = (host.HOLDER, "forward")

    def build(self) -> None:
        """Build all that is missing; raise BuildError when that is not possible."""
        build_groups(self.groups)
        build_system()
        for name in ARCHIVES:
            images.build_archive(name)

    def find_missing(self) -> list[str]:
        """Return what is not built yet."""
        groups = [group.name for group in self.groups if not is_built(group)]
        system = [] if system_folder().is_dir() else ["the node's root file system"]
        return [*groups, *system]

    def list_sources(self) -> list[Path]:
        """Return the files that decide what such a cluster is."""
        package = Path(__file__).parent
        return [*sorted(package.glob("*.py")), *sorted((package / "config").iterdir())]

    def list_manifests(self) -> list[Path]:
        """Return what such a cluster has from the beginning."""
        return [folders.MANIFESTS / "real"]

    def start_nodes(self, folder: Path, ports: Ports) -> Sequence[str]:
        """Start the node; the control plane runs in its network, on the host otherwise."""
        programs = [group_folder(NODE) / name for name in NODE.packages]
        first = host.start(folder, system=build_system(), programs=programs, pause=images.PAUSE)
        port = str(ports.apiserver)
        forward = host.list_forward_command(folder, first, port, "127.0.0.1", port)
        processes.start_process(folder, "forward", forward)
        return host.enter_network(first)

    def prepare_pods(self, folder: Path) -> None:
        """Give containerd its images."""
        for name in ARCHIVES:
            host.import_images(folder, images.build_archive(name))

    def start_pods(self, folder: Path, ports: Ports) -> None:
        """Do nothing: the kubelet has started with the node."""

    def clean_up(self, folder: Path) -> None:
        """Remove the node's control groups."""
        host.clean_up(folder)

    def forget(self, folder: Path) -> None:
        """Remove all that the node keeps: images, containers, volumes."""
        host.forget(folder)
