"""Rollouts that are interrupted, killed, raced and cut off, and end in the right state."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_cluster import clusters
from release_manager.ports import Ports
from release_manager.settings import Settings
from release_manager.wiring import build_ports, complete_settings
from tests.cluster.fleets import AT_ONCE, FleetOperator, name_tenants, strike
from tests.conftest import RUN_PID, build_environment, create_namespace
from tests.kills import wait_for_lease_to_expire
from tests.terminal import Operator, wait_for

CHANGE = ("--set", "podLabels.x=y")
SLOWLY = strike("slow-start")


@pytest.fixture
def fleet(operator: Operator, ports: Ports, settings: Settings) -> Iterator[FleetOperator]:
    """Somebody who upgrades a fleet that is still empty."""
    fleet = FleetOperator(operator, ports, settings)
    yield fleet
    fleet.end_processes()


def begin(fleet: FleetOperator, *arguments: object) -> subprocess.Popen[str]:
    """Start upgrade-all, and return when it has begun with the first tenants."""
    before = fleet.revisions()
    process = fleet.operator.start("upgrade-all", *AT_ONCE, *arguments)
    fleet.started.append(process)
    wait_for(lambda: fleet.revisions() != before, "the first tenant to be changed")
    return process


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Return a process's exit code and what it said on stderr."""
    said = process.communicate(timeout=120)[1]
    assert "Traceback" not in said, said
    return process.returncode, said


def read_until(process: subprocess.Popen[str], text: str) -> None:
    """Read what a process says on stderr, until it has said that."""
    assert process.stderr is not None
    said = ""
    while text not in said:
        line = process.stderr.readline()
        assert line, said
        said += line


def count_changed(fleet: FleetOperator) -> int:
    """Return how many tenants have the change."""
    return sum(number > 1 for number in fleet.revisions().values())


def test_ctrl_c_lets_what_is_in_flight_end_and_can_be_resumed(fleet: FleetOperator) -> None:
    slugs = name_tenants(8)
    fleet.install({slug: {} for slug in slugs})
    process = begin(fleet, *SLOWLY, "--concurrency", "2", "--failure-budget", "100%")
    process.send_signal(signal.SIGINT)
    code, said = end(process)
    assert code == 130, said
    assert "nothing more is begun; Ctrl-C again ends what is in flight" in said
    changed = count_changed(fleet)
    assert 0 < changed < len(slugs)
    fleet.require_running(slugs)
    rollout = fleet.rollout()
    assert (rollout["state"], rollout["done"]) == ("interrupted", changed)
    refused = fleet.upgrade(*CHANGE, exit_code=2)
    assert "was not finished" in refused.stderr
    fleet.resume()
    fleet.require_running(slugs)
    assert set(fleet.revisions().values()) == {2}


def test_ctrl_c_twice_ends_what_is_in_flight_and_can_be_resumed(fleet: FleetOperator) -> None:
    slugs = name_tenants(6)
    fleet.install({slug: {} for slug in slugs})
    process = begin(fleet, *strike("never-ready"), "--concurrency", "3", "--failure-budget", "100%")
    process.send_signal(signal.SIGINT)
    read_until(process, "nothing more is begun")
    process.send_signal(signal.SIGINT)
    wait_for(lambda: process.poll() is not None, "the rollout to end", seconds=30)
    code, said = end(process)
    assert code == 130, said
    assert "ending what is in flight" in said
    assert not [row for row in fleet.rows().values() if row["state"] in ("busy", "stuck")]
    assert fleet.rollout()["state"] == "interrupted"
    fleet.operator.run("abort-rollout", "--yes")
    assert fleet.rollout()["state"] == "aborted"
    fleet.upgrade(*CHANGE)
    fleet.require_running(slugs)


def test_a_killed_rollout_is_resumed_from_another_place(
    fleet: FleetOperator, changed_chart: Path, tmp_path: Path
) -> None:
    slugs = name_tenants(10)
    fleet.install({slug: {} for slug in slugs})
    fleet.operator.run("stop-tenant", "t04")
    process = begin(fleet, "--chart", changed_chart, *SLOWLY, "--concurrency", "2")
    process.kill()
    process.communicate()
    # Neither the chart nor anything else of the machine where it began is needed.
    changed_chart.rename(tmp_path / "gone")
    home = tmp_path / "another-home"
    home.mkdir()
    environment = {**fleet.operator.environment, "HOME": str(home)}
    elsewhere = Operator(fleet.operator.namespace, environment)
    resumed = elsewhere.call_manager("resume-rollout")
    if resumed.returncode == 5:
        # Its Lease lives on where process tables cannot be compared.
        wait_for_lease_to_expire(fleet.operator)
        resumed = elsewhere.call_manager("resume-rollout")
    assert resumed.returncode == 0, resumed.stderr
    rows = fleet.rows()
    assert {row["chart"] for row in rows.values()} == {"aware-tenant-0.2.0"}
    assert rows.pop("t04")["state"] == "stopped"
    assert {row["state"] for row in rows.values()} == {"running"}
    rollout = fleet.rollout()
    assert (rollout["state"], rollout["done"]) == ("finished", 10)


def test_of_two_rollouts_at_once_the_second_answers_busy(fleet: FleetOperator) -> None:
    fleet.install({slug: {} for slug in name_tenants(4)})
    process = begin(fleet, *SLOWLY, "--concurrency", "1")
    refused = fleet.operator.run("stop-all", "--yes", exit_code=5)
    assert "is under way by" in refused.stderr
    assert fleet.operator.run("resume-rollout", exit_code=5).stdout == ""
    code, said = end(process)
    assert code == 0, said
    assert fleet.rollout()["done"] == 4


def test_a_single_tenants_command_waits_its_turn_or_answers_busy(fleet: FleetOperator) -> None:
    fleet.install({slug: {} for slug in name_tenants(6)})
    process = begin(fleet, *SLOWLY, "--concurrency", "1")
    wait_for(lambda: fleet.revisions()["t00"] == 2, "the first tenant to be changed")
    busy = fleet.operator.call_manager("upgrade-tenant", "t00", *CHANGE)
    assert busy.returncode in (0, 5), busy.stderr
    # So far behind that it has ended when the rollout comes there.
    other = fleet.operator.run("upgrade-tenant", "t05", "--set", "podLabels.own=yes", "--no-wait")
    assert "revision 2" in other.stdout
    code, said = end(process)
    assert code == 1, said
    report = fleet.reports()["t05"]
    assert report["outcome"] == "changed"
    assert fleet.values("t05")["podLabels"]["own"] == "yes"


def test_what_hand_run_helm_does_meanwhile_is_not_overwritten(
    fleet: FleetOperator, chart: Path
) -> None:
    fleet.install({slug: {} for slug in name_tenants(5)})
    operator = fleet.operator
    operator.run("upgrade-tenant", "t04", *CHANGE)
    process = begin(fleet, *SLOWLY, "--concurrency", "1")
    operator.helm("upgrade", "tenant-t03", chart, "--reuse-values", "--set", "env.BY_HAND=x")
    operator.helm("rollback", "tenant-t04", "1")
    code, said = end(process)
    assert code == 1, said
    assert {slug: report["outcome"] for slug, report in fleet.reports().items()} == {
        "t03": "changed",
        "t04": "changed",
    }
    assert fleet.values("t03")["env"]["BY_HAND"] == "x"
    assert "podLabels" not in fleet.values("t04")


def test_a_rollout_can_be_aborted_from_elsewhere(fleet: FleetOperator) -> None:
    fleet.install({slug: {} for slug in name_tenants(6)})
    process = begin(fleet, *SLOWLY, "--concurrency", "1")
    fleet.operator.run("abort-rollout", "--rollback", "--yes")
    code, said = end(process)
    assert (code, "asked for its end" in said) == (130, True), said
    states = [rollout["state"] for rollout in fleet.operator.read("list-rollouts")]
    assert states == ["finished", "aborted"]
    assert all("podLabels" not in fleet.values(slug) for slug in name_tenants(6))


def test_a_process_whose_rollout_was_taken_over_stops_at_once(fleet: FleetOperator) -> None:
    slugs = name_tenants(8)
    fleet.install({slug: {} for slug in slugs})
    process = begin(fleet, *SLOWLY, "--concurrency", "1")
    process.send_signal(signal.SIGSTOP)
    try:
        # A laptop that was closed: after twenty seconds anybody may go on.
        wait_for(
            lambda: fleet.operator.call_manager("resume-rollout").returncode == 0,
            "the rollout to be taken over",
            seconds=90,
        )
    finally:
        process.send_signal(signal.SIGCONT)
    code, said = end(process)
    assert (code, "taken the rollout over" in said) == (5, True), said
    fleet.require_running(slugs)
    assert set(fleet.revisions().values()) == {2}
    assert fleet.rollout()["state"] == "finished"


@pytest.fixture
def fragile(tools_path: Path, worker_id: str, tmp_path: Path) -> Iterator[FleetOperator]:
    """A fleet in a cluster of its own, whose API server may be killed."""
    name = f"fragile-{RUN_PID}-{worker_id}"
    cluster = clusters.start(name, containers="simulated", owner_pid=RUN_PID)
    try:
        create_namespace(cluster, "aware")
        settings = complete_settings(
            Settings(
                namespace="aware",
                kubeconfig=str(cluster.kubeconfig),
                helm=str(cluster.bin / "helm"),
            )
        )
        operator = Operator("aware", build_environment(cluster, "aware", tmp_path))
        fleet = FleetOperator(operator, build_ports(settings), settings)
        yield fleet
        fleet.end_processes()
    finally:
        cluster.stop()


def find_api_server(kubeconfig: Path) -> int:
    """Return the pid of a cluster's API server."""
    folder = str(kubeconfig.parent).encode()
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = command.read_bytes()
        except OSError:
            continue
        if b"kube-apiserver" in words.split(b"\0")[0] and folder in words:
            return int(command.parent.name)
    raise AssertionError("there is no API server")


def test_a_rollout_outlasts_an_api_server_that_is_gone_for_twenty_seconds(
    fragile: FleetOperator,
) -> None:
    slugs = name_tenants(12)
    fragile.install({slug: {} for slug in slugs})
    fragile.operator.run("stop-tenant", "t11")
    process = begin(fragile, *SLOWLY, "--concurrency", "3", "--failure-budget", "100%")
    kubeconfig = Path(fragile.settings.kubeconfig)
    pid = find_api_server(kubeconfig)
    subprocess.run(["kill", "-9", str(pid)], check=True)
    # How long it is gone is the experiment itself.
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(20)
    clusters.start(kubeconfig.parent.name, containers="simulated", owner_pid=RUN_PID)
    code, said = end(process)
    assert code == 0, said
    rows = fragile.rows()
    assert rows.pop("t11")["state"] == "stopped"
    assert {row["state"] for row in rows.values()} == {"running"}
    behaviours = {json.dumps(fragile.values(slug)["podLabels"]) for slug in slugs}
    assert behaviours == {'{"local-cluster/behaviour": "slow-start"}'}
