"""Progress lines on stderr: stdout carries data only."""

import sys
import time
from collections.abc import Callable

HEARTBEAT_SECONDS = 15.0


def say(text: str) -> None:
    """Print one line of progress."""
    print(text, file=sys.stderr, flush=True)


class Stopwatch:
    """Measures one piece of work and says, every 15 seconds, that it still runs."""

    def __init__(
        self,
        what: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[str], None] = say,
    ) -> None:
        self._what = what
        self._clock = clock
        self._tell = tell
        self._started = clock()
        self._said = self._started

    @property
    def seconds(self) -> float:
        """Seconds since the work began."""
        return self._clock() - self._started

    def beat(self) -> None:
        """Say that the work goes on, unless something was said in the last 15 seconds."""
        now = self._clock()
        if now - self._said >= HEARTBEAT_SECONDS:
            self._said = now
            self._tell(f"  still {self._what}, {now - self._started:.0f} s")
