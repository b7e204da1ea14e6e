"""The commands that change all tenants at once: options, exit codes, plans and events."""

from __future__ import annotations

import io
import json
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest

from release_manager.cli.fleet import (
    Canary,
    ShareType,
    Slugs,
    _interruptible,
    _plan_and_run,
    raise_for_ending,
)
from release_manager.cli.output import print_note
from release_manager.cli.rollout_output import (
    MAX_NAMED,
    Reporter,
    format_duration,
    print_fleet_plan,
    print_journals,
    print_rollout,
)
from release_manager.errors import (
    InvalidInputError,
    InvalidSlugError,
    InvalidValuesError,
    LeaseLostError,
    OperationInterruptedError,
    ReleaseManagerError,
    RolloutStoppedError,
)
from release_manager.operations.rollout_status import describe_rollout
from release_manager.operations.rollouts import Ended as RolloutEnded
from release_manager.operations.rollouts import FleetPlan
from release_manager.rollout.engine import Control, Ending, Progress
from release_manager.rollout.journal import Journal, Outcome, Report, State
from release_manager.rollout.plan import Candidate, Share, Standing
from tests.unit.builders import build_waves
from tests.unit.cli.conftest import Ended
from tests.unit.fakes import FakeWorld
from tests.unit.fleets import STOP, begin, break_chart, install, interrupt, plan_upgrade

Captured = pytest.CaptureFixture[str]
CommandLine = Callable[..., Ended]
SLUGS = ("a", "b", "c")


# Options.


@pytest.mark.parametrize(
    ("text", "canary"),
    [("0", 0), ("3", 3), ("acme", ("acme",)), ("acme, globex-2", ("acme", "globex-2")), ("", ())],
)
def test_a_canary_is_a_number_or_slugs(text: str, canary: object) -> None:
    assert Canary().convert(text, None, None) == canary


@pytest.mark.parametrize("text", ["Acme", "acme,api", "-1", "1.5", "²"])
def test_a_canary_that_is_no_slug_is_refused(text: str) -> None:
    with pytest.raises(InvalidSlugError):
        Canary().convert(text, None, None)


def test_a_wave_is_a_number_or_a_percentage() -> None:
    assert ShareType().convert("5", None, None) == Share(5)
    assert ShareType().convert("5%", None, None) == Share(5, is_percentage=True)
    assert ShareType().convert(Share(5), None, None) == Share(5)


@pytest.mark.parametrize("text", ["", "many", "101%", "-1"])
def test_anything_else_is_no_number_of_tenants(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no number of tenants: write 5 or 10%"):
        ShareType().convert(text, None, None)


def test_slugs_are_separated_by_commas() -> None:
    assert Slugs().convert(" a,b ,,a", None, None) == {"a", "b"}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["upgrade-all", "--only", "a,Acme"], "field slug: 'Acme' has an upper-case letter"),
        (["upgrade-all", "--exclude", "a,api"], "field slug: 'api' is reserved"),
        (["upgrade-all", "--canary", "Acme"], "field slug: 'Acme' has an upper-case letter"),
        (["upgrade-all", "--wave-size", "all"], "'all' is no number of tenants"),
        (["upgrade-all", "--failure-budget", "110%"], "'110%' is no number of tenants"),
        (["upgrade-all", "--concurrency", "0"], "0 is not in the range"),
        (["upgrade-all", "--concurrency", "101"], "101 is not in the range"),
        (["upgrade-all", "--bake", "60"], "'60' is no duration"),
        (["upgrade-all", "--set", "releaseManager.x=1"], "field releaseManager: --set sets it"),
        (["upgrade-all", "--set", "slug=acme"], "-f or --set"),
        (["upgrade-all", "-f", "nope.yaml"], "field -f: nope.yaml cannot be read"),
        (["upgrade-all", "acme"], "unexpected extra argument"),
        (["stop-all", "--canary", "1"], "No such option '--canary'"),
        (["start-all", "--bake", "1s"], "No such option '--bake'"),
        (["resume-rollout", "--failure-budget", "x"], "'x' is no number of tenants"),
        (["show-rollout", "-o", "xml"], "'xml' is not one of"),
        (["hold-tenant", "acme"], "Missing option '--reason'"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(
    command_line: CommandLine, arguments: list[str], problem: str
) -> None:
    ended = command_line(*arguments)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert problem in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "command",
    [
        *("upgrade-all", "stop-all", "start-all", "list-rollouts"),
        *("show-rollout", "resume-rollout", "abort-rollout"),
    ],
)
def test_without_a_kubeconfig_nothing_is_done(
    command_line: CommandLine, build_helm: Callable[[str], Path], command: str
) -> None:
    ended = command_line(command, "--helm", build_helm("echo v4.3.1"))
    assert ended.exit_code == 2
    assert "field --kubeconfig" in ended.stderr


# How a rollout ends.


def _end(ending: Ending, *reports: Report, problem: ReleaseManagerError | None = None) -> int:
    """Return the exit code of a command whose rollout ended so."""
    rollout = build_waves("a b c", "d")
    journal = Journal(rollout, reports={item.slug: item for item in reports}, done=1)
    ended = RolloutEnded(journal, ending, Progress(rollout, journal.reports))
    control = Control()
    if problem is not None:
        control.stop(problem)
    with click.Context(click.Command("upgrade-all")):
        try:
            raise_for_ending(ended, control)
        except ReleaseManagerError as exc:
            return exc.exit_code
        except click.exceptions.Exit as exc:
            return exc.exit_code
    return 0


FAILED = Report("b", Outcome.FAILED, "why")


def test_a_rollout_without_a_failure_ends_with_0() -> None:
    assert _end(Ending.FINISHED) == 0


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.CHANGED, Outcome.BUSY])
def test_a_tenant_that_is_not_done_makes_it_1(outcome: Outcome) -> None:
    assert _end(Ending.FINISHED, Report("b", outcome)) == 1


def test_a_rollout_that_stopped_itself_ends_with_3() -> None:
    assert _end(Ending.STOPPED, FAILED) == 3


def test_an_interrupted_rollout_ends_with_130() -> None:
    assert _end(Ending.INTERRUPTED, problem=STOP) == 130


def test_a_rollout_that_was_taken_over_ends_with_5() -> None:
    assert _end(Ending.INTERRUPTED, problem=LeaseLostError("gone", remedy="Follow it")) == 5


def test_a_stop_in_the_last_moment_changes_nothing_of_the_end() -> None:
    assert _end(Ending.FINISHED, problem=STOP) == 0
    assert _end(Ending.STOPPED, FAILED, problem=STOP) == 3


def _stop(rollout_changes: dict[str, Any]) -> RolloutStoppedError:
    rollout = build_waves("a", "b c", **rollout_changes)
    reports = {"a": Report("a", Outcome.FAILED, "why")}
    ended = RolloutEnded(
        Journal(rollout, reports=reports, problem="1 failed, 0 may"),
        Ending.STOPPED,
        Progress(rollout, reports),
    )
    with pytest.raises(RolloutStoppedError) as caught:
        raise_for_ending(ended, Control())
    return caught.value


def test_a_rollout_that_stopped_itself_tells_how_many_and_what_to_do() -> None:
    error = _stop({})
    assert error.problem.endswith("stopped itself: 1 failed, 0 may; 2 were not touched")
    assert "resume-rollout --failure-budget N" in error.remedy
    assert "abort-rollout --rollback" in error.remedy


def _wait_for(is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_done():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_one_signal_stops_and_two_abort(capsys: Captured) -> None:
    calls: list[str] = []
    control = Control(lambda: calls.append("end now"))
    before = signal.getsignal(signal.SIGINT)
    with _interruptible(control):
        signal.raise_signal(signal.SIGINT)
        _wait_for(lambda: control.is_stopping)
        assert (control.is_aborting, calls) == (False, [])
        signal.raise_signal(signal.SIGTERM)
    assert (control.is_aborting, calls) == (True, ["end now"])
    assert signal.getsignal(signal.SIGINT) is before
    assert isinstance(control.problem, OperationInterruptedError)
    assert capsys.readouterr().err.splitlines() == [
        "nothing more is begun; Ctrl-C again ends what is in flight",
        "ending what is in flight",
    ]


class _Interrupted(io.StringIO):
    """A stream in the midst of whose first line somebody presses Ctrl-C again."""

    def __init__(self) -> None:
        super().__init__()
        self._busy: set[int] = set()
        self._has_been_interrupted = False

    def write(self, text: str) -> int:
        thread = threading.get_ident()
        if thread in self._busy:
            raise RuntimeError("reentrant call")
        self._busy.add(thread)
        if not self._has_been_interrupted:
            self._has_been_interrupted = True
            signal.raise_signal(signal.SIGINT)
        self._busy.remove(thread)
        return super().write(text)


def test_a_signal_that_comes_while_a_line_is_printed_is_heeded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = _Interrupted()
    monkeypatch.setattr(sys, "stderr", said)
    control = Control()
    with _interruptible(control):
        print_note("a line of the main thread")
    assert control.is_stopping
    assert said.getvalue().splitlines() == [
        "a line of the main thread",
        "nothing more is begun; Ctrl-C again ends what is in flight",
    ]


# From the plan to the end, with a cluster in memory.


def _prepare(world: FakeWorld) -> FleetPlan:
    install(world, *SLUGS)
    world.change_chart()
    return plan_upgrade(world)


def _run(world: FakeWorld, plan: FleetPlan, form: str = "table", **flags: bool) -> None:
    given = {"dry_run": False, "yes": True, **flags}
    with click.Context(click.Command("upgrade-all")):
        _plan_and_run(world.ports, plan, form=form, **given)


def _follow(world: FakeWorld, plan: FleetPlan, form: str) -> RolloutEnded:
    """Tell of a rollout from its plan to its end, by the world's own clock."""
    reporter = Reporter(form)
    reporter.tell_plan(plan)
    with reporter.following() as listener:
        ended = begin(world, plan, listener=listener)
    reporter.tell_end(ended)
    return ended


def test_in_a_pipe_yes_must_be_given(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    plan = _prepare(world)
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(InvalidInputError, match=r"Upgrade 3 tenants\?.*Add --yes to do it"):
        _run(world, plan, yes=False)
    assert "due" in capsys.readouterr().out
    assert world.statuses("a") == ["deployed"]
    assert list(world.journals.list()) == []


def test_a_fleet_that_is_up_to_date_asks_nothing(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    install(world, *SLUGS)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    _run(world, plan_upgrade(world), yes=False)
    assert capsys.readouterr().out.splitlines()[1].split() == [
        *("up", "to", "date", "3", "nothing", "to", "do", "a,", "b,", "c")
    ]
    assert list(world.journals.list()) == []


def test_a_dry_run_prints_the_plan_and_changes_nothing(world: FakeWorld, capsys: Captured) -> None:
    _run(world, _prepare(world), dry_run=True, yes=False)
    assert "upgrade to aware-tenant-0.2.0" in capsys.readouterr().out
    assert world.statuses("a") == ["deployed"]
    assert list(world.journals.list()) == []


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_plan_that_cannot_be_carried_out_is_shown_and_refused(
    world: FakeWorld, capsys: Captured, dry_run: bool
) -> None:
    install(world, *SLUGS)
    world.settings = replace(world.settings, defaults={"host": "x.example.com"})
    with pytest.raises(InvalidValuesError):
        _run(world, plan_upgrade(world), dry_run=dry_run)
    assert "stops everything" in capsys.readouterr().out
    assert world.statuses("a") == ["deployed"]


def _events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_events_are_lines_of_json_each_with_its_name_and_time(
    world: FakeWorld, capsys: Captured
) -> None:
    _run(world, _prepare(world), "json")
    said = capsys.readouterr()
    events = _events(said.out)
    assert [event["event"] for event in events] == [
        *("planned", "waveBegan", "tenantEnded", "tenantEnded", "tenantEnded"),
        *("waveEnded", "ended"),
    ]
    assert all(event["at"].endswith("Z") for event in events)
    assert said.err == ""
    assert events[0]["waveSizes"] == [3]
    assert events[1]["wave"] == "wave 1"
    assert (events[2]["slug"], events[2]["outcome"], events[2]["revision"]) == ("a", "done", 2)
    assert (events[-2]["done"], events[-2]["failed"]) == (3, 0)
    assert (events[-1]["state"], events[-1]["done"]) == ("finished", 3)


def test_events_tell_of_the_bake_and_of_failures(world: FakeWorld, capsys: Captured) -> None:
    install(world, *SLUGS)
    break_chart(world)
    _follow(world, plan_upgrade(world, canary=("a",)), "json")
    events = _events(capsys.readouterr().out)
    assert [event["event"] for event in events] == [
        *("planned", "waveBegan", "tenantEnded", "ended")
    ]
    assert events[1]["wave"] == events[2]["wave"] == "canary"
    assert events[2]["outcome"] == "failed"
    assert "cannot be pulled" in events[2]["reason"]
    assert (events[-1]["state"], events[-1]["failed"], events[-1]["untouched"]) == ("stopped", 1, 2)


def test_a_bake_is_an_event(capsys: Captured) -> None:
    rollout = build_waves("a", "b", has_canary=True, bake_seconds=60.0)
    with Reporter("json").following() as listener:
        listener.begin_bake(Progress(rollout, {}))
    (event,) = _events(capsys.readouterr().out)
    assert (event["event"], event["wave"], event["seconds"]) == ("bakeBegan", "canary", 60.0)


def test_a_resumption_is_an_event(capsys: Captured) -> None:
    rollout = build_waves("a")
    Reporter("json").tell_resumption(Journal(rollout))
    (event,) = _events(capsys.readouterr().out)
    assert (event["event"], event["rollout"]) == ("resumed", rollout.id)


def test_in_a_pipe_progress_is_told_beside_the_data(world: FakeWorld, capsys: Captured) -> None:
    _run(world, _prepare(world))
    said = capsys.readouterr()
    assert "wave 1: 3 tenants\n" in said.err
    assert said.err.splitlines()[-1].startswith("wave 1: 3 of 3 done")
    assert said.out.splitlines()[-1].endswith(": 3 done")


def test_a_failure_is_told_at_once_with_what_to_do_next(world: FakeWorld, capsys: Captured) -> None:
    install(world, *SLUGS)
    break_chart(world)
    _follow(world, plan_upgrade(world, failure_budget=Share(3)), "table")
    said = capsys.readouterr()
    assert "tenant b: failed: revision 2 failed and was rolled back to revision 1" in said.err
    assert "run 'release-manager upgrade-all --only c'." in said.err
    assert [line.split()[:2] for line in said.out.splitlines()[-3:]] == [
        [slug, "failed"] for slug in SLUGS
    ]


# Plans and journals as tables.


def _print_plan(capsys: Captured, plan: FleetPlan) -> str:
    print_fleet_plan(plan, "table")
    return capsys.readouterr().out


def test_a_plan_tells_each_standing_once_with_what_happens(capsys: Captured) -> None:
    candidates = [Candidate(f"t-{item.name.lower()}", item, 1, "why") for item in Standing]
    plan = FleetPlan(build_waves(), candidates, None)
    lines = _print_plan(capsys, plan).splitlines()
    assert [line.split("   ")[0] for line in lines[1:]] == [item.value for item in Standing]
    assert all("(why)" in line for line in lines[1:])


def test_a_plan_tells_waves_limits_and_time(world: FakeWorld, capsys: Captured) -> None:
    install(world, *"abcdefg")
    world.change_chart()
    plan = plan_upgrade(
        world,
        canary=1,
        bake_seconds=90.0,
        wave_size=Share(4),
        concurrency=10,
        failure_budget=Share(2),
    )
    lines = [line.split(":", 1) for line in _print_plan(capsys, plan).splitlines()[-3:]]
    assert {name: text.strip() for name, text in lines} == {
        "waves": "canary a, watched for 90 s, then 1 wave of 4, then 1 wave of 2",
        "limits": "at most 3 at a time, 5 min each; stops when a canary or more than 2 have failed",
        "time": "about 2 min (10.0 s a tenant, a guess)",
    }


def test_a_plan_names_some_tenants_and_counts_the_others(capsys: Captured) -> None:
    number = MAX_NAMED + 3
    held = [Candidate(f"t-{i:02}", Standing.HELD, 1, "why") for i in range(number)]
    text = _print_plan(capsys, FleetPlan(build_waves(), held, None))
    assert f"t-{MAX_NAMED - 1} (why), and 3 more" in text
    assert f"t-{MAX_NAMED} " not in text


def test_a_plan_of_nobody_says_so(capsys: Captured) -> None:
    assert "none" in _print_plan(capsys, FleetPlan(build_waves(), [], None))


def test_a_plan_as_data_has_every_tenant(world: FakeWorld, capsys: Captured) -> None:
    plan = _prepare(world)
    print_fleet_plan(plan, "json")
    data = json.loads(capsys.readouterr().out)
    assert data["waves"] == [["a", "b", "c"]]
    assert data["counts"] == {"due": 3}
    assert [item["slug"] for item in data["tenants"]] == list(SLUGS)
    first = {"slug": "a", "standing": "due", "revision": 1, "reason": "", "well": True}
    assert data["tenants"][0] == first


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0, "0 s"), (99, "99 s"), (100, "2 min"), (3600, "60 min")),
        *((5940, "99 min"), (6000, "1 h 40 min"), (7260, "2 h 1 min")),
    ],
)
def test_a_duration_is_told_as_people_say_it(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_rollouts_are_listed_newest_first_with_counts(world: FakeWorld, capsys: Captured) -> None:
    begin(world, _prepare(world))
    world.change_chart("0.3.0")
    interrupt(world, plan_upgrade(world))
    print_journals(world.journals.list(), "table")
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[0][:5] == ["ROLLOUT", "KIND", "STATE", "DONE", "FAILED"]
    assert [row[1:6] for row in rows[1:]] == [
        ["upgrade", "interrupted", "1/3", "0", "aware-tenant-0.3.0"],
        ["upgrade", "finished", "3/3", "0", "aware-tenant-0.2.0"],
    ]


def test_without_a_rollout_there_is_a_note(capsys: Captured) -> None:
    print_journals([], "table")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "no rollout yet\n")
    print_journals([], "json")
    assert json.loads(capsys.readouterr().out) == []


def test_a_rollout_is_shown_with_each_failure(world: FakeWorld, capsys: Captured) -> None:
    journal = Journal(
        build_waves("a b", "c", left_alone={"held": 2}),
        State.FINISHED,
        reports={"b": Report("b", Outcome.FAILED, "why so", "Correct it")},
        done=2,
    )
    print_rollout(describe_rollout(world.ports, journal), "table")
    text = capsys.readouterr().out
    assert "3: 2 done, 1 failed" in text
    assert "2 held" in text
    assert text.splitlines()[-1].split() == ["b", "failed", "why", "so.", "Correct", "it"]


def test_a_rollout_as_data_has_waves_and_reports(world: FakeWorld, capsys: Captured) -> None:
    journal = Journal(build_waves("a b", "c"), State.STOPPED, reports={"b": FAILED}, done=1)
    print_rollout(describe_rollout(world.ports, journal), "json")
    data = json.loads(capsys.readouterr().out)
    assert (data["waves"], data["failureBudget"]) == ([["a", "b"], ["c"]], 0)
    assert [item["slug"] for item in data["reports"]] == ["b"]
    assert (data["state"], data["worker"]) == ("stopped", "")
