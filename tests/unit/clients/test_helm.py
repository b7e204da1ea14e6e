"""What the metadata of release Secrets tells, and the warnings in a chart's notes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from release_manager.clients.helm import find_warnings
from release_manager.clients.releases import _parse_revision
from release_manager.tenant import ReleaseStatus, RevisionLabels


def _metadata(**labels: str) -> dict[str, Any]:
    own = {"owner": "helm", "name": "tenant-acme", "status": "deployed", "version": "3"}
    created = "2026-03-01T03:00:00Z"
    return {"creationTimestamp": created, "uid": "u-3", "labels": {**own, **labels}}


def test_metadata_tells_slug_number_status_and_time() -> None:
    revision = _parse_revision(_metadata())
    assert revision is not None
    assert (revision.slug, revision.number, revision.status) == (
        "acme",
        3,
        ReleaseStatus.DEPLOYED,
    )
    assert revision.created_at == revision.changed_at == datetime(2026, 3, 1, 3, tzinfo=UTC)


def test_a_later_write_tells_when_the_status_changed() -> None:
    writes = [{"time": "2026-03-01T05:00:00Z"}, {"time": "2026-03-01T04:00:00Z"}, {}]
    revision = _parse_revision({**_metadata(status="uninstalling"), "managedFields": writes})
    assert revision is not None
    assert revision.changed_at == datetime(2026, 3, 1, 5, tzinfo=UTC)


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
    revision = _parse_revision(_metadata(status="dreaming"))
    assert revision is not None
    assert revision.status is ReleaseStatus.UNKNOWN


def test_a_parts_release_stands_for_its_slug() -> None:
    assert _parse_revision(_metadata(name="platform")).slug == "platform"


def test_the_charts_warnings_are_found_a_line_each() -> None:
    notes = (
        "NOTES:\nTenant acme\n\nWARNING: the limit is below 1Gi,\n  OpenClaw needs more.\n\n"
        "WARNING: no certificate\n\nNext: look\n"
    )
    assert find_warnings(notes) == [
        "the limit is below 1Gi, OpenClaw needs more.",
        "no certificate",
    ]


def test_notes_without_warnings_have_none() -> None:
    assert find_warnings("NOTES:\nall is well\n") == []
