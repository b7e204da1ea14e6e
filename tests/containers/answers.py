"""Requests to what answers in a node, and what it answered."""

from __future__ import annotations

import http.client
import json
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

from tests.terminal import wait_for


@dataclass(frozen=True)
class Answer:
    """What was answered: the status, and the body as JSON where it is JSON."""

    status: int
    body: Any


def send_request(
    port: int,
    path: str = "/",
    *,
    method: str = "GET",
    token: str = "",
    timeout_seconds: float = 10,
) -> Answer:
    """Send one request to a port of this machine; raise OSError when no answer comes."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_seconds)
    with closing(connection):
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        text = answer.read().decode()
    is_json = answer.headers.get_content_type() == "application/json"
    return Answer(answer.status, json.loads(text) if is_json else text)


def wait_for_answer(port: int, path: str = "/", *, method: str = "GET", token: str = "") -> Answer:
    """Send one request to a Service, which may learn of its pod a moment late."""
    answers: list[Answer] = []

    def is_answered() -> bool:
        with suppress(ConnectionError):
            answers.append(send_request(port, path, method=method, token=token))
        return bool(answers)

    wait_for(is_answered, "the Service to have a pod", seconds=10)
    return answers[0]
