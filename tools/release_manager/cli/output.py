"""The only place that prints. Data goes to stdout; progress, logs and errors to stderr."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import ReleaseManagerError
from ..ports import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

# A narrower column tells nothing: then the terminal wraps.
MIN_CUT_WIDTH = 20

_STATE_COLORS = {
    "running": "green",
    "stopped": "dim",
    "progressing": "cyan",
    "busy": "cyan",
    "degraded": "yellow",
    "failed": "red",
    "stuck": "red",
    "ok": "green",
    "missing": "red",
}


def to_plain(value: Any) -> Any:
    """Return our frozen types as JSON-like data with camelCase keys and UTC timestamps.

    ``is_`` and ``has_`` are dropped from names: ``is_up_to_date`` becomes ``upToDate``. What
    ``repr`` hides is left out.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [item.name for item in dataclasses.fields(value) if item.repr]
        return {to_camel_case(name): to_plain(getattr(value, name)) for name in names}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return value


def to_camel_case(name: str) -> str:
    """Return ``ready_replicas`` as ``readyReplicas``."""
    head, *rest = re.sub(r"^(is|has)_", "", name).split("_")
    return head + "".join(part.capitalize() for part in rest)


def print_data(data: Any, form: str) -> None:
    """Print JSON-like data as ``json`` or ``yaml``."""
    if form == "json":
        print(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        import yaml

        print(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=1000), end="")


def print_event(event: dict[str, Any], form: str) -> bool:
    """Print one event: a line of JSON, or a YAML document; False when nobody reads any more."""
    try:
        if form == "json":
            print(json.dumps(event, ensure_ascii=False))
        else:
            print("---")
            print_data(event, form)
        sys.stdout.flush()
    except BrokenPipeError:
        close_stdout()
        return False
    return True


def close_stdout() -> None:
    """Let whatever is still printed go nowhere, without a word."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, is_cut: bool = False
) -> None:
    """Print aligned columns, with colors for states on a terminal.

    is_cut: whether the last column ends where the terminal does; it is whole in a pipe.
    """
    cells = [[*headings], *([*map(_one_line, row)] for row in rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(headings))]
    if is_cut and sys.stdout.isatty():
        room = shutil.get_terminal_size().columns - sum(width + 3 for width in widths[:-1])
        for row in cells:
            row[-1] = _cut(row[-1], max(room, MIN_CUT_WIDTH))
    for number, row in enumerate(cells):
        padded = [text.ljust(width) for text, width in zip(row, widths, strict=True)]
        padded[-1] = row[-1]
        if number and sys.stdout.isatty():
            padded = [_paint(text) for text in padded]
        print("   ".join(padded).rstrip())


def _one_line(text: str) -> str:
    return " ".join(str(text).split())


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."


_ANSI = {"green": "32", "dim": "2", "cyan": "36", "yellow": "33", "red": "31"}


def _paint(text: str) -> str:
    color = _STATE_COLORS.get(text.strip())
    return f"\x1b[{_ANSI[color]}m{text}\x1b[0m" if color else text


def print_fields(fields: Sequence[tuple[str, str]]) -> None:
    """Print names and values, aligned."""
    width = max(len(name) for name, _ in fields) + 1
    for name, value in fields:
        text = _paint(value) if sys.stdout.isatty() else value
        print(f"{f'{name}:':<{width}}  {text}".rstrip())


def print_text(text: str) -> None:
    """Print text as it is, with one newline at its end."""
    print(text.rstrip("\n"))


def print_error(error: ReleaseManagerError | str) -> None:
    """Print one paragraph on stderr."""
    print(f"Error: {error}", file=sys.stderr)


def print_note(text: str) -> None:
    """Print on stderr what is worth knowing beside the data."""
    print(text, file=sys.stderr)


@contextmanager
def report_progress(subject: str) -> Iterator[Progress]:
    """Give a function that tells what goes on: a live line on a terminal, else plain lines."""
    if not sys.stderr.isatty():
        yield lambda text: print(f"{subject}: {text}", file=sys.stderr, flush=True)
        return
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True, highlight=False)
    with console.status(f"[bold]{escape(subject)}[/]") as status:

        def report(text: str) -> None:
            if not text.startswith("waiting"):
                console.print(f"[bold]{escape(subject)}[/]: {escape(text)}", soft_wrap=True)
            status.update(f"[bold]{escape(subject)}[/]: {escape(text)}")

        yield report


class Waves(Protocol):
    """Where a rollout's waves are shown, on stderr."""

    def begin(self, name: str, total: int, text: str) -> None:
        """Show a new wave."""
        ...

    def tick(self, ended: int, text: str, *, is_due: bool) -> None:
        """Show how far it is; is_due: whether plain lines should say it again."""
        ...

    def end(self, text: str) -> None:
        """Show that it is over."""
        ...

    def say(self, text: str) -> None:
        """Show one line that stays."""
        ...


class _PlainWaves:
    """One line each time, for a pipe."""

    def __init__(self, *, is_silent: bool = False) -> None:
        self._is_silent = is_silent
        self._name = ""

    def begin(self, name: str, total: int, text: str) -> None:  # noqa: ARG002
        self._name = name
        self.say(f"{name}: {text}")

    def tick(self, ended: int, text: str, *, is_due: bool) -> None:  # noqa: ARG002
        if is_due:
            self.say(f"{self._name}: {text}")

    def end(self, text: str) -> None:
        self.say(f"{self._name}: {text}")

    def say(self, text: str) -> None:
        if not self._is_silent:
            print(text, file=sys.stderr, flush=True)


class _LiveWaves:
    """One bar for each wave, on a terminal."""

    def __init__(self, bars: RichProgress) -> None:
        self._bars = bars
        self._bar: TaskID | None = None

    def begin(self, name: str, total: int, text: str) -> None:
        self._bar = self._bars.add_task(name, total=total, text=text)

    def tick(self, ended: int, text: str, *, is_due: bool) -> None:  # noqa: ARG002
        if self._bar is not None:
            self._bars.update(self._bar, completed=ended, text=text)

    def end(self, text: str) -> None:
        if self._bar is not None:
            total = self._bars.tasks[self._bar].total
            self._bars.update(self._bar, completed=total, text=text)

    def say(self, text: str) -> None:
        from rich.markup import escape

        self._bars.console.print(escape(text), soft_wrap=True)


QUIET: Waves = _PlainWaves(is_silent=True)


@contextmanager
def follow_waves(*, is_shown: bool) -> Iterator[Waves]:
    """Give what shows a rollout's waves: live bars on a terminal, else plain lines."""
    if not is_shown or not sys.stderr.isatty():
        yield _PlainWaves(is_silent=not is_shown)
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as RichProgress

    console = Console(stderr=True, highlight=False)
    columns = (
        TextColumn("{task.description:<8}"),
        BarColumn(24),
        TextColumn("{task.fields[text]}"),
    )
    with RichProgress(*columns, console=console) as bars:
        yield _LiveWaves(bars)


def format_age(moment: datetime, now: datetime) -> str:
    """Return how long ago something was, such as ``3m`` or ``5d``."""
    seconds = max(0, int((now - moment).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
