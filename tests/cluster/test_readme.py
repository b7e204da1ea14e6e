"""The README's commands do what it says, in its order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.terminal import Operator

README = (Path(__file__).parents[2] / "README.md").read_text()


def _commands() -> list[list[str]]:
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    wanted = ("$ release-manager ", "$ helm ")
    return [shlex.split(line[2:], comments=True) for line in lines if line.startswith(wanted)]


def test_the_readmes_commands_work(operator: Operator) -> None:
    commands = _commands()
    assert len(commands) > 3
    for program, *arguments in commands:
        if program == "helm":
            operator.helm(*arguments)
        else:
            operator.run(*arguments)


def test_every_make_target_of_the_readme_exists() -> None:
    makefile = (Path(__file__).parents[2] / "Makefile").read_text()
    targets = set(re.findall(r"\bmake (?:-s )?([a-z-]+)", README))
    assert targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
