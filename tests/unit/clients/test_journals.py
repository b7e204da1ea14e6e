"""Journals as ConfigMaps."""

from __future__ import annotations

import base64
import random
import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_manager.clients.journals import KubernetesJournals
from release_manager.errors import RolloutNotFoundError
from release_manager.rollout.journal import (
    MAX_REASON_BYTES,
    MAX_REASON_LENGTH,
    Journal,
    Outcome,
    Report,
    State,
)
from release_manager.rollout.plan import Kind, Rollout
from tests.unit.builders import MINUTE, NOW, build_waves
from tests.unit.clients.fake_api import FakeApi

# What a ConfigMap may have is 1 MiB; the rest is for what others write on it.
MAX_BYTES = 900 * 1024
PATH = "/api/v1/namespaces/aware/configmaps"

ROLLOUT = build_waves(
    "a",
    "b c",
    has_canary=True,
    kind=Kind.START,
    started_at=NOW,
    revisions={"a": 1, "b": 22, "c": 333},
    unwell=frozenset({"c"}),
    budget=3,
    concurrency=7,
    bake_seconds=60.5,
    timeout_seconds=120.0,
    chart_name="aware-tenant",
    chart_version="0.2.0",
    chart_digest="abc",
    defaults={"env": {"A": "größer"}, "replicas": 2, "list": [1, None]},
    is_overwriting_drift=True,
    origin="20260301-020000-ffff",
    left_alone={"held": 2, "up to date": 5},
)


def _journals(api: FakeApi) -> KubernetesJournals:
    return KubernetesJournals(api.door, "aware")


def _count_bytes(api: FakeApi, name: str) -> int:
    """Return what Kubernetes counts of a ConfigMap: keys, texts, and bytes as they are."""
    item = api.objects[f"{PATH}/{name}"]
    texts = {key: len(text.encode()) for key, text in item["data"].items()}
    binary = {key: len(base64.b64decode(text)) for key, text in item["binaryData"].items()}
    return sum(len(key) + number for key, number in {**texts, **binary}.items())


def test_a_journal_is_read_back_as_it_was_written() -> None:
    journals = _journals(FakeApi())
    reports = {
        "b": Report("b", Outcome.FAILED, "größer als gedacht", "Correct it", 23),
        "c": Report("c", Outcome.BUSY, "somebody is at work on it", "Wait"),
    }
    journal = Journal(
        ROLLOUT,
        State.STOPPED,
        reports=reports,
        done=1,
        has_baked=True,
        seconds=12.3,
        updated_at=NOW,
        problem="over its budget",
    )
    journals.create(journal, b"chart")
    assert journals.read(ROLLOUT.id) == journal
    assert list(journals.list()) == [journal]


def test_what_never_changes_is_not_written_again() -> None:
    api = FakeApi()
    journals = _journals(api)
    journals.create(Journal(ROLLOUT), b"chart")
    changed = replace(ROLLOUT, budget=99, concurrency=99)
    journals.save(Journal(changed, State.FINISHED, done=3))
    found = journals.read(ROLLOUT.id)
    assert found is not None
    # Only the budget may change, when a rollout is resumed.
    expected = (State.FINISHED, 3, replace(ROLLOUT, budget=99))
    assert (found.state, found.done, found.rollout) == expected


def test_a_save_forgets_the_reports_that_are_no_more() -> None:
    journals = _journals(FakeApi())
    journals.create(Journal(ROLLOUT, reports={"b": Report("b", Outcome.BUSY)}), b"")
    journals.save(Journal(ROLLOUT))
    found = journals.read(ROLLOUT.id)
    assert found is not None
    assert found.reports == {}


@given(
    st.builds(
        Journal,
        rollout=st.just(ROLLOUT),
        state=st.sampled_from(State),
        reports=st.dictionaries(
            st.sampled_from(["a", "b", "c"]),
            st.tuples(st.sampled_from(Outcome), st.text(max_size=MAX_REASON_LENGTH)),
        ).map(
            lambda found: {
                slug: Report(slug, outcome, text) for slug, (outcome, text) in found.items()
            }
        ),
        done=st.integers(0, 3),
        has_baked=st.booleans(),
        seconds=st.integers(0, 10_000).map(float),
        updated_at=st.just(NOW),
        problem=st.text(max_size=MAX_REASON_LENGTH),
    )
)
def test_any_journal_is_read_back_as_it_was_written(journal: Journal) -> None:
    journals = _journals(FakeApi())
    journals.create(Journal(ROLLOUT), b"")
    journals.save(journal)
    assert journals.read(ROLLOUT.id) == journal


def test_journals_are_listed_newest_first() -> None:
    journals = _journals(FakeApi())
    for minutes in (2, 3, 1):
        rollout = replace(ROLLOUT, id=str(minutes), started_at=NOW + minutes * MINUTE)
        journals.create(Journal(rollout), b"")
    assert [item.rollout.id for item in journals.list()] == ["3", "2", "1"]


def test_there_is_no_journal_until_one_is_written() -> None:
    journals = _journals(FakeApi())
    assert list(journals.list()) == []
    assert journals.read("nope") is None
    assert journals.read_request("nope") == ""


def test_the_chart_is_there_before_its_journal() -> None:
    api = FakeApi()
    _journals(api).create(Journal(ROLLOUT), b"\x00chart\xff")
    written = [path for method, path in api.requests if method == "POST"]
    assert written == [f"{PATH}/rollout-{ROLLOUT.id}-chart", f"{PATH}/rollout-{ROLLOUT.id}"]
    assert _journals(api).read_chart(ROLLOUT.id) == b"\x00chart\xff"


def test_a_chart_without_a_journal_is_removed_when_the_next_one_is_written() -> None:
    api = FakeApi()
    journals = _journals(api)
    journals.create(Journal(ROLLOUT), b"chart")
    died = replace(ROLLOUT, id="20260301-040000-dead")
    journals.create(Journal(died), b"chart")
    del api.objects[f"{PATH}/rollout-{died.id}"]
    latest = replace(ROLLOUT, id="20260301-050000-beef")
    journals.create(Journal(latest), b"chart")
    kept = {name for id_ in (ROLLOUT.id, latest.id) for name in (id_, f"{id_}-chart")}
    assert set(api.objects) == {f"{PATH}/rollout-{name}" for name in kept}


def test_a_chart_that_is_gone_is_told() -> None:
    with pytest.raises(RolloutNotFoundError, match="chart of rollout nope"):
        _journals(FakeApi()).read_chart("nope")


def test_a_removed_journal_leaves_nothing() -> None:
    api = FakeApi()
    journals = _journals(api)
    journals.create(Journal(ROLLOUT), b"chart")
    journals.remove(ROLLOUT.id)
    assert api.objects == {}


def test_a_request_for_the_end_outlives_the_next_save_and_can_be_taken_back() -> None:
    journals = _journals(FakeApi())
    journals.create(Journal(ROLLOUT), b"")
    assert journals.read_request(ROLLOUT.id) == ""
    journals.request_end(ROLLOUT.id, "somebody@there")
    journals.save(Journal(ROLLOUT))
    assert journals.read_request(ROLLOUT.id) == "somebody@there"
    journals.request_end(ROLLOUT.id, "")
    assert journals.read_request(ROLLOUT.id) == ""


def test_reasons_are_cut_and_after_many_left_out() -> None:
    number = MAX_REASON_BYTES // MAX_REASON_LENGTH + 5
    reports = {f"t-{i}": Report(f"t-{i}", Outcome.FAILED, "x" * 999) for i in range(number)}
    journals = _journals(FakeApi())
    journals.create(Journal(ROLLOUT, reports=reports, problem="y" * 999), b"")
    found = journals.read(ROLLOUT.id)
    assert found is not None
    assert len(found.reports) == number
    lengths = [len(report.reason) for report in found.reports.values()]
    assert lengths[0] == MAX_REASON_LENGTH == len(found.problem)
    assert lengths[-5:] == [0] * 5


def test_a_letter_outside_ascii_takes_the_room_of_its_bytes() -> None:
    number = MAX_REASON_BYTES // (2 * MAX_REASON_LENGTH + 20)
    reports = {f"t-{i}": Report(f"t-{i}", Outcome.FAILED, "ß" * 300) for i in range(number)}
    journals = _journals(FakeApi())
    journals.create(Journal(ROLLOUT, reports=reports), b"")
    found = journals.read(ROLLOUT.id)
    assert found is not None
    assert all(report.reason for report in found.reports.values())


def _build_huge(number: int) -> Rollout:
    """A rollout of tenants whose names are as long as they may be, and nothing alike."""
    letters = random.Random(7)  # noqa: S311
    slugs = ["".join(letters.choices(string.ascii_lowercase, k=40)) for _ in range(number)]
    return replace(
        ROLLOUT,
        waves=tuple(tuple(slugs[start : start + 1000]) for start in range(0, number, 1000)),
        revisions={slug: letters.randrange(1, 1000) for slug in slugs},
        unwell=frozenset(slugs[::7]),
    )


@pytest.mark.parametrize("letter", ["x", "ß", '"', "\N{ROCKET}"])
@pytest.mark.parametrize("failures", [1_000, 1_500, 5_000])
def test_the_largest_journal_has_room_in_a_config_map(failures: int, letter: str) -> None:
    api = FakeApi()
    journals = _journals(api)
    rollout = _build_huge(5_000)
    text = letter * MAX_REASON_LENGTH
    reports = {
        slug: Report(slug, Outcome.FAILED, text, text, 999) for slug in rollout.slugs[:failures]
    }
    journals.create(Journal(rollout), b"")
    journals.save(Journal(rollout, State.STOPPED, reports=reports, problem=text))
    assert _count_bytes(api, f"rollout-{rollout.id}") < MAX_BYTES
    found = journals.read(rollout.id)
    assert found is not None
    assert found.rollout == rollout
    assert list(found.reports) == list(reports)
    assert next(iter(found.reports.values())).reason == text


def test_the_plan_of_five_thousand_tenants_is_small() -> None:
    api = FakeApi()
    rollout = _build_huge(5_000)
    _journals(api).create(Journal(rollout), b"")
    assert _count_bytes(api, f"rollout-{rollout.id}") < 200 * 1024
