"""Copies of revisions are what Helm would have written."""

from __future__ import annotations

from benchmarks.history import build_copy, decode_release, encode_release


def test_a_copy_is_an_older_revision_in_name_labels_and_body() -> None:
    secret = {
        "metadata": {
            "name": "sh.helm.release.v1.tenant-t0001.v12",
            "labels": {"version": "12", "status": "deployed", "wareit.ai/revision": "12"},
        },
        "type": "helm.sh/release.v1",
        "data": {"release": encode_release({"version": 12, "info": {"status": "deployed"}})},
    }
    older = build_copy(secret, 7, status="superseded")
    assert older["metadata"] == {
        "name": "sh.helm.release.v1.tenant-t0001.v7",
        "labels": {"version": "7", "status": "superseded", "wareit.ai/revision": "7"},
    }
    assert decode_release(older["data"]["release"]) == {
        "version": 7,
        "info": {"status": "superseded"},
    }
