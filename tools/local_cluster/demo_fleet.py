"""The demo's fleet: twenty tenants, a chart that breaks the canary, and the one that is right.

Only in clusters of the demo's own: nobody wants eighteen more tenants in theirs.
"""

import shlex
import shutil
import subprocess
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from local_cluster import folders
from local_cluster.errors import LocalClusterError

Command = tuple[str, ...]

SLUGS = tuple(f"shop-{number:02}" for number in range(1, 19))
# What a stand-in, and a simulated pod, take as the order to crash.
CRASH_OF_STAND_IN = ("env: {}", 'env: {STAND_IN_CRASH_AFTER_SECONDS: "0.2"}')
CRASH_OF_SIMULATED = ("podLabels: {}", "podLabels: {local-cluster/behaviour: crash-loop}")
BROKEN, FIXED = "0.2.0", "0.2.1"
INSTALLERS = 4


@dataclass(frozen=True)
class Installation:
    """Many tenants that are installed at the same time; only its outline is shown."""

    slugs: tuple[str, ...]


@dataclass(frozen=True)
class Charts:
    """Two later versions of the tenants' chart: `broken` crashes whoever gets it."""

    broken: Path
    fixed: Path


def write_fleet_file(folder: Path) -> None:
    """Write what all have in common; images of stand-ins have tags of their own."""
    shutil.copyfile(folders.CLONE / "docs" / "examples" / "fleet.local.yaml", folder / "fleet.yaml")


def write_charts(folder: Path, *, has_real_containers: bool) -> Charts:
    """Copy the chart twice; raise LocalClusterError when it is not as it was expected."""
    crash = CRASH_OF_STAND_IN if has_real_containers else CRASH_OF_SIMULATED
    return Charts(
        broken=_copy_chart(folder / f"aware-tenant-{BROKEN}", BROKEN, crash),
        fixed=_copy_chart(folder / f"aware-tenant-{FIXED}", FIXED),
    )


def _copy_chart(folder: Path, version: str, change: tuple[str, str] | None = None) -> Path:
    shutil.copytree(folders.CLONE / "charts" / "aware-tenant", folder, dirs_exist_ok=True)
    metadata, values = folder / "Chart.yaml", folder / "values.yaml"
    lines = metadata.read_text().splitlines()
    lines = [f"version: {version}" if line.startswith("version: ") else line for line in lines]
    metadata.write_text("\n".join(lines) + "\n")
    if change is not None:
        old, new = change
        text = values.read_text()
        if f"\n{old}\n" not in text:
            raise LocalClusterError(f"{values.name} of the chart has no line {old!r} any more.")
        values.write_text(text.replace(f"\n{old}\n", f"\n{new}\n"))
    return folder


def plan_installation(existing: Collection[str]) -> list[Installation]:
    """Return what is left to install of the fleet."""
    missing = tuple(slug for slug in SLUGS if slug not in existing)
    return [Installation(missing)] if missing else []


def build_upgrade(chart: Path) -> Command:
    """Return the upgrade of the whole fleet, with the first shop as canary."""
    limits = ("--canary", SLUGS[0], "--bake", "5s", "--wave-size", "10")
    return ("release-manager", "upgrade-all", "--chart", chart.name, *limits, "--yes")


def install(planned: Installation, environment: Mapping[str, str]) -> bool:
    """Install tenants, some at a time; tell whether all are there."""
    print(
        f"\n$ for slug in {planned.slugs[0]} ... {planned.slugs[-1]}; do release-manager "
        f"install-tenant $slug --no-wait; done  # {len(planned.slugs)} tenants",
        flush=True,
    )

    def run(slug: str) -> subprocess.CompletedProcess[str]:
        program = shutil.which("release-manager", path=environment["PATH"]) or "release-manager"
        return subprocess.run(
            [program, "install-tenant", slug, "--no-wait"],
            env=dict(environment),
            capture_output=True,
            text=True,
            check=False,
        )

    with ThreadPoolExecutor(INSTALLERS) as pool:
        done = list(pool.map(run, planned.slugs))
    failed = [item for item in done if item.returncode != 0]
    for item in failed:
        print(f"{shlex.join(item.args[1:])}: {item.stderr.strip()}", flush=True)
    print(f"{len(done) - len(failed)} tenants installed", flush=True)
    return not failed
