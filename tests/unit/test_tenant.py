"""Slugs, and what a tenant's frozen data tells about itself."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_manager.errors import InvalidSlugError
from release_manager.tenant import (
    MAX_SLUG_LENGTH,
    RESERVED_SLUGS,
    ReleaseStatus,
    Revision,
    RevisionBody,
    RevisionLabels,
    Target,
    validate_slug,
)
from release_manager.wiring import bundled_chart

NOW = datetime(2026, 3, 1, tzinfo=UTC)
REVISION = Revision("acme", 4, ReleaseStatus.DEPLOYED, NOW, NOW)
LABELS = RevisionLabels("digest", "defaults", "0.1.0", "default", "process-1", written_for=4)


@pytest.mark.parametrize("slug", ["a", "7", "acme", "acme-2", "a--b", "a" * MAX_SLUG_LENGTH])
def test_a_dns_label_is_a_slug(slug: str) -> None:
    assert validate_slug(slug) == slug


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        ("a" * 41, "is 41 characters long, at most 40 are allowed"),
        ("Acme", "has an upper-case letter"),
        ("ac_me", "has a character that a DNS label cannot have: _"),
        ("ac.me", "has a character that a DNS label cannot have: ."),
        ("ac me", "has a character that a DNS label cannot have:"),
        ("acme\n", "has a character that a DNS label cannot have:"),
        ("-acme", "starts or ends with a dash"),
        ("acme-", "starts or ends with a dash"),
        ("api", "is reserved for the platform itself"),
        ("äcme", "has a character outside ASCII"),
        ("acme\u0661", "has a character outside ASCII"),
        ("../etc/passwd", "looks like a path"),
        ("a\\b", "looks like a path"),
    ],
)
def test_anything_else_is_refused_with_the_rule_it_breaks(text: str, problem: str) -> None:
    with pytest.raises(InvalidSlugError) as caught:
        validate_slug(text)
    assert f"field slug: {text!r} {problem}" in caught.value.problem


def test_every_reserved_slug_is_refused() -> None:
    for slug in RESERVED_SLUGS:
        with pytest.raises(InvalidSlugError, match=r"reserved"):
            validate_slug(slug)


def test_the_charts_schema_reserves_the_same_slugs() -> None:
    schema = json.loads((bundled_chart() / "values.schema.json").read_text())
    assert set(schema["properties"]["slug"]["not"]["enum"]) == RESERVED_SLUGS


def test_the_charts_schema_allows_slugs_of_the_same_length() -> None:
    schema = json.loads((bundled_chart() / "values.schema.json").read_text())
    assert schema["properties"]["slug"]["maxLength"] == MAX_SLUG_LENGTH


@given(st.text())
def test_any_text_is_a_slug_or_refused(text: str) -> None:
    try:
        assert validate_slug(text) == text
    except InvalidSlugError:
        return
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_a_tenants_objects_carry_its_slug() -> None:
    target = Target("acme")
    names = (target.release, target.token_secret, target.volume_claim)
    assert names == ("tenant-acme", "tenant-acme-token", "tenant-acme-data")


@pytest.mark.parametrize(
    ("status", "is_in_progress"),
    [
        (ReleaseStatus.PENDING_INSTALL, True),
        (ReleaseStatus.PENDING_UPGRADE, True),
        (ReleaseStatus.PENDING_ROLLBACK, True),
        (ReleaseStatus.UNINSTALLING, True),
        (ReleaseStatus.DEPLOYED, False),
        (ReleaseStatus.FAILED, False),
        (ReleaseStatus.SUPERSEDED, False),
        (ReleaseStatus.UNINSTALLED, False),
        (ReleaseStatus.UNKNOWN, False),
    ],
)
def test_helm_may_be_at_work_while_a_status_is_pending(
    status: ReleaseStatus, is_in_progress: bool
) -> None:
    assert status.is_in_progress is is_in_progress


def test_the_writer_of_a_revision_counts_for_its_own_number() -> None:
    assert replace(REVISION, labels=LABELS).writer == "process-1"


def test_the_writer_does_not_count_on_a_revision_that_copied_the_labels() -> None:
    assert replace(REVISION, number=5, labels=LABELS).writer is None


def test_a_revision_without_labels_has_no_writer() -> None:
    assert REVISION.writer is None


@pytest.mark.parametrize(
    ("description", "restored"),
    [
        ("Rollback to 3", 3),
        ("Upgrade complete", None),
        ('Rollback "tenant-acme" failed: no', None),
        ("", None),
    ],
)
def test_a_rollback_names_the_revision_it_restored(description: str, restored: int | None) -> None:
    body = RevisionBody(REVISION, description, "aware-tenant", "0.1.0", {}, "")
    assert body.rolled_back_to == restored


def test_values_are_kept_out_of_representations() -> None:
    body = RevisionBody(REVISION, "", "aware-tenant", "0.1.0", {"env": "private"}, "private")
    assert "private" not in repr(body)
