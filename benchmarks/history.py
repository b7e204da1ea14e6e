"""Lengthening the history of releases, by copies of their latest revision."""

import base64
import copy
import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.fleet import WORKERS, Fleet
from benchmarks.lab import NAMESPACE
from release_manager.tenant import Target

REVISION_LABEL = "wareit.ai/revision"
PATH = f"/api/v1/namespaces/{NAMESPACE}/secrets"


def lengthen_history(fleet: Fleet, revisions: int) -> None:
    """Give each release that many revisions; those it lacks are copies of its latest."""
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(lambda slug: _lengthen(fleet, slug, revisions), fleet.slugs))


def _lengthen(fleet: Fleet, slug: str, revisions: int) -> None:
    api = fleet.lab.api
    selector = f"owner=helm,name={Target(slug).release}"
    secrets = api.get(PATH, labelSelector=selector)["items"]
    by_number = {int(secret["metadata"]["labels"]["version"]): secret for secret in secrets}
    latest = max(by_number)
    newest = by_number[latest]
    last = max(latest, revisions)
    if last > latest:
        # Numbers begin with one: what is deployed moves up, to have as many before it.
        api.create(PATH, build_copy(newest, last, status="deployed"))
        api.delete(f"{PATH}/{newest['metadata']['name']}")
        del by_number[latest]
    for number in range(last - revisions + 1, last):
        if number not in by_number:
            api.create(PATH, build_copy(newest, number, status="superseded"))


def build_copy(secret: dict[str, Any], number: int, *, status: str) -> dict[str, Any]:
    """Return a release Secret's copy as another revision, in Helm's own encoding."""
    metadata = secret["metadata"]
    labels = {**metadata["labels"], "version": str(number), "status": status}
    if REVISION_LABEL in labels:
        labels[REVISION_LABEL] = str(number)
    release = copy.deepcopy(decode_release(secret["data"]["release"]))
    release["version"] = number
    release["info"]["status"] = status
    name, _, _ = metadata["name"].rpartition(".")
    return {
        "metadata": {"name": f"{name}.v{number}", "labels": labels},
        "type": secret["type"],
        "data": {"release": encode_release(release)},
    }


def decode_release(data: str) -> dict[str, Any]:
    """Return what a release Secret holds."""
    packed = base64.b64decode(base64.b64decode(data))
    release: dict[str, Any] = json.loads(gzip.decompress(packed))
    return release


def encode_release(release: dict[str, Any]) -> str:
    """Return what a release Secret holds, as the API wants it."""
    packed = gzip.compress(json.dumps(release).encode())
    return base64.b64encode(base64.b64encode(packed)).decode()
