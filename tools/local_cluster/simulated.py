"""Clusters whose nodes, pods and volumes KWOK plays.

What pods do is chosen by their label `local-cluster/behaviour`, see `stages/behaviours.yaml`.
"""

import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from local_cluster import folders, processes
from local_cluster.build import build_groups, group_folder, is_built
from local_cluster.catalogue import CONTROL_PLANE, CRDS, HELM, KUBECTL, KWOK, ToolGroup
from local_cluster.control_plane import LOOPBACK, ControlPlane, Ports, Surroundings

# KWOK's default holds about 250 pods.
POD_RANGE = "10.244.0.0/16"


class Simulated:
    """The kind that runs everywhere, without root: nothing but the containers is simulated."""

    name = "simulated"
    groups: tuple[ToolGroup, ...] = (HELM, KUBECTL, CONTROL_PLANE, KWOK, CRDS)
    surroundings = Surroundings()
    users: Mapping[str, str] = {}
    processes: tuple[str, ...] = ("kwok",)

    def build(self) -> None:
        """Build all that is missing; raise BuildError when that is not possible."""
        build_groups(self.groups)

    def find_missing(self) -> list[str]:
        """Return what is not built yet."""
        return [group.name for group in self.groups if not is_built(group)]

    def list_sources(self) -> list[Path]:
        """Return the files that decide what such a cluster is."""
        kept = (folders.STAGES, folders.CONTAINER_LOGS)
        return [Path(__file__), *(path for folder in kept for path in sorted(folder.iterdir()))]

    def list_manifests(self) -> list[Path]:
        """Return what such a cluster has from the beginning."""
        return [
            folders.MANIFESTS / "simulated",
            *(group_folder(KWOK) / name for name in KWOK.files),
        ]

    def start_nodes(self, folder: Path, ports: Ports) -> Sequence[str]:
        """Write what kwok reads; the control plane runs on the host as it is."""
        _write_container_logs(folder / "containers")
        stages = [path.read_text() for path in sorted(folders.STAGES.glob("*.yaml"))]
        text = "\n---\n".join(stages).replace("@LOGS@", str(folder / "containers"))
        (folder / "kwok.yaml").write_text(text)
        return ()

    def prepare_pods(self, folder: Path) -> None:
        """Do nothing: simulated pods have no images."""

    def start_pods(self, folder: Path, ports: Ports) -> None:
        """Start kwok; only now, for it ends at once when its CRD is not served yet."""
        program = str(group_folder(KWOK) / "kwok")
        processes.start_process(
            folder,
            "kwok",
            [program, *_list_flags(ControlPlane(folder, ports, {}))],
            # It looks in here for a configuration that is the user's own.
            {"KWOK_WORKDIR": str(folder / "kwok")},
        )

    def clean_up(self, folder: Path) -> None:
        """Do nothing: kwok leaves nothing behind."""

    def forget(self, folder: Path) -> None:
        """Remove what kwok keeps."""
        shutil.rmtree(folder / "kwok", ignore_errors=True)


def _list_flags(plane: ControlPlane) -> list[str]:
    """Return kwok's command line."""
    kubelet = plane.ports.kubelet
    return [
        f"--kubeconfig={plane.kubeconfig}",
        f"--config={plane.folder}/kwok.yaml",
        "--manage-all-nodes=true",
        "--enable-crds=Logs",
        f"--cidr={POD_RANGE}",
        f"--node-ip={LOOPBACK}",
        f"--node-port={kubelet}",
        f"--server-address={LOOPBACK}:{kubelet}",
        f"--tls-cert-file={plane.certificate}",
        f"--tls-private-key-file={plane.folder}/pki/apiserver.key",
        # No node leases: after a kill -9 the next kwok would wait for the old one to expire.
        "--node-lease-duration-seconds=0",
    ]


def _write_container_logs(folder: Path) -> None:
    """Write the logs of simulated containers, in the format that a container runtime has."""
    folder.mkdir(exist_ok=True)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000000000Z")
    for source in folders.CONTAINER_LOGS.glob("*.log"):
        lines = [f"{now} stderr F {line}\n" for line in source.read_text().splitlines()]
        (folder / source.name).write_text("".join(lines))
