"""The token appears where it belongs and nowhere else."""

from __future__ import annotations

import base64
import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.terminal import Operator

FAILING = ("--set", "podLabels.local-cluster/behaviour=crash-loop")


def _unpack_journals(operator: Operator) -> str:
    journals = json.loads(operator.kubectl("get", "configmaps", "-o", "json"))["items"]
    parts = [text for item in journals for text in item.get("binaryData", {}).values()]
    return "\n".join(gzip.decompress(base64.b64decode(part)).decode("latin-1") for part in parts)


def _release_bodies(operator: Operator) -> str:
    secrets = json.loads(operator.kubectl("get", "secrets", "-l", "owner=helm", "-o", "json"))
    return "\n".join(
        gzip.decompress(base64.b64decode(base64.b64decode(item["data"]["release"]))).decode()
        for item in secrets["items"]
    )


@contextmanager
def sampled_arguments() -> Iterator[list[str]]:
    """Collect the arguments of every process of this machine while the context lasts."""
    seen: set[str] = set()
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(0.005):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(file.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
                except OSError:
                    continue

    thread = threading.Thread(target=sample)
    thread.start()
    collected: list[str] = []
    try:
        yield collected
    finally:
        ended.set()
        thread.join()
        collected.extend(seen)


def test_the_token_is_in_no_values_history_argument_log_or_object(operator: Operator) -> None:
    with sampled_arguments() as arguments:
        said = [
            operator.call_manager("--verbose", *command)
            for command in (
                ("install-tenant", "acme"),
                ("upgrade-tenant", "acme", "--set", "podLabels.x=y"),
                ("upgrade-tenant", "acme", *FAILING),
                ("show-tenant", "acme"),
                ("list-tenants", "-o", "json"),
                ("diff-tenant", "acme", "--set", "podLabels.x=z"),
                ("history", "acme"),
                ("upgrade-all", "--yes", *FAILING),
                ("upgrade-all", "--yes", "--set", "podLabels.x=w", "-o", "json"),
                ("show-rollout",),
                ("abort-rollout", "--rollback", "--yes"),
            )
        ]
        old = operator.call_manager("show-token", "acme").stdout.strip()
        said.append(operator.call_manager("--verbose", "rotate-token", "acme"))
        new = operator.call_manager("show-token", "acme").stdout.strip()
    assert any("helm upgrade tenant-acme" in line for line in arguments), "helm was not sampled"
    kinds = "deployments,replicasets,pods,configmaps,events,leases,ingressroutes"
    places = {
        "output": "\n".join(result.stdout + result.stderr for result in said),
        "arguments": "\n".join(arguments),
        "values": operator.helm("get", "values", "tenant-acme", "--all").stdout,
        "manifest": operator.helm("get", "all", "tenant-acme").stdout,
        "history": operator.helm("history", "tenant-acme", "-o", "json").stdout,
        "release bodies": _release_bodies(operator),
        "objects": operator.kubectl("get", kinds, "-o", "json"),
        "journals": _unpack_journals(operator),
    }
    assert len(old) > 40
    assert old != new
    for place, text in places.items():
        for token in (old, new):
            assert token not in text, place
            assert base64.b64encode(token.encode()).decode() not in text, place


def test_log_lines_in_a_failure_do_not_show_the_token(operator: Operator) -> None:
    # "gatway" is a word that the simulated container prints; here it is the token, too.
    operator.kubectl(
        "create", "secret", "generic", "tenant-acme-token", "--from-literal=token=gatway"
    )
    result = operator.run("install-tenant", "acme", *FAILING, exit_code=1)
    assert 'unknown key "[redacted]"' in result.stderr
    assert "gatway" not in result.stderr
