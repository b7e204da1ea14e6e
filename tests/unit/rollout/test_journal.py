"""What a journal counts."""

from __future__ import annotations

import pytest

from release_manager.rollout.journal import Journal, Outcome, Report, State
from tests.unit.builders import build_waves


def test_a_journal_counts_each_outcome() -> None:
    reports = {
        "b": Report("b", Outcome.FAILED),
        "c": Report("c", Outcome.FAILED),
        "d": Report("d", Outcome.CHANGED),
        "e": Report("e", Outcome.BUSY),
    }
    journal = Journal(build_waves("a b c", "d e f g"), reports=reports, done=1)
    assert {outcome.value: journal.count(outcome) for outcome in Outcome} == {
        "done": 1,
        "failed": 2,
        "changed": 1,
        "busy": 1,
        "untouched": 2,
    }


@pytest.mark.parametrize(
    ("state", "is_resumable"),
    [
        (State.RUNNING, True),
        (State.INTERRUPTED, True),
        (State.STOPPED, True),
        (State.FINISHED, False),
        (State.ABORTED, False),
    ],
)
def test_only_what_has_not_come_to_its_end_can_go_on(state: State, is_resumable: bool) -> None:
    assert state.is_resumable is is_resumable
