"""Telling what a rollout would do, does, and has come to."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..rollout.journal import format_counts
from .output import (
    QUIET,
    Waves,
    follow_waves,
    format_age,
    print_data,
    print_event,
    print_fields,
    print_note,
    print_table,
    print_text,
    to_plain,
)

if TYPE_CHECKING:
    from ..operations.rollout_status import RolloutStatus
    from ..operations.rollouts import Ended, FleetPlan
    from ..rollout.engine import Listener, Progress
    from ..rollout.journal import Journal, Report
    from ..rollout.plan import Candidate, Rollout

# So many tenants of a kind are named in a table; json has them all.
MAX_NAMED = 12
# How often a pipe is told how far a wave is.
TELL_SECONDS = 5.0
_VERBS = {"upgrade": "upgrade", "stop": "stop", "start": "start", "rollback": "return"}
_EFFECTS = {
    "up to date": "nothing to do",
    "held": "left alone",
    "drifted": "left alone; --overwrite-drift undoes what was set by hand",
    "busy": "left alone; somebody is at work on it",
    "stuck": "left alone; repair it with recover-tenant",
    "invalid": "stops everything; correct its values or --exclude it",
}


def format_duration(seconds: float) -> str:
    """Return seconds as people say them, such as 8 s, 3 min or 1 h 5 min."""
    if seconds < 100:  # noqa: PLR2004
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"  # noqa: PLR2004


def print_fleet_plan(plan: FleetPlan, form: str) -> None:
    """Print what a rollout would do."""
    if form != "table":
        print_data(_build_plan_data(plan, is_whole=True), form)
        return
    rollout = plan.rollout
    rows = []
    for standing, found in _group(plan.candidates).items():
        effect = _describe_effect(standing, rollout)
        rows.append((standing, str(len(found)), effect, _name_some(found)))
    print_table(
        ("STANDING", "TENANTS", "WHAT HAPPENS", "WHICH AND WHY"), rows or [("none", "0", "", "")]
    )
    if rollout.waves:
        print_text("")
        print_fields(
            [
                ("waves", _describe_waves(rollout)),
                ("limits", _describe_limits(rollout)),
                ("time", _describe_time(plan)),
            ]
        )


def _group(candidates: Sequence[Candidate]) -> dict[str, list[Candidate]]:
    from ..rollout.plan import Standing

    groups = {
        standing.value: [item for item in candidates if item.standing is standing]
        for standing in Standing
    }
    return {name: found for name, found in groups.items() if found}


def _describe_effect(standing: str, rollout: Rollout) -> str:
    to = f" to {rollout.chart_name}-{rollout.chart_version}" if rollout.chart_name else ""
    own = {
        "due": f"{_VERBS[rollout.kind.value]}{to}",
        "stopped": f"{_VERBS[rollout.kind.value]}{to}, stays stopped",
    }
    return own.get(standing) or _EFFECTS[standing]


def _name_some(found: Sequence[Candidate]) -> str:
    """Return the tenants that there is something to say about, or some, if they are few."""
    telling = found if len(found) <= MAX_NAMED else [item for item in found if item.reason]
    named = [f"{item.slug} ({item.reason})" if item.reason else item.slug for item in telling]
    more = f", and {len(named) - MAX_NAMED} more" if len(named) > MAX_NAMED else ""
    return ", ".join(named[:MAX_NAMED]) + more


def _describe_waves(rollout: Rollout) -> str:
    sizes = [len(wave) for wave in rollout.waves]
    parts = []
    if rollout.has_canary:
        names = ", ".join(rollout.waves[0][:MAX_NAMED])
        parts.append(f"canary {names}, watched for {format_duration(rollout.bake_seconds)}")
        sizes = sizes[1:]
    if sizes:
        whole = [size for size in sizes if size == sizes[0]]
        parts.append(f"{count(len(whole), 'wave')} of {sizes[0]}")
        parts += [f"1 wave of {size}" for size in sizes[len(whole) :]]
    return ", then ".join(parts)


def count(number: int, noun: str) -> str:
    """Return a number with its noun, such as 1 tenant or 3 tenants."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _describe_limits(rollout: Rollout) -> str:
    others = " after the canaries" if rollout.has_canary and len(rollout.waves[0]) > 1 else ""
    first = "a canary or " if rollout.has_canary else ""
    return (
        f"at most {rollout.at_once} at a time{others}, "
        f"{format_duration(rollout.timeout_seconds)} each; "
        f"stops when {first}more than {rollout.budget} have failed"
    )


def _describe_time(plan: FleetPlan) -> str:
    from ..rollout.plan import estimate_seconds

    seconds = estimate_seconds(plan.rollout, plan.seconds_per_tenant)
    about = f"about {format_duration(seconds)}"
    pace = f"{plan.seconds_per_tenant:.1f} s a tenant"
    return f"{about} ({pace}, {'a guess' if plan.pace is None else 'as last time'})"


def _build_plan_data(plan: FleetPlan, *, is_whole: bool) -> dict[str, Any]:
    from ..rollout.plan import count_standings, estimate_seconds

    rollout = plan.rollout
    data: dict[str, Any] = {
        "rollout": rollout.id,
        "kind": rollout.kind.value,
        "chart": f"{rollout.chart_name}-{rollout.chart_version}" if rollout.chart_name else "",
        "counts": count_standings(plan.candidates),
        "waveSizes": list(map(len, rollout.waves)),
        "canary": rollout.has_canary,
        "concurrency": rollout.concurrency,
        "atOnce": rollout.at_once,
        "failureBudget": rollout.budget,
        "bakeSeconds": rollout.bake_seconds if rollout.has_canary else 0.0,
        "timeoutSeconds": rollout.timeout_seconds,
        "estimatedSeconds": round(estimate_seconds(rollout, plan.seconds_per_tenant), 1),
    }
    if is_whole:
        data["waves"] = [list(wave) for wave in rollout.waves]
        data["tenants"] = to_plain(list(plan.candidates))
    return data


class Reporter:
    """Tells what a rollout does: live lines on a terminal, plain ones in a pipe, or events."""

    def __init__(self, form: str) -> None:
        self._form = form
        self._began_at = self._told_at = time.monotonic()
        self._wave_began_at = 0.0
        self._done_before = 0
        self._has_reader = True
        self._show: Waves = QUIET

    def tell_plan(self, plan: FleetPlan) -> None:
        """Tell what is about to be done."""
        if self._form == "table":
            print_fleet_plan(plan, self._form)
        else:
            self._emit("planned", _build_plan_data(plan, is_whole=False))

    def tell_resumption(self, journal: Journal) -> None:
        """Tell what is gone on with."""
        rollout = journal.rollout
        since = f"{rollout.started_at:%Y-%m-%d %H:%M:%S} UTC"
        if self._form == "table":
            print_note(
                f"going on with rollout {rollout.id}: {rollout.kind} of {len(rollout.slugs)} "
                f"tenants, begun {since} by {rollout.by}"
            )
        else:
            self._emit(
                "resumed", {"rollout": rollout.id, "kind": rollout.kind.value, "by": rollout.by}
            )

    @contextmanager
    def following(self) -> Iterator[Listener]:
        """Give the engine a listener, and show what it hears."""
        from ..rollout.engine import Listener

        with follow_waves(is_shown=self._form == "table") as show:
            self._show = show
            yield Listener(
                begin_wave=self._begin_wave,
                end_tenant=self._end_tenant,
                begin_bake=self._begin_bake,
                end_wave=self._end_wave,
                tick=self._tick,
            )

    def _begin_wave(self, progress: Progress) -> None:
        self._wave_began_at = self._told_at = time.monotonic()
        wave = progress.rollout.waves[progress.wave]
        self._done_before = sum(slug in progress.reports for slug in wave)
        if self._form == "table":
            self._show.begin(
                progress.rollout.name_wave(progress.wave), len(wave), count(len(wave), "tenant")
            )
        else:
            self._emit("waveBegan", {**self._name(progress), "tenants": len(wave)})

    def _end_tenant(self, progress: Progress, report: Report) -> None:
        if self._form != "table":
            seconds = {"seconds": round(report.seconds, 1)}
            data = {**self._name(progress), **_build_report_data(report), **seconds}
            self._emit("tenantEnded", data)
        elif report.outcome.value != "done":
            remedy = f" {report.remedy}." if report.remedy else ""
            self._show.say(f"tenant {report.slug}: {report.outcome}: {report.reason}.{remedy}")

    def _begin_bake(self, progress: Progress) -> None:
        seconds = progress.rollout.bake_seconds
        if self._form == "table":
            self._show.say(f"canary: ready; watching it for {format_duration(seconds)}")
        else:
            self._emit("bakeBegan", {**self._name(progress), "seconds": seconds})

    def _end_wave(self, progress: Progress) -> None:
        if self._form == "table":
            self._show.end(self._describe(progress))
        else:
            self._emit("waveEnded", {**self._name(progress), **self._count_wave(progress)})

    def _tick(self, progress: Progress) -> None:
        if self._form == "table" and not progress.is_finished:
            now = time.monotonic()
            is_due = now - self._told_at >= TELL_SECONDS
            self._told_at = now if is_due else self._told_at
            ended = sum(self._count_wave(progress).values())
            is_due = is_due and not progress.is_wave_over
            self._show.tick(ended, self._describe(progress), is_due=is_due)

    def _name(self, progress: Progress) -> dict[str, Any]:
        return {"wave": progress.rollout.name_wave(progress.wave)}

    def _count_wave(self, progress: Progress) -> dict[str, int]:
        wave = progress.rollout.waves[progress.wave]
        reports = [progress.reports[slug] for slug in wave if slug in progress.reports]
        done = sum(report.outcome.value == "done" for report in reports)
        failed = sum(report.outcome.value == "failed" for report in reports)
        return {"done": done, "failed": failed, "skipped": len(reports) - done - failed}

    def _describe(self, progress: Progress) -> str:
        """Return counts and rate of a wave, and the time that all that is left takes."""
        counts = self._count_wave(progress)
        total = len(progress.rollout.waves[progress.wave])
        text = f"{counts['done']} of {total} done"
        text += "".join(
            f", {counts[name]} {name}" for name in ("failed", "skipped") if counts[name]
        )
        ended = sum(counts.values()) - self._done_before
        seconds = time.monotonic() - self._wave_began_at
        if ended <= 0 or seconds <= 0:
            return text
        rate = ended / seconds
        left = len(progress.rollout.slugs) - len(progress.reports)
        # What stays on the terminal of a wave that is over would only get older.
        is_told = left and not progress.is_wave_over
        soon = f", {format_duration(left / rate)} left" if is_told else ""
        return f"{text}, {rate:.1f}/s{soon}"

    def tell_end(self, ended: Ended) -> None:
        """Tell how it ended: the counts, and each tenant that is not done."""
        journal = ended.journal
        counts = journal.count_all()
        seconds = time.monotonic() - self._began_at
        if self._form != "table":
            data = {
                "rollout": journal.rollout.id,
                "state": journal.state.value,
                **counts,
                "seconds": round(seconds, 1),
                "problem": journal.problem,
            }
            self._emit("ended", data)
            return
        print_text(
            f"rollout {journal.rollout.id}: {journal.state} after {format_duration(seconds)}: "
            f"{format_counts(counts) or 'nothing was done'}"
        )
        print_reports(tuple(journal.reports.values()))

    def _emit(self, name: str, data: dict[str, Any]) -> None:
        event = {"event": name, "at": to_plain(datetime.now(UTC)), **data}
        if self._has_reader:
            # A reader that goes away, as "| head" does, is no reason to leave a fleet half done.
            self._has_reader = print_event(event, self._form)


def print_reports(reports: Sequence[Report]) -> None:
    """Print the tenants that are not done, with reason and what to do."""
    if not reports:
        return
    print_text("")
    rows = [
        (item.slug, item.outcome.value, f"{item.reason}. {item.remedy}".removesuffix(". "))
        for item in reports
    ]
    print_table(("TENANT", "OUTCOME", "REASON AND WHAT TO DO"), rows, is_cut=True)


def _build_report_data(report: Report) -> dict[str, Any]:
    return {
        "slug": report.slug,
        "outcome": report.outcome.value,
        "reason": report.reason,
        "remedy": report.remedy,
        "revision": report.revision,
    }


def print_journals(journals: Sequence[Journal], form: str) -> None:
    """Print the table of rollouts."""
    if form != "table":
        print_data([_build_journal_data(journal) for journal in journals], form)
        return
    if not journals:
        print_note("no rollout yet")
        return
    now = datetime.now(UTC)
    rows = [
        (
            journal.rollout.id,
            journal.rollout.kind.value,
            journal.state.value,
            f"{journal.done}/{len(journal.rollout.slugs)}",
            str(journal.count_all()["failed"]),
            _name_target(journal.rollout),
            format_age(journal.rollout.started_at, now),
            journal.rollout.by,
        )
        for journal in journals
    ]
    print_table(("ROLLOUT", "KIND", "STATE", "DONE", "FAILED", "TARGET", "AGE", "BY"), rows)


def _name_target(rollout: Rollout) -> str:
    if rollout.origin:
        return f"before {rollout.origin}"
    return f"{rollout.chart_name}-{rollout.chart_version}" if rollout.chart_name else ""


def _build_journal_data(journal: Journal) -> dict[str, Any]:
    rollout = journal.rollout
    return {
        "id": rollout.id,
        "kind": rollout.kind.value,
        "state": journal.state.value,
        "target": _name_target(rollout),
        "by": rollout.by,
        "startedAt": to_plain(rollout.started_at),
        "updatedAt": to_plain(journal.updated_at),
        "seconds": journal.seconds,
        "tenants": len(rollout.slugs),
        **journal.count_all(),
        "problem": journal.problem,
    }


def print_rollout(status: RolloutStatus, form: str) -> None:
    """Print one rollout."""
    journal, rollout = status.journal, status.journal.rollout
    if form != "table":
        data = {
            **_build_journal_data(journal),
            "worker": status.worker,
            "waves": [list(wave) for wave in rollout.waves],
            "canary": rollout.has_canary,
            "failureBudget": rollout.budget,
            "concurrency": rollout.concurrency,
            "leftAlone": dict(rollout.left_alone),
            "reports": [_build_report_data(report) for report in status.failures],
        }
        print_data(data, form)
        return
    alone = format_counts(rollout.left_alone)
    print_fields(
        [
            ("rollout", rollout.id),
            ("kind", rollout.kind.value),
            ("state", journal.state.value),
            *([("why", journal.problem)] if journal.problem else []),
            *([("target", target)] if (target := _name_target(rollout)) else []),
            ("begun", f"{rollout.started_at:%Y-%m-%d %H:%M:%S} UTC by {rollout.by}"),
            *([("at work", status.worker)] if status.worker else []),
            ("took", format_duration(journal.seconds)),
            ("waves", _describe_waves(rollout)),
            ("limits", _describe_limits(rollout)),
            ("tenants", f"{len(rollout.slugs)}: {format_counts(status.counts)}"),
            *([("left alone", alone)] if alone else []),
        ]
    )
    print_reports(status.failures)
