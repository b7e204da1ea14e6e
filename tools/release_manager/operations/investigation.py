"""Finding out why pods are not ready: what to ask the cluster for, how often, and redacted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cache, partial

from ..diagnosis import (
    Diagnosis,
    Evidence,
    Redactor,
    build_redactor,
    diagnose,
    find_unsettled,
)
from ..ports import Clock, Ports
from ..workload import Container, Event, Pod, Workload

# Enough for a stack trace with its error above it; only a few of them are told.
LOG_LINES = 30
MAX_LOG_LINE = 160
# How long events and nodes that were read are good enough.
EVENTS_SECONDS = 2.0
NODE_SECONDS = 10.0

ReadEvents = Callable[[Pod], Sequence[Event]]


class Investigation:
    """Looks for causes, asking for each log, Secret and ConfigMap once and seldom for events.

    read_events: instead of one request for each pod. max_logs: how many logs are read at
    most; causes beyond are told without their last lines.
    """

    def __init__(
        self,
        ports: Ports,
        *,
        clock: Clock | None = None,
        read_events: ReadEvents | None = None,
        max_logs: int | None = None,
    ) -> None:
        self._ports = ports
        self._clock = clock or Clock()
        self._read_events = read_events or ports.cluster.list_pod_events
        self._logs_left = max_logs
        self._events: dict[str, tuple[object, float, Sequence[Event]]] = {}
        self._nodes: dict[str, tuple[float, datetime | None]] = {}
        self._logs: dict[object, Sequence[str]] = {}
        self._secrets: dict[str, Sequence[str]] = {}
        self._settings: dict[str, dict[str, str]] = {}

    def diagnose(self, workload: Workload | None, pods: Sequence[Pod]) -> Diagnosis | None:
        """Return why a tenant is not ready, as far as its pods and their traces tell."""
        is_refused = workload is not None and workload.failure_message
        if all(pod.is_ready for pod in pods) and not is_refused:
            return None
        return diagnose(workload, *self._gather(workload, pods))

    def find_unsettled(self, workload: Workload, pods: Sequence[Pod]) -> Diagnosis | None:
        """Return why a tenant that is ready may not stay so: a container has just ended."""
        return find_unsettled(workload, *self._gather(workload, pods))

    def _gather(
        self, workload: Workload | None, pods: Sequence[Pod]
    ) -> tuple[Sequence[Pod], Evidence]:
        read_redactor = cache(lambda: self.build_redactor(workload, pods))
        evidence = Evidence(
            now=self._ports.cluster.now(),
            read_events=partial(self._list_events, read_redactor),
            read_log_tail=partial(self._read_log_tail, read_redactor),
            read_outage=self._read_outage,
        )
        return [_clean(pod, read_redactor) for pod in pods], evidence

    def build_redactor(
        self, workload: Workload | None, pods: Sequence[Pod], *, is_own: bool = False
    ) -> Redactor:
        """Return what takes everything out that these pods must not show.

        is_own: whether their environment is ours, where nothing secret is in it.
        """
        environments = [pod.environment for pod in pods]
        environments += [workload.environment] if workload is not None else []
        secrets = {name for item in environments for name in item.secret_names}
        settings = {name for item in environments for name in item.config_map_names}
        if is_own:
            environments, settings = [], set()
        return build_redactor(
            self._list_secret_values(sorted(secrets)),
            environments,
            self._read_settings(sorted(settings)),
        )

    def _list_secret_values(self, names: Iterable[str]) -> list[str]:
        for name in names:
            if name not in self._secrets:
                self._secrets[name] = self._ports.secrets.list_values([name])
        return [value for name in names for value in self._secrets[name]]

    def _read_settings(self, names: Iterable[str]) -> dict[str, str]:
        for name in names:
            if name not in self._settings:
                self._settings[name] = self._ports.cluster.read_config_maps([name])
        return {key: value for name in names for key, value in self._settings[name].items()}

    def _list_events(self, read_redactor: Callable[[], Redactor], pod: Pod) -> Sequence[Event]:
        now = self._clock.monotonic()
        containers, read_at, events = self._events.get(pod.uid, (None, 0.0, ()))
        # What happened to its containers since then has made events of its own.
        if containers != pod.containers or now - read_at >= EVENTS_SECONDS:
            events = self._read_events(pod)
            self._events[pod.uid] = (pod.containers, now, events)
        redactor = read_redactor() if events else Redactor()
        return [redactor.clean_event(event) for event in events]

    def _read_log_tail(
        self, read_redactor: Callable[[], Redactor], pod: Pod, container: Container
    ) -> Sequence[str]:
        # While the container is the same, its last run's log is.
        run = (pod.uid, container.name, container.restarts, container.exit_at)
        if run not in self._logs:
            self._logs[run] = self._read_log(pod, container)
        lines = self._logs[run]
        redactor = read_redactor() if lines else Redactor()
        return [redactor.clean(line)[:MAX_LOG_LINE] for line in lines]

    def _read_outage(self, node: str) -> datetime | None:
        now = self._clock.monotonic()
        read_at, since = self._nodes.get(node, (now - NODE_SECONDS, None))
        if now - read_at >= NODE_SECONDS:
            since = self._ports.cluster.read_node_outage(node)
            self._nodes[node] = (now, since)
        return since

    def _read_log(self, pod: Pod, container: Container) -> Sequence[str]:
        if self._logs_left is not None:
            if self._logs_left == 0:
                return ()
            self._logs_left -= 1
        return self._ports.cluster.read_log_tail(pod, container, lines=LOG_LINES)


def read_job_log(ports: Ports, job: str, *, is_own: bool = False) -> Sequence[str]:
    """Return the last lines of a Job's newest pod, redacted; empty where there are none.

    is_own: whether its environment is ours, where nothing secret is in it.
    """
    pods = ports.cluster.list_job_pods(job)
    if not pods:
        return ()
    redactor = Investigation(ports).build_redactor(None, pods, is_own=is_own)
    # Of several containers the last that has ended is the one that failed.
    ended = [item for item in pods[-1].containers if item.exit_code is not None]
    lines = ports.cluster.read_log_tail(pods[-1], ended[-1], lines=LOG_LINES) if ended else ()
    return [redactor.clean(line)[:MAX_LOG_LINE] for line in lines]


def _clean(pod: Pod, read_redactor: Callable[[], Redactor]) -> Pod:
    told = [pod.failure]
    told += [item.waiting_message + item.exit_message for item in pod.containers]
    return read_redactor().clean_pod(pod) if any(told) else pod
