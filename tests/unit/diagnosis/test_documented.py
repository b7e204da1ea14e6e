"""docs/failures.md tells the sentences that are really told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from release_manager.diagnosis import Cause, Diagnosis
from release_manager.diagnosis.causes import COUNTED_PATIENCE_SECONDS
from tests.unit.diagnosis.failures import FAILURES

DOCUMENT = (Path(__file__).parents[3] / "docs" / "failures.md").read_text()
ROWS = {
    cells[0]: cells[1:]
    for line in DOCUMENT.splitlines()
    if line.startswith("| ") and not line.startswith("| what happened")
    for cells in [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]]
}


def _diagnose(name: str) -> Diagnosis:
    cause = FAILURES[name].diagnose()
    assert cause is not None
    return cause


def _tell_patience(cause: Diagnosis) -> str:
    if cause.patience_seconds is None:
        return "`--timeout`"
    is_counted = cause.patience_seconds == COUNTED_PATIENCE_SECONDS
    return "3rd end" if is_counted else f"{cause.patience_seconds:.0f} s"


def test_every_failure_has_its_row() -> None:
    assert set(ROWS) == set(FAILURES)


@pytest.mark.parametrize("name", FAILURES)
def test_a_row_tells_the_sentence_and_when_it_is_given_up(name: str) -> None:
    cause = _diagnose(name)
    told, _, advice = cause.sentence.partition("; ")
    assert ROWS[name] == [told, advice or "wait", _tell_patience(cause)]


def test_every_cause_has_a_row() -> None:
    assert {_diagnose(name).cause for name in FAILURES} == set(Cause)


@pytest.mark.parametrize("name", FAILURES)
def test_a_sentence_says_what_to_do_unless_it_is_only_a_notice(name: str) -> None:
    cause = _diagnose(name)
    assert cause.is_notice or "; " in cause.sentence


@pytest.mark.parametrize("name", FAILURES)
def test_a_sentence_is_one_line_that_can_be_read(name: str) -> None:
    sentence = _diagnose(name).sentence
    assert "\n" not in sentence
    assert len(sentence) < 400
    assert not sentence.endswith(".")
