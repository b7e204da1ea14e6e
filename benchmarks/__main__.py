"""`python -m benchmarks [TENANTS...] [--out FILE]`: measure fleets and print how they compare.

The tables go to stdout, progress to stderr. Exit code 0: everything was measured, whether or not
it is as fast as is asked for; 1: something could not be measured; 130: interrupted.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.contestants import FLOOR
from benchmarks.figures import FleetFigures, Row, build_growth, format_table
from benchmarks.races import UPGRADE, measure_fleet
from local_cluster.build import build_groups
from local_cluster.clusters import SIMULATED
from local_cluster.errors import LocalClusterError
from local_cluster.folders import CLONE
from local_cluster.progress import say
from release_manager.errors import ReleaseManagerError

FAILED, INTERRUPTED = 1, 130
SMALLEST = 10
GROWTH_BAR = 1.2


def read_fleet_size(text: str) -> int:
    """Return a number of tenants, from the command line."""
    tenants = int(text)
    if tenants < SMALLEST:
        raise argparse.ArgumentTypeError(f"{tenants} tenants are too few; at least {SMALLEST}")
    return tenants


def read_file(text: str) -> Path:
    """Return a file that can be written, from the command line: known before hours have passed."""
    path = Path(text)
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent}")
    return path


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the command line; argparse itself exits with code 2 when it is wrong."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("tenants", nargs="*", type=read_fleet_size, help="size of each fleet")
    parser.add_argument("--out", type=read_file, metavar="FILE", help="write figures there as JSON")
    options = parser.parse_args(arguments)
    options.tenants = options.tenants or [100]
    return options


def describe_machine() -> dict[str, Any]:
    """Return what figures depend on."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memoryGiB": round(memory / 2**30, 1),
        "kernel": platform.release(),
    }


def read_commit() -> str:
    """Return the commit that was measured, marked when files differ from it."""
    command = ["git", "-C", str(CLONE), "describe", "--always", "--abbrev=40", "--dirty"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    return asked.stdout.strip()


def write_figures(path: Path, fleets: Sequence[FleetFigures], growth: Row | None) -> None:
    """Write everything as README.md describes it."""
    figures = {
        "machine": describe_machine(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": read_commit(),
        "fleets": [fleet.to_json() for fleet in fleets],
        "growth": growth.to_json() if growth else None,
    }
    path.write_text(json.dumps(figures, indent=2) + "\n")


def measure(options: argparse.Namespace) -> int:
    """Measure each fleet, print the tables, and write the file that was asked for."""
    SIMULATED.build()
    build_groups([FLOOR])
    fleets: list[FleetFigures] = []
    for tenants in options.tenants:
        fleets.append(measure_fleet(tenants))
        print(format_table(f"{tenants} tenants", fleets[-1].rows), flush=True)
    growth = build_growth(fleets, name=UPGRADE, bar=GROWTH_BAR)
    if growth:
        print(format_table("growth", [growth]))
    if options.out:
        write_figures(options.out, fleets, growth)
    return 0 if all(row.is_measured for fleet in fleets for row in fleet.rows) else FAILED


def main(arguments: Sequence[str]) -> int:
    """Run the benchmarks; return the exit code."""
    # `kill` ends it the way Ctrl-C does: the cluster is stopped first.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = read_arguments(arguments)
    try:
        return measure(options)
    except (LocalClusterError, ReleaseManagerError, TimeoutError) as error:
        say(str(error))
        return FAILED
    except KeyboardInterrupt:
        say("interrupted; the cluster is removed")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
