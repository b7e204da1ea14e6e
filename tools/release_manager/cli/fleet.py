"""Commands that change all tenants at once, in rollouts."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from ..errors import OperationInterruptedError
from ..tenant import validate_slug
from . import options
from .output import print_note
from .rollout_output import Reporter, print_fleet_plan, print_journals, print_rollout

if TYPE_CHECKING:
    from ..operations.fleet import Selection
    from ..operations.rollouts import Ended, FleetPlan
    from ..ports import Ports
    from ..rollout.engine import Control, Listener
    from ..rollout.plan import Limits, Share


class ShareType(options.ParsedType["Share"]):
    """A number of tenants or a percentage, such as 5 or 10%."""

    name = "number"

    def parse(self, text: str) -> Share:
        """Return the share."""
        from ..rollout.plan import parse_share

        share = parse_share(text)
        if share is None:
            raise click.BadParameter(f"{text!r} is no number of tenants: write 5 or 10%")
        return share


class Slugs(options.ParsedType[frozenset[str]]):
    """Slugs, separated by commas."""

    name = "slugs"

    def parse(self, text: str) -> frozenset[str]:
        """Validate each. Raises InvalidSlugError."""
        return frozenset(_split_slugs(text))


class Canary(options.ParsedType["int | tuple[str, ...]"]):
    """How many canaries, or which."""

    name = "canary"

    def parse(self, text: str) -> int | tuple[str, ...]:
        """Return a number, or slugs. Raises InvalidSlugError."""
        return int(text) if text.isdecimal() else tuple(_split_slugs(text))


def _split_slugs(text: str) -> list[str]:
    return [validate_slug(part.strip()) for part in text.split(",") if part.strip()]


_selection_options = options.compose(
    click.option("--only", type=Slugs(), metavar="SLUGS", help="Only these, comma-separated"),
    click.option(
        "--selector", metavar="LABELS", default="", help="Only those whose Deployment has them"
    ),
    click.option("--exclude", type=Slugs(), metavar="SLUGS", help="All but these"),
)
_concurrency_option = click.option(
    "--concurrency",
    type=click.IntRange(1, 100),
    default=10,
    show_default=True,
    help="How many tenants are changed at the same time, at most",
)


def _build_share_option(
    name: str, default: str, help_text: str
) -> Callable[[options.Command], options.Command]:
    return click.option(
        name,
        type=ShareType(),
        default=default,
        show_default=True,
        metavar="N|N%",
        help=help_text,
    )


def _build_wave_option(default: str) -> Callable[[options.Command], options.Command]:
    return _build_share_option("--wave-size", default, "How many tenants make a wave")


def _build_budget_option(default: str) -> Callable[[options.Command], options.Command]:
    told = "How many may fail; it stops when more do, and never has more at risk"
    return _build_share_option("--failure-budget", default, told)


_events_option = click.option(
    "-o",
    "--output",
    "form",
    type=click.Choice(["table", "json", "yaml"]),
    default="table",
    show_default=True,
    help="How to print the data; json is one event per line while it runs",
)
_id_argument = click.argument("id_", metavar="[ID]", required=False)


@click.command()
@click.option(
    "-f",
    "--values",
    "files",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Defaults for every tenant, over those of the fleet file; may be repeated",
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="One default for every tenant, in Helm's syntax; wins over files",
)
@click.option(
    "--canary",
    type=Canary(),
    default="1",
    show_default=True,
    metavar="N|SLUGS",
    help="How many tenants go first, or which; any failure among them stops it",
)
@click.option(
    "--bake",
    "bake_seconds",
    type=options.Duration(),
    default="60s",
    show_default=True,
    help="How long the canaries must stay ready before others are touched",
)
@_build_wave_option("25%")
@_concurrency_option
@_build_budget_option("10%")
@options.timeout_option
@_selection_options
@click.option("--overwrite-drift", is_flag=True, help="Undo what was set by hand")
@options.dry_run_option
@options.yes_option
@_events_option
@options.settings_options
def upgrade_all(
    *,
    files: tuple[Path, ...],
    assignments: tuple[str, ...],
    overwrite_drift: bool,
    **flags: Any,
) -> None:
    """Upgrade every tenant to the current chart and defaults, in waves.

    \b
    First the plan: who would change, who is left alone and why. Every tenant's values are
    validated before the first tenant is touched. Then the canaries, and after they have
    stayed ready the waves. A tenant that does not get ready is explained and rolled back.
    Stopped tenants stay stopped; held and drifted ones are left alone.

    \b
    Values of -f and --set are part of this upgrade only: write them into the fleet file, or
    the next upgrade takes them back.

    \b
    Ctrl-C once lets what is in flight end; twice ends it, too. Both can be resumed.
    Exit code 1: some failed, within the budget. 3: it stopped itself.

    \b
    Example:
      release-manager upgrade-all --canary acme --failure-budget 5
    """
    from .. import wiring
    from ..operations.rollouts import require_free
    from ..operations.upgrade_all import UpgradeAllRequest, plan_upgrade_all
    from ..settings import check_defaults
    from ..values import merge_values

    defaults = options.read_overrides(None, files, assignments)
    request = UpgradeAllRequest(_take_selection(flags), _take_limits(flags), overwrite_drift)
    settings = options.build_settings(flags)
    settings = replace(settings, defaults=merge_values(settings.defaults, defaults))
    check_defaults(defaults, "-f or --set")
    ports = wiring.build_ports(settings)
    if not flags["dry_run"]:
        require_free(ports)
    _plan_and_run(
        ports, plan_upgrade_all(ports, settings, request, by=ports.liveness.identity()), **flags
    )


def _take_selection(flags: dict[str, Any]) -> Selection:
    from ..operations.fleet import Selection

    only, exclude = flags.pop("only"), flags.pop("exclude")
    return Selection(only or frozenset(), flags.pop("selector"), exclude or frozenset())


def _take_limits(flags: dict[str, Any]) -> Limits:
    from ..rollout.plan import Limits

    names = ("canary", "bake_seconds", "wave_size", "concurrency", "failure_budget")
    given = {name: flags.pop(name) for name in names if name in flags}
    return Limits(**given, timeout_seconds=flags.pop("timeout"))


def _plan_and_run(ports: Ports, plan: FleetPlan, *, dry_run: bool, yes: bool, form: str) -> None:
    """Print the plan; unless this is a dry run, ask, carry it out and tell how it ended."""
    from ..operations.rollouts import begin_rollout
    from ..ports import Clock

    reporter = Reporter(form)
    if dry_run:
        print_fleet_plan(plan, form)
        plan.require_valid()
        return
    reporter.tell_plan(plan)
    plan.require_valid()
    if not plan.rollout.waves:
        return
    number = len(plan.rollout.slugs)
    options.confirm(f"{plan.rollout.kind.value.capitalize()} {number} tenants?", is_confirmed=yes)
    _run(
        ports,
        reporter,
        lambda control, listener: begin_rollout(
            ports, plan, control=control, listener=listener, clock=Clock()
        ),
    )


def _run(ports: Ports, reporter: Reporter, run: Callable[[Control, Listener], Ended]) -> None:
    from ..rollout.engine import Control

    control = Control(ports.releases.interrupt)
    with reporter.following() as listener, _interruptible(control):
        ended = run(control, listener)
    reporter.tell_end(ended)
    raise_for_ending(ended, control)


def raise_for_ending(ended: Ended, control: Control) -> None:
    """Raise, or exit with, what the way a rollout ended means."""
    from ..errors import RolloutStoppedError
    from ..rollout.engine import Ending
    from ..rollout.journal import Outcome

    journal = ended.journal
    id_ = journal.rollout.id
    if ended.ending is Ending.INTERRUPTED and control.problem is not None:
        raise control.problem
    if ended.ending is Ending.STOPPED:
        raise RolloutStoppedError(
            f"rollout {id_} stopped itself: {journal.problem}; "
            f"{journal.count(Outcome.UNTOUCHED)} were not touched",
            remedy="Correct the cause and run the command again; or go on with 'release-manager "
            "resume-rollout --failure-budget N', or take it back with 'release-manager "
            "abort-rollout --rollback'",
        )
    if journal.reports:
        click.get_current_context().exit(1)


_NO_MORE = 0


@contextmanager
def _interruptible(control: Control) -> Iterator[None]:
    """Let the first Ctrl-C, or SIGTERM, begin nothing more, and the second end everything.

    A handler may come while a lock is held or a line is printed, so that it only passes the
    signal on, to a thread that can wait for both.
    """
    signals: SimpleQueue[int] = SimpleQueue()
    listener = threading.Thread(target=_heed, args=(signals, control), daemon=True)
    listener.start()

    def pass_on(number: int, _frame: FrameType | None) -> None:
        signals.put(number)

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, pass_on) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signals.put(_NO_MORE)
        listener.join()


def _heed(signals: SimpleQueue[int], control: Control) -> None:
    while signals.get() != _NO_MORE:
        problem = OperationInterruptedError(
            "the rollout was interrupted",
            remedy="Go on with 'release-manager resume-rollout'",
        )
        if control.is_stopping:
            control.abort(problem)
            print_note("ending what is in flight")
        else:
            control.stop(problem)
            print_note("nothing more is begun; Ctrl-C again ends what is in flight")


_scale_options = options.compose(
    _build_wave_option("100%"),
    _concurrency_option,
    options.timeout_option,
    _selection_options,
    options.dry_run_option,
    options.yes_option,
    _events_option,
    options.settings_options,
)


def _scale_all(kind: str, flags: dict[str, Any]) -> None:
    from .. import wiring
    from ..operations.rollouts import require_free
    from ..operations.scale_all import ScaleAllRequest, plan_scale_all
    from ..rollout.plan import Kind

    limits = replace(_take_limits(flags), canary=0, bake_seconds=0.0)
    request = ScaleAllRequest(Kind(kind), _take_selection(flags), limits)
    settings = options.build_settings(flags)
    ports = wiring.build_ports(settings)
    if not flags["dry_run"]:
        require_free(ports)
    plan = plan_scale_all(ports, settings, request, by=ports.liveness.identity())
    _plan_and_run(ports, plan, **flags)


@click.command()
@_build_budget_option("100%")
@_scale_options
def stop_all(**flags: Any) -> None:
    """Stop every tenant that runs: no replica, data and host kept.

    \b
    What was stopped before stays as it is, and start-all does not start it.

    \b
    Example:
      release-manager stop-all --yes
    """
    _scale_all("stop", flags)


@click.command()
@_build_budget_option("10%")
@_scale_options
def start_all(**flags: Any) -> None:
    """Start every tenant that stop-all stopped, with as many replicas as it had.

    \b
    Example:
      release-manager start-all --yes
    """
    _scale_all("start", flags)


@click.command()
@options.output_option
@options.settings_options
def list_rollouts(*, form: str, **shared: Any) -> None:
    """Show the last rollouts, newest first.

    \b
    States:
      running      a process is at work on it
      interrupted  it was interrupted, or its process died; resume-rollout goes on
      stopped      it stopped itself: more failed than its budget allows
      finished     each tenant has an outcome
      aborted      given up

    \b
    Example:
      release-manager list-rollouts
    """
    from .. import wiring
    from ..operations.rollout_status import list_states

    ports = wiring.build_ports(options.build_settings(shared), is_writing=False)
    print_journals(list_states(ports), form)


@click.command()
@_id_argument
@click.option("--watch", "is_watching", is_flag=True, help="Follow it until it ends")
@options.output_option
@options.settings_options
def show_rollout(*, id_: str | None, is_watching: bool, form: str, **shared: Any) -> None:
    """Show a rollout, without an ID the newest: how far it is, and each failure with its reason.

    \b
    Example:
      release-manager show-rollout --watch
    """
    from .. import wiring
    from ..operations.rollout_status import describe_rollout, follow_rollout
    from ..operations.rollouts import find_journal
    from ..ports import Clock

    ports = wiring.build_ports(options.build_settings(shared), is_writing=False)
    journal = find_journal(ports, id_)
    if is_watching:
        for status in follow_rollout(ports, journal, clock=Clock()):
            print_note(status.line)
        journal = find_journal(ports, journal.rollout.id)
    print_rollout(describe_rollout(ports, journal), form)


@click.command()
@_id_argument
@click.option(
    "--failure-budget",
    "failure_budget",
    type=ShareType(),
    metavar="N|N%",
    help="How many may fail from now on, those that have failed included",
)
@_events_option
@options.settings_options
def resume_rollout(
    *, id_: str | None, failure_budget: Share | None, form: str, **shared: Any
) -> None:
    """Go on with a rollout that was interrupted, from any machine; without an ID the newest.

    \b
    Needs neither the chart nor the values: both are in the cluster. What is in flight is
    looked at first, and nothing is done twice.

    \b
    Example:
      release-manager resume-rollout
    """
    from .. import wiring
    from ..operations import rollouts
    from ..operations.resume import rebuild_make_plan
    from ..ports import Clock

    settings = options.build_settings(shared)
    ports = wiring.build_ports(settings)
    journal = rollouts.find_journal(ports, id_, is_resumable=True)
    budget = failure_budget.of(len(journal.rollout.slugs)) if failure_budget else None
    make_plan = rebuild_make_plan(ports, settings, journal.rollout)
    reporter = Reporter(form)
    reporter.tell_resumption(journal)
    _run(
        ports,
        reporter,
        lambda control, listener: rollouts.resume_rollout(
            ports,
            journal,
            make_plan,
            control=control,
            listener=listener,
            clock=Clock(),
            budget=budget,
        ),
    )


@click.command()
@_id_argument
@click.option(
    "--rollback",
    "is_going_back",
    is_flag=True,
    help="Return every tenant that was moved to what it was before, in waves",
)
@options.dry_run_option
@options.yes_option
@_events_option
@options.settings_options
def abort_rollout(
    *, id_: str | None, is_going_back: bool, dry_run: bool, yes: bool, form: str, **shared: Any
) -> None:
    """Give a rollout up; without an ID the newest. With --rollback, also a finished one.

    \b
    A process that is at work on it, anywhere, begins nothing more and lets what is in flight end.
    A tenant that somebody has changed since is not returned.

    \b
    Example:
      release-manager abort-rollout --rollback
    """
    from .. import wiring
    from ..operations import rollouts
    from ..operations.rollout_status import describe_rollout
    from ..ports import Clock

    ports = wiring.build_ports(options.build_settings(shared))
    by = ports.liveness.identity()
    journal = rollouts.find_journal(ports, id_, is_resumable=not is_going_back)
    rollout = journal.rollout
    if dry_run and not is_going_back:
        print_rollout(describe_rollout(ports, journal), form)
        print_note("would be aborted")
    if not dry_run:
        options.confirm(
            f"Abort the {rollout.kind} of {rollout.started_at:%Y-%m-%d %H:%M} UTC?",
            is_confirmed=yes,
        )
        if journal.state.is_resumable:
            print_note(f"rollout {rollout.id}: waiting until what is in flight has ended")
            rollouts.abort_rollout(ports, journal, by=by, clock=Clock())
            print_note(f"rollout {rollout.id} is aborted")
    if is_going_back:
        plan = rollouts.plan_way_back(ports, journal, by=by)
        _plan_and_run(ports, plan, dry_run=dry_run, yes=True, form=form)


COMMANDS = (
    upgrade_all,
    stop_all,
    start_all,
    list_rollouts,
    show_rollout,
    resume_rollout,
    abort_rollout,
)
