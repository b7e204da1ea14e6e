"""Holds as ConfigMaps."""

from __future__ import annotations

import pytest

from release_manager.clients.holds import KubernetesHolds
from release_manager.clients.kubernetes_api import ApiStatusError, Json
from tests.unit.builders import NOW
from tests.unit.clients.fake_api import FakeApi

PATH = "/api/v1/namespaces/aware/configmaps"


def _holds(api: FakeApi) -> KubernetesHolds:
    return KubernetesHolds(api.door, "aware")


def test_holds_are_listed_by_slug_with_reason_person_and_time() -> None:
    holds = _holds(FakeApi())
    for slug in ("b", "a"):
        assert holds.put(slug, f"why {slug}")
    found = holds.list()
    assert [(hold.slug, hold.reason, hold.since) for hold in found] == [
        ("a", "why a", NOW),
        ("b", "why b", NOW),
    ]
    assert all("@" in hold.by for hold in found)


def test_another_reason_keeps_person_and_time() -> None:
    api = FakeApi()
    holds = _holds(api)
    holds.put("acme", "one")
    api.objects[f"{PATH}/tenant-acme-hold"]["data"]["by"] = "somebody@there"
    assert not holds.put("acme", "two")
    (hold,) = holds.list()
    assert (hold.reason, hold.by) == ("two", "somebody@there")


def test_a_hold_is_removed_once() -> None:
    holds = _holds(FakeApi())
    holds.put("acme", "why")
    assert holds.remove("acme")
    assert not holds.remove("acme")
    assert list(holds.list()) == []


def test_other_config_maps_are_no_holds() -> None:
    api = FakeApi()
    api.create(PATH, {"metadata": {"name": "tenant-acme"}, "data": {}})
    assert list(_holds(api).list()) == []


def test_a_refusal_is_no_hold() -> None:
    class Refusing(FakeApi):
        def create(self, path: str, body: Json) -> Json:
            raise ApiStatusError(422, "no room")

    with pytest.raises(ApiStatusError, match="no room"):
        _holds(Refusing()).put("acme", "why")


def test_a_hold_that_was_written_by_hand_need_not_be_whole() -> None:
    api = FakeApi()
    labels = {"wareit.ai/hold": "acme"}
    api.create(PATH, {"metadata": {"name": "by-hand", "labels": labels}})
    (hold,) = _holds(api).list()
    assert (hold.slug, hold.reason, hold.by) == ("acme", "", "")
