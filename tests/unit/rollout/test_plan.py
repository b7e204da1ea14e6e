"""Which tenants a rollout changes, in which order, within which limits."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_manager.errors import InvalidInputError
from release_manager.rollout.plan import (
    Candidate,
    Limits,
    Share,
    Standing,
    count_standings,
    estimate_seconds,
    parse_share,
    plan_waves,
)
from tests.unit.builders import build_waves

ALL_AT_ONCE = Limits(canary=0, wave_size=Share(100, is_percentage=True))


def _due(*slugs: str, **changes: bool) -> list[Candidate]:
    return [Candidate(slug, Standing.DUE, 1, **changes) for slug in slugs]


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("0", Share(0)),
        ("5", Share(5)),
        ("0%", Share(0, is_percentage=True)),
        ("10%", Share(10, is_percentage=True)),
        ("100%", Share(100, is_percentage=True)),
        ("500", Share(500)),
    ],
)
def test_a_share_is_a_number_or_a_percentage(text: str, share: Share) -> None:
    assert parse_share(text) == share
    assert str(share) == text


@pytest.mark.parametrize(
    "text", ["", "%", "-1", "101%", "5 %", "1.5", "10%%", "ten", "1e3", "1234567"]
)
def test_anything_else_is_no_share(text: str) -> None:
    assert parse_share(text) is None


@pytest.mark.parametrize(
    ("text", "total", "number"),
    [("5", 3, 5), ("10%", 100, 10), ("10%", 19, 2), ("10%", 9, 1), ("100%", 7, 7), ("0%", 7, 0)],
)
def test_a_percentage_is_of_all_and_rounded_up(text: str, total: int, number: int) -> None:
    share = parse_share(text)
    assert share is not None
    assert share.of(total) == number


def test_only_those_that_are_due_or_stopped_are_changed() -> None:
    candidates = [Candidate(f"t-{item.name.lower()}", item, 1) for item in Standing]
    waves, _ = plan_waves(candidates, ALL_AT_ONCE)
    assert waves == (("t-due", "t-stopped"),)


def test_a_fleet_that_is_up_to_date_has_no_waves() -> None:
    assert plan_waves([Candidate("a", Standing.UP_TO_DATE, 1)], Limits()) == ((), False)


def test_tenants_go_in_the_order_of_their_names() -> None:
    assert plan_waves(_due("c", "a", "b"), ALL_AT_ONCE) == ((("a", "b", "c"),), False)


def test_tenants_that_are_not_well_go_last() -> None:
    candidates = [*_due("a", is_well=False), *_due("b", "c")]
    assert plan_waves(candidates, ALL_AT_ONCE)[0] == (("b", "c", "a"),)


def test_the_canary_goes_first_and_alone() -> None:
    waves, has_canary = plan_waves(_due("a", "b", "c"), replace(ALL_AT_ONCE, canary=1))
    assert (waves, has_canary) == ((("a",), ("b", "c")), True)


def test_a_canary_that_is_counted_is_a_tenant_that_runs_and_is_well() -> None:
    candidates = [
        Candidate("a", Standing.STOPPED, 1),
        *_due("b", is_well=False),
        *_due("c", "d"),
    ]
    waves, has_canary = plan_waves(candidates, replace(ALL_AT_ONCE, canary=2))
    assert (waves[0], has_canary) == (("c", "d"), True)


def test_a_fleet_without_a_telling_tenant_has_no_canary() -> None:
    candidates = [Candidate(slug, Standing.STOPPED, 1) for slug in "ab"]
    assert plan_waves(candidates, ALL_AT_ONCE) == ((("a", "b"),), False)


@pytest.mark.parametrize("canary", [2, 3])
def test_a_canary_beside_nobody_is_none(canary: int) -> None:
    waves, has_canary = plan_waves(_due("a", "b"), replace(ALL_AT_ONCE, canary=canary))
    assert (waves, has_canary) == ((("a", "b"),), False)


def test_canaries_that_are_named_go_first_in_the_order_given_and_once() -> None:
    limits = replace(ALL_AT_ONCE, canary=("c", "a", "c"))
    assert plan_waves(_due("a", "b", "c"), limits) == ((("c", "a"), ("b",)), True)


def test_a_canary_that_is_named_may_be_stopped_or_not_well() -> None:
    candidates = [Candidate("a", Standing.STOPPED, 1), *_due("b", is_well=False), *_due("c")]
    waves, _ = plan_waves(candidates, replace(ALL_AT_ONCE, canary=("a", "b")))
    assert waves == (("a", "b"), ("c",))


@pytest.mark.parametrize("slug", ["held", "unknown"])
def test_a_canary_that_would_not_be_changed_is_refused_by_name(slug: str) -> None:
    candidates = [*_due("a"), Candidate("held", Standing.HELD, 1)]
    with pytest.raises(InvalidInputError, match=f"tenant {slug}: field --canary"):
        plan_waves(candidates, replace(ALL_AT_ONCE, canary=("a", slug)))


def test_waves_have_a_size_and_the_last_one_the_rest() -> None:
    waves, _ = plan_waves(_due(*"abcde"), Limits(canary=0, wave_size=Share(2)))
    assert waves == (("a", "b"), ("c", "d"), ("e",))


def test_a_percentage_is_of_all_tenants_canaries_included() -> None:
    limits = Limits(canary=1, wave_size=Share(50, is_percentage=True))
    assert plan_waves(_due(*"abcd"), limits)[0] == (("a",), ("b", "c"), ("d",))


@pytest.mark.parametrize("share", [Share(0), Share(10, is_percentage=True)])
def test_a_wave_has_at_least_one_tenant(share: Share) -> None:
    assert plan_waves(_due("a", "b"), Limits(canary=0, wave_size=share))[0] == (("a",), ("b",))


@given(
    standings=st.lists(st.tuples(st.sampled_from(Standing), st.booleans()), max_size=30),
    canary=st.integers(0, 5),
    size=st.builds(Share, st.integers(0, 100), st.booleans()),
)
def test_every_tenant_that_is_changed_is_in_exactly_one_wave(
    standings: list[tuple[Standing, bool]], canary: int, size: Share
) -> None:
    candidates = [
        Candidate(f"t-{number}", standing, 1, is_well=is_well)
        for number, (standing, is_well) in enumerate(standings)
    ]
    waves, has_canary = plan_waves(candidates, Limits(canary=canary, wave_size=size))
    planned = [slug for wave in waves for slug in wave]
    assert sorted(planned) == sorted(item.slug for item in candidates if item.standing.is_changed)
    assert all(waves)
    limit = max(1, size.of(len(planned)))
    assert all(len(wave) <= limit for wave in waves[has_canary:])
    assert not has_canary or len(waves[0]) <= canary


def test_waves_have_names() -> None:
    with_canary = build_waves("a", "b", "c", has_canary=True)
    assert [with_canary.name_wave(number) for number in range(3)] == ["canary", "wave 1", "wave 2"]
    assert build_waves("a").name_wave(0) == "wave 1"


def test_standings_are_counted_in_their_own_order_without_empty_ones() -> None:
    candidates = [Candidate("a", Standing.HELD, 1), *_due("b", "c")]
    assert list(count_standings(candidates).items()) == [("due", 2), ("held", 1)]


@pytest.mark.parametrize(
    ("has_canary", "seconds"), [(True, 10 + 10 + 20 + 60), (False, 10 + 10 + 20)]
)
def test_time_is_counted_in_rounds_of_tenants_and_the_bake(
    has_canary: bool, seconds: float
) -> None:
    rollout = build_waves(
        *("a", "b c", "d e f"),
        concurrency=2,
        budget=9,
        bake_seconds=60.0,
        has_canary=has_canary,
    )
    assert estimate_seconds(rollout, 10.0) == seconds
