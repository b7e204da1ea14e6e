"""Journals of rollouts: a ConfigMap each, and a second one with the chart.

What never changes, the plan, is compressed: at 5,000 tenants it has about 100 KiB of the
1 MiB that a ConfigMap may have.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from ..errors import RolloutNotFoundError
from ..rollout.journal import (
    MAX_REASON_BYTES,
    MAX_REASON_LENGTH,
    Journal,
    Outcome,
    Report,
    State,
)
from ..rollout.plan import Kind, Rollout
from ..tenant import LABEL_DOMAIN
from .kubernetes_api import (
    MANAGED,
    METADATA_OF_ONE,
    METADATA_ONLY,
    Json,
    KubernetesApi,
    format_time,
    parse_time,
)

_LABEL = f"{LABEL_DOMAIN}/rollout"
_SELECTOR = f"{LABEL_DOMAIN}/part=journal"
_REQUEST = f"{LABEL_DOMAIN}/end-requested-by"


class KubernetesJournals:
    """Port ``Journals``."""

    def __init__(self, api: KubernetesApi, namespace: str) -> None:
        self._api = api
        self._path = f"/api/v1/namespaces/{namespace}/configmaps"

    def create(self, journal: Journal, chart: bytes) -> None:
        """Write a new journal, and the chart that its rollout goes to."""
        id_ = journal.rollout.id
        self._remove_charts_without_journal()
        # The chart first: a journal whose chart is missing could not be resumed.
        self._api.create(self._path, _build(id_, "chart", {"chart.tgz": chart}, {}))
        plan = gzip.compress(json.dumps(_encode_plan(journal.rollout)).encode(), mtime=0)
        self._api.create(
            self._path, _build(id_, "journal", {"plan.json.gz": plan}, self._encode(journal))
        )

    def _remove_charts_without_journal(self) -> None:
        """Remove what a process left that died between its chart and its journal."""
        items = self._api.get(self._path, labelSelector=_LABEL, accept=METADATA_ONLY)["items"] or ()
        names = {item["metadata"]["name"]: item["metadata"]["labels"][_LABEL] for item in items}
        for name, id_ in names.items():
            if _name(id_, "journal") not in names:
                self._api.delete(f"{self._path}/{name}")

    def save(self, journal: Journal) -> None:
        """Write what became of a rollout. Only who has claimed rollouts may."""
        path = f"{self._path}/{_name(journal.rollout.id, 'journal')}"
        self._api.patch(path, {"data": self._encode(journal)})

    def read(self, id: str) -> Journal | None:
        """Return a journal, or None."""
        found = self._api.find(f"{self._path}/{_name(id, 'journal')}")
        return _decode(found) if found is not None else None

    def list(self) -> Sequence[Journal]:
        """Return all journals, newest first."""
        items = self._api.get(self._path, labelSelector=_SELECTOR)["items"] or ()
        return sorted(map(_decode, items), key=lambda item: item.rollout.started_at, reverse=True)

    def read_chart(self, id: str) -> bytes:
        """Return the package of the chart. Raises RolloutNotFoundError."""
        found = self._api.find(f"{self._path}/{_name(id, 'chart')}")
        if found is None:
            raise RolloutNotFoundError(
                f"the chart of rollout {id} is no longer there",
                remedy="Begin a new one with 'release-manager upgrade-all'",
            )
        return base64.b64decode(found["binaryData"]["chart.tgz"])

    def request_end(self, id: str, by: str) -> None:
        """Ask the process that is at work on a rollout to end it; nobody (empty) does not."""
        path = f"{self._path}/{_name(id, 'journal')}"
        self._api.patch(path, {"metadata": {"annotations": {_REQUEST: by or None}}})

    def read_request(self, id: str) -> str:
        """Return who asked for a rollout's end; empty when nobody did."""
        # Asked for every few seconds, while the plan beside it may have 100 KiB.
        path = f"{self._path}/{_name(id, 'journal')}"
        found = self._api.find(path, accept=METADATA_OF_ONE) or {}
        return str(found.get("metadata", {}).get("annotations", {}).get(_REQUEST, ""))

    def remove(self, id: str) -> None:
        """Remove a journal and its chart."""
        for part in ("journal", "chart"):
            self._api.delete(f"{self._path}/{_name(id, part)}")

    def _encode(self, journal: Journal) -> dict[str, str]:
        state = {
            "state": journal.state.value,
            "done": journal.done,
            "hasBaked": journal.has_baked,
            "seconds": round(journal.seconds, 1),
            "updatedAt": format_time(self._api.now()),
            "problem": journal.problem[:MAX_REASON_LENGTH],
            # The one part of the plan that an operator may change later.
            "budget": journal.rollout.budget,
        }
        return {"state": _dump(state), "reports": _dump(_encode_reports(journal.reports.values()))}


def _name(id_: str, part: str) -> str:
    return f"rollout-{id_}" if part == "journal" else f"rollout-{id_}-{part}"


def _build(id_: str, part: str, binary: dict[str, bytes], data: dict[str, str]) -> Json:
    labels = {**MANAGED, _LABEL: id_, f"{LABEL_DOMAIN}/part": part}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": _name(id_, part), "labels": labels},
        "binaryData": {key: base64.b64encode(text).decode() for key, text in binary.items()},
        "data": data,
    }


def _encode_plan(rollout: Rollout) -> Json:
    revisions, unwell = rollout.revisions, rollout.unwell
    plain = {
        name: getattr(rollout, name)
        for name in Rollout.__dataclass_fields__
        if name not in ("waves", "revisions", "unwell", "started_at", "kind")
    }
    waves = [[[slug, revisions[slug], slug in unwell] for slug in wave] for wave in rollout.waves]
    return {
        **plain,
        "kind": rollout.kind.value,
        "started_at": format_time(rollout.started_at),
        "waves": waves,
    }


def _decode_plan(plan: Json) -> Rollout:
    waves = plan.pop("waves")
    entries = [entry for wave in waves for entry in wave]
    started_at: datetime = parse_time(plan.pop("started_at"))
    return Rollout(
        **{**plan, "kind": Kind(plan["kind"])},
        started_at=started_at,
        waves=tuple(tuple(slug for slug, _, _ in wave) for wave in waves),
        revisions={slug: number for slug, number, _ in entries},
        unwell=frozenset(slug for slug, _, is_unwell in entries if is_unwell),
    )


def _encode_reports(reports: Iterable[Report]) -> list[list[Any]]:
    """Return reports with reason and remedy, as far as there is room for these."""
    encoded = []
    room = MAX_REASON_BYTES
    for report in reports:
        texts = [report.reason[:MAX_REASON_LENGTH], report.remedy[:MAX_REASON_LENGTH]]
        room -= len(_dump(texts).encode(errors="surrogatepass"))
        reason, remedy = texts if room >= 0 else ("", "")
        encoded.append([report.slug, report.outcome.value, reason, remedy, report.revision])
    return encoded


def _dump(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False)


def _decode(item: Json) -> Journal:
    packed = base64.b64decode(item["binaryData"]["plan.json.gz"])
    state = json.loads(item["data"]["state"])
    reports = [
        Report(slug, Outcome(outcome), reason, remedy, revision)
        for slug, outcome, reason, remedy, revision in json.loads(item["data"]["reports"])
    ]
    return Journal(
        rollout=replace(_decode_plan(json.loads(gzip.decompress(packed))), budget=state["budget"]),
        state=State(state["state"]),
        reports={report.slug: report for report in reports},
        done=state["done"],
        has_baked=state["hasBaked"],
        seconds=state["seconds"],
        updated_at=parse_time(state["updatedAt"]),
        problem=state["problem"],
    )
