"""What a tenant's customers notice of an upgrade."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

from tests.containers.answers import Answer
from tests.containers.conftest import STAND_IN, WITH_VOLUME, Visitor
from tests.terminal import Operator, wait_for

PAUSE_SECONDS = 0.02
NEW_VERSION = ("--set", "image.tag=1.1.0-stand-in")


@dataclass
class Customer:
    """Somebody who asks all the time. answers: when each came, and the version it named.

    failures: what came instead of an answer.
    """

    answers: list[tuple[float, str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def ask(self, send: Callable[[], Answer]) -> None:
        """Send one request and note what came of it."""
        try:
            version = send().body["version"]
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(f"{type(error).__name__}: {error}")
        else:
            self.answers.append((time.monotonic(), version))

    @property
    def versions(self) -> set[str]:
        """The versions that have answered."""
        return {version for _, version in self.answers}

    @property
    def longest_gap_seconds(self) -> float:
        """The longest time between two answers."""
        return max(later - earlier for (earlier, _), (later, _) in pairwise(self.answers))


@contextmanager
def asking(visitor: Visitor, *, timeout_seconds: float) -> Iterator[Customer]:
    """Let a customer ask acme's version until the end of the block; it has had its first answer."""
    customer, is_over = Customer(), threading.Event()

    def ask_on(send: Callable[[], Answer]) -> None:
        while not is_over.wait(PAUSE_SECONDS):
            customer.ask(send)

    with visitor.opening("acme", timeout_seconds=timeout_seconds) as send:
        thread = threading.Thread(target=ask_on, args=(send,))
        thread.start()
        try:
            wait_for(lambda: customer.answers, "the first answer")
            yield customer
        finally:
            is_over.set()
            thread.join()


def test_no_request_fails_while_a_tenant_without_a_volume_is_upgraded(
    operator: Operator, visitor: Visitor
) -> None:
    # The stand-in refuses connections from the moment on that it is asked to end.
    operator.run("install-tenant", "acme", *STAND_IN)
    with asking(visitor, timeout_seconds=10) as customer:
        operator.run("upgrade-tenant", "acme", *NEW_VERSION)
        old_pods = "tenant=acme,app=tenant"
        wait_for(
            lambda: len(operator.kubectl("get", "pods", "-l", old_pods, "-o", "name").split()) == 1,
            "the old pod to be gone",
        )
    assert customer.failures == []
    assert customer.versions == {"1.0.0-stand-in", "1.1.0-stand-in"}


def test_upgrade_with_a_volume_has_one_gap_and_it_is_measured(
    operator: Operator, visitor: Visitor, record_property: Callable[[str, object], None]
) -> None:
    operator.run("install-tenant", "acme", *STAND_IN, *WITH_VOLUME)
    # A pod that is gone does not even refuse: each request to it takes that long.
    with asking(visitor, timeout_seconds=0.5) as customer:
        operator.run("upgrade-tenant", "acme", *NEW_VERSION)
        wait_for(lambda: "1.1.0-stand-in" in customer.versions, "an answer of the new version")
    assert customer.failures, "with one writer, the old pod has to end before the new one starts"
    versions = [version for _, version in customer.answers]
    assert versions == sorted(versions), "the old version answered after the new one"
    record_property("gap of an upgrade with a volume, s", round(customer.longest_gap_seconds, 1))
