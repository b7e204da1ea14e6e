"""Tenants that fail, and what is told of each: a table, by the headings of docs/failures.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# A variable that every tenant gets from the fleet's defaults, whose value nobody may see.
CUSTOMER = "canary-of-customer-4711"
# A program that blurts out what nobody may see, and what is shown of that.
BLURTS = 'echo "as $CUSTOMER with $OPENCLAW_GATEWAY_TOKEN"'
REDACTED = "as $CUSTOMER with [redacted]"

GATEWAY = "python3 -I -m stand_ins.gateway"
QUICK = {"periodSeconds": 1, "failureThreshold": 5}
ANSWERS_503 = "HTTP probe failed with statuscode: 503"


@dataclass(frozen=True)
class Failing:
    """A tenant that fails: its values, and what is told of it, cause and remedy.

    timeout: shorter where a command waits for longer than a test should. may_pass: then a
    command waits until its timeout, and says so.
    """

    values: Mapping[str, Any]
    told: tuple[str, ...]
    timeout: str = "5m"
    may_pass: bool = False


def _run(script: str) -> dict[str, Any]:
    return {"command": ["sh", "-c", script]}


def _misbehave(**variables: str) -> dict[str, Any]:
    return {"env": {f"STAND_IN_{name}": value for name, value in variables.items()}}


def _require(**resources: str) -> dict[str, Any]:
    return {"resources": {"requests": resources, "limits": resources}}


def build_image_failures(registry: str) -> dict[str, Failing]:
    """Return the tenants, by slug, whose image cannot be pulled; the registry has none."""
    start = "aware-gateway:1.0.0-stand-in cannot be pulled: its registry"
    return {
        "unreachable": Failing(
            {"image": {"registry": "127.0.0.1:1"}},
            (
                f"image 127.0.0.1:1/{start} 127.0.0.1:1 refuses connections; start it, or correct "
                "image.registry",
            ),
        ),
        "missing": Failing(
            {"image": {"registry": registry}},
            (
                f"image {registry}/{start} {registry} has no such image; push it, or correct "
                "image.repository and image.tag",
            ),
        ),
    }


CONTAINER = {
    "crash": Failing(
        _run(f"echo starting; {BLURTS}; echo no database; exit 3"),
        (
            "container gateway keeps crashing with exit code 3; correct what its log shows; "
            f"its last lines: starting | {REDACTED} | no database",
        ),
    ),
    # Its first run ends at once, the later ones when they have been ready for some seconds.
    "flapping": Failing(
        {
            **_run(f"test -e /tmp/ran && exec {GATEWAY}; touch /tmp/ran; exit 3"),
            **_misbehave(CRASH_AFTER_SECONDS="6"),
        },
        ("container gateway keeps crashing with exit code 3", "told to crash"),
    ),
    "memory": Failing(
        _misbehave(LEAK_MIB_PER_SECOND="400", START_SECONDS="99"),
        ("container gateway ran out of memory (limit 256Mi); raise resources.limits.memory",),
    ),
    "read-only": Failing(
        _misbehave(WRITE_ROOT="1"),
        (
            "container gateway ends with exit code 1 because its root file system is read-only; "
            "make the folder writable with emptyDirs",
            "cannot write /var/lib/gateway/state",
        ),
    ),
    "no-secret": Failing(
        {"envFrom": [{"secretRef": {"name": "settings"}}]},
        ("Secret settings is missing, and container gateway needs it; create it",),
    ),
    "no-key": Failing(
        {
            "extraEnv": [
                {
                    "name": "KEY",
                    "valueFrom": {"secretKeyRef": {"name": "tenant-no-key-token", "key": "api"}},
                }
            ]
        },
        ("Secret tenant-no-key-token has no key api, and container gateway needs it; add it",),
    ),
    "root-image": Failing(
        {
            "image": {"tag": "1.0.0-root-stand-in"},
            "podSecurityContext": {"runAsUser": None, "runAsGroup": None},
        },
        (
            "container gateway cannot be created: its image runs as root, and runAsNonRoot forbids "
            "that; set podSecurityContext.runAsUser to the number of another user",
        ),
    ),
}

PROBES = {
    "startup": Failing(
        {
            **_misbehave(FAIL_PROBE="startup"),
            "probes": {"startup": QUICK},
        },
        (
            "container gateway is restarted because its startup probe does not pass within 5 s: "
            f"{ANSWERS_503}",
            "correct the gateway, or raise probes.startup.failureThreshold",
        ),
    ),
    "liveness": Failing(
        {
            **_misbehave(FAIL_PROBE="liveness", START_SECONDS="99"),
            "probes": {"startup": {"enabled": False}, "liveness": QUICK},
        },
        (
            f"container gateway is restarted because its liveness probe fails: {ANSWERS_503}",
            "correct the gateway or probes.liveness",
        ),
    ),
    "readiness": Failing(
        {
            "probes": {
                "readiness": {**QUICK, "exec": {"command": ["sh", "-c", f"{BLURTS}; exit 1"]}}
            }
        },
        (
            "container gateway runs, but its readiness probe fails since ",
            f"{REDACTED}; look at its log, or correct probes.readiness",
        ),
        timeout="20s",
        may_pass=True,
    ),
}

PLACE = {
    "volume": Failing(
        {"persistence": {"enabled": True, "storageClass": "fast"}},
        (
            'volume claim tenant-volume-data is not bound: storageclass.storage.k8s.io "fast" not '
            "found; create that StorageClass",
        ),
    ),
    "memory": Failing(
        _require(memory="900Gi"),
        (
            "no node has room for the pod, which asks for 900Gi memory: 0/1 nodes are available: "
            "1 Insufficient memory; lower resources.requests.memory, or add a node",
        ),
        timeout="10s",
    ),
    "cpu": Failing(
        _require(cpu="900"),
        (
            "no node has room for the pod, which asks for 900 CPU: 0/1 nodes are available: "
            "1 Insufficient cpu; lower resources.requests.cpu, or add a node",
        ),
        timeout="10s",
    ),
}

# In a namespace whose quota has no room for one of them.
NAMESPACE = {
    "quota": Failing(
        {"podLabels": {"made": "anew"}},
        (
            "no pod can be created, exceeded quota: small, requested: limits.memory=256Mi",
            "raise the ResourceQuota or lower resources",
        ),
    ),
    "privileged": Failing(
        {"securityContext": {"allowPrivilegeEscalation": True}},
        (
            'no pod can be created, it violates PodSecurity "restricted:latest": '
            "allowPrivilegeEscalation != false",
            "correct podSecurityContext, securityContext or volumes",
        ),
    ),
}
