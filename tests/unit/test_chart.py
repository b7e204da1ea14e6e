"""Digests of charts and values."""

from __future__ import annotations

from release_manager.chart import build_digest, build_files_digest

METADATA = {"name": "aware-tenant", "version": "0.1.0"}
FILES = {"Chart.yaml": b"name: aware-tenant", "values.yaml": b"a: 1"}


def test_the_order_of_keys_does_not_change_a_digest() -> None:
    assert build_digest({"a": 1, "b": 2}) == build_digest({"b": 2, "a": 1})


def test_a_digest_fits_into_a_label() -> None:
    assert len(build_digest({})) <= 63


def test_the_type_of_a_value_changes_the_digest() -> None:
    assert build_digest({"a": 1}) != build_digest({"a": "1"})


def test_any_file_changes_the_digest_of_a_chart() -> None:
    changed = {**FILES, "values.yaml": b"a: 2"}
    assert build_files_digest(FILES, METADATA) != build_files_digest(changed, METADATA)


def test_a_new_version_changes_the_digest_of_a_chart() -> None:
    newer = {**METADATA, "version": "0.2.0"}
    assert build_files_digest(FILES, METADATA) != build_files_digest(FILES, newer)


def test_the_text_of_chart_yaml_does_not_change_the_digest() -> None:
    rewritten = {**FILES, "Chart.yaml": b"# packaged\nname: aware-tenant"}
    assert build_files_digest(FILES, METADATA) == build_files_digest(rewritten, METADATA)
