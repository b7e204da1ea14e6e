"""The Kubernetes API as plain JSON, over the official client's configuration and TLS.

The official client's models are not used: parsing a thousand Deployments into them takes
longer than fetching them. Every failure becomes one of our own errors here.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, NoReturn, TypedDict, Unpack

import urllib3
import yaml
from kubernetes import client, config

from ..errors import (
    ClusterUnreachableError,
    ForbiddenError,
    InvalidSettingsError,
    OperationFailedError,
)

Json = dict[str, Any]

_JSON = "application/json"
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
METADATA_OF_ONE = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
# Labels of every object that this program makes without Helm.
MANAGED = {"app.kubernetes.io/managed-by": "release-manager"}
_CONNECT_SECONDS, _READ_SECONDS = 5.0, 30.0
_CONNECT_HINT = "Check the cluster and the kubeconfig with 'release-manager doctor'"


class _Options(TypedDict, total=False):
    """What a request has beside method and path. kind: the body's media type."""

    body: Json
    query: Mapping[str, str | int]
    accept: str
    kind: str
    timeout_seconds: float


class ApiStatusError(OperationFailedError):
    """An answer that is no success and that the caller may expect, such as 404 or 409."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(
            f"the API server refused with {code}: {message}",
            remedy="Look again with 'release-manager list-tenants', then try again",
        )
        self.code = code


class KubernetesApi:
    """Requests to one API server; safe to share between threads."""

    def __init__(self, api_client: client.ApiClient, *, context: str) -> None:
        self._client = api_client
        self.context = context
        self._clock_offset_seconds = 0.0

    @property
    def server(self) -> str:
        """URL of the API server."""
        return str(self._client.configuration.host)

    def now(self) -> datetime:
        """Return the time by the API server's clock, as its last answer told it."""
        return datetime.fromtimestamp(
            datetime.now(UTC).timestamp() + self.clock_offset_seconds, UTC
        )

    @property
    def clock_offset_seconds(self) -> float:
        """How far the API server's clock is ahead of this machine's; good to a second."""
        return self._clock_offset_seconds

    def get(self, path: str, *, accept: str = _JSON, **query: str | int) -> Json:
        """Return one object or list."""
        return self._request("GET", path, query=query, accept=accept)

    def find(self, path: str, *, accept: str = _JSON, **query: str | int) -> Json | None:
        """Return one object, or None when there is none."""
        try:
            return self._request("GET", path, query=query, accept=accept)
        except ApiStatusError as exc:
            if exc.code == HTTPStatus.NOT_FOUND:
                return None
            raise

    def get_text(self, path: str, *, timeout_seconds: float, **query: str | int) -> str:
        """Return an answer that is no JSON, such as a log."""
        content = self._send("GET", path, query=query, timeout_seconds=timeout_seconds)
        return content.decode("utf-8", "replace")

    def create(self, path: str, body: Json) -> Json:
        """Create an object; raises ApiStatusError 409 when it is there."""
        return self._request("POST", path, body=body)

    def replace(self, path: str, body: Json) -> Json:
        """Replace an object; raises ApiStatusError 409 when its resourceVersion moved on."""
        return self._request("PUT", path, body=body)

    def patch(self, path: str, body: Json) -> Json:
        """Merge-patch an object; raises ApiStatusError 409 when its resourceVersion moved on."""
        return self._request("PATCH", path, body=body, kind="application/merge-patch+json")

    def delete(self, path: str, *, uid: str = "") -> bool:
        """Delete an object; False when there was none.

        uid: of the one that is meant; raises ApiStatusError 409 when another has its name.
        """
        options: _Options = {"body": {"preconditions": {"uid": uid}}} if uid else {}
        try:
            self._request("DELETE", path, **options)
        except ApiStatusError as exc:
            if exc.code == HTTPStatus.NOT_FOUND:
                return False
            raise
        return True

    def watch(self, path: str, *, timeout_seconds: int, **query: str | int) -> Iterator[Json]:
        """Yield the events of a watch, until the server ends it after so long.

        Raises ApiStatusError 410 when the resourceVersion is too old.
        """
        parameters: dict[str, str | int] = {"watch": "true", "timeoutSeconds": timeout_seconds}
        response = self._open(
            "GET", path, query={**parameters, **query}, timeout_seconds=timeout_seconds + 10.0
        )
        if response.status >= HTTPStatus.BAD_REQUEST:
            _raise_for_status(response.status, response.read())
        try:
            for line in _iter_lines(response.response):
                event: Json = json.loads(line)
                if event["type"] == "ERROR":
                    raise ApiStatusError(event["object"].get("code", 0), "the watch has ended")
                yield event
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as exc:
            raise self._unreachable(exc) from exc
        finally:
            response.response.close()

    def _request(self, method: str, path: str, **options: Unpack[_Options]) -> Json:
        content: Json = json.loads(self._send(method, path, **options))
        return content

    def _send(self, method: str, path: str, **options: Unpack[_Options]) -> bytes:
        response = self._open(method, path, **options)
        try:
            content: bytes = response.read()
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise self._unreachable(exc) from exc
        self._read_clock(response.getheader("Date"))
        if response.status >= HTTPStatus.BAD_REQUEST:
            _raise_for_status(response.status, content)
        return content

    def _open(self, method: str, path: str, **options: Unpack[_Options]) -> Any:
        accept, kind = options.get("accept", _JSON), options.get("kind", _JSON)
        try:
            return self._client.call_api(
                *self._client.param_serialize(
                    method,
                    path,
                    query_params=list(options.get("query", {}).items()),
                    header_params={"Accept": accept, "Content-Type": kind},
                    body=options.get("body"),
                    auth_settings=["BearerToken"],
                ),
                _request_timeout=(
                    _CONNECT_SECONDS,
                    options.get("timeout_seconds", _READ_SECONDS),
                ),
            )
        except client.ApiException as exc:
            _raise_for_status(exc.status or 0, exc.body)
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise self._unreachable(exc) from exc

    def _unreachable(self, exc: Exception) -> ClusterUnreachableError:
        return ClusterUnreachableError(
            f"no answer from the API server {self.server}: {_shorten(exc)}", remedy=_CONNECT_HINT
        )

    def _read_clock(self, date: str | None) -> None:
        if date:
            server = parsedate_to_datetime(date)
            self._clock_offset_seconds = (server - datetime.now(UTC)).total_seconds()


def connect(kubeconfig: str, context: str) -> KubernetesApi:
    """Return the API of a kubeconfig's context; empty texts mean what kubectl would use.

    Raises InvalidSettingsError when the kubeconfig or the context is missing.
    """
    path = kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    files = [Path(part).expanduser() for part in path.split(os.pathsep) if part]
    if not any(file.is_file() for file in files):
        if not kubeconfig and "KUBERNETES_SERVICE_HOST" in os.environ:
            return _connect_from_pod()
        raise InvalidSettingsError(
            f"field --kubeconfig: there is no file {path}",
            remedy="Name one with --kubeconfig or KUBECONFIG",
        )
    names = os.pathsep.join(str(file) for file in files)
    try:
        contexts, active = config.list_kube_config_contexts(names)
        chosen = context or (active or {}).get("name", "")
        known = [item["name"] for item in contexts]
        if chosen not in known:
            raise InvalidSettingsError(
                f"field --context: {path} has no context {chosen!r}",
                remedy=f"Choose one of: {', '.join(known) or 'none there'}",
            )
        configuration = _new_configuration()
        config.load_kube_config(names, chosen, configuration, persist_config=False)
    except (
        config.ConfigException,
        yaml.YAMLError,
        OSError,
        ValueError,
        TypeError,
        KeyError,
    ) as exc:
        raise InvalidSettingsError(
            f"field --kubeconfig: {path} cannot be used: {_shorten(exc)}",
            remedy="Name a valid kubeconfig with --kubeconfig or KUBECONFIG",
        ) from exc
    return KubernetesApi(client.ApiClient(configuration), context=chosen)


def _connect_from_pod() -> KubernetesApi:
    configuration = _new_configuration()
    config.load_incluster_config(configuration)
    return KubernetesApi(client.ApiClient(configuration), context="")


def _iter_lines(stream: Any) -> Iterator[bytes]:
    """Yield lines as they come; a stream that is read by blocks would hold the last ones back."""
    rest = b""
    while chunk := stream.read1():
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


def _new_configuration() -> client.Configuration:
    configuration = client.Configuration()
    configuration.retries = urllib3.Retry(total=2, backoff_factor=0.2)
    # Many threads share it: a connection that the pool has no room for would be thrown away.
    configuration.connection_pool_maxsize = 128
    return configuration


def _raise_for_status(code: int, body: bytes | str | None) -> NoReturn:
    message = _read_message(body)
    if code == HTTPStatus.UNAUTHORIZED:
        raise ForbiddenError(
            "the API server does not accept the credentials",
            remedy="Renew the kubeconfig's token or certificate",
        )
    if code == HTTPStatus.FORBIDDEN and "exceeded quota" not in message:
        raise ForbiddenError(
            f"the API server forbids it: {message}",
            remedy="Ask for the missing right, see 'release-manager doctor'",
        )
    if code >= HTTPStatus.INTERNAL_SERVER_ERROR or code == HTTPStatus.TOO_MANY_REQUESTS:
        raise ClusterUnreachableError(
            f"the API server answered {code}: {message}", remedy="Try again in a moment"
        )
    raise ApiStatusError(code, message)


def _read_message(body: bytes | str | None) -> str:
    try:
        return str(json.loads(body or "{}")["message"])
    except (ValueError, TypeError, KeyError):
        return "no message"


def parse_time(text: str | None) -> datetime:
    """Return a Kubernetes timestamp as an aware datetime; the epoch for none."""
    if not text:
        return datetime.fromtimestamp(0, UTC)
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def format_time(moment: datetime) -> str:
    """Return a moment as Kubernetes writes it, with microseconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _shorten(exc: BaseException) -> str:
    reason = getattr(exc, "reason", None) or exc
    text = re.sub(r"<[^>]*>:? ?", "", str(reason))
    return " ".join(text.split())[:300]
