"""What each stack costs, beside sums done by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from release_manager.infrastructure.capacity import NOTHING, Footprint
from release_manager.infrastructure.costs import (
    FARGATE_SIZES,
    Comparison,
    Demand,
    FargateSize,
    Stack,
    StackCost,
    compare_costs,
    find_fargate_size,
)
from release_manager.infrastructure.prices import PriceBook, load_shipped_prices, merge_prices

BOOK = load_shipped_prices()
SLIM = Footprint(64, 50, memory_limit_mib=256, cpu_limit_millicores=250)
LARGE = Footprint(1024, 250, memory_limit_mib=2048)


def compare(
    tenants: int,
    *,
    tenant: Footprint = SLIM,
    volume_gib: int = 0,
    shared: Footprint = NOTHING,
    book: PriceBook = BOOK,
) -> Comparison:
    return compare_costs(book, Demand(tenants, tenant, volume_gib, shared, shared))


def cost(stack: Stack, comparison: Comparison) -> StackCost:
    return next(item for item in comparison.stacks if item.stack is stack)


def quantities(found: StackCost) -> dict[str, float]:
    return {line.item: line.quantity for line in found.lines}


def test_ten_tenants_on_ecs_cost_what_is_summed_by_hand() -> None:
    fargate = (10 + 1) * (0.25 * 0.04048 + 0.5 * 0.004445) * 730
    balancer = 0.0225 * 730 + 10 * 0.01 * 0.008 * 730
    network = 0.045 * 730 + 10 * 4 * 0.045 + 3 * 0.005 * 730
    secrets, logs = 12 * 0.40, 5 * 0.50 + 5 * 0.03
    database = 0.016 * 730 + 20 * 0.115
    rest = 0.50 + 5 * 0.10 + 20 * 0.09
    total = fargate + balancer + network + secrets + logs + database + rest
    assert cost(Stack.ECS, compare(10)).usd_per_month == pytest.approx(total, abs=0.006)


def test_ten_tenants_on_k3s_cost_what_is_summed_by_hand() -> None:
    found = cost(Stack.K3S, compare(10, tenant=LARGE, volume_gib=5))
    machine = 0.1664 * 730
    volumes = 10 * 0.08 + (40 + 10 * 5) * 0.08 + 45 * 0.05
    rest = 10 * 0.023 + 0.005 * 730 + 2 * 0.10 + 0.50 + 5 * 0.10 + 20 * 0.09
    assert found.machines == "t3.xlarge"
    assert found.usd_per_month == pytest.approx(machine + volumes + rest, abs=0.006)


def test_ten_tenants_on_eks_cost_what_is_summed_by_hand() -> None:
    found = cost(Stack.EKS, compare(10, tenant=LARGE, volume_gib=5))
    machines = 0.10 * 730 + 2 * 0.0832 * 730
    volumes = 2 * 40 * 0.08 + 10 * 5 * 0.08 + 10 * 0.023
    balancer = 0.0225 * 730 + 10 * 0.01 * 0.006 * 730
    network = 0.045 * 730 + 10 * 4 * 0.045 + 3 * 0.005 * 730
    rest = 1.00 + 2 * 0.50 + 2 * 0.03 + 0.016 * 730 + 20 * 0.115 + 0.50 + 5 * 0.10 + 20 * 0.09
    assert found.machines == "2 x t3.large"
    total = machines + volumes + balancer + network + rest
    assert found.usd_per_month == pytest.approx(total, abs=0.006)


def test_a_tenant_costs_its_part_of_the_sum() -> None:
    found = cost(Stack.ECS, compare(10))
    assert found.usd_per_month is not None
    assert found.usd_per_tenant == pytest.approx(found.usd_per_month / 10, abs=0.006)


@pytest.mark.parametrize("stack", Stack)
def test_without_a_tenant_nothing_is_divided(stack: Stack) -> None:
    assert cost(stack, compare(0)).usd_per_tenant is None


@pytest.mark.parametrize("stack", Stack)
def test_without_a_tenant_a_stack_costs_what_all_share(stack: Stack) -> None:
    assert (cost(stack, compare(0)).usd_per_month or 0) > 0


@pytest.mark.parametrize("stack", Stack)
@pytest.mark.parametrize(("tenant", "volume_gib"), [(SLIM, 0), (LARGE, 5)], ids=["slim", "large"])
def test_more_tenants_never_cost_less(stack: Stack, tenant: Footprint, volume_gib: int) -> None:
    sums = [
        cost(stack, compare(number, tenant=tenant, volume_gib=volume_gib)).usd_per_month
        for number in range(0, 61, 3)
    ]
    assert None not in sums
    assert all(fewer < more for fewer, more in pairwise(sums) if fewer and more)


@pytest.mark.parametrize("stack", Stack)
def test_the_lines_of_a_stack_add_up_to_its_sum(stack: Stack) -> None:
    found = cost(stack, compare(50, tenant=LARGE, volume_gib=5))
    total = sum(line.quantity * line.usd_per_unit for line in found.lines)
    assert found.usd_per_month == pytest.approx(total, abs=0.01)


def test_every_shipped_price_but_those_of_machines_is_of_some_line() -> None:
    comparison = compare(10, tenant=LARGE, volume_gib=5)
    used = {line.price for stack in comparison.stacks for line in stack.lines}
    assert {key for key in BOOK.prices if not key.startswith("ec2-")} <= used


@pytest.mark.parametrize("key", [key for key in BOOK.prices if not key.startswith("ec2-")])
def test_a_price_changes_its_own_lines_and_no_other(key: str) -> None:
    price = BOOK.prices[key]
    own = {"unit": price.unit, "usd": price.usd + 1, "source": "ours", "asOf": "2026-11-01"}
    book = merge_prices(BOOK, {"prices": {key: own}}, "own.yaml")
    before = compare(10, tenant=LARGE, volume_gib=5)
    after = compare(10, tenant=LARGE, volume_gib=5, book=book)
    changed = {
        new.price
        for old_stack, new_stack in zip(before.stacks, after.stacks, strict=True)
        for old, new in zip(old_stack.lines, new_stack.lines, strict=True)
        if old != new
    }
    assert changed == {key}


@pytest.mark.parametrize(
    ("pod", "size"),
    [
        (SLIM, FargateSize(0.25, 0.5)),
        (LARGE, FargateSize(0.25, 2)),
        (Footprint(512, 100), FargateSize(0.25, 0.5)),
        (Footprint(513, 100), FargateSize(0.25, 1)),
        (Footprint(2049, 100), FargateSize(0.5, 3)),
        (Footprint(64, 251), FargateSize(0.5, 1)),
        (Footprint(64, 2000), FargateSize(2, 4)),
        (Footprint(120 * 1024, 100), FargateSize(16, 120)),
    ],
    ids=str,
)
def test_a_task_has_the_smallest_size_that_holds_the_pod(pod: Footprint, size: FargateSize) -> None:
    assert find_fargate_size(pod) == size


def test_fargate_has_as_many_sizes_as_its_guide_lists() -> None:
    assert len(FARGATE_SIZES) == 3 + 4 + 7 + 13 + 23 + 12 + 12


def test_a_pod_that_no_task_holds_has_no_cost_on_ecs() -> None:
    found = cost(Stack.ECS, compare(1, tenant=Footprint(200 * 1024, 100)))
    assert (found.machines, found.usd_per_month, found.lines) == ("", None, ())


@pytest.mark.parametrize("stack", [Stack.K3S, Stack.EKS])
def test_tenants_that_no_machines_hold_have_no_cost(stack: Stack) -> None:
    found = cost(stack, compare(1, tenant=Footprint(200 * 1024, 100)))
    assert (found.machines, found.usd_per_month, found.lines) == ("", None, ())


@pytest.mark.parametrize(("tenants", "balancers"), [(0, 1), (99, 1), (100, 2), (200, 3)])
def test_an_alb_has_at_most_a_hundred_targets(tenants: int, balancers: int) -> None:
    assert quantities(cost(Stack.ECS, compare(tenants)))["ALB"] == balancers * 730


def test_tasks_in_public_subnets_need_addresses_and_no_nat_gateway() -> None:
    assumed = replace(BOOK.assumptions, ecs_nat_gateways=0, ecs_public_addresses_per_task=1)
    found = quantities(cost(Stack.ECS, compare(10, book=replace(BOOK, assumptions=assumed))))
    assert found["public IPv4 addresses"] == (2 + 10 + 1) * 730
    assert found.keys().isdisjoint({"NAT gateways", "NAT gateway data"})


def test_each_pod_of_a_tenant_is_a_task() -> None:
    found = cost(Stack.ECS, compare(3, tenant=SLIM.multiply(2, pods=2)))
    assert found.machines == "6 x 0.25 vCPU, 0.5 GB"


def test_what_all_share_needs_room_on_the_machines() -> None:
    shared = Footprint(3000, 100)
    assert cost(Stack.K3S, compare(0)).machines == "t3.small"
    assert cost(Stack.K3S, compare(0, shared=shared)).machines == "t3.large"
