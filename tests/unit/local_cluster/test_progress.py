"""Progress lines."""

from __future__ import annotations

from local_cluster.progress import Stopwatch


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_heartbeat_comes_every_15_seconds_and_not_more_often() -> None:
    clock = Clock()
    said: list[str] = []
    watch = Stopwatch("building x", clock=clock, tell=said.append)
    for seconds in (5, 14, 15, 20, 29, 31):
        clock.now = 100.0 + seconds
        watch.beat()
    assert said == ["  still building x, 15 s", "  still building x, 31 s"]


def test_stopwatch_tells_the_seconds_since_the_start() -> None:
    clock = Clock()
    watch = Stopwatch("building x", clock=clock)
    clock.now += 7
    assert watch.seconds == 7
