"""What is measured, in the order in which it is: each race finds the fleet as the last left it."""

import json
import statistics
from collections.abc import Callable, Sequence
from functools import partial

from benchmarks.contestants import (
    Contestant,
    Floor,
    Ours,
    Xargs,
    run_helm,
    run_manager,
    run_upgrade_all,
)
from benchmarks.figures import FleetFigures, Row
from benchmarks.fleet import Fleet, build_overrides, build_slug
from benchmarks.history import lengthen_history
from benchmarks.lab import NAMESPACE, open_lab
from benchmarks.measure import ContestantError, Measured
from local_cluster.progress import say
from release_manager.tenant import Target

# A large fleet takes long, and evens out by itself what a single moment does to a small one.
ROUNDS, LARGE, ROUNDS_OF_LARGE = 2, 300, 1
# Each `helm upgrade --wait` lists the pods of all tenants, again and again.
HUGE = 1000
LISTINGS, HISTORY = 3, 10
STOPS = 5
UPGRADE = "upgrade-all beside the Helm SDK"
WATCHED = (
    "/api/v1/namespaces/{}/secrets",
    "/api/v1/namespaces/{}/configmaps",
    "/apis/apps/v1/namespaces/{}/deployments",
    "/apis/coordination.k8s.io/v1/namespaces/{}/leases",
)


def measure_fleet(tenants: int) -> FleetFigures:
    """Fill a cluster of its own with tenants, measure everything, and end it."""
    with open_lab() as lab:
        fleet = Fleet(lab, tenants)
        fleet.fill()
        rows = [*race_upgrades(fleet), *measure_idle(fleet), race_stops(fleet), *race_lists(fleet)]
    return FleetFigures(tenants, tuple(rows))


def race_upgrades(fleet: Fleet) -> list[Row]:
    """Upgrade the fleet by each contestant in turn, each to a chart that replaces every pod."""
    values = fleet.write_values(fleet.slugs)
    ours, xargs, floor = Ours(), Xargs(fleet, values), Floor(fleet, values)
    runs: dict[str, list[Measured]] = {each.name: [] for each in (ours, xargs, floor)}
    contestants: list[Contestant] = [ours, xargs, floor]
    if len(fleet.slugs) >= HUGE:
        say(f"  {xargs.name}: left out: with {len(fleet.slugs)} tenants it takes most of an hour")
        contestants.remove(xargs)
    for _ in range(ROUNDS if len(fleet.slugs) < LARGE else ROUNDS_OF_LARGE):
        for contestant in contestants:
            runs[contestant.name] += _upgrade(fleet, contestant)
    mine = _seconds(runs[ours.name])
    peaks = tuple(run.peak_mebibytes for run in runs[ours.name])
    rows = [
        Row(UPGRADE, "s", mine, _seconds(runs[floor.name]), 2.5),
        Row("upgrade-all, its own memory", "MiB", peaks, None, 200, max),
    ]
    if xargs in contestants:
        name = "upgrade-all beside xargs helm upgrade --wait"
        rows.insert(0, Row(name, "s", mine, _seconds(runs[xargs.name]), 0.35))
    return rows


def _upgrade(fleet: Fleet, contestant: Contestant) -> list[Measured]:
    fleet.chart = fleet.lab.make_chart()
    measured = _attempt(contestant.name, lambda: contestant.upgrade(fleet))
    if measured:
        fleet.settle()
    return measured


def measure_idle(fleet: Fleet) -> list[Row]:
    """Upgrade a fleet that is up to date, and count what that writes."""
    fleet.upgrade(fleet.lab.make_chart())
    versions = {path: _read_version(fleet, path) for path in WATCHED}
    runs = _attempt("upgrade-all, nothing to do", lambda: run_upgrade_all(fleet))
    writes = sum(_count_writes(fleet, path, version) for path, version in versions.items())
    return [
        Row("upgrade-all, nothing to do", "s", _seconds(runs), None, 2),
        Row("upgrade-all, nothing to do", "writes", (writes,) if runs else (), None, 0),
    ]


def _read_version(fleet: Fleet, path: str) -> str:
    """Return where a watch has to begin to see everything from now on."""
    answer = fleet.lab.api.get(path.format(NAMESPACE), limit=1)
    return str(answer["metadata"]["resourceVersion"])


def _count_writes(fleet: Fleet, path: str, version: str) -> int:
    """Return how many objects were made, changed and removed since, also those that are gone."""
    changes = fleet.lab.api.get_text(
        path.format(NAMESPACE),
        timeout_seconds=30,
        watch="true",
        resourceVersion=version,
        timeoutSeconds=1,
    )
    return len(changes.splitlines())


def race_stops(fleet: Fleet) -> Row:
    """Stop tenants that are alike, by turns with the release manager and with helm."""
    plain = [build_slug(number) for number in fleet.numbers if not build_overrides(number)]
    pairs = list(zip(plain[0::2], plain[1::2], strict=False))[:STOPS]
    ours: list[Measured] = []
    helm: list[Measured] = []
    chart = str(fleet.chart)
    for mine, other in pairs:
        stop = ("stop-tenant", mine, "--no-wait", "--chart", chart)
        ours += _attempt("stop-tenant", partial(run_manager, fleet.lab, *stop))
        (values,) = fleet.write_values([other], {"replicas": 0})
        upgrade = ("upgrade", Target(other).release, chart, "--values", str(values))
        helm += _attempt("helm upgrade", partial(run_helm, fleet.lab, *upgrade))
    fleet.start([slug for pair in pairs for slug in pair])
    name = "stop-tenant beside helm upgrade"
    return Row(name, "s", _seconds(ours), _seconds(helm), 1.3, statistics.median)


def race_lists(fleet: Fleet) -> list[Row]:
    """List a fleet whose tenants have a long history."""
    say(f"making the history of every tenant {HISTORY} revisions long")
    lengthen_history(fleet, HISTORY)
    own = ("list-tenants", "-o", "json", "--chart", str(fleet.chart))
    plain = ("list", "--max", "0", "-o", "json")
    ours: list[Measured] = []
    helm: list[Measured] = []
    for _ in range(LISTINGS):
        ours += _attempt("list-tenants", lambda: _list(fleet, run_manager, own))
        helm += _attempt("helm list", lambda: _list(fleet, run_helm, plain))
    peaks = [tuple(run.peak_mebibytes for run in runs) for runs in (ours, helm)]
    name = "list-tenants beside helm list"
    return [
        Row(name, "s", _seconds(ours), _seconds(helm), 0.1, statistics.median),
        Row(name, "MiB", peaks[0], peaks[1], 0.25, statistics.median),
    ]


def _list(fleet: Fleet, run: Callable[..., Measured], arguments: Sequence[str]) -> Measured:
    """Run a listing that has to name every tenant."""
    measured = run(fleet.lab, *arguments)
    if (found := len(json.loads(measured.output))) != len(fleet.slugs):
        raise ContestantError(f"it lists {found} tenants, not {len(fleet.slugs)}")
    return measured


def _attempt(name: str, run: Callable[[], Measured]) -> list[Measured]:
    """Measure and tell; nothing when it fails."""
    try:
        measured = run()
    except ContestantError as error:
        say(f"  {name}: not measured: {error}")
        return []
    say(
        f"  {name}: {measured.seconds:.2f} s, CPU {measured.cpu_seconds:.2f} s, "
        f"peak {measured.peak_mebibytes:.0f} MiB"
    )
    return [measured]


def _seconds(runs: Sequence[Measured]) -> tuple[float, ...]:
    return tuple(run.seconds for run in runs)
