"""The programs that are measured, each as it would be typed."""

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.fleet import Fleet
from benchmarks.lab import NAMESPACE, Lab
from benchmarks.measure import ContestantError, Measured, run_measured
from local_cluster.build import group_folder
from local_cluster.catalogue import ToolGroup
from release_manager.tenant import Target

CONCURRENCY = 10
MANAGER = Path(sys.executable).with_name("release-manager")
FLOOR = ToolGroup("bench-floor", Path(__file__).with_name("floor"), {"floor": "benchmarks/floor"})


def run_manager(lab: Lab, *arguments: str) -> Measured:
    """Run the release manager."""
    return run_measured([str(MANAGER), *arguments], lab.environment)


def run_helm(lab: Lab, *arguments: str) -> Measured:
    """Run helm."""
    helm = str(lab.cluster.bin / "helm")
    return run_measured([helm, *arguments, "--namespace", NAMESPACE], lab.environment)


class Ours:
    """`release-manager upgrade-all`, as fast as it may go: one wave, nothing baked."""

    name = "release-manager upgrade-all"

    def upgrade(self, fleet: Fleet) -> Measured:
        """Upgrade the fleet to its chart; every tenant is ready when this ends."""
        measured = run_upgrade_all(fleet)
        if unready := fleet.find_unready():
            raise ContestantError(f"it ended, and {len(unready)} tenants are not ready")
        return measured


def run_upgrade_all(fleet: Fleet) -> Measured:
    """Run the release manager's upgrade of all tenants to the fleet's chart."""
    waves = ("--canary", "0", "--bake", "0s", "--wave-size", "100%", "--failure-budget", "100%")
    arguments = ("upgrade-all", "--yes", "--concurrency", str(CONCURRENCY), *waves)
    return run_manager(fleet.lab, *arguments, "--chart", str(fleet.chart))


class Xargs:
    """`xargs helm upgrade --install --wait`: what a shell script would do."""

    name = "xargs helm upgrade --wait"

    def __init__(self, fleet: Fleet, values: Sequence[Path]) -> None:
        self._names = fleet.lab.folder / "slugs"
        self._names.write_text("".join(f"{slug}\n" for slug in fleet.slugs))
        self._values = values[0].parent

    def upgrade(self, fleet: Fleet) -> Measured:
        """Upgrade the fleet to its chart; every tenant is ready when this ends."""
        helm = [str(fleet.lab.cluster.bin / "helm"), "upgrade", "--install"]
        helm += [f"{Target('{}').release}", str(fleet.chart), "--namespace", NAMESPACE]
        helm += ["--values", f"{self._values}/{{}}.yaml", "--wait", "--timeout", "5m"]
        xargs = ["xargs", "--arg-file", str(self._names), "-P", str(CONCURRENCY), "-I", "{}"]
        return run_measured([*xargs, *helm], fleet.lab.environment)


class Floor:
    """The Helm SDK in one process, without looking before or after."""

    name = "Helm SDK in one process"

    def __init__(self, fleet: Fleet, values: Sequence[Path]) -> None:
        self._list = fleet.lab.folder / "releases"
        pairs = zip(fleet.slugs, values, strict=True)
        self._list.write_text("".join(f"{Target(slug).release}\t{file}\n" for slug, file in pairs))

    def upgrade(self, fleet: Fleet) -> Measured:
        """Upgrade the fleet to its chart, without waiting for it."""
        command = [str(group_folder(FLOOR) / "floor"), "-list", str(self._list)]
        command += ["-chart", str(fleet.chart), "-namespace", NAMESPACE]
        return run_measured([*command, "-workers", str(CONCURRENCY)], fleet.lab.environment)


Contestant = Ours | Xargs | Floor
