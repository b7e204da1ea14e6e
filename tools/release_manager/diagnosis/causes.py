"""The causes that are told apart, and for how long each may still pass."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

# What was counted already, such as crashes; a pod that is being replaced is gone by then.
COUNTED_PATIENCE_SECONDS = 1.0
# A definite answer: "no such image". The kubelet asks again only after half a minute.
ANSWER_PATIENCE_SECONDS = 3.0
# A Secret or a quota may be on its way.
PATIENCE_SECONDS = 8.0
# A registry that does not answer: the kubelet's next try, 28 s after the first, is awaited.
REGISTRY_PATIENCE_SECONDS = 45.0
# Nodes and volumes may be on their way.
SCHEDULING_PATIENCE_SECONDS = 90.0


class Cause(StrEnum):
    """What keeps a pod from being ready. Each has its row in ``docs/failures.md``."""

    IMAGE_MISSING = "image missing"
    IMAGE_UNUSABLE = "image unusable"
    REGISTRY_REFUSES = "registry refuses"
    REGISTRY_UNREACHABLE = "registry unreachable"
    PULL_FAILED = "pull failed"
    OBJECT_MISSING = "Secret or ConfigMap missing"
    ROOT_REFUSED = "root refused"
    CANNOT_START = "cannot start"
    CRASH = "crash"
    OUT_OF_MEMORY = "out of memory"
    READ_ONLY = "read-only file system"
    RESTARTED_BY_PROBE = "restarted by a probe"
    NOT_READY = "not ready"
    STARTING = "starting"
    VOLUME_PENDING = "volume pending"
    VOLUME_NOT_MOUNTED = "volume not mounted"
    NO_SANDBOX = "no sandbox"
    NO_ROOM = "no room"
    NO_NODE = "no node"
    NODE_DOWN = "node down"
    ENDING = "ending"
    EVICTED = "evicted"
    QUOTA = "quota"
    REFUSED = "refused"


# They tell how far it is; that alone is no failure.
_NOTICES = (Cause.STARTING, Cause.ENDING)


@dataclass(frozen=True)
class Diagnosis:
    """A cause, in one sentence.

    patience_seconds: when it has lasted that long, waiting longer is no help; None when it
    may always pass.
    """

    cause: Cause
    sentence: str
    patience_seconds: float | None = None

    @property
    def is_hopeless(self) -> bool:
        """Whether somebody has to do something about it."""
        return self.patience_seconds is not None

    @property
    def is_notice(self) -> bool:
        """Whether it only tells how far the pods are."""
        return self.cause in _NOTICES and not self.is_hopeless


def tell_time(moment: datetime, now: datetime) -> str:
    """Return a moment as operators read it: UTC, with the day where it is not today's."""
    form = "%H:%M:%S" if moment.date() == now.date() else "%Y-%m-%d %H:%M:%S"
    return f"{moment.strftime(form)} UTC"
