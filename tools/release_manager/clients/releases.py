"""The Helm releases of one namespace: reads by the Kubernetes API, writes by helm.

helm, and pyhelm3 with it, is loaded with the first write: a table must not wait for it.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..chart import Chart, build_files_digest
from ..errors import ChangedMeanwhileError, RevisionNotFoundError
from ..part import name_command
from ..ports import Deployment
from ..tenant import (
    LABEL_DOMAIN,
    RELEASE_PREFIX,
    ReleaseStatus,
    Revision,
    RevisionBody,
    RevisionLabels,
    Target,
)
from .charts import make_temporary_folder
from .kubernetes_api import (
    METADATA_OF_ONE,
    METADATA_ONLY,
    ApiStatusError,
    Json,
    KubernetesApi,
    parse_time,
)

if TYPE_CHECKING:
    from .helm import Helm

_LABELS = {
    "config_digest": f"{LABEL_DOMAIN}/config-digest",
    "defaults_digest": f"{LABEL_DOMAIN}/defaults-digest",
    "chart_version": f"{LABEL_DOMAIN}/chart-version",
    "profile": f"{LABEL_DOMAIN}/profile",
    "writer": f"{LABEL_DOMAIN}/writer",
    "written_for": f"{LABEL_DOMAIN}/revision",
}
# Always written, empty outside of a rollout: helm keeps the labels that it is not given anew.
_ROLLOUT = f"{LABEL_DOMAIN}/rollout"


class HelmReleases:
    """Port ``Releases``: the Helm releases of one namespace.

    learn: is told every manifest that is seen, see ``DiscoveryCache``.
    """

    def __init__(
        self,
        api: KubernetesApi,
        namespace: str,
        load_helm: Callable[[], Helm],
        learn: Callable[[str], None],
    ) -> None:
        self._api = api
        self._learn = learn
        self._load_helm = load_helm
        self._path = f"/api/v1/namespaces/{namespace}/secrets"

    def list_latest(self) -> Sequence[Revision]:
        """Return the latest revision of every tenant, by slug, from one metadata-only LIST."""
        return [revisions[-1] for revisions in self.list_current().values()]

    def list_current(self) -> Mapping[str, Sequence[Revision]]:
        """Return, by slug, all revisions that no later one supersedes, oldest first."""
        current: dict[str, list[Revision]] = {}
        found = self._list("owner=helm,status!=superseded", prefix=RELEASE_PREFIX)
        for revision in sorted(found, key=lambda item: (item.slug, item.number)):
            current.setdefault(revision.slug, []).append(revision)
        return current

    def list_revisions(self, slug: str) -> Sequence[Revision]:
        """Return a tenant's revisions, oldest first; empty when it has none."""
        found = self._list(f"owner=helm,name={Target(slug).release}")
        return sorted(found, key=lambda revision: revision.number)

    def has_revision(self, slug: str, number: int) -> bool:
        """Return whether a tenant has the revision of that number. Costs less than a list."""
        path = f"{self._path}/{_name_secret(slug, number)}"
        return self._api.find(path, accept=METADATA_OF_ONE) is not None

    def _list(self, selector: str, *, prefix: str = "") -> list[Revision]:
        answer = self._api.get(self._path, labelSelector=selector, accept=METADATA_ONLY)
        found = [item["metadata"] for item in answer["items"] or ()]
        return [
            _parse_revision(item) for item in found if item["labels"]["name"].startswith(prefix)
        ]

    def read_body(self, revision: Revision) -> RevisionBody:
        """Return what only the body tells. Raises RevisionNotFoundError."""
        release = _decode_release(self._read_secret(revision)["data"]["release"])
        metadata = release["chart"]["metadata"]
        self._learn(release.get("manifest", ""))
        return RevisionBody(
            revision=revision,
            description=release["info"].get("description", ""),
            chart_name=metadata["name"],
            chart_version=metadata["version"],
            values=release.get("config") or {},
            manifest=release.get("manifest", ""),
        )

    def _read_secret(self, revision: Revision) -> Json:
        name = _name_secret(revision.slug, revision.number)
        secret = self._api.find(f"{self._path}/{name}")
        if secret is None:
            raise RevisionNotFoundError(
                f"revision {revision.number} is no longer there",
                remedy=f"See '{name_command('history', revision.slug)}'",
                tenant=revision.slug,
            )
        return secret

    def extract_chart(self, revision: Revision) -> Chart:
        """Return the chart that a revision carries in its body."""
        release = _decode_release(self._read_secret(revision)["data"]["release"])
        return _write_chart(release["chart"], make_temporary_folder())

    def deploy(self, deployment: Deployment) -> Sequence[str]:
        """Install or upgrade, without waiting for pods; return the chart's warnings."""
        return self._load_helm().upgrade_install(deployment, _format_labels(deployment.labels))

    def forget(self, revision: Revision) -> None:
        """Remove a revision from the history, unless it is gone already."""
        path = f"{self._path}/{_name_secret(revision.slug, revision.number)}"
        try:
            self._api.delete(path, uid=revision.uid)
        except ApiStatusError as exc:
            if exc.code != HTTPStatus.CONFLICT:
                raise

    def relabel(self, slug: str, number: int, labels: RevisionLabels) -> None:
        """Write other labels on a revision: helm gives a rollback those of its target."""
        body = {"metadata": {"labels": _format_labels(labels)}}
        self._api.patch(f"{self._path}/{_name_secret(slug, number)}", body)

    def interrupt(self) -> None:
        """End every helm that runs now; those that cannot be ended safely are left to finish."""
        self._load_helm().interrupt()

    def render(self, slug: str, chart: Chart, values: dict[str, Any]) -> str:
        """Return the manifest Helm would send; needs no cluster."""
        manifest = self._load_helm().template(slug, chart, values)
        self._learn(manifest)
        return manifest

    def rollback(self, slug: str, number: int, *, timeout_seconds: float) -> None:
        """Restore revision ``number`` as a new revision, without waiting for pods."""
        self._load_helm().rollback(slug, number, timeout_seconds=timeout_seconds)

    def uninstall(self, slug: str, *, timeout_seconds: float) -> None:
        """Remove the release; what the chart marks as kept stays."""
        self._load_helm().uninstall(slug, timeout_seconds=timeout_seconds)

    def mark_failed(self, revision: Revision, *, reason: str) -> None:
        """Set a revision to failed, unless it has changed since it was read."""
        secret = self._read_secret(revision)
        release = _decode_release(secret["data"]["release"])
        if release["info"]["status"] != revision.status.value:
            raise _changed(revision)
        release["info"]["status"] = ReleaseStatus.FAILED.value
        release["info"]["description"] = f"failed: {reason}"
        secret["data"]["release"] = _encode_release(release)
        secret["metadata"]["labels"]["status"] = ReleaseStatus.FAILED.value
        try:
            # The resourceVersion of the read makes this a compare-and-swap.
            self._api.replace(f"{self._path}/{secret['metadata']['name']}", secret)
        except ApiStatusError as exc:
            raise _changed(revision) from exc


def _name_secret(slug: str, number: int) -> str:
    return f"sh.helm.release.v1.{Target(slug).release}.v{number}"


def _format_labels(labels: RevisionLabels) -> dict[str, str]:
    return {
        # A version's build part, after "+", is no label value: like Helm's own label.
        label: str(getattr(labels, name)).replace("+", "_")
        for name, label in {**_LABELS, "rollout": _ROLLOUT}.items()
    }


def _write_chart(content: Json, folder: Path) -> Chart:
    schema = base64.b64decode(content.get("schema") or "")
    files = {
        "Chart.yaml": json.dumps(content["metadata"]).encode(),
        "values.yaml": json.dumps(content.get("values") or {}).encode(),
        **({"values.schema.json": schema} if schema else {}),
    }
    for entry in [*(content.get("templates") or ()), *(content.get("files") or ())]:
        files[entry["name"]] = base64.b64decode(entry["data"])
    for name, data in files.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"the chart has a file outside of itself: {name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return Chart(
        name=content["metadata"]["name"],
        version=content["metadata"]["version"],
        reference=str(folder),
        digest=build_files_digest(files, content["metadata"]),
        default_values=content.get("values") or {},
        schema=json.loads(schema or b"{}"),
        profiles={},
    )


def _changed(revision: Revision) -> ChangedMeanwhileError:
    return ChangedMeanwhileError(
        f"revision {revision.number} was changed by somebody else just now",
        remedy="Look again and run the command once more",
        tenant=revision.slug,
    )


def _parse_revision(metadata: Json) -> Revision:
    labels = metadata["labels"]
    return Revision(
        slug=labels["name"].removeprefix(RELEASE_PREFIX),
        number=int(labels["version"]),
        status=_parse_status(labels["status"]),
        # Not Helm's label modifiedAt: it is copied from the revision before, so it is stale.
        created_at=parse_time(metadata["creationTimestamp"]),
        changed_at=_parse_last_write(metadata),
        labels=_parse_labels(labels),
        uid=metadata["uid"],
    )


def _parse_last_write(metadata: Json) -> datetime:
    writes = [entry.get("time") for entry in metadata.get("managedFields", ())]
    return max(map(parse_time, [metadata["creationTimestamp"], *writes]))


def _parse_status(text: str) -> ReleaseStatus:
    try:
        return ReleaseStatus(text)
    except ValueError:
        return ReleaseStatus.UNKNOWN


def _parse_labels(labels: dict[str, str]) -> RevisionLabels | None:
    if not all(label in labels for label in _LABELS.values()):
        return None
    texts = {name: labels[label] for name, label in _LABELS.items()}
    number = texts.pop("written_for")
    written_for = int(number) if number.isdigit() else 0
    return RevisionLabels(**texts, written_for=written_for, rollout=labels.get(_ROLLOUT, ""))


def _decode_release(data: str) -> Json:
    # Kubernetes encodes Secret data once; Helm's storage driver did so before it.
    release: Json = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(data))))
    return release


def _encode_release(release: Json) -> str:
    packed = gzip.compress(json.dumps(release).encode(), mtime=0)
    return base64.b64encode(base64.b64encode(packed)).decode()
