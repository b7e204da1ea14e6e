"""What the configuration declares: variables and outputs, read from its text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]
SOURCE = PROJECT / "terraform"
ROOTS = ("foundation", "k3s", "eks")
MODULES = ("network", "k3s-node", "dns", "backups", "bucket", "access", "eks")
FOLDERS = (*(f"modules/{name}" for name in MODULES), *ROOTS)


@dataclass(frozen=True)
class Variable:
    """A variable as it is declared. `rules` is how many validations it has."""

    name: str
    description: str
    type: str
    default: str
    rules: int


@dataclass(frozen=True)
class Output:
    """An output as it is declared."""

    name: str
    description: str


def read_variables(folder: str) -> list[Variable]:
    """Return the variables of a folder below `terraform/`, in their order."""
    return [
        Variable(
            name=name,
            description=_read_description(body),
            type=_read_argument(body, "type"),
            default=_read_argument(body, "default"),
            rules=len(re.findall(r"^  validation \{", body, re.MULTILINE)),
        )
        for name, body in _read_blocks(folder, "variable")
    ]


def read_outputs(folder: str) -> list[Output]:
    """Return the outputs of a folder below `terraform/`, in their order."""
    return [Output(name, _read_description(body)) for name, body in _read_blocks(folder, "output")]


def _read_blocks(folder: str, kind: str) -> list[tuple[str, str]]:
    text = (SOURCE / folder / f"{kind}s.tf").read_text()
    pattern = rf'^{kind} "(\w+)" \{{\n(.*?)^\}}'
    return re.findall(pattern, text, re.MULTILINE | re.DOTALL)


def _read_description(body: str) -> str:
    found = re.search(r'^  description = "(.*)"$', body, re.MULTILINE)
    return found.group(1) if found else ""


def _read_argument(body: str, name: str) -> str:
    """Return an argument, also of several lines, on one line; empty without it."""
    pattern = rf"^  {name} += (.*?)(?=\n  \w|\n\}}|\n\n|\Z)"
    found = re.search(pattern, body, re.MULTILINE | re.DOTALL)
    return " ".join(found.group(1).split()) if found else ""
