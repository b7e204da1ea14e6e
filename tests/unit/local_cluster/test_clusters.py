"""Names, and what is read of a cluster that is not there."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from local_cluster import clusters
from local_cluster.control_plane import Ports
from local_cluster.errors import UsageError
from local_cluster.processes import read_command_line, read_start
from local_cluster.record import Owner, Record, identify_owner, read_record, write_record


@pytest.mark.parametrize("name", ["", "A", "a_b", "-a", "a-", "a/b", "..", "a" * 41])
def test_name_that_cannot_be_part_of_a_path_or_context_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a cluster"):
        clusters.find(name)


@pytest.mark.parametrize("name", ["a", "demo", "tests-1234", "a" * 40])
def test_lower_case_name_with_digits_and_dashes_is_accepted(name: str) -> None:
    clusters._check_name(name)


def test_cluster_that_was_never_started_is_not_found_and_cannot_be_stopped() -> None:
    assert clusters.find("never-started") is None
    assert clusters.stop("never-started") is False


def test_owner_is_alive_while_its_process_is_and_not_when_another_has_its_pid() -> None:
    owner = Owner(os.getpid(), read_start(os.getpid()))
    assert owner.is_alive()
    assert not Owner(os.getpid(), "earlier").is_alive()


def test_owner_that_does_not_run_is_refused() -> None:
    with pytest.raises(UsageError, match="No process has the pid"):
        identify_owner(2**22 + 1)


def test_process_that_does_not_run_has_no_command_line() -> None:
    assert read_command_line(2**22 + 1) == ""
    assert read_start(2**22 + 1) == ""


@pytest.mark.parametrize("owner", [None, Owner(1, "then")])
def test_record_is_read_as_it_was_written(tmp_path: Path, owner: Owner | None) -> None:
    record = Record(Ports(1, 2, 3), "real", "recipe", owner, is_complete=True)
    write_record(tmp_path, record)
    assert read_record(tmp_path) == record


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"ports": {}, "owner": null}'])
def test_record_that_is_damaged_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "cluster.json").write_text(text)
    assert read_record(tmp_path) is None


def test_cluster_without_owner_is_never_abandoned() -> None:
    assert not Record(Ports(1, 2, 3), "real", "recipe", None).is_abandoned
    assert Record(Ports(1, 2, 3), "real", "recipe", Owner(os.getpid(), "earlier")).is_abandoned


def test_auto_takes_real_containers_where_they_can_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert clusters.choose_kind("auto", look=lambda: None) is clusters.REAL
    assert capsys.readouterr().err == "containers: real, in a node of their own\n"


def test_auto_takes_simulated_ones_elsewhere_and_says_why(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert clusters.choose_kind("auto", look=lambda: "it is Tuesday") is clusters.SIMULATED
    assert capsys.readouterr().err == "containers: simulated, because it is Tuesday\n"


def test_real_containers_that_cannot_be_are_refused() -> None:
    with pytest.raises(UsageError, match="Containers cannot be real here: it is Tuesday"):
        clusters.choose_kind("real", look=lambda: "it is Tuesday")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_who_is_not_root_is_told_that_root_is_needed() -> None:
    script = "import os; from local_cluster.node import possible as p; os.setuid(65534); "
    told = subprocess.run(
        [sys.executable, "-c", f"{script}print(p.find_obstacle())"],
        env={"PYTHONPATH": str(clusters.folders.PACKAGE.parent), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    reason = "this is" if platform.system() != "Linux" else "only root can make namespaces"
    assert told.stdout.startswith(reason)
