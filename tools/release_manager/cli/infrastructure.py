"""Between Terraform and the cluster: settings from its outputs, and what its plans take away."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ..errors import InvalidInputError
from . import options
from .output import print_data, print_note, print_table, print_text, to_plain

_HEADER = """\
# Made by: release-manager write-settings --from-terraform; the cluster below it is Terraform's.
# release-manager install-platform --settings {name}
"""
_FILE = click.Path(path_type=Path, dir_okay=False)


def _read_json(path: Path, field: str) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise InvalidInputError(
            f"field {field}: {path} cannot be read: {exc.strerror}", remedy="Name a file"
        ) from exc
    except ValueError as exc:
        raise InvalidInputError(
            f"field {field}: {path} is no JSON",
            remedy="Terraform writes JSON with 'show -json PLAN' and with 'output -json'",
        ) from exc


@click.command()
@click.argument("plan", type=_FILE, metavar="PLAN.json")
@click.option(
    "--allow",
    "allowed",
    multiple=True,
    metavar="ADDRESS",
    help="What holds data and may go, for the data is elsewhere; may be repeated",
)
@click.option("--state-bucket", default="", help="Bucket of Terraform's state, which must stay")
@options.output_option
def check_teardown(*, plan: Path, allowed: tuple[str, ...], state_bucket: str, form: str) -> None:
    """Refuse a Terraform plan that deletes what must outlive the old stack.

    \b
    Zones, repositories, Elastic IPs and the bucket of --state-bucket must stay, whatever the
    flags. Databases, volumes, buckets, secrets and keys may go with --allow. What is replaced
    is deleted, too. Prints all that would go; exit code 2 where the plan is refused.

    \b
    Example:
      terraform plan -destroy -out=plan && terraform show -json plan > plan.json
      release-manager check-teardown plan.json --state-bucket wareit-terraform
    """
    from ..infrastructure import teardown

    losses = teardown.read_losses(
        _read_json(plan, "PLAN.json"), allowed=frozenset(allowed), state_bucket=state_bucket
    )
    if form != "table":
        print_data(to_plain(losses), form)
    elif losses:
        rows = [
            (loss.fate.value, loss.address, loss.name, "yes" if loss.is_replaced else "no")
            for loss in losses
        ]
        print_table(("FATE", "ADDRESS", "NAME", "MADE ANEW"), rows)
    else:
        print_note("the plan deletes nothing")
    teardown.refuse_losses(losses)


@click.command()
@click.option(
    "--from-terraform",
    "outputs",
    type=_FILE,
    required=True,
    help="What 'terraform output -json' printed in terraform/k3s or terraform/eks",
)
@click.option("--email", required=True, help="Where the certificate authority writes to")
@click.option("--to", "target", type=_FILE, help="Fleet file to write  [default: stdout]")
@click.option("--force", is_flag=True, help="Write over a fleet file that is there")
@options.output_option
def write_settings(
    *, outputs: Path, email: str, target: Path | None, force: bool, form: str
) -> None:
    """Make a fleet file from what Terraform made.

    \b
    Example:
      terraform -chdir=terraform/k3s output -json > outputs.json
      release-manager write-settings --from-terraform outputs.json \\
        --email ops@wareit.ai --to fleet.yaml
    """
    from ..infrastructure import outputs as terraform

    _check_email(email)
    found = terraform.read_outputs(_read_json(outputs, "--from-terraform"))
    settings = terraform.build_settings(found, email)
    if target is None:
        return print_data(settings, "json" if form == "json" else "yaml")
    _write(target, settings, is_forced=force)
    result = {"file": str(target), "distribution": found.distribution.value}
    return print_text(f"{target} is written") if form == "table" else print_data(result, form)


def _check_email(email: str) -> None:
    name, _, domain = email.partition("@")
    if not name or "." not in domain or " " in email:
        raise InvalidInputError(
            f"field --email: {email!r} is no address", remedy="Write one such as ops@wareit.ai"
        )


def _write(target: Path, settings: dict[str, Any], *, is_forced: bool) -> None:
    import yaml

    text = yaml.safe_dump(settings, sort_keys=False, width=1000)
    try:
        with target.open("w" if is_forced else "x", encoding="utf-8") as file:
            file.write(_HEADER.format(name=target.name) + text)
    except FileExistsError as exc:
        raise InvalidInputError(
            f"field --to: {target} is there already", remedy="Name another, or give --force"
        ) from exc
    except OSError as exc:
        raise InvalidInputError(
            f"field --to: {target} cannot be written: {exc.strerror}", remedy="Name another file"
        ) from exc


COMMANDS: tuple[click.Command, ...] = (check_teardown, write_settings)
