"""What is written down of a cluster, so that a later run can find, mend and remove it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from local_cluster import processes
from local_cluster.control_plane import Ports
from local_cluster.errors import UsageError


@dataclass(frozen=True)
class Owner:
    """The process that a cluster belongs to; `started` tells it from a later one of that pid."""

    pid: int
    started: str

    def is_alive(self) -> bool:
        """Tell whether the process still runs."""
        return processes.read_start(self.pid) == self.started


@dataclass(frozen=True)
class Record:
    """A cluster's ports, kind, what it was made from (a digest) and owner; written first of all."""

    ports: Ports
    containers: str
    recipe: str
    owner: Owner | None
    # False until the node, the CRDs and the storage class were there once.
    is_complete: bool = False

    @property
    def is_abandoned(self) -> bool:
        """Tell whether the cluster had an owner, and that has ended."""
        return self.owner is not None and not self.owner.is_alive()


def identify_owner(pid: int | None) -> Owner | None:
    """Return the owner that a pid names; raise UsageError when no such process runs."""
    if pid is None:
        return None
    started = processes.read_start(pid)
    if not started:
        raise UsageError(f"No process has the pid {pid}, so it cannot own a cluster.")
    return Owner(pid, started)


def read_record(folder: Path) -> Record | None:
    """Return what is written down of a cluster; None when there is none or it is unreadable.

    A record that another version of this program wrote is read as far as it is understood, so that
    its cluster can be removed.
    """
    try:
        fields = json.loads((folder / "cluster.json").read_text())
        return Record(
            ports=Ports(**fields["ports"]),
            containers=fields.get("containers", "simulated"),
            recipe=fields.get("recipe", ""),
            owner=Owner(**fields["owner"]) if fields["owner"] else None,
            is_complete=fields.get("is_complete", False),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_record(folder: Path, record: Record) -> None:
    """Write down what a cluster is, in one step."""
    unfinished = folder / "cluster.json.unfinished"
    unfinished.write_text(json.dumps(asdict(record), indent=2) + "\n")
    unfinished.replace(folder / "cluster.json")
