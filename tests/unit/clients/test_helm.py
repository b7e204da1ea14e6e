"""Finding a helm that is new enough, and reading what its Secrets' metadata tells."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from release_manager.clients.helm import _parse_revision, find_helm
from release_manager.errors import HelmUnusableError
from release_manager.tenant import ReleaseStatus, RevisionLabels

BuildHelm = Callable[[str], Path]


@pytest.mark.parametrize("version", ["v4.2.2", "v4.3.1", "4.10.0", "v5.0.0"])
def test_a_helm_that_is_new_enough_is_found(build_helm: BuildHelm, version: str) -> None:
    path = build_helm(f"echo {version}")
    assert find_helm(str(path)) == str(path)


@pytest.mark.parametrize("script", ["echo v3.1.0", "echo v4.2.1", "echo nonsense", "exit 1"])
def test_a_helm_that_is_too_old_or_none_is_refused(build_helm: BuildHelm, script: str) -> None:
    with pytest.raises(HelmUnusableError) as caught:
        find_helm(str(build_helm(script)))
    assert "too old" in caught.value.problem
    assert "Install Helm 4.2.2 or newer" in caught.value.remedy


def _metadata(**labels: str) -> dict[str, Any]:
    own = {"owner": "helm", "name": "tenant-acme", "status": "deployed", "version": "3"}
    return {
        "creationTimestamp": "2026-03-01T03:00:00Z",
        "labels": {**own, **{key.replace("_", "/", 1): text for key, text in labels.items()}},
    }


def test_metadata_tells_slug_number_status_and_time() -> None:
    revision = _parse_revision(_metadata())
    assert revision is not None
    assert (revision.slug, revision.number, revision.status) == (
        "acme",
        3,
        ReleaseStatus.DEPLOYED,
    )
    assert revision.created_at == datetime(2026, 3, 1, 3, tzinfo=UTC)


def test_our_own_labels_are_read() -> None:
    metadata = _metadata()
    texts = {
        "config-digest": "c",
        "defaults-digest": "d",
        "chart-version": "0.1.0",
        "profile": "default",
        "writer": "me",
        "revision": "3",
    }
    metadata["labels"] |= {f"wareit.ai/{name}": text for name, text in texts.items()}
    revision = _parse_revision(metadata)
    assert revision is not None
    assert revision.labels == RevisionLabels("c", "d", "0.1.0", "default", "me", written_for=3)


def test_incomplete_labels_count_as_none() -> None:
    metadata = _metadata()
    metadata["labels"]["wareit.ai/writer"] = "me"
    revision = _parse_revision(metadata)
    assert revision is not None
    assert revision.labels is None


def test_a_status_that_nobody_knows_is_unknown() -> None:
    metadata = _metadata()
    metadata["labels"]["status"] = "dreaming"
    revision = _parse_revision(metadata)
    assert revision is not None
    assert revision.status is ReleaseStatus.UNKNOWN


def test_releases_that_are_no_tenants_are_left_out() -> None:
    metadata = _metadata()
    metadata["labels"]["name"] = "platform"
    assert _parse_revision(metadata) is None
