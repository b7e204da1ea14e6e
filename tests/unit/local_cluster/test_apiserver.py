"""Conditions of Kubernetes objects."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_cluster.apiserver import ApiServer, is_true


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}, True),
        ({"status": {"conditions": [{"type": "Ready", "status": "False"}]}}, False),
        ({"status": {"conditions": [{"type": "Other", "status": "True"}]}}, False),
        ({"status": {"conditions": None}}, False),
        ({}, False),
    ],
)
def test_condition_is_true_only_when_it_says_so(item: dict[str, object], *, expected: bool) -> None:
    assert is_true(item, "Ready") is expected


def test_api_server_that_does_not_run_is_not_ready(tmp_path: Path) -> None:
    assert not ApiServer("127.0.0.1", 1, tmp_path / "none.crt", "token").is_ready()
