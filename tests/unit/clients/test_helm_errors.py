"""One table of what helm prints and the error it becomes."""

from __future__ import annotations

import pytest

from release_manager.clients.helm_errors import classify_error
from release_manager.errors import (
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


@pytest.mark.parametrize(
    ("stderr", "error"),
    [
        (
            "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress",
            ReleaseBusyError,
        ),
        (
            "Error: UPGRADE FAILED: create: failed to create: secrets "
            '"sh.helm.release.v1.tenant-acme.v2" already exists',
            ReleaseBusyError,
        ),
        (
            'Error: pods "tenant-acme-1" is forbidden: exceeded quota: small, requested: pods=1',
            OperationFailedError,
        ),
        (
            'Error: admission webhook "policy.example.org" denied the request: no',
            OperationFailedError,
        ),
        (
            "Error: UPGRADE FAILED: conflict occurred while applying object aware/tenant-acme "
            'apps/v1, Kind=Deployment: Apply failed with 1 conflict: conflict with "kubectl" '
            "using apps/v1: .spec.replicas",
            OperationFailedError,
        ),
        (
            "Error: INSTALLATION FAILED: unable to continue with install: Service "
            '"tenant-acme" in namespace "aware" exists and cannot be imported into the current '
            "release: invalid ownership metadata",
            OperationFailedError,
        ),
        (
            "Error: values don't meet the specifications of the schema(s) in the following "
            "chart(s):\naware-tenant:\n- at '/replicas': got string, want integer\n",
            InvalidValuesError,
        ),
        (
            "Error: execution error at (aware-tenant/templates/deployment.yaml:1:4): \n\n"
            'host "a.b" is outside domain "wareit.ai": use a name below it, or change domain.\n\n\n'
            "Use --debug flag to render out invalid YAML\n",
            InvalidValuesError,
        ),
        (
            "Error: template: aware-tenant/templates/extraobjects.yaml:3:3: executing "
            '"x" at <tpl>: error calling tpl: nil pointer evaluating interface {}.x',
            InvalidValuesError,
        ),
        ('Error: INSTALLATION FAILED: namespaces "nowhere" not found', NamespaceNotFoundError),
        (
            'Error: secrets is forbidden: User "x" cannot create resource "secrets" in API group '
            '"" in the namespace "aware"',
            ForbiddenError,
        ),
        (
            "Error: kubernetes cluster unreachable: the server has asked for the client to "
            "provide credentials: Unauthorized",
            ForbiddenError,
        ),
        (
            "Error: kubernetes cluster unreachable: Get "
            '"https://127.0.0.1:1/version": dial tcp 127.0.0.1:1: connect: connection refused',
            ClusterUnreachableError,
        ),
        ("Error: etcdserver: request timed out", ClusterUnreachableError),
        ("Error: UPGRADE FAILED: context canceled", OperationInterruptedError),
        ("Error: uninstall: Release not loaded: tenant-x: release: not found", TenantNotFoundError),
        ("Error: release has no 9 version", RevisionNotFoundError),
        ('Error: path "/nope" not found: no such file or directory', ChartNotFoundError),
        ("Error: Chart.yaml file is missing", ChartNotFoundError),
        (
            'Error: Deployment.apps "tenant-acme" is invalid: spec.replicas: Invalid value: -1',
            OperationFailedError,
        ),
        ("Error: something nobody has seen before", HelmFailedError),
        ("", HelmFailedError),
    ],
)
def test_what_helm_prints_becomes_an_error_of_ours(
    stderr: str, error: type[ReleaseManagerError]
) -> None:
    assert type(classify_error(stderr, "acme")) is error


def test_case_does_not_matter() -> None:
    error = classify_error("Error: Kubernetes cluster unreachable: Connection Refused", "acme")
    assert isinstance(error, ClusterUnreachableError)


def test_the_error_names_the_tenant() -> None:
    assert classify_error("Error: release: not found", "acme").tenant == "acme"


def test_the_charts_own_words_are_told_without_helms() -> None:
    stderr = (
        "Error: execution error at (aware-tenant/templates/deployment.yaml:1:4): \n\n"
        "replicas is 2, but a volume has one writer.\n\n\n"
        "Use --debug flag to render out invalid YAML\n"
    )
    assert classify_error(stderr, "acme").problem == "replicas is 2, but a volume has one writer."


def test_warnings_before_the_error_are_left_out() -> None:
    stderr = "WARNING: kubeconfig is group-readable\nlevel=WARN msg=x\nError: it broke\n"
    assert classify_error(stderr, "acme").problem == "helm failed: it broke"


def test_a_very_long_error_is_cut() -> None:
    assert len(classify_error("Error: " + "x" * 10_000, "acme").problem) < 700
