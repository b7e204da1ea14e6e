"""CronJobs as templates, and the Jobs that are made from them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from ..errors import JobTemplateNotFoundError
from ..part import PLATFORM
from ..ports import Job, JobState, Schedule
from ..tenant import LABEL_DOMAIN
from .kubernetes_api import MANAGED, ApiStatusError, Json, KubernetesApi, parse_time

_TEMPLATE = f"{LABEL_DOMAIN}/job-template"
_ALERT = f"{LABEL_DOMAIN}/alert-after-hours"
_LOG_SECONDS = 10.0
# What the API server answers for a container that has no log yet.
_NOT_BEGUN = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND)
_STATES = {"Complete": JobState.COMPLETE, "Failed": JobState.FAILED}


class KubernetesJobs:
    """Port ``Jobs``."""

    def __init__(self, api: KubernetesApi, namespace: str) -> None:
        self._api = api
        self._batch = f"/apis/batch/v1/namespaces/{namespace}"
        self._pods = f"/api/v1/namespaces/{namespace}/pods"

    def read_schedule(self, name: str) -> Schedule | None:
        """Return a CronJob, or None."""
        found = self._api.find(f"{self._batch}/cronjobs/{name}")
        if found is None:
            return None
        metadata, spec, status = found["metadata"], found["spec"], found.get("status", {})
        hours = metadata.get("annotations", {}).get(_ALERT, "")
        last_success = status.get("lastSuccessfulTime")
        return Schedule(
            name=name,
            schedule=spec["schedule"],
            is_suspended=spec.get("suspend", False),
            created_at=parse_time(metadata["creationTimestamp"]),
            last_success=parse_time(last_success) if last_success else None,
            alert_after_hours=int(hours) if hours.isdigit() else 0,
        )

    def start(self, template: str, environment: Mapping[str, str]) -> str:
        """Make a Job from a CronJob's template; return its name."""
        found = self._api.find(f"{self._batch}/cronjobs/{template}")
        if found is None:
            raise JobTemplateNotFoundError(
                f"there is no CronJob {template}",
                remedy="Set backups.enabled to true with 'release-manager upgrade-platform'",
                tenant=PLATFORM.release,
            )
        job = _build_job(found, f"{template}-{secrets.token_hex(3)}", environment)
        self._api.create(f"{self._batch}/jobs", job)
        return str(job["metadata"]["name"])

    def read(self, name: str) -> Job | None:
        """Return a Job, or None."""
        found = self._api.find(f"{self._batch}/jobs/{name}")
        return _parse_job(found) if found is not None else None

    def list(self, template: str) -> Sequence[Job]:
        """Return the Jobs made from a CronJob, by it or by anybody, newest first."""
        answer = self._api.get(f"{self._batch}/jobs")
        found = [item for item in answer["items"] or () if _is_made_from(item, template)]
        return sorted(map(_parse_job, found), key=lambda job: job.created_at, reverse=True)

    def read_output(self, name: str) -> Sequence[str]:
        """Return the lines that the containers of a Job's newest pod have printed so far."""
        selector = f"batch.kubernetes.io/job-name={name}"
        pods = self._api.get(self._pods, labelSelector=selector)["items"] or ()
        if not pods:
            return []
        newest = max(pods, key=lambda pod: parse_time(pod["metadata"]["creationTimestamp"]))
        spec = newest["spec"]
        lines: list[str] = []
        for container in [*spec.get("initContainers", ()), *spec["containers"]]:
            lines += self._read_log(newest["metadata"]["name"], container["name"])
        return lines

    def _read_log(self, pod: str, container: str) -> Sequence[str]:
        try:
            text = self._api.get_text(
                f"{self._pods}/{pod}/log", timeout_seconds=_LOG_SECONDS, container=container
            )
        except ApiStatusError as exc:
            if exc.code not in _NOT_BEGUN:
                raise
            return []
        return text.splitlines()


def _build_job(cron_job: Json, name: str, environment: Mapping[str, str]) -> Json:
    template = cron_job["spec"]["jobTemplate"]
    labels = template.get("metadata", {}).get("labels", {})
    spec = template["spec"]
    added = [{"name": key, "value": value} for key, value in environment.items()]
    pod = spec["template"]["spec"]
    for container in [*pod.get("initContainers", ()), *pod["containers"]]:
        kept = [item for item in container.get("env", ()) if item["name"] not in environment]
        container["env"] = [*kept, *added]
    owner = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "name": cron_job["metadata"]["name"],
        "uid": cron_job["metadata"]["uid"],
        # So that the CronJob counts it: no other begins beside it, and its success is known.
        "controller": True,
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "labels": {**labels, **MANAGED, _TEMPLATE: cron_job["metadata"]["name"]},
            # As kubectl create job --from does.
            "annotations": {"cronjob.kubernetes.io/instantiate": "manual"},
            "ownerReferences": [owner],
        },
        "spec": spec,
    }


def _is_made_from(job: Json, template: str) -> bool:
    owners = job["metadata"].get("ownerReferences", ())
    return any(item["kind"] == "CronJob" and item["name"] == template for item in owners)


def _parse_job(item: Json) -> Job:
    created_at = parse_time(item["metadata"]["creationTimestamp"])
    for condition in item.get("status", {}).get("conditions") or ():
        if condition["status"] == "True" and condition["type"] in _STATES:
            reason = condition.get("message") or condition.get("reason", "")
            return Job(item["metadata"]["name"], _STATES[condition["type"]], created_at, reason)
    return Job(item["metadata"]["name"], JobState.ACTIVE, created_at)
