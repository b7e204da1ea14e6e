"""Tenants that are not well, as real nodes showed them: kubelet 1.35 with containerd 1.6.

Each has the name of its row in ``docs/failures.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from release_manager.diagnosis import Diagnosis, Evidence, diagnose
from release_manager.workload import Event, Pod, Workload
from tests.unit.builders import (
    MINUTE,
    NOW,
    build_container,
    build_event,
    build_pod,
    build_workload,
)

SECOND = timedelta(seconds=1)
IMAGE = "registry.wareit.ai/aware-gateway:2026.9.6"
PULL = f'failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}": '
HEAD = 'failed to do request: Head "https://registry.wareit.ai/v2/aware-gateway/manifests/2026": '
NODES = "0/1 nodes are available: "
PREEMPTION = (
    " no new claims to deallocate, preemption: 0/1 nodes are available: "
    "1 Preemption is not helpful for scheduling."
)


@dataclass(frozen=True)
class Failure:
    """What is seen of a tenant, and what may be asked about it."""

    pods: Sequence[Pod] = ()
    workload: Workload = field(default_factory=lambda: build_workload(0))
    events: Sequence[Event] = ()
    lines: Sequence[str] = ()
    down_since: datetime | None = None

    def diagnose(self) -> Diagnosis | None:
        """Return the cause that is told."""
        evidence = Evidence(
            now=NOW,
            read_events=lambda _pod: self.events,
            read_log_tail=lambda _pod, _container: self.lines,
            read_outage=lambda _node: self.down_since,
        )
        return diagnose(self.workload, self.pods, evidence)


def _pull(said: str, *, reason: str = "ImagePullBackOff") -> Failure:
    message = f'Back-off pulling image "{IMAGE}": ErrImagePull: {said}'
    return Failure(
        [
            build_pod(
                "p", build_container(image=IMAGE, waiting_reason=reason, waiting_message=message)
            )
        ]
    )


def _create(message: str) -> Failure:
    shown = {"waiting_reason": "CreateContainerConfigError", "waiting_message": message}
    return Failure([build_pod("p", build_container(**shown))])


def _crash(
    exit_code: int, *lines: str, events: Sequence[Event] = (), **container: object
) -> Failure:
    shown = {
        "waiting_reason": "CrashLoopBackOff",
        "waiting_message": "back-off 20s restarting failed container=gateway pod=p_aware(uid)",
        "restarts": 2,
        "exit_code": exit_code,
        "exit_reason": "Error" if exit_code else "Completed",
        "exit_began_at": NOW - MINUTE,
        "exit_at": NOW - 30 * SECOND,
        "startup_seconds": 120,
        **container,
    }
    return Failure([build_pod("p", build_container(**shown))], events=events, lines=lines)


def _run(events: Sequence[Event] = (), **container: object) -> Failure:
    running = {"running_since": NOW - MINUTE, "startup_seconds": 120, **container}
    pod = build_pod("p", build_container(**running), created_at=NOW - MINUTE, phase="Running")
    return Failure([pod], events=events)


def _unscheduled(message: str, *, events: Sequence[Event] = (), **pod: object) -> Failure:
    return Failure([build_pod("p", node="", scheduling_message=message, **pod)], events=events)


def _claim(reason: str, message: str) -> Failure:
    unbound = f"{NODES}pod has unbound immediate PersistentVolumeClaims. not found"
    event = build_event(reason, message, kind="PersistentVolumeClaim", name="tenant-acme-data")
    return _unscheduled(unbound, events=[event], claims=("tenant-acme-data",))


def _mount(message: str) -> Failure:
    creating = build_container(waiting_reason="ContainerCreating")
    event = build_event("FailedMount", f'MountVolume.SetUp failed for volume "x" : {message}')
    return Failure([build_pod("p", creating)], events=[event])


def _refuse(message: str) -> Failure:
    forbidden = f'pods "tenant-acme-7b8855b447-d4bp7" is forbidden: {message}'
    return Failure(workload=build_workload(0, failure_message=forbidden))


def _cut_off(**pod: object) -> Pod:
    cut_off = {"is_cut_off": True, "unready_since": NOW - 2 * MINUTE, "phase": "Running", **pod}
    return build_pod("tenant-acme-1", build_container(is_ready=True), **cut_off)


def unhealthy(probe: str, answer: str, **event: object) -> Event:
    """A probe that failed."""
    return build_event("Unhealthy", f"{probe} probe failed: {answer}", **event)


def killing(probe: str, **event: object) -> Event:
    """A container that is ended because of a probe."""
    message = f"Container gateway failed {probe} probe, will be restarted"
    return build_event("Killing", message, is_warning=False, **event)


KILLED_AT = {"at": NOW - 35 * SECOND, "began_at": NOW - 35 * SECOND}

FAILURES = {
    "image not in the registry": _pull(
        f"rpc error: code = NotFound desc = {PULL}{IMAGE}: not found"
    ),
    "image for another CPU architecture": _pull(
        "rpc error: code = NotFound desc = failed to pull and unpack image "
        f'"{IMAGE}": no match for platform in manifest: not found'
    ),
    "name that is no image name": _pull(
        'Failed to apply default image tag "a b": couldn\'t parse image name "a b": '
        "invalid reference format",
        reason="InvalidImageName",
    ),
    "image not on the node, `pullPolicy: Never`": Failure(
        [
            build_pod(
                "p",
                build_container(
                    image=IMAGE,
                    waiting_reason="ErrImageNeverPull",
                    waiting_message=f'Container image "{IMAGE}" is not present with pull policy of '
                    "Never",
                ),
            )
        ]
    ),
    "registry refuses the credentials": _pull(
        f"{PULL}failed to authorize: failed to fetch anonymous token: unexpected status: "
        "401 Unauthorized"
    ),
    "registry hides the repository": _pull(
        f"{PULL}pull access denied, repository does not exist or may require authorization: "
        "server message: insufficient_scope: authorization failed"
    ),
    "pull Secret missing": Failure(
        _pull(f"{PULL}unexpected status: 401 Unauthorized").pods,
        events=[
            build_event(
                "FailedToRetrieveImagePullSecret",
                "Unable to retrieve some image pull secrets (registry); attempting to pull the "
                "image may not succeed.",
            )
        ],
    ),
    "registry limits the rate": _pull(
        f"{PULL}pulling from host registry.wareit.ai failed with status code [manifests 2026]: "
        "429 Too Many Requests"
    ),
    "registry out of order": _pull(
        f"{PULL}pulling from host registry.wareit.ai failed with status code [manifests 2026]: "
        "503 Service Unavailable"
    ),
    "registry's name unknown": _pull(
        f"{PULL}{HEAD}dial tcp: lookup registry.wareit.ai on 10.0.0.2:53: no such host"
    ),
    "node's DNS broken": _pull(
        f"{PULL}{HEAD}dial tcp: lookup registry.wareit.ai on 10.0.0.2:53: server misbehaving"
    ),
    "registry refuses connections": _pull(
        f"{PULL}{HEAD}dial tcp 192.168.77.2:443: connect: connection refused"
    ),
    "registry does not answer": _pull(
        f"rpc error: code = DeadlineExceeded desc = {PULL}{HEAD}dial tcp 10.99.99.99:443: "
        "i/o timeout"
    ),
    "TLS with the registry fails": _pull(
        f"{PULL}{HEAD}x509: certificate signed by unknown authority"
    ),
    "node pulls too much at once": _pull("pull QPS exceeded"),
    "Secret missing": _create('secret "tenant-acme-token" not found'),
    "key missing in a Secret": _create("couldn't find key token in Secret aware/tenant-acme-token"),
    "ConfigMap missing": _create('configmap "acme-flags" not found'),
    "Secret of a volume missing": _mount('secret "acme-tls" not found'),
    "key of a volume missing": _mount("references non-existent secret key: tls.crt"),
    "volume cannot be mounted": _mount("mount failed: exit status 32"),
    "volume still at another node": Failure(
        [build_pod("p", build_container(waiting_reason="ContainerCreating"))],
        events=[
            build_event(
                "FailedAttachVolume",
                'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) '
                "tenant-acme-0",
            )
        ],
    ),
    "image runs as root": _create(
        "container has runAsNonRoot and image will run as root (pod: "
        '"tenant-acme-1_aware(4f1ba4bd)", container: gateway)'
    ),
    "image names its user by no number": _create(
        "container has runAsNonRoot and image has non-numeric user (node), cannot verify user is "
        'non-root (pod: "tenant-acme-1_aware(4f1ba4bd)", container: gateway)'
    ),
    "command not in the image": _crash(
        128,
        exit_reason="StartError",
        exit_message="failed to create containerd task: failed to create shim task: OCI runtime "
        "create failed: runc create failed: unable to start container process: exec: "
        '"/bin/nosuch": stat /bin/nosuch: no such file or directory: unknown',
    ),
    "program for another CPU architecture": _crash(1, "exec /app/gateway: exec format error"),
    "crash": _crash(
        3,
        "listening on 18789",
        "cannot reach postgres",
        "    at connect (/app/db.js:7:9)",
        "fatal: no database",
    ),
    "gateway that ends by itself": _crash(0, "done"),
    "killed by something else": _crash(137, "listening on 18789"),
    "read-only file system": _crash(
        1,
        "Error: EROFS: read-only file system, open '/app/log.txt'",
        "    at Object.openSync (node:fs:601:3)",
        "    at node:internal/main/run_main_module:36:49 {",
        "  errno: -30,",
        "  code: 'EROFS'",
        "}",
        "Node.js v24.1.0",
    ),
    "out of JavaScript heap": _crash(
        134,
        "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
        " 1: 0xe16044 node::OOMErrorHandler(char const*, v8::OOMDetails const&) [node]",
    ),
    "out of memory": _crash(137, exit_reason="OOMKilled", memory_limit="256Mi"),
    "out of memory, the main process survived": _crash(
        1, exit_reason="OOMKilled", memory_limit="256Mi"
    ),
    "out of memory without a limit": _crash(137, exit_reason="OOMKilled"),
    "startup probe fails": _crash(
        137,
        "waiting for postgres",
        events=[
            unhealthy("Startup", "HTTP probe failed with statuscode: 503", **KILLED_AT),
            killing("startup", **KILLED_AT),
        ],
    ),
    "liveness probe fails": _crash(
        143,
        events=[
            unhealthy("Liveness", "HTTP probe failed with statuscode: 503", **KILLED_AT),
            killing("liveness", **KILLED_AT),
        ],
    ),
    "readiness probe fails": _run(
        [
            unhealthy(
                "Readiness",
                'Get "http://10.244.0.33:18789/readyz": dial tcp 10.244.0.33:18789: connect: '
                "connection refused",
            )
        ],
        has_started=True,
    ),
    "slow start": _run(
        [unhealthy("Startup", "HTTP probe failed with statuscode: 503")], has_started=False
    ),
    "image still being pulled": Failure(
        [build_pod("p", build_container(image=IMAGE, waiting_reason="ContainerCreating"))],
        events=[build_event("Pulling", f'Pulling image "{IMAGE}"', is_warning=False)],
    ),
    "pod's network cannot be made": Failure(
        [build_pod("p", build_container(waiting_reason="ContainerCreating"))],
        events=[
            build_event(
                "FailedCreatePodSandBox",
                "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup "
                'network for sandbox "1f2e": plugin type="bridge" failed (add): no IP addresses '
                "available",
            )
        ],
    ),
    "StorageClass missing": _claim(
        "ProvisioningFailed", 'storageclass.storage.k8s.io "fast" not found'
    ),
    "no StorageClass named": _claim(
        "FailedBinding",
        "no persistent volumes available for this claim and no storage class is set",
    ),
    "volume not provisioned": _claim(
        "ExternalProvisioning",
        "Waiting for a volume to be created either by the external provisioner 'ebs.csi.aws.com' "
        "or manually by the system administrator. If volume creation is delayed, please verify "
        "that the provisioner is running and correctly registered.",
    ),
    "volume claim missing": _unscheduled(
        f'{NODES}persistentvolumeclaim "acme-old" not found. not found', claims=("acme-old",)
    ),
    "nodes out of memory": _unscheduled(
        f"{NODES}1 Insufficient memory.{PREEMPTION}", requests={"memory": "1Gi", "cpu": "250m"}
    ),
    "nodes out of CPU": _unscheduled(
        f"{NODES}1 Insufficient cpu.{PREEMPTION}", requests={"memory": "1Gi", "cpu": "250m"}
    ),
    "nodes out of pods": _unscheduled(f"{NODES}1 Too many pods.{PREEMPTION}"),
    "no node that suits": _unscheduled(
        f"{NODES}1 node(s) didn't match Pod's node affinity/selector.{PREEMPTION}"
    ),
    "nodes closed": _unscheduled(f"{NODES}1 node(s) had untolerated taint(s).{PREEMPTION}"),
    "node not ready": Failure([_cut_off()]),
    "pod does not end": Failure(
        [_cut_off(is_deleting=True, ends_by=NOW - MINUTE)],
        workload=build_workload(0, updated_replicas=0),
    ),
    "pod held by a finalizer": Failure(
        [
            build_pod(
                is_deleting=True,
                ends_by=NOW - MINUTE,
                phase="Succeeded",
                finalizers=("example.com/hold",),
            )
        ],
        workload=build_workload(0, updated_replicas=0),
    ),
    "pod is ending": Failure(
        [build_pod(is_deleting=True, ends_by=NOW + 20 * SECOND, phase="Running")],
        workload=build_workload(0, updated_replicas=0),
    ),
    "temporary folder full": Failure(
        [
            build_pod(
                phase="Failed", failure='Usage of EmptyDir volume "tmp" exceeds the limit "128Mi". '
            )
        ]
    ),
    "evicted": Failure(
        [
            build_pod(
                phase="Failed",
                failure="The node was low on resource: memory. Threshold quantity: 100Mi, "
                "available: 88Mi. ",
            )
        ]
    ),
    "quota": _refuse(
        "exceeded quota: small, requested: limits.memory=256Mi, used: limits.memory=256Mi, "
        "limited: limits.memory=300Mi"
    ),
    "quota that wants a limit": _refuse(
        "failed quota: small: must specify limits.memory for: gateway"
    ),
    "Pod Security": _refuse(
        'violates PodSecurity "restricted:latest": runAsUser=0 (pod must not set runAsUser=0)'
    ),
    "another refusal": _refuse("no PriorityClass with name gold was found"),
}
