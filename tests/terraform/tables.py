"""The tables of variables and outputs in the READMEs below `terraform/`.

`python -m tests.terraform.tables` writes them anew; a test compares.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.terraform.declarations import SOURCE, read_outputs, read_variables

BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"


def build_tables(folder: str) -> str:
    """Return the two tables of a folder below `terraform/`, as Markdown."""
    variables = [
        (f"`{item.name}`", item.description, f"`{item.type}`", _tell_default(item.default))
        for item in read_variables(folder)
    ]
    outputs = [(f"`{item.name}`", item.description) for item in read_outputs(folder)]
    return "\n\n".join(
        [
            _format("Variables", ("variable", "meaning", "type", "default"), variables),
            _format("Outputs", ("output", "meaning"), outputs),
        ]
    )


def _tell_default(default: str) -> str:
    return f"`{default}`" if default else "required"


def _format(title: str, headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [headings, tuple("---" for _ in headings), *rows]
    cells = [" | ".join(cell.replace("|", "\\|") for cell in line) for line in lines]
    return "\n".join([f"## {title}", "", *(f"| {line} |" for line in cells)])


def insert_tables(text: str, tables: str) -> str:
    """Return a README with these tables between its marks."""
    pattern = f"{re.escape(BEGIN)}.*{re.escape(END)}"
    return re.sub(pattern, lambda _: f"{BEGIN}\n{tables}\n{END}", text, flags=re.DOTALL)


def write(readme: Path) -> None:
    """Write the tables of one README anew."""
    tables = build_tables(str(readme.parent.relative_to(SOURCE)))
    readme.write_text(insert_tables(readme.read_text(), tables))


if __name__ == "__main__":
    for found in sorted(SOURCE.rglob("README.md")):
        if BEGIN in found.read_text():
            write(found)
