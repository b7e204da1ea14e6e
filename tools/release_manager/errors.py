"""Every expected failure, as one tree.

    ReleaseManagerError
    ├── InvalidInputError            exit code 2: nothing was changed
    │   ├── InvalidSlugError
    │   ├── InvalidValuesError
    │   ├── InvalidSettingsError
    │   ├── ChartNotFoundError
    │   ├── HelmUnusableError
    │   ├── NamespaceNotFoundError
    │   ├── TenantExistsError
    │   ├── TenantNotFoundError
    │   ├── RevisionNotFoundError
    │   ├── RolloutNotFoundError
    │   ├── JobTemplateNotFoundError
    │   ├── TeardownRefusedError
    │   ├── DriftError
    │   └── NoRoomError
    ├── OperationFailedError         exit code 1: it failed, the cluster is consistent
    │   ├── HelmFailedError
    │   ├── RolloutFailedError
    │   └── ChangedMeanwhileError
    ├── ClusterUnavailableError      exit code 4: unreachable or forbidden
    │   ├── ClusterUnreachableError
    │   └── ForbiddenError
    ├── ReleaseBusyError             exit code 5: somebody else is working on it
    │   └── LeaseLostError
    ├── RolloutStoppedError          exit code 3: a rollout stopped itself
    └── OperationInterruptedError    exit code 130

Each error says what happened, to which tenant, and what to do next. No error ever
carries the value of a secret.
"""

from __future__ import annotations

from .part import tell_subject


class ReleaseManagerError(Exception):
    """Root of the tree: what happened (``problem``), what to do next (``remedy``)."""

    exit_code = 1

    def __init__(self, problem: str, *, remedy: str, tenant: str | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy
        self.tenant = tenant

    def __str__(self) -> str:
        """Return one paragraph: ``tenant acme: problem. Remedy.``, or ``api: problem. ...``."""
        subject = f"{tell_subject(self.tenant)}: " if self.tenant is not None else ""
        return f"{subject}{_sentence(self.problem)} {_sentence(self.remedy)}"


class InvalidInputError(ReleaseManagerError):
    """The request makes no sense as it is; nothing was changed."""

    exit_code = 2


class InvalidSlugError(InvalidInputError):
    """The text is no slug."""


class InvalidValuesError(InvalidInputError):
    """A value does not fit the chart's schema, or a values file cannot be read."""


class InvalidSettingsError(InvalidInputError):
    """The settings file, the environment or a flag is wrong."""


class ChartNotFoundError(InvalidInputError):
    """There is no chart, or no profile of it, under the given name."""


class HelmUnusableError(InvalidInputError):
    """The helm binary is missing or too old."""


class NamespaceNotFoundError(InvalidInputError):
    """The namespace does not exist."""


class TenantExistsError(InvalidInputError):
    """The tenant to install is there already."""


class TenantNotFoundError(InvalidInputError):
    """There is no release of that tenant."""


class RevisionNotFoundError(InvalidInputError):
    """The tenant has no such revision, or none that can be returned to."""


class RolloutNotFoundError(InvalidInputError):
    """There is no such rollout, or none to go on with."""


class JobTemplateNotFoundError(InvalidInputError):
    """The platform has no such job, for its values switch it off."""


class TeardownRefusedError(InvalidInputError):
    """A Terraform plan would delete what must stay."""


class DriftError(InvalidInputError):
    """The change would silently undo what somebody set by hand."""


class NoRoomError(InvalidInputError):
    """No node of the cluster would take the tenant's pods."""


class OperationFailedError(ReleaseManagerError):
    """The operation failed and left the cluster in a consistent state."""

    exit_code = 1


class HelmFailedError(OperationFailedError):
    """Helm ended with an error that has no class of its own."""


class RolloutFailedError(OperationFailedError):
    """The tenant's pods did not become ready."""


class ChangedMeanwhileError(OperationFailedError):
    """Somebody else changed the tenant while this operation ran."""


class ClusterUnavailableError(ReleaseManagerError):
    """The cluster cannot be used."""

    exit_code = 4


class ClusterUnreachableError(ClusterUnavailableError):
    """No answer from the API server, or no way to find it."""


class ForbiddenError(ClusterUnavailableError):
    """The API server refused the credentials, or they lack a right."""


class ReleaseBusyError(ReleaseManagerError):
    """Another process is working on the tenant's release."""

    exit_code = 5


class LeaseLostError(ReleaseBusyError):
    """Another process has taken over what this one was at work on."""


class RolloutStoppedError(ReleaseManagerError):
    """A rollout stopped itself, because more failed than may."""

    exit_code = 3


class OperationInterruptedError(ReleaseManagerError):
    """The operator pressed Ctrl-C."""

    exit_code = 130


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."
