"""Rollouts in a world in memory: planned, begun, resumed and watched by an operator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from release_manager.errors import OperationInterruptedError
from release_manager.operations.fleet import Selection
from release_manager.operations.fleet_work import FleetWork
from release_manager.operations.resume import rebuild_make_plan
from release_manager.operations.rollouts import (
    Ended,
    FleetPlan,
    begin_rollout,
    find_journal,
    resume_rollout,
)
from release_manager.operations.scale_all import ScaleAllRequest, plan_scale_all
from release_manager.operations.upgrade_all import UpgradeAllRequest, plan_upgrade_all
from release_manager.rollout.engine import Control, Listener
from release_manager.rollout.journal import Journal, Report
from release_manager.rollout.plan import Kind, Limits, Share
from tests.unit.fakes import FakeWorld, ManagerKilled

BY = "operator@here"
STOP = OperationInterruptedError("it was interrupted", remedy="Resume it")
# One after the other in one wave: who is next is certain.
ONE_BY_ONE = Limits(canary=0, bake_seconds=0.0, wave_size=Share(100), concurrency=1)


def install(world: FakeWorld, *slugs: str, **overrides: Any) -> None:
    """Install tenants with the same values of their own."""
    for slug in slugs:
        world.install(slug, **overrides)


def break_chart(world: FakeWorld) -> None:
    """Let the chart at hand be one whose pods never get ready."""
    world.cluster.break_image("broken")
    world.change_chart(image={"tag": "broken"})


def plan_upgrade(
    world: FakeWorld,
    *,
    is_overwriting_drift: bool = False,
    selection: Selection | None = None,
    **limits: Any,
) -> FleetPlan:
    """Plan ``upgrade-all``; without limits, one tenant after the other."""
    request = UpgradeAllRequest(
        selection or Selection(), replace(ONE_BY_ONE, **limits), is_overwriting_drift
    )
    return plan_upgrade_all(world.ports, world.settings, request, by=BY)


def plan_scale(world: FakeWorld, kind: Kind, **selection: Any) -> FleetPlan:
    """Plan ``stop-all`` or ``start-all``."""
    request = ScaleAllRequest(kind, Selection(**selection), ONE_BY_ONE)
    return plan_scale_all(world.ports, world.settings, request, by=BY)


def build_control(world: FakeWorld) -> Control:
    """A control whose sleep moves the world's clock."""
    return Control(world.releases.interrupt, rest=world.clock.advance)


def begin(
    world: FakeWorld,
    plan: FleetPlan,
    *,
    control: Control | None = None,
    listener: Listener | None = None,
) -> Ended:
    """Carry a plan out."""
    return begin_rollout(
        world.ports,
        plan,
        control=control or build_control(world),
        listener=listener or Listener(),
        clock=world.clock.as_clock(),
    )


def resume(world: FakeWorld, *, journal: Journal | None = None, budget: int | None = None) -> Ended:
    """Go on as another process: with what it has seen, else the newest that can go on."""
    journal = journal or find_journal(world.ports, None, is_resumable=True)
    return resume_rollout(
        world.ports,
        journal,
        rebuild_make_plan(world.ports, world.settings, journal.rollout),
        control=build_control(world),
        listener=Listener(),
        clock=world.clock.as_clock(),
        budget=budget,
    )


def call_after(number: int, call: Callable[[], object]) -> Listener:
    """Return a listener that calls something once so many tenants have ended."""
    ended: list[str] = []

    def count(_progress: object, report: Report) -> None:
        ended.append(report.slug)
        if len(ended) == number:
            call()

    return Listener(end_tenant=count)


def interrupt(world: FakeWorld, plan: FleetPlan, *, after: int = 1) -> None:
    """Carry a plan out until so many tenants have ended."""
    control = build_control(world)
    begin(world, plan, control=control, listener=call_after(after, lambda: control.stop(STOP)))


def kill(world: FakeWorld, plan: FleetPlan, *, after: int) -> None:
    """Kill the process that carries a plan out, and its helm, in the next after so many."""
    with pytest.raises(ManagerKilled):
        begin(world, plan, listener=call_after(after, world.releases.kill_next))


@contextmanager
def at_work(
    world: FakeWorld, plan: FleetPlan, control: Control | None = None
) -> Iterator[FleetWork]:
    """Give what changes one tenant after the other, in a process of its own."""
    with world.ports.liveness.hold() as writer, world.cluster.watch_workloads() as workloads:
        yield FleetWork(
            world.ports,
            plan.rollout,
            writer,
            control or build_control(world),
            workloads,
            plan.make_plan,
            plan.plans,
            world.clock.as_clock(),
        )


def change(world: FakeWorld, plan: FleetPlan, slug: str = "acme") -> Report:
    """Change one tenant as a rollout does, in a process of its own."""
    with at_work(world, plan) as work:
        return work.change(slug)
