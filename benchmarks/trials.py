"""`python -m benchmarks.trials [--trials N]`: kill a rollout at a random moment, and resume it.

Each trial upgrades the same 50 tenants to another version of the chart, kills the manager with
SIGKILL at a moment between its start and the time that an upgrade takes, and goes on with
`resume-rollout`; where it died before the rollout had begun, with `upgrade-all`. Then every tenant
must have the new chart and be ready, the stopped ones be stopped, nothing be stuck, and only those
that were in flight may have got more than one revision. Exit code 0: all trials ended right.
"""

import argparse
import contextlib
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.contestants import CONCURRENCY, MANAGER
from benchmarks.fleet import Fleet, build_overrides
from benchmarks.lab import Lab, open_lab, version_of
from local_cluster.clusters import SIMULATED
from local_cluster.progress import say

TENANTS = 50
TIMEOUT_SECONDS = 300
NOTHING_TO_RESUME, BUSY = 2, 5


@dataclass(frozen=True)
class Trial:
    """How a trial ended. problems: what was not right; empty when all was."""

    seconds: float
    resumed_by: str
    repeated: int
    problems: tuple[str, ...]


def run_trials(number: int, seed: int) -> list[Trial]:
    """Fill one fleet and kill its rollouts, one after the other."""
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    with open_lab() as lab:
        fleet = Fleet(lab, TENANTS)
        fleet.fill()
        began = time.monotonic()
        fleet.chart = lab.make_chart()
        end_upgrade(start_upgrade(fleet))
        whole = time.monotonic() - began
        say(f"an upgrade of {TENANTS} tenants takes {whole:.1f} s")
        trials = []
        for index in range(1, number + 1):
            trials.append(run_trial(fleet, chance.uniform(0, whole)))
            say(f"trial {index} of {number}: {describe(trials[-1])}")
        return trials


def describe(trial: Trial) -> str:
    """Return one line about a trial."""
    verdict = "; ".join(trial.problems) or "right"
    repeated = f"{trial.repeated} done again"
    return f"killed after {trial.seconds:.1f} s, {trial.resumed_by}, {repeated}: {verdict}"


def run_trial(fleet: Fleet, seconds: float) -> Trial:
    """Kill an upgrade after so long, go on with it, and look at every tenant."""
    fleet.chart = fleet.lab.make_chart()
    before = read_rows(fleet.lab)
    process = start_upgrade(fleet)
    # The delay is the experiment itself.
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    process.kill()
    process.communicate()
    resumed_by, said = resume(fleet)
    after = read_rows(fleet.lab)
    growth = {slug: after[slug]["revision"] - before[slug]["revision"] for slug in after}
    repeated = sum(number > 1 for number in growth.values())
    problems = [*said, *find_problems(fleet, after)]
    if repeated > CONCURRENCY:
        problems.append(f"{repeated} were done again, {CONCURRENCY} were in flight")
    return Trial(seconds, resumed_by, repeated, tuple(problems))


def start_upgrade(fleet: Fleet) -> subprocess.Popen[str]:
    """Start upgrade-all to the fleet's chart."""
    waves = ("--canary", "0", "--bake", "0s", "--wave-size", "20", "--failure-budget", "100%")
    command = [str(MANAGER), "upgrade-all", "--yes", "--concurrency", str(CONCURRENCY), *waves]
    return subprocess.Popen(
        [*command, "--chart", str(fleet.chart)],
        env=fleet.lab.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def end_upgrade(process: subprocess.Popen[str]) -> list[str]:
    """Wait for a command; return what it said when it failed."""
    said, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    return [] if process.returncode == 0 else [f"exit code {process.returncode}: {said.strip()}"]


def resume(fleet: Fleet) -> tuple[str, list[str]]:
    """Go on after a kill; return by which command, and what it said when it failed."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        done = subprocess.run(
            [str(MANAGER), "resume-rollout"],
            env=fleet.lab.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
        )
        if done.returncode == NOTHING_TO_RESUME and "no rollout that could go on" in done.stderr:
            return "begun again", end_upgrade(start_upgrade(fleet))
        if done.returncode != BUSY or time.monotonic() > deadline:
            problem = f"exit code {done.returncode}: {done.stderr.strip()}"
            return "resumed", [problem] if done.returncode else []
        time.sleep(0.5)


def read_rows(lab: Lab) -> dict[str, dict[str, Any]]:
    """Return the rows of list-tenants, by slug."""
    done = subprocess.run(
        [str(MANAGER), "list-tenants", "-o", "json"],
        env=lab.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return {row["slug"]: row for row in json.loads(done.stdout)}


def find_problems(fleet: Fleet, rows: dict[str, dict[str, Any]]) -> list[str]:
    """Return what is not right about a fleet that has been upgraded."""
    chart = f"aware-tenant-{version_of(fleet.chart)}"
    problems = []
    for number, slug in zip(fleet.numbers, fleet.slugs, strict=True):
        wanted = "stopped" if build_overrides(number).get("replicas") == 0 else "running"
        row = rows[slug]
        if (row["state"], row["chart"]) != (wanted, chart):
            problems.append(f"{slug} is {row['state']} with {row['chart']}, {row['reason']}")
    return problems


def main(arguments: Sequence[str]) -> int:
    """Run the trials; return the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parser = argparse.ArgumentParser(prog="benchmarks.trials", description=__doc__)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args(arguments)
    say(f"seed {options.seed}")
    SIMULATED.build()
    trials = run_trials(options.trials, options.seed)
    right = [trial for trial in trials if not trial.problems]
    print(f"{len(right)} of {len(trials)} trials ended right (seed {options.seed})")
    for trial in trials:
        if trial.problems:
            print(describe(trial))
    return 0 if len(right) == len(trials) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
