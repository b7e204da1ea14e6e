"""The two kinds of clusters: what differs in how they are built and started."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from local_cluster.catalogue import ToolGroup
from local_cluster.control_plane import Ports, Surroundings


class Kind(Protocol):
    """Who plays the nodes and the pods of a cluster."""

    @property
    def name(self) -> str:
        """`simulated` or `real`."""

    @property
    def groups(self) -> tuple[ToolGroup, ...]:
        """The tools that it needs."""

    @property
    def surroundings(self) -> Surroundings:
        """What the control plane is told of its network."""

    @property
    def users(self) -> Mapping[str, str]:
        """Users of the API server beside the administrator, each with its group."""

    @property
    def processes(self) -> tuple[str, ...]:
        """Names of its processes beside the control plane's own."""

    def build(self) -> None:
        """Build all that is missing; raise BuildError when that is not possible."""

    def find_missing(self) -> list[str]:
        """Return what is not built yet."""

    def list_sources(self) -> list[Path]:
        """Return the files that decide what such a cluster is."""

    def list_manifests(self) -> list[Path]:
        """Return what such a cluster has from the beginning."""

    def start_nodes(self, folder: Path, ports: Ports) -> Sequence[str]:
        """Start what the control plane runs in; return the prefix of its command lines."""

    def prepare_pods(self, folder: Path) -> None:
        """Do what pods need and takes long, while the control plane starts."""

    def start_pods(self, folder: Path, ports: Ports) -> None:
        """Start what runs pods; the control plane is ready and has the manifests."""

    def clean_up(self, folder: Path) -> None:
        """Remove what its processes leave behind outside of the folder; they have ended."""

    def forget(self, folder: Path) -> None:
        """Remove what nodes and pods keep, so that the next start begins anew."""
