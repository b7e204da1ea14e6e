"""Options that many commands share, and what they become."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..errors import InvalidInputError, OperationInterruptedError
from ..tenant import validate_slug

if TYPE_CHECKING:
    from ..settings import Settings

Command = TypeVar("Command", bound=Callable[..., Any])
Parsed = TypeVar("Parsed")

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_CONNECTION = (
    *("settings_file", "namespace", "domain", "registry"),
    *("chart", "kubeconfig", "context", "helm"),
)


class ParsedType(click.ParamType[Parsed]):
    """A parameter that is written as a text; anything else is a default, and parsed already."""

    def parse(self, text: str) -> Parsed:
        """Return what the text means. Raises click.BadParameter, or one of our own errors."""
        raise NotImplementedError

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,  # noqa: ARG002 - click names them where it fails
        ctx: click.Context | None,  # noqa: ARG002
    ) -> Parsed:
        """Parse the value, unless that was done."""
        return self.parse(value) if isinstance(value, str) else value


class Duration(ParsedType[float]):
    """Whole hours, minutes and seconds, such as 90s, 5m or 1h30m; gives seconds."""

    name = "duration"

    def parse(self, text: str) -> float:
        """Return seconds."""
        match = _DURATION.fullmatch(text)
        if match is None or not any(match.groups()):
            raise click.BadParameter(f"{text!r} is no duration: write 90s, 5m or 1h30m")
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return timedelta(hours=hours, minutes=minutes, seconds=seconds).total_seconds()


class Slug(ParsedType[str]):
    """A tenant's slug."""

    name = "slug"

    def parse(self, text: str) -> str:
        """Validate the text. Raises InvalidSlugError."""
        return validate_slug(text)


def compose(*decorators: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return one decorator that does what several do, the first outermost."""

    def decorate(command: Command) -> Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


slug_argument = click.argument("slug", type=Slug(), metavar="SLUG")

settings_options = compose(
    click.option("-n", "--namespace", help="Namespace of all tenants  [default: aware]"),
    click.option(
        "--settings",
        "settings_file",
        type=click.Path(path_type=Path),
        help="Fleet file  [default: fleet.yaml here, if there is one]",
    ),
    click.option("--domain", help="Domain below which tenants have their hosts"),
    click.option("--registry", help="Registry of the images"),
    click.option(
        "--chart",
        help="Chart: folder, package or oci://...:version  "
        "[default: the one that comes with this program]",
    ),
    click.option("--kubeconfig", help="Kubeconfig  [default: KUBECONFIG, ~/.kube/config]"),
    click.option("--context", help="Context of the kubeconfig"),
    click.option("--helm", help="Program to run as helm  [default: helm on PATH]"),
)

output_option = click.option(
    "-o",
    "--output",
    "form",
    type=click.Choice(["table", "json", "yaml"]),
    default="table",
    show_default=True,
    help="How to print the data",
)


def _build_values_options(whose: str) -> Callable[[Command], Command]:
    return compose(
        click.option(
            "-f",
            "--values",
            "files",
            type=click.Path(path_type=Path),
            multiple=True,
            help=f"Values file of {whose}; may be repeated, later ones win",
        ),
        click.option(
            "--set",
            "assignments",
            multiple=True,
            metavar="KEY=VALUE",
            help=f"One value of {whose}, in Helm's syntax; wins over files",
        ),
    )


values_options = compose(
    _build_values_options("this tenant"),
    click.option("--profile", help="Profile of the chart, such as openclaw"),
)
part_values_options = _build_values_options("this part")

timeout_option = click.option(
    "--timeout",
    type=Duration(),
    default="5m",
    show_default=True,
    help="How long to wait for the pods",
)

wait_options = compose(
    timeout_option,
    click.option(
        "--wait/--no-wait",
        "is_waiting",
        default=True,
        help="Wait until it is ready  [default: wait]",
    ),
)

dry_run_option = click.option("--dry-run", is_flag=True, help="Print the plan and change nothing")

change_options = compose(dry_run_option, output_option, settings_options)

yes_option = click.option("--yes", is_flag=True, help="Do not ask")


def build_settings(
    options: dict[str, Any], *, chart_setting: str = "chart", **flags: str | None
) -> Settings:
    """Take the shared settings' options out of ``options`` and join them with all sources.

    chart_setting: which chart ``--chart`` means.
    """
    from ..settings import read_settings
    from ..wiring import complete_settings

    given = {name: options.pop(name) for name in _CONNECTION}
    fleet_file = given.pop("settings_file")
    given[chart_setting] = given.pop("chart")
    settings = read_settings({**given, **flags}, os.environ, fleet_file=fleet_file)
    return complete_settings(settings)


def read_overrides(
    slug: str | None, files: tuple[Path, ...], assignments: tuple[str, ...]
) -> dict[str, Any]:
    """Return values from ``-f`` and ``--set``. slug: the tenant whose own they are, if one's."""
    from ..values import (
        load_values_file,
        merge_values,
        parse_assignments,
        reject_record_key,
    )

    layers = [(str(path), load_values_file(path)) for path in files]
    layers.append(("--set", parse_assignments(assignments)))
    reject_record_key(layers, tenant=slug)
    return merge_values(*(layer for _, layer in layers))


def confirm(question: str, *, is_confirmed: bool) -> None:
    """Ask on a terminal; elsewhere ``--yes`` must have been given."""
    if is_confirmed:
        return
    if not sys.stdin.isatty():
        raise InvalidInputError(
            f"field --yes: nobody can be asked here: {question}", remedy="Add --yes to do it"
        )
    if not click.confirm(question, err=True):
        raise OperationInterruptedError("it was not confirmed", remedy="Nothing was changed")
