"""One watch for the Deployments of all tenants."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from release_manager.clients.kubernetes_api import ApiStatusError, Json
from release_manager.clients.workloads import WorkloadWatch
from release_manager.errors import ClusterUnreachableError
from tests.unit.clients.fake_api import SILENT, FakeDeployments, build_deployment

PATH = "/deployments"
DEADLINE_SECONDS = 10.0
GONE = ApiStatusError(410, "too old resource version")


def _watch(api: FakeDeployments) -> WorkloadWatch:
    return WorkloadWatch(api.door, PATH, "tenant")


def _tell(watch: WorkloadWatch, api: FakeDeployments, kind: str, item: Json) -> None:
    """Let a watch tell of one Deployment and end."""
    api.tell(kind, item)
    api.events.put(None)
    watch._watch("1")


def _image(watch: WorkloadWatch, slug: str = "acme") -> str | None:
    workload = watch.read(slug)
    return workload.image if workload is not None else None


def _wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.005)


@contextmanager
def _running(api: FakeDeployments) -> Iterator[WorkloadWatch]:
    watch = _watch(api)
    with watch.running():
        yield watch
    # The thread may be waiting for one more event.
    api.problem = SILENT
    api.events.put(None)


def test_what_was_there_at_first_is_read_without_waiting() -> None:
    api = FakeDeployments(build_deployment("acme", version=3), build_deployment("b", version=4))
    with _running(api) as watch:
        assert (_image(watch), _image(watch, "b")) == ("gateway:3", "gateway:4")
        assert watch.read("unknown") is None


def test_a_watch_begins_where_the_list_ended() -> None:
    api = FakeDeployments(version=17)
    with _running(api):
        _wait_until(lambda: api.watched_from)
        assert api.watched_from == ["17"]


def test_a_change_is_read_when_the_watch_has_told_it() -> None:
    api = FakeDeployments(build_deployment(version=3))
    with _running(api) as watch:
        api.tell("MODIFIED", build_deployment(version=5))
        _wait_until(lambda: _image(watch) == "gateway:5")


def test_a_watch_that_ends_in_good_order_goes_on_where_it_was() -> None:
    api = FakeDeployments(build_deployment(version=3))
    with _running(api) as watch:
        api.tell("MODIFIED", build_deployment(version=5))
        api.tell("BOOKMARK", {"metadata": {"resourceVersion": "9"}})
        api.events.put(None)
        _wait_until(lambda: len(api.watched_from) == 2)
        assert (api.watched_from, api.lists) == (["1", "9"], 1)
        assert _image(watch) == "gateway:5"


@pytest.mark.parametrize("problem", [GONE, SILENT], ids=["too old", "broken"])
def test_a_watch_that_breaks_lists_again(problem: Exception) -> None:
    api = FakeDeployments(build_deployment("gone", version=2), build_deployment(version=3))
    with _running(api) as watch:
        api.listed, api.version = [build_deployment(version=8)], 8
        api.events.put(problem)
        _wait_until(lambda: len(api.watched_from) == 2)
        assert (api.watched_from, api.lists) == (["1", "8"], 2)
        assert _image(watch) == "gateway:8"
        assert watch.read("gone") is None


def test_an_api_server_that_is_out_of_reach_is_told_until_it_is_back() -> None:
    api = FakeDeployments(build_deployment(version=3))
    with _running(api) as watch:
        _wait_until(lambda: api.watched_from)
        api.problem = SILENT
        api.events.put(SILENT)
        _wait_until(lambda: api.lists >= 2)
        with pytest.raises(ClusterUnreachableError, match="no answer from the API server"):
            watch.read("acme")
        api.listed, api.version = [build_deployment(version=8)], 8
        api.problem = None
        _wait_until(lambda: len(api.watched_from) == 2)
        assert _image(watch) == "gateway:8"


def test_a_watch_that_is_too_old_is_no_outage() -> None:
    api = FakeDeployments(build_deployment(version=3))
    with _running(api) as watch:
        api.events.put(GONE)
        _wait_until(api.events.empty)
        assert _image(watch) == "gateway:3"


def test_an_api_server_that_is_out_of_reach_at_first_is_an_error_at_once() -> None:
    api = FakeDeployments()
    api.problem = SILENT
    with pytest.raises(ClusterUnreachableError), _watch(api).running():
        pass


def test_a_wait_ends_when_the_deployment_changes() -> None:
    api = FakeDeployments(build_deployment(version=3))
    with _running(api) as watch, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(watch.wait, "acme", DEADLINE_SECONDS * 60)
        # Another one's change, told first, does not end it; a wait may begin after either.
        api.tell("MODIFIED", build_deployment("b", version=4))
        _wait_until(lambda: _image(watch, "b"))
        assert not waiting.done()
        versions = iter(range(5, 10_000))
        _wait_until(
            lambda: api.tell("MODIFIED", build_deployment(version=next(versions))) or waiting.done()
        )


def test_a_change_between_a_look_and_the_wait_ends_the_wait() -> None:
    api = FakeDeployments(build_deployment(version=3))
    watch = _watch(api)
    watch._list()
    assert _image(watch) == "gateway:3"
    _tell(watch, api, "MODIFIED", build_deployment(version=5))
    with ThreadPoolExecutor(1) as pool:
        pool.submit(watch.wait, "acme", DEADLINE_SECONDS * 60).result(DEADLINE_SECONDS)


def test_a_watch_that_cannot_be_understood_is_told_and_listed_anew(
    caplog: pytest.LogCaptureFixture,
) -> None:
    api = FakeDeployments(build_deployment(version=3))
    with _running(api) as watch:
        _wait_until(lambda: api.watched_from)
        api.problem = KeyError("metadata")
        api.events.put(KeyError("metadata"))
        _wait_until(lambda: api.lists >= 2)
        with pytest.raises(ClusterUnreachableError, match="watch on Deployments failed: KeyError"):
            watch.read("acme")
        api.listed, api.version = [build_deployment(version=8)], 8
        api.problem = None
        _wait_until(lambda: len(api.watched_from) == 2)
        assert _image(watch) == "gateway:8"
    assert "the watch on Deployments failed" in caplog.text


def test_a_wait_ends_with_its_time() -> None:
    _watch(FakeDeployments()).wait("acme", 0.01)


# Versions overtake each other: the watch, the list and a read of one come by different ways.


def test_an_older_version_of_the_watch_does_not_undo_what_was_read() -> None:
    api = FakeDeployments(build_deployment(version=3))
    watch = _watch(api)
    watch._list()
    api.objects[f"{PATH}/tenant-acme"] = build_deployment(version=7)
    watch.refresh("acme")
    _tell(watch, api, "MODIFIED", build_deployment(version=5))
    assert _image(watch) == "gateway:7"


def test_an_older_version_that_is_read_does_not_undo_what_the_watch_told() -> None:
    api = FakeDeployments(build_deployment(version=3))
    watch = _watch(api)
    watch._list()
    _tell(watch, api, "MODIFIED", build_deployment(version=7))
    api.objects[f"{PATH}/tenant-acme"] = build_deployment(version=5)
    watch.refresh("acme")
    assert _image(watch) == "gateway:7"


def test_versions_are_numbers_and_not_texts() -> None:
    api = FakeDeployments(build_deployment(version=9))
    watch = _watch(api)
    watch._list()
    _tell(watch, api, "MODIFIED", build_deployment(version=10))
    assert _image(watch) == "gateway:10"


def test_a_list_that_is_older_does_not_undo_what_was_read_meanwhile() -> None:
    api = FakeDeployments(build_deployment(version=3), version=5)
    watch = _watch(api)
    watch._list()
    api.objects[f"{PATH}/tenant-acme"] = build_deployment(version=7)
    api.while_listing = [lambda: watch.refresh("acme")]
    watch._list()
    assert _image(watch) == "gateway:7"


def test_a_list_that_is_older_does_not_hide_what_was_installed_meanwhile() -> None:
    api = FakeDeployments(version=5)
    watch = _watch(api)
    api.objects[f"{PATH}/tenant-acme"] = build_deployment(version=7)
    api.while_listing = [lambda: watch.refresh("acme")]
    watch._list()
    assert _image(watch) == "gateway:7"


def test_a_list_tells_what_was_removed() -> None:
    api = FakeDeployments(build_deployment(version=3))
    watch = _watch(api)
    watch._list()
    api.listed, api.version = [], 9
    watch._list()
    assert watch.read("acme") is None


def test_a_deployment_that_was_made_anew_is_not_undone_by_the_one_before() -> None:
    api = FakeDeployments(build_deployment(version=3, uid="one"))
    watch = _watch(api)
    watch._list()
    api.objects[f"{PATH}/tenant-acme"] = build_deployment(version=7, uid="two")
    watch.refresh("acme")
    _tell(watch, api, "MODIFIED", build_deployment(version=5, uid="one"))
    assert _image(watch) == "gateway:7"
    _tell(watch, api, "DELETED", build_deployment(version=6, uid="one"))
    assert _image(watch) == "gateway:7"


def test_a_deployment_that_is_made_anew_is_taken() -> None:
    api = FakeDeployments(build_deployment(version=3, uid="one"))
    watch = _watch(api)
    watch._list()
    _tell(watch, api, "ADDED", build_deployment(version=5, uid="two"))
    assert _image(watch) == "gateway:5"


def test_a_deployment_that_is_removed_is_gone() -> None:
    api = FakeDeployments(build_deployment(version=3))
    watch = _watch(api)
    watch._list()
    _tell(watch, api, "DELETED", build_deployment(version=5))
    assert watch.read("acme") is None


def test_a_deployment_that_was_read_before_its_end_does_not_come_back() -> None:
    api = FakeDeployments(build_deployment(version=3))
    watch = _watch(api)
    watch._list()
    _tell(watch, api, "DELETED", build_deployment(version=5))
    api.objects[f"{PATH}/tenant-acme"] = build_deployment(version=3)
    watch.refresh("acme")
    assert watch.read("acme") is None


def test_a_deployment_that_is_read_and_not_there_is_gone() -> None:
    api = FakeDeployments(build_deployment(version=3))
    watch = _watch(api)
    watch._list()
    watch.refresh("acme")
    assert watch.read("acme") is None
