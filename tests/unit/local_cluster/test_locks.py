"""Locks between processes."""

from __future__ import annotations

from pathlib import Path

from local_cluster.locks import hold, try_hold


def test_lock_that_is_held_cannot_be_taken(tmp_path: Path) -> None:
    with hold(tmp_path / "a.lock", "testing"), try_hold(tmp_path / "a.lock") as is_held:
        assert not is_held


def test_lock_is_free_after_its_holder_is_done(tmp_path: Path) -> None:
    with hold(tmp_path / "a.lock", "testing"):
        pass
    with try_hold(tmp_path / "a.lock") as is_held:
        assert is_held


def test_locks_of_different_files_do_not_meet(tmp_path: Path) -> None:
    with hold(tmp_path / "a.lock", "testing"), try_hold(tmp_path / "b.lock") as is_held:
        assert is_held
