"""Running a job of the platform and waiting for it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ClusterUnreachableError, OperationFailedError, ReleaseBusyError
from ..part import PLATFORM
from ..ports import Job, JobState, RunOptions, Site
from .investigation import Investigation, read_job_log

POLL_SECONDS = 0.5
# What the scripts end with when another of their kind is at work, as in sysexits.h.
BUSY_EXIT_CODE = 75
MAX_TOLD_LINES = 5


@dataclass(frozen=True)
class Output:
    """What a job printed: results, one JSON object a line, and everything else."""

    results: Sequence[Mapping[str, Any]]
    messages: Sequence[str]


def run_job(
    site: Site, template: str, run: RunOptions, environment: Mapping[str, str] | None = None
) -> Output:
    """Make a Job of a CronJob's template, wait until it has ended, and return what it printed.

    A Job that was interrupted goes on in the cluster: it is waited for first, so that never two
    of a template are at work. Raises JobTemplateNotFoundError, ReleaseBusyError,
    OperationFailedError with the last lines of a Job that failed.
    """
    for earlier in site.jobs.list(template):
        if earlier.state is JobState.ACTIVE:
            run.progress(f"waiting for the job {earlier.name}, which an earlier command has begun")
            _wait(site, earlier.name, run)
    name = site.jobs.start(template, environment or {})
    run.progress(f"job {name} started")
    job = _wait(site, name, run)
    if job.state is not JobState.COMPLETE:
        raise _explain(site, job)
    lines = site.jobs.read_output(name)
    if not lines and not site.ports.cluster.list_job_pods(name):
        raise OperationFailedError(
            f"the job {name} has ended well, and its pod is gone with what it said",
            remedy="Run the command again",
            tenant=PLATFORM.release,
        )
    return parse_output(lines)


def _wait(site: Site, name: str, run: RunOptions) -> Job:
    deadline = run.clock.monotonic() + run.timeout_seconds
    told = 0
    waiting = ""
    while True:
        try:
            job = site.jobs.read(name)
            messages = _read_messages(site, name)
        except ClusterUnreachableError as exc:
            if run.clock.monotonic() >= deadline:
                raise
            if exc.problem != waiting:
                waiting = exc.problem
                run.progress(f"waiting: {waiting}")
            run.clock.sleep(POLL_SECONDS)
            continue
        if job is None:
            raise OperationFailedError(
                f"somebody deleted the job {name} while it ran",
                remedy="Run the command again",
                tenant=PLATFORM.release,
            )
        _tell(site, name, messages[told:], run)
        told = max(told, len(messages))
        if job.state is not JobState.ACTIVE:
            return job
        if not messages and (cause := _find_obstacle(site, name)) != waiting:
            waiting = cause
            run.progress(f"waiting: {cause}")
        if run.clock.monotonic() >= deadline:
            raise OperationFailedError(
                f"the job {name} has not ended after {run.timeout_seconds:.0f} seconds"
                + (f": {waiting}" if waiting else ""),
                remedy=f"It goes on; follow it with 'kubectl logs -f job/{name} "
                "--all-containers', or give it longer with --timeout",
                tenant=PLATFORM.release,
            )
        run.clock.sleep(POLL_SECONDS)


def _tell(site: Site, name: str, messages: Sequence[str], run: RunOptions) -> None:
    """Report what a job has said, without secrets."""
    if messages:
        pods = site.ports.cluster.list_job_pods(name)
        redactor = Investigation(site.ports).build_redactor(None, pods, is_own=True)
        for line in messages:
            run.progress(redactor.clean(line))


def _read_messages(site: Site, name: str) -> Sequence[str]:
    """Return what a job has said so far. Where its log cannot be read now, its end tells."""
    try:
        return parse_output(site.jobs.read_output(name)).messages
    except OperationFailedError:
        return []


def _find_obstacle(site: Site, name: str) -> str:
    """Return why the pod of a job does not run yet."""
    # A container of a job may end, and does so at times before its pod's phase tells.
    pods = [
        pod
        for pod in site.ports.cluster.list_job_pods(name)
        if pod.phase == "Pending" and all(item.exit_code is None for item in pod.containers)
    ]
    cause = Investigation(site.ports).diagnose(None, pods) if pods else None
    return cause.sentence if cause is not None else "the job's pod starts"


def parse_output(lines: Sequence[str]) -> Output:
    """Tell results from messages."""
    results: list[Mapping[str, Any]] = []
    messages = []
    for line in lines:
        try:
            found = json.loads(line) if line.startswith("{") else None
        except ValueError:
            found = None
        if isinstance(found, dict):
            results.append(found)
        elif line.strip():
            messages.append(line)
    return Output(results, messages)


def _explain(site: Site, job: Job) -> OperationFailedError | ReleaseBusyError:
    lines = read_job_log(site.ports, job.name, is_own=True)[-MAX_TOLD_LINES:]
    said = " | ".join(lines) or job.reason
    pods = site.ports.cluster.list_job_pods(job.name)
    codes = {item.exit_code for pod in pods for item in pod.containers}
    if BUSY_EXIT_CODE in codes:
        return ReleaseBusyError(said, remedy="Wait for it to end", tenant=PLATFORM.release)
    return OperationFailedError(
        f"the job {job.name} failed: {said}",
        remedy="Correct the cause and run the command again; the job's pod stays for a while, see "
        f"'kubectl logs job/{job.name} --all-containers'",
        tenant=PLATFORM.release,
    )
