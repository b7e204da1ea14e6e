"""Having one tenant for oneself while a plan is made and carried out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from ..ports import Ports, RunOptions
from ..tenant import Claim
from .observe import Observation, observe_tenant, refuse_busy, repair_stuck

PlanT = TypeVar("PlanT")


@dataclass(frozen=True)
class Work:
    """This process has a tenant for itself.

    writer: its id. earlier: the claim of a dead process, where there was one.
    """

    slug: str
    writer: str
    earlier: Claim | None

    def observe(self, ports: Ports) -> Observation:
        """Look at the tenant: what is pending was begun by whoever had it before."""
        return observe_tenant(ports, self.slug, read_claim=lambda _: self.earlier)


@contextmanager
def working_on(ports: Ports, slug: str) -> Iterator[Work]:
    """Keep other release-manager processes off a tenant.

    Raises NamespaceNotFoundError, ReleaseBusyError.
    """
    ports.cluster.require_namespace()
    with ports.liveness.hold() as writer, ports.liveness.claim(slug, writer) as earlier:
        yield Work(slug, writer, earlier)


def look_at(ports: Ports, slug: str) -> Observation:
    """Return a tenant that nobody is at work on, without changing anything.

    Raises NamespaceNotFoundError, ReleaseBusyError.
    """
    ports.cluster.require_namespace()
    observation = observe_tenant(ports, slug)
    refuse_busy(observation)
    return observation


def look_and_plan(
    ports: Ports, work: Work, run: RunOptions, decide: Callable[[Observation], PlanT]
) -> tuple[Observation, PlanT]:
    """Look, decide, and repair what a dead process left, in this order.

    So bad input, which ``decide`` refuses, changes nothing. Raises ReleaseBusyError.
    """
    observation = work.observe(ports)
    refuse_busy(observation)
    plan = decide(observation)
    repaired = repair_stuck(ports, observation, run)
    return (observation, plan) if repaired is observation else (repaired, decide(repaired))
