"""The Secrets of one namespace: tenants' tokens, and what the parts share."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from http import HTTPStatus

from ..errors import ChangedMeanwhileError
from ..ports import Secret, TokenSecret
from ..tenant import LABEL_DOMAIN, Target
from .kubernetes_api import MANAGED, ApiStatusError, Json, KubernetesApi

_REVISION = f"{LABEL_DOMAIN}/token-revision"


class KubernetesSecrets:
    """Port ``Secrets``."""

    def __init__(self, api: KubernetesApi, namespace: str) -> None:
        self._api = api
        self._path = f"/api/v1/namespaces/{namespace}/secrets"

    def read(self, name: str) -> Secret | None:
        """Return a Secret, or None."""
        found = self._api.find(f"{self._path}/{name}")
        if found is None:
            return None
        data = {key: _decode(text) for key, text in (found.get("data") or {}).items()}
        return Secret(name, data, found["metadata"]["resourceVersion"])

    def create(self, secret: Secret) -> bool:
        """Create a Secret; False when there is one of that name already."""
        return self._create(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "type": "Opaque",
                "metadata": {"name": secret.name, "labels": MANAGED},
                "data": {key: _encode(text) for key, text in secret.data.items()},
            }
        )

    def update(self, secret: Secret) -> None:
        """Let a Secret hold this and nothing else. Raises ChangedMeanwhileError.

        What is not changed is not written either: it may be no text.
        """
        path = f"{self._path}/{secret.name}"
        old = (self._api.find(path) or {}).get("data") or {}
        changed = {
            key: _encode(text)
            for key, text in secret.data.items()
            if key not in old or _decode(old[key]) != text
        }
        removed = dict.fromkeys(old.keys() - secret.data.keys())
        patch = {
            "metadata": {"resourceVersion": secret.resource_version},
            "data": removed | changed,
        }
        try:
            self._api.patch(path, patch)
        except ApiStatusError as exc:
            raise ChangedMeanwhileError(
                f"Secret {secret.name} was changed by somebody else just now",
                remedy="Run the command again",
            ) from exc

    def delete(self, name: str) -> bool:
        """Delete a Secret; False when there was none."""
        return self._api.delete(f"{self._path}/{name}")

    def read_token(self, slug: str) -> TokenSecret | None:
        """Return the tenant's token, or None."""
        secret = self._api.find(f"{self._path}/{Target(slug).token_secret}")
        if secret is None or "token" not in secret.get("data", {}):
            return None
        data, metadata = secret["data"], secret["metadata"]
        return TokenSecret(
            token=_decode(data["token"]),
            previous=_decode(data["previous"]) if "previous" in data else None,
            revision=int(metadata.get("annotations", {}).get(_REVISION, "1")),
            resource_version=metadata["resourceVersion"],
        )

    def create_token(self, slug: str, token: str) -> bool:
        """Create the Secret; False when there is one already."""
        return self._create(_build_secret(slug, token))

    def _create(self, secret: Json) -> bool:
        try:
            self._api.create(self._path, secret)
        except ApiStatusError as exc:
            if exc.code == HTTPStatus.CONFLICT:
                return False
            raise
        return True

    def update_token(self, slug: str, secret: TokenSecret) -> None:
        """Replace the tokens, and nothing else that is there. Raises ChangedMeanwhileError."""
        name = Target(slug).token_secret
        previous = _encode(secret.previous) if secret.previous is not None else None
        patch = {
            # The resourceVersion of the read makes this a compare-and-swap.
            "metadata": {
                "resourceVersion": secret.resource_version,
                "annotations": {_REVISION: str(secret.revision)},
            },
            "data": {"token": _encode(secret.token), "previous": previous},
        }
        try:
            self._api.patch(f"{self._path}/{name}", patch)
        except ApiStatusError as exc:
            raise ChangedMeanwhileError(
                f"Secret {name} was changed by somebody else just now",
                remedy="Run the command again",
                tenant=slug,
            ) from exc

    def delete_token(self, slug: str) -> bool:
        """Delete the Secret; False when there was none."""
        return self._api.delete(f"{self._path}/{Target(slug).token_secret}")

    def list_values(self, names: Sequence[str]) -> Sequence[str]:
        """Return everything that the named Secrets hold, so that it can be redacted."""
        secrets = [self._api.find(f"{self._path}/{name}") for name in names]
        data = [secret.get("data") or {} for secret in secrets if secret is not None]
        return [_decode(text) for item in data for text in item.values()]

    def exists(self, name: str) -> bool:
        """Return whether a Secret of that name exists."""
        return self._api.find(f"{self._path}/{name}") is not None

    def has_secret(self, name: str, key: str) -> bool:
        """Return whether a Secret of that name has that key."""
        secret = self._api.find(f"{self._path}/{name}")
        return secret is not None and key in (secret.get("data") or {})


def _build_secret(slug: str, token: str) -> Json:
    target = Target(slug)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {
            "name": target.token_secret,
            "labels": {
                "app": "tenant",
                "tenant": slug,
                "app.kubernetes.io/name": "aware-tenant",
                "app.kubernetes.io/instance": target.release,
                "app.kubernetes.io/managed-by": "release-manager",
            },
            "annotations": {_REVISION: "1"},
        },
        "data": {"token": _encode(token)},
    }


def _encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _decode(text: str) -> str:
    return base64.b64decode(text).decode("utf-8", "replace")
