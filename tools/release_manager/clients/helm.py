"""Helm: writes by the helm binary through pyhelm3, reads by the Kubernetes API.

pyhelm3 is pinned exactly, and only its ``Command`` is used. Never its ``Client``: its
``ensure_release`` and ``get_proceedable_revision`` uninstall a pending release.
"""

from __future__ import annotations

import asyncio
import atexit
import base64
import gzip
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pyhelm3.command import Command
from pyhelm3.errors import Error as PyhelmError

from ..chart import Chart, build_files_digest
from ..errors import (
    ChangedMeanwhileError,
    ChartNotFoundError,
    ClusterUnreachableError,
    ForbiddenError,
    HelmFailedError,
    HelmUnusableError,
    InvalidValuesError,
    NamespaceNotFoundError,
    OperationFailedError,
    OperationInterruptedError,
    ReleaseBusyError,
    ReleaseManagerError,
    RevisionNotFoundError,
    TenantNotFoundError,
)
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
from .kubernetes_api import METADATA_ONLY, ApiStatusError, Json, KubernetesApi, parse_time

_log = logging.getLogger(__name__)

MINIMUM_VERSION = (4, 2, 2)
HISTORY_MAX = 5
GRACE_SECONDS = 20.0
# They have no signal handler: ended half-way they would leave the release pending.
_UNINTERRUPTIBLE = frozenset({"rollback", "uninstall"})

_LABELS = {
    "config_digest": f"{LABEL_DOMAIN}/config-digest",
    "defaults_digest": f"{LABEL_DOMAIN}/defaults-digest",
    "chart_version": f"{LABEL_DOMAIN}/chart-version",
    "profile": f"{LABEL_DOMAIN}/profile",
    "writer": f"{LABEL_DOMAIN}/writer",
    "written_for": f"{LABEL_DOMAIN}/revision",
}


class HelmCommand(Command):
    """pyhelm3's Command, run without a shell and in a process group of its own.

    So a Ctrl-C in the terminal does not reach helm, and cancelling does: SIGTERM, which
    lets an upgrade end as ``failed``, then SIGKILL after a grace period.
    """

    async def run(self, command: list[Any], input: bytes | None = None) -> bytes:
        """Run one helm command and return its stdout; raises pyhelm3's Error."""
        verb = str(command[0])
        # Values, the one place for anything confidential, go through stdin.
        _log.info("helm %s", " ".join(str(part) for part in command))
        argv = [self._executable, *command, *self._connection_flags()]
        if verb not in _UNINTERRUPTIBLE:
            argv = [*_die_with_parent(), *argv]
        process = await asyncio.create_subprocess_exec(
            *(str(part) for part in argv),
            stdin=asyncio.subprocess.PIPE if input is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            env=_environment(),
        )
        try:
            stdout, stderr = await process.communicate(input)
        except asyncio.CancelledError:
            await _end(process, is_interruptible=verb not in _UNINTERRUPTIBLE)
            raise
        if process.returncode != 0:
            raise PyhelmError(process.returncode or 1, stdout, stderr)
        return stdout

    async def upgrade_install(
        self, deployment: Deployment, *, namespace: str, labels: dict[str, str]
    ) -> bytes:
        """Install or upgrade without waiting for pods; values go through stdin."""
        return await self.run(
            [
                "upgrade",
                Target(deployment.slug).release,
                deployment.chart.reference,
                "--install",
                "--namespace",
                namespace,
                "--history-max",
                HISTORY_MAX,
                "--timeout",
                f"{max(1, round(deployment.timeout_seconds))}s",
                "--reset-values",
                "--values",
                "-",
                "--labels",
                ",".join(f"{key}={value}" for key, value in labels.items()),
                # The values passed the schema, and the API server checks every object.
                "--disable-openapi-validation",
            ],
            json.dumps(deployment.values).encode(),
        )

    async def template_text(
        self, release: str, reference: str, values: dict[str, Any], *, namespace: str
    ) -> bytes:
        """Return the rendered manifest as text; no cluster is asked."""
        command = ["template", release, reference, "--namespace", namespace, "--values", "-"]
        # Helm must not even look for a kubeconfig here.
        return await self.run([*command, "--no-hooks"], json.dumps(values).encode())

    def _connection_flags(self) -> list[str]:
        flags = []
        if self._kubeconfig:
            flags += ["--kubeconfig", str(self._kubeconfig)]
        if self._kubecontext:
            flags += ["--kube-context", str(self._kubecontext)]
        return flags


def _die_with_parent() -> list[str]:
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []


def _environment() -> dict[str, str]:
    # Helm's heap is small and short-lived: without garbage collection it saves 30 % of CPU.
    return {**os.environ, "GOGC": os.environ.get("GOGC", "off")}


async def _end(process: asyncio.subprocess.Process, *, is_interruptible: bool) -> None:
    if not is_interruptible:
        await process.communicate()
        return
    _signal_group(process, signal.SIGTERM)
    try:
        await asyncio.wait_for(process.communicate(), GRACE_SECONDS)
    except TimeoutError:
        _signal_group(process, signal.SIGKILL)
        await process.communicate()


def _signal_group(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


# --- errors ------------------------------------------------------------------------------

_Factory = Callable[[str, str], ReleaseManagerError]


def _busy(_line: str, slug: str) -> ReleaseManagerError:
    return ReleaseBusyError(
        "another Helm operation is under way", remedy="Wait for it and try again", tenant=slug
    )


def _refused(line: str, slug: str) -> ReleaseManagerError:
    return OperationFailedError(
        f"the API server refused an object: {line}", remedy="Correct the values", tenant=slug
    )


def _conflict(line: str, slug: str) -> ReleaseManagerError:
    return OperationFailedError(
        f"another program owns a field of its objects: {line}",
        remedy="Find it with 'kubectl get --show-managed-fields', then give the field back to "
        "helm with 'helm upgrade --force-conflicts'",
        tenant=slug,
    )


def _unreachable(line: str, slug: str) -> ReleaseManagerError:
    return ClusterUnreachableError(
        f"helm got no answer from the cluster: {line}",
        remedy="Check the cluster, then run the same command again",
        tenant=slug,
    )


def _forbidden(line: str, slug: str) -> ReleaseManagerError:
    return ForbiddenError(
        f"the API server forbids it: {line}",
        remedy="Ask for the missing right, see 'release-manager doctor'",
        tenant=slug,
    )


def _schema(line: str, slug: str) -> ReleaseManagerError:
    return InvalidValuesError(
        f"the chart refuses the values: {line}", remedy="Correct them", tenant=slug
    )


def _template(line: str, slug: str) -> ReleaseManagerError:
    # What a chart says with "fail" follows the place.
    said = re.search(r"execution error at \([^)]*\): (.*)", line)
    problem = said[1] if said else f"a template cannot be rendered: {line}"
    return InvalidValuesError(problem, remedy="Correct the values", tenant=slug)


def _namespace(line: str, slug: str) -> ReleaseManagerError:
    return NamespaceNotFoundError(line, remedy="Create the namespace", tenant=slug)


def _no_chart(line: str, slug: str) -> ReleaseManagerError:
    return ChartNotFoundError(line, remedy="Check --chart and the registry login", tenant=slug)


def _no_release(_line: str, slug: str) -> ReleaseManagerError:
    return TenantNotFoundError(
        "there is no such release", remedy="See 'release-manager list-tenants'", tenant=slug
    )


def _no_revision(line: str, slug: str) -> ReleaseManagerError:
    return RevisionNotFoundError(line, remedy=f"See 'release-manager history {slug}'", tenant=slug)


def _foreign(line: str, slug: str) -> ReleaseManagerError:
    return OperationFailedError(
        f"an object of that name belongs to something else: {line}",
        remedy="Remove it, or give it to the release with 'helm upgrade --take-ownership'",
        tenant=slug,
    )


def _cancelled(_line: str, slug: str) -> ReleaseManagerError:
    return OperationInterruptedError(
        "helm was interrupted", remedy="Run the same command again", tenant=slug
    )


# Read in this order: quota and Pod Security refusals also say "forbidden".
_ERRORS: tuple[tuple[str, _Factory], ...] = (
    (r"another operation \(install/upgrade/rollback\) is in progress", _busy),
    # Two upgrades that began together want the same revision number.
    (r'release: already exists|secrets "sh\.helm\.release\.v1\.[^"]*" already exists', _busy),
    (r"exceeded quota|violates podsecurity|admission webhook .* denied", _refused),
    (r"apply failed with \d+ conflict|conflict occurred while applying", _conflict),
    (r"cannot be imported into the current release|invalid ownership metadata", _foreign),
    (r"values don't meet the specifications of the schema", _schema),
    (r"execution error at|error calling |template: |parse error", _template),
    (r'namespaces "[^"]*" not found', _namespace),
    (r"is forbidden|unauthorized|must be logged in", _forbidden),
    (r"context canceled|signal: (terminated|killed)", _cancelled),
    (
        r"kubernetes cluster unreachable|connection refused|connection reset|no such host"
        r"|i/o timeout|operation timed out|network is unreachable|tls handshake timeout"
        r"|etcdserver|unexpected eof|too many requests|service unavailable",
        _unreachable,
    ),
    (r"release: not found", _no_release),
    (r"release has no \S+ version|revision .* not found|no revision", _no_revision),
    (
        r'chart .* not found|path "[^"]*" not found|no such file or directory|failed to download',
        _no_chart,
    ),
    (r"chart\.yaml file is missing", _no_chart),
    (r"is invalid:|unknown field|failed to create typed patch", _refused),
)


def classify_error(stderr: str, slug: str) -> ReleaseManagerError:
    """Return our error for what helm printed on stderr."""
    line = _error_line(stderr)
    for pattern, build in _ERRORS:
        if re.search(pattern, stderr, re.IGNORECASE):
            return build(line, slug)
    return HelmFailedError(
        f"helm failed: {line}", remedy=f"See 'release-manager show-tenant {slug}'", tenant=slug
    )


def _error_line(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("Use --debug flag")]
    errors = [i for i, line in enumerate(lines) if line.lower().startswith("error:")]
    chosen = " ".join(lines[errors[-1] :] if errors else lines[-1:]) or "it printed no reason"
    return chosen.removeprefix("Error: ").removeprefix("ERROR: ")[:600]


# --- the client --------------------------------------------------------------------------


class HelmReleases:
    """Port ``Releases``: the Helm releases of one namespace."""

    def __init__(self, command: HelmCommand, api: KubernetesApi, namespace: str) -> None:
        self._command = command
        self._api = api
        self._namespace = namespace
        self._path = f"/api/v1/namespaces/{namespace}/secrets"

    def list_latest(self) -> Sequence[Revision]:
        """Return the latest revision of every tenant, by slug, from one metadata-only LIST."""
        latest: dict[str, Revision] = {}
        for revision in self._list("owner=helm,status!=superseded"):
            known = latest.get(revision.slug)
            if known is None or revision.number > known.number:
                latest[revision.slug] = revision
        return [latest[slug] for slug in sorted(latest)]

    def list_revisions(self, slug: str) -> Sequence[Revision]:
        """Return a tenant's revisions, oldest first; empty when it has none."""
        found = self._list(f"owner=helm,name={Target(slug).release}")
        return sorted(found, key=lambda revision: revision.number)

    def _list(self, selector: str) -> list[Revision]:
        answer = self._api.get(self._path, labelSelector=selector, accept=METADATA_ONLY)
        revisions = [_parse_revision(item["metadata"]) for item in answer["items"] or ()]
        return [revision for revision in revisions if revision is not None]

    def read_body(self, revision: Revision) -> RevisionBody:
        """Return what only the body tells. Raises RevisionNotFoundError."""
        release = _decode_release(self._read_secret(revision)["data"]["release"])
        metadata = release["chart"]["metadata"]
        return RevisionBody(
            revision=revision,
            description=release["info"].get("description", ""),
            chart_name=metadata["name"],
            chart_version=metadata["version"],
            values=release.get("config") or {},
            manifest=release.get("manifest", ""),
        )

    def _read_secret(self, revision: Revision) -> Json:
        name = f"sh.helm.release.v1.{Target(revision.slug).release}.v{revision.number}"
        secret = self._api.find(f"{self._path}/{name}")
        if secret is None:
            raise RevisionNotFoundError(
                f"revision {revision.number} is no longer there",
                remedy=f"See 'release-manager history {revision.slug}'",
                tenant=revision.slug,
            )
        return secret

    def extract_chart(self, revision: Revision) -> Chart:
        """Return the chart that a revision carries in its body."""
        release = _decode_release(self._read_secret(revision)["data"]["release"])
        folder = Path(tempfile.mkdtemp(prefix="release-manager-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return _write_chart(release["chart"], folder)

    def deploy(self, deployment: Deployment) -> Sequence[str]:
        """Install or upgrade, without waiting for pods; return the chart's warnings."""
        labels = {_LABELS[name]: str(getattr(deployment.labels, name)) for name in _LABELS}
        upgrade = self._command.upgrade_install(
            deployment, namespace=self._namespace, labels=labels
        )
        return find_warnings(_run(upgrade, deployment.slug).decode())

    def render(self, slug: str, chart: Chart, values: dict[str, Any]) -> str:
        """Return the manifest Helm would send; needs no cluster."""
        return render_manifest(self._command, slug, chart, values, namespace=self._namespace)

    def rollback(self, slug: str, number: int, *, timeout_seconds: float) -> None:
        """Restore revision ``number`` as a new revision, without waiting for pods."""
        command = ["rollback", Target(slug).release, number, "--namespace", self._namespace]
        command += ["--history-max", HISTORY_MAX, "--timeout", f"{round(timeout_seconds)}s"]
        _run(self._command.run(command), slug)

    def uninstall(self, slug: str, *, timeout_seconds: float) -> None:
        """Remove the release; what the chart marks as kept stays."""
        command = ["uninstall", Target(slug).release, "--namespace", self._namespace]
        command += ["--timeout", f"{round(timeout_seconds)}s"]
        _run(self._command.run(command), slug)

    def mark_failed(self, revision: Revision, *, reason: str) -> None:
        """Set a pending revision to failed, unless it has changed since it was read."""
        secret = self._read_secret(revision)
        release = _decode_release(secret["data"]["release"])
        if release["info"]["status"] != revision.status.value:
            raise _changed(revision)
        release["info"]["status"] = ReleaseStatus.FAILED.value
        release["info"]["description"] = reason
        secret["data"]["release"] = _encode_release(release)
        secret["metadata"]["labels"]["status"] = ReleaseStatus.FAILED.value
        try:
            # The resourceVersion of the read makes this a compare-and-swap.
            self._api.replace(f"{self._path}/{secret['metadata']['name']}", secret)
        except ApiStatusError as exc:
            raise _changed(revision) from exc


def find_warnings(notes: str) -> list[str]:
    """Return the paragraphs of a chart's NOTES that begin with ``WARNING:``, a line each."""
    paragraphs = re.findall(r"^WARNING: (.+?)(?=\n\s*\n|\Z)", notes, re.MULTILINE | re.DOTALL)
    return [" ".join(paragraph.split()) for paragraph in paragraphs]


def render_manifest(
    command: HelmCommand, slug: str, chart: Chart, values: dict[str, Any], *, namespace: str
) -> str:
    """Return the manifest of a tenant as helm renders it, without any cluster."""
    release = Target(slug).release
    rendering = command.template_text(release, chart.reference, values, namespace=namespace)
    return _run(rendering, slug).decode()


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


def _run(running: Coroutine[Any, Any, bytes], slug: str) -> bytes:
    try:
        return asyncio.run(running)
    except PyhelmError as exc:
        raise classify_error(exc.stderr.decode("utf-8", "replace"), slug) from exc
    except OSError as exc:
        raise HelmUnusableError(
            f"helm cannot be started: {exc.strerror}", remedy="Check --helm"
        ) from exc


def _parse_revision(metadata: Json) -> Revision | None:
    labels = metadata["labels"]
    release = labels["name"]
    if not release.startswith(RELEASE_PREFIX):
        return None
    return Revision(
        slug=release.removeprefix(RELEASE_PREFIX),
        number=int(labels["version"]),
        status=_parse_status(labels["status"]),
        # modifiedAt is stale after an upgrade; a Secret is created for each revision.
        created_at=parse_time(metadata["creationTimestamp"]),
        labels=_parse_labels(labels),
    )


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
    return RevisionLabels(**texts, written_for=int(number) if number.isdigit() else 0)


def _decode_release(data: str) -> Json:
    # Kubernetes encodes Secret data once; Helm's storage driver did so before it.
    release: Json = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(data))))
    return release


def _encode_release(release: Json) -> str:
    packed = gzip.compress(json.dumps(release).encode(), mtime=0)
    return base64.b64encode(base64.b64encode(packed)).decode()


def find_helm(executable: str) -> str:
    """Return the path of a helm that is new enough. Raises HelmUnusableError."""
    path = shutil.which(executable)
    remedy = f"Install Helm {'.'.join(map(str, MINIMUM_VERSION))} or newer, or name it with --helm"
    if path is None:
        raise HelmUnusableError(f"field --helm: there is no program {executable!r}", remedy=remedy)
    version = read_helm_version(path)
    numbers = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version)
    if numbers is None or tuple(map(int, numbers.groups())) < MINIMUM_VERSION:
        raise HelmUnusableError(
            f"field --helm: {path} is version {version or 'unknown'}, too old", remedy=remedy
        )
    return path


def read_helm_version(path: str) -> str:
    """Return what ``helm version`` prints, such as v4.3.1; empty when it prints nothing."""
    try:
        result = subprocess.run(
            [path, "version", "--template", "{{ .Version }}"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip()
