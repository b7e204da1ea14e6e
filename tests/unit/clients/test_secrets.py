"""The Secrets of one namespace."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from release_manager.clients.secrets import KubernetesSecrets
from tests.unit.clients.fake_api import FakeApi

PATH = "/api/v1/namespaces/aware/secrets/aware-secrets"
KEY_STORE = base64.b64encode(bytes(range(256))).decode()


@pytest.fixture
def api() -> FakeApi:
    api = FakeApi()
    api.objects[PATH] = {
        "metadata": {"name": "aware-secrets", "resourceVersion": "7"},
        "data": {
            "database-url": base64.b64encode(b"old").decode(),
            "gone": base64.b64encode(b"x").decode(),
            "key-store": KEY_STORE,
        },
    }
    return api


def test_only_what_changes_is_written(api: FakeApi) -> None:
    secrets = KubernetesSecrets(api.door, "aware")
    secret = secrets.read("aware-secrets")
    assert secret is not None
    kept = {key: text for key, text in secret.data.items() if key != "gone"}
    secrets.update(replace(secret, data={**kept, "database-url": "new", "added": "y"}))

    assert api.objects[PATH]["data"] == {
        "added": base64.b64encode(b"y").decode(),
        "database-url": base64.b64encode(b"new").decode(),
        # What is no text stays, byte by byte.
        "key-store": KEY_STORE,
    }
