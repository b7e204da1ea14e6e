"""A fleet is like a real one: most tenants have no values of their own."""

from __future__ import annotations

from collections import Counter

from benchmarks.fleet import build_overrides


def test_a_fleet_has_its_share_of_own_values() -> None:
    fleet = [build_overrides(number) for number in range(1, 101)]
    keys = Counter(key for overrides in fleet for key in overrides)
    assert keys == {"resources": 20, "env": 14, "replicas": 10}
    assert fleet.count({}) > len(fleet) / 2
