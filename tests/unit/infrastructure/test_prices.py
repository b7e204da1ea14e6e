"""The shipped prices, and a user's over them."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date
from typing import Any

import pytest

from release_manager.errors import InvalidSettingsError
from release_manager.infrastructure.instances import INSTANCE_TYPES
from release_manager.infrastructure.prices import (
    SHIPPED,
    Assumptions,
    Price,
    PriceBook,
    load_shipped_prices,
    merge_prices,
)

BOOK = load_shipped_prices()
OWN = {"unit": "hour", "usd": 0.02, "source": "our contract", "asOf": "2026-11-01"}


def merge(**document: Any) -> PriceBook:
    return merge_prices(BOOK, document, "own.yaml")


@pytest.mark.parametrize("price", BOOK.prices.values(), ids=lambda price: price.key)
def test_every_shipped_price_has_an_address_as_its_source(price: Price) -> None:
    assert price.source.startswith("https://")


@pytest.mark.parametrize("price", BOOK.prices.values(), ids=lambda price: price.key)
def test_every_shipped_price_has_a_day_that_has_been(price: Price) -> None:
    assert date(2026, 1, 1) <= date.fromisoformat(price.as_of) <= date(2026, 11, 27)


def test_a_price_that_states_no_day_says_so() -> None:
    read = [price for price in BOOK.prices.values() if price.as_of == "2026-11-27"]
    assert read
    assert [price.key for price in read if "the day it was read" not in price.note
            and "without a day" not in price.note] == []  # fmt: skip


@pytest.mark.parametrize("name", [instance.name for instance in INSTANCE_TYPES])
def test_every_machine_that_can_be_chosen_has_a_price(name: str) -> None:
    assert BOOK.prices[f"ec2-{name}-hour"].usd > 0


def test_the_shipped_prices_are_of_one_region() -> None:
    assert BOOK.regions == ("us-east-1",)


def test_the_days_are_those_of_the_oldest_and_the_newest_price() -> None:
    assert BOOK.days == ("2026-01-19", "2026-11-27")


def test_an_empty_document_changes_nothing() -> None:
    assert merge() == BOOK


def test_a_price_of_ones_own_replaces_the_shipped_one_alone() -> None:
    own = merge(prices={"alb-hour": OWN}, region="eu-central-1")
    assert own.prices["alb-hour"] == Price(
        key="alb-hour",
        unit="hour",
        usd=0.02,
        source="our contract",
        as_of="2026-11-01",
        region="eu-central-1",
        origin="own.yaml",
    )
    rest = {key: price for key, price in own.prices.items() if key != "alb-hour"}
    assert rest == {key: price for key, price in BOOK.prices.items() if key != "alb-hour"}


def test_without_a_region_a_price_of_ones_own_is_of_the_shipped_one() -> None:
    assert merge(prices={"alb-hour": OWN}).regions == ("us-east-1",)


def test_prices_of_two_regions_are_told_as_two() -> None:
    own = merge(prices={"alb-hour": OWN}, region="eu-central-1")
    assert own.regions == ("eu-central-1", "us-east-1")


def test_shipped_prices_keep_their_origin() -> None:
    assert merge(prices={"alb-hour": OWN}).prices["nlb-hour"].origin == SHIPPED


@pytest.mark.parametrize("name", [item.name for item in fields(Assumptions)])
def test_every_assumption_can_be_replaced(name: str) -> None:
    head, *rest = name.split("_")
    key = head + "".join(part.capitalize() for part in rest)
    own = merge(assumptions={key: 7})
    assert own == replace(BOOK, assumptions=replace(BOOK.assumptions, **{name: 7}))


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"price": {}}, "nothing is called 'price'. Known names: currency, region, prices"),
        ({"currency": "EUR"}, "field currency"),
        ({"region": ""}, "field region"),
        ({"prices": []}, "field prices (file own.yaml): [] is not allowed. It must be a mapping"),
        ({"prices": {"alb-hour": 0.02}}, "field prices.alb-hour (file own.yaml): 0.02"),
        ({"prices": {"alb": OWN}}, "Known keys: fargate-vcpu-hour, fargate-gb-hour"),
        ({"prices": {"alb-hour": {**OWN, "usd": "0.02"}}}, "field prices.alb-hour.usd"),
        ({"prices": {"alb-hour": {**OWN, "usd": True}}}, "It must be a number from 0"),
        ({"prices": {"alb-hour": {**OWN, "usd": -0.01}}}, "-0.01 is not allowed"),
        ({"prices": {"alb-hour": {**OWN, "usd": float("inf")}}}, "inf is not allowed"),
        ({"prices": {"alb-hour": {**OWN, "unit": "month"}}}, "write unit: hour"),
        ({"prices": {"alb-hour": {**OWN, "asOf": "2026-02-30"}}}, "'2026-02-30' is no day"),
        ({"prices": {"alb-hour": {**OWN, "asOf": "20261101"}}}, "'20261101' is no day"),
        ({"prices": {"alb-hour": {**OWN, "asof": "x"}}}, "nothing is called 'asof'"),
        ({"prices": {"alb-hour": {"usd": 1}}}, "unit is missing. A price has unit, usd, source"),
        ({"assumptions": {"nodes": 1}}, "Known names: hoursPerMonth"),
        ({"assumptions": {"availabilityZones": 1.5}}, "It must be a whole number from 0"),
        ({"assumptions": {"ecrGib": None}}, "field assumptions.ecrGib"),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_document_is_told_in_one_sentence(
    document: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidSettingsError) as raised:
        merge(**document)
    assert said in str(raised.value)
