"""What helm prints on stderr, as our own errors; pyhelm3's classes miss most cases."""

from __future__ import annotations

import re
from collections.abc import Callable

from pyhelm3.errors import Error as PyhelmError

from ..errors import (
    ChartNotFoundError,
    ClusterUnreachableError,
    ForbiddenError,
    HelmFailedError,
    InvalidValuesError,
    NamespaceNotFoundError,
    OperationFailedError,
    OperationInterruptedError,
    ReleaseBusyError,
    ReleaseManagerError,
    RevisionNotFoundError,
    TenantNotFoundError,
)
from ..part import name_command

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
    return RevisionNotFoundError(line, remedy=f"See '{name_command('history', slug)}'", tenant=slug)


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


def classify_failure(failure: PyhelmError, slug: str) -> ReleaseManagerError:
    """Return our error for a helm that did not succeed."""
    stderr = failure.stderr.decode("utf-8", "replace")
    if failure.returncode < 0 and not stderr.strip():
        return HelmFailedError(
            f"helm was killed by signal {-failure.returncode}",
            remedy="Run the same command again",
            tenant=slug,
        )
    return classify_error(stderr, slug)


def classify_error(stderr: str, slug: str) -> ReleaseManagerError:
    """Return our error for what helm printed on stderr."""
    line = _error_line(stderr)
    for pattern, build in _ERRORS:
        if re.search(pattern, stderr, re.IGNORECASE):
            return build(line, slug)
    return HelmFailedError(
        f"helm failed: {line}", remedy=f"See '{name_command('show', slug)}'", tenant=slug
    )


def _error_line(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("Use --debug flag")]
    errors = [i for i, line in enumerate(lines) if line.lower().startswith("error:")]
    chosen = " ".join(lines[errors[-1] :] if errors else lines[-1:]) or "it printed no reason"
    return chosen.removeprefix("Error: ").removeprefix("ERROR: ")[:600]
