"""What may be asked while a cause is looked for, and how events are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ..workload import Container, Event, Pod

POD, CLAIM = "Pod", "PersistentVolumeClaim"
MAX_MESSAGE = 200


def _no_events(_pod: Pod) -> Sequence[Event]:
    return ()


def _no_lines(_pod: Pod, _container: Container) -> Sequence[str]:
    return ()


def _no_outage(_node: str) -> datetime | None:
    return None


@dataclass(frozen=True)
class Evidence:
    """What is asked for only where it explains more.

    now: by the cluster's clock. read_events: those about a pod and its claims, oldest first.
    read_log_tail: the last lines of a container's last run that ended. read_outage: since
    when a node has not been ready; None when it is, or when nobody may know.
    """

    now: datetime
    read_events: Callable[[Pod], Sequence[Event]] = _no_events
    read_log_tail: Callable[[Pod, Container], Sequence[str]] = _no_lines
    read_outage: Callable[[str], datetime | None] = _no_outage

    def list_events(self, pod: Pod) -> list[Event]:
        """Return the events of this very pod, not of one that had its name before."""
        events = self.read_events(pod)
        return [event for event in events if event.kind == POD and event.uid in ("", pod.uid)]

    def list_claim_events(self, pod: Pod, claim: str) -> list[Event]:
        """Return the events about one of the pod's volume claims."""
        events = self.read_events(pod)
        return [event for event in events if (event.kind, event.name) == (CLAIM, claim)]


def find_latest(events: Iterable[Event], *reasons: str) -> Event | None:
    """Return the latest event with one of the reasons."""
    found = [event for event in events if event.reason in reasons]
    return max(found, key=lambda event: event.at, default=None)


def shorten(text: str) -> str:
    """Return a message as one line, cut."""
    line = " ".join(text.removeprefix("(combined from similar events): ").split())
    return line if len(line) <= MAX_MESSAGE else f"{line[: MAX_MESSAGE - 3]}..."
