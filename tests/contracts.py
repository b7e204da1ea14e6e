"""What every client of a port must do, and its double alike.

tests/unit runs these against the doubles, tests/cluster against real Helm and a real
Kubernetes API. A module that runs them has the fixtures ``ports``, ``slug``, ``chart``, ``run``
and ``leave_pending`` (puts the latest revision of a tenant into a status, as a killed helm
leaves it).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from release_manager.chart import Chart
from release_manager.errors import (
    ChangedMeanwhileError,
    ChartNotFoundError,
    InvalidValuesError,
    LeaseLostError,
    ReleaseBusyError,
    RevisionNotFoundError,
    RolloutNotFoundError,
    TenantNotFoundError,
)
from release_manager.infrastructure.capacity import add_footprints
from release_manager.operations.readiness import wait_until_ready
from release_manager.ports import Deployment, Ports, RunOptions, Secret, Surroundings
from release_manager.rollout.journal import Journal, Outcome, Report, State
from release_manager.rollout.plan import Kind, Rollout
from release_manager.tenant import ReleaseStatus, Revision, RevisionLabels, Target
from release_manager.workload import Workload

TIMEOUT_SECONDS = 60.0

LeavePending = Callable[[str, ReleaseStatus], None]


def deploy(
    ports: Ports, slug: str, chart: Chart, values: dict[str, Any] | None = None, *, number: int = 1
) -> RevisionLabels:
    """Write a revision with labels of its own; without a token no pod of it gets ready."""
    labels = RevisionLabels(f"digest-{number}", "defaults", chart.version, "default", "me", number)
    ports.releases.deploy(Deployment(slug, chart, values or {}, labels, TIMEOUT_SECONDS))
    return labels


def latest(ports: Ports, slug: str) -> Revision:
    """Return the latest revision."""
    return ports.releases.list_revisions(slug)[-1]


def statuses(ports: Ports, slug: str) -> list[ReleaseStatus]:
    """Return the statuses of a tenant's revisions, oldest first."""
    return [revision.status for revision in ports.releases.list_revisions(slug)]


def read_workload(ports: Ports, slug: str) -> Workload:
    """Return a Deployment that must be there."""
    workload = ports.cluster.read_workload(slug)
    assert workload is not None
    return workload


class ReleasesContract:
    """Port ``Releases``."""

    def test_a_tenant_without_a_release_has_no_revisions(self, ports: Ports, slug: str) -> None:
        assert list(ports.releases.list_revisions(slug)) == []

    def test_a_deployed_revision_tells_its_labels(
        self, ports: Ports, slug: str, chart: Chart
    ) -> None:
        labels = deploy(ports, slug, chart)
        revision = latest(ports, slug)
        assert (revision.number, revision.status) == (1, ReleaseStatus.DEPLOYED)
        assert (revision.labels, revision.writer) == (labels, "me")

    def test_a_revision_is_as_old_as_itself(self, ports: Ports, slug: str, chart: Chart) -> None:
        deploy(ports, slug, chart)
        age = ports.cluster.now() - latest(ports, slug).created_at
        assert timedelta(seconds=-2) < age < timedelta(seconds=TIMEOUT_SECONDS)

    def test_a_body_tells_chart_values_and_manifest(
        self, ports: Ports, slug: str, chart: Chart
    ) -> None:
        values = {"env": {"A": "1"}, "releaseManager": {"overrides": {"a": [1, None]}}}
        deploy(ports, slug, chart, values)
        body = ports.releases.read_body(latest(ports, slug))
        assert (body.chart_name, body.chart_version) == (chart.name, chart.version)
        assert body.values == values
        assert Target(slug).release in body.manifest
        assert body.rolled_back_to is None

    def test_an_upgrade_supersedes_the_revision_before(
        self, ports: Ports, slug: str, chart: Chart
    ) -> None:
        deploy(ports, slug, chart)
        deploy(ports, slug, chart, {"env": {"A": "1"}}, number=2)
        assert statuses(ports, slug) == [ReleaseStatus.SUPERSEDED, ReleaseStatus.DEPLOYED]

    def test_an_upgrade_forgets_values_that_are_not_given_again(
        self, ports: Ports, slug: str, chart: Chart
    ) -> None:
        deploy(ports, slug, chart, {"env": {"A": "1"}})
        deploy(ports, slug, chart, number=2)
        assert ports.releases.read_body(latest(ports, slug)).values == {}

    def test_a_rollback_restores_values_and_labels_as_a_new_revision(
        self, ports: Ports, slug: str, chart: Chart
    ) -> None:
        labels = deploy(ports, slug, chart, {"env": {"A": "1"}})
        deploy(ports, slug, chart, {"env": {"A": "2"}}, number=2)
        ports.releases.rollback(slug, 1, timeout_seconds=TIMEOUT_SECONDS)
        revision = latest(ports, slug)
        body = ports.releases.read_body(revision)
        assert (revision.number, revision.labels, revision.writer) == (3, labels, None)
        assert (body.values, body.rolled_back_to) == ({"env": {"A": "1"}}, 1)
        assert statuses(ports, slug)[1] is ReleaseStatus.SUPERSEDED

    def test_a_rollback_to_a_revision_that_is_not_there_is_refused(
        self, ports: Ports, slug: str, chart: Chart
    ) -> None:
        deploy(ports, slug, chart)
        with pytest.raises(RevisionNotFoundError):
            ports.releases.rollback(slug, 7, timeout_seconds=TIMEOUT_SECONDS)

    def test_history_has_every_revision_but_those_that_are_forgotten(
        self, ports: Ports, slug: str, chart: Chart
    ) -> None:
        for number in range(1, 8):
            deploy(ports, slug, chart, {"env": {"A": str(number)}}, number=number)
        first, second, *rest = ports.releases.list_revisions(slug)
        assert [revision.number for revision in rest] == [3, 4, 5, 6, 7]
        for revision in (second, second, first):
            ports.releases.forget(revision)
        assert list(ports.releases.list_revisions(slug)) == rest

    def test_a_revision_is_there_or_not(self, ports: Ports, slug: str, chart: Chart) -> None:
        deploy(ports, slug, chart)
        found = [ports.releases.has_revision(slug, number) for number in (1, 2)]
        assert found == [True, False]
        assert not ports.releases.has_revision(f"{slug}-z", 1)

    def test_a_revision_of_a_later_release_is_not_forgotten_for_another_of_its_number(
        self, ports: Ports, slug: str, chart: Chart
    ) -> None:
        deploy(ports, slug, chart)
        old = latest(ports, slug)
        ports.releases.uninstall(slug, timeout_seconds=TIMEOUT_SECONDS)
        deploy(ports, slug, chart)
        ports.releases.forget(old)
        assert statuses(ports, slug) == [ReleaseStatus.DEPLOYED]

    def test_a_revision_that_history_forgot_has_no_body(
        self, ports: Ports, slug: str, chart: Chart
    ) -> None:
        deploy(ports, slug, chart)
        gone = replace(latest(ports, slug), number=9)
        with pytest.raises(RevisionNotFoundError):
            ports.releases.read_body(gone)
        with pytest.raises(RevisionNotFoundError):
            ports.releases.extract_chart(gone)

    def test_the_latest_revision_of_each_tenant_is_listed_by_slug(
        self, ports: Ports, slug: str, chart: Chart
    ) -> None:
        deploy(ports, f"{slug}-z", chart)
        deploy(ports, slug, chart)
        deploy(ports, slug, chart, {"env": {"A": "1"}}, number=2)
        listed = [(item.slug, item.number) for item in ports.releases.list_latest()]
        assert listed == [(slug, 2), (f"{slug}-z", 1)]

    def test_what_no_later_revision_supersedes_is_listed_for_every_tenant(
        self, ports: Ports, slug: str, chart: Chart, leave_pending: LeavePending
    ) -> None:
        deploy(ports, f"{slug}-z", chart)
        deploy(ports, slug, chart)
        deploy(ports, slug, chart, {"env": {"A": "1"}}, number=2)
        labels = deploy(ports, slug, chart, {"env": {"A": "2"}}, number=3)
        leave_pending(slug, ReleaseStatus.PENDING_UPGRADE)
        current = ports.releases.list_current()
        assert {name: [item.number for item in found] for name, found in current.items()} == {
            slug: [3],
            f"{slug}-z": [1],
        }
        (latest_one,) = current[slug]
        assert (latest_one.status, latest_one.labels) == (ReleaseStatus.PENDING_UPGRADE, labels)

    def test_what_failed_is_listed_beside_what_is_deployed_oldest_first(
        self, ports: Ports, slug: str, chart: Chart, leave_pending: LeavePending
    ) -> None:
        deploy(ports, slug, chart)
        deploy(ports, slug, chart, {"env": {"A": "1"}}, number=2)
        leave_pending(slug, ReleaseStatus.FAILED)
        ports.releases.rollback(slug, 1, timeout_seconds=TIMEOUT_SECONDS)
        numbers = [item.number for item in ports.releases.list_current()[slug]]
        assert numbers[-1] == 3
        assert numbers == sorted(numbers)
        assert 1 not in numbers

    def test_nothing_is_current_where_there_is_no_release(self, ports: Ports) -> None:
        assert dict(ports.releases.list_current()) == {}

    def test_a_revision_tells_the_rollout_that_wrote_it_and_a_rollback_does_not(
        self, ports: Ports, slug: str, chart: Chart
    ) -> None:
        labels = RevisionLabels("digest", "defaults", chart.version, "default", "me", 1, "r-1")
        ports.releases.deploy(Deployment(slug, chart, {}, labels, TIMEOUT_SECONDS))
        assert latest(ports, slug).rollout == "r-1"
        deploy(ports, slug, chart, {"env": {"A": "1"}}, number=2)
        assert latest(ports, slug).rollout == ""
        ports.releases.rollback(slug, 1, timeout_seconds=TIMEOUT_SECONDS)
        assert latest(ports, slug).rollout == ""

    def test_interrupting_nothing_is_nothing(self, ports: Ports) -> None:
        ports.releases.interrupt()

    def test_an_uninstalled_tenant_has_no_revisions(
        self, ports: Ports, slug: str, chart: Chart
    ) -> None:
        deploy(ports, slug, chart)
        ports.releases.uninstall(slug, timeout_seconds=TIMEOUT_SECONDS)
        assert list(ports.releases.list_revisions(slug)) == []
        assert list(ports.releases.list_latest()) == []

    def test_a_tenant_that_is_not_there_cannot_be_uninstalled(
        self, ports: Ports, slug: str
    ) -> None:
        with pytest.raises(TenantNotFoundError):
            ports.releases.uninstall(slug, timeout_seconds=TIMEOUT_SECONDS)

    def test_a_tenant_that_is_not_there_cannot_be_rolled_back(
        self, ports: Ports, slug: str
    ) -> None:
        with pytest.raises(TenantNotFoundError):
            ports.releases.rollback(slug, 1, timeout_seconds=TIMEOUT_SECONDS)

    def test_a_pending_release_is_busy(
        self, ports: Ports, slug: str, chart: Chart, leave_pending: LeavePending
    ) -> None:
        deploy(ports, slug, chart)
        leave_pending(slug, ReleaseStatus.PENDING_UPGRADE)
        with pytest.raises(ReleaseBusyError):
            deploy(ports, slug, chart, number=2)

    @pytest.mark.parametrize(
        "status", [ReleaseStatus.PENDING_INSTALL, ReleaseStatus.PENDING_UPGRADE]
    )
    def test_a_revision_that_was_set_to_failed_lets_the_next_one_through(
        self,
        ports: Ports,
        slug: str,
        chart: Chart,
        leave_pending: LeavePending,
        status: ReleaseStatus,
    ) -> None:
        labels = deploy(ports, slug, chart, {"env": {"A": "1"}})
        leave_pending(slug, status)
        ports.releases.mark_failed(latest(ports, slug), reason="its process died")
        failed = latest(ports, slug)
        assert (failed.status, failed.labels) == (ReleaseStatus.FAILED, labels)
        body = ports.releases.read_body(failed)
        assert (body.description, body.values) == ("failed: its process died", {"env": {"A": "1"}})
        deploy(ports, slug, chart, number=2)
        assert latest(ports, slug).status is ReleaseStatus.DEPLOYED

    def test_helm_calls_a_failed_first_revision_superseded_once_the_second_stands(
        self, ports: Ports, slug: str, chart: Chart, leave_pending: LeavePending
    ) -> None:
        deploy(ports, slug, chart)
        leave_pending(slug, ReleaseStatus.FAILED)
        deploy(ports, slug, chart, number=2)
        assert statuses(ports, slug) == [ReleaseStatus.SUPERSEDED, ReleaseStatus.DEPLOYED]

    def test_a_revision_that_somebody_changed_meanwhile_is_not_set_to_failed(
        self, ports: Ports, slug: str, chart: Chart, leave_pending: LeavePending
    ) -> None:
        deploy(ports, slug, chart)
        leave_pending(slug, ReleaseStatus.PENDING_UPGRADE)
        seen = latest(ports, slug)
        leave_pending(slug, ReleaseStatus.DEPLOYED)
        with pytest.raises(ChangedMeanwhileError):
            ports.releases.mark_failed(seen, reason="its process died")
        assert latest(ports, slug).status is ReleaseStatus.DEPLOYED

    def test_a_pending_release_can_be_rolled_back_and_uninstalled(
        self, ports: Ports, slug: str, chart: Chart, leave_pending: LeavePending
    ) -> None:
        deploy(ports, slug, chart)
        deploy(ports, slug, chart, {"env": {"A": "1"}}, number=2)
        leave_pending(slug, ReleaseStatus.PENDING_UPGRADE)
        ports.releases.rollback(slug, 1, timeout_seconds=TIMEOUT_SECONDS)
        assert latest(ports, slug).status is ReleaseStatus.DEPLOYED
        leave_pending(slug, ReleaseStatus.PENDING_ROLLBACK)
        ports.releases.uninstall(slug, timeout_seconds=TIMEOUT_SECONDS)
        assert list(ports.releases.list_revisions(slug)) == []

    def test_the_chart_of_a_revision_can_be_deployed_again(
        self, ports: Ports, slug: str, chart: Chart
    ) -> None:
        deploy(ports, slug, chart)
        extracted = ports.releases.extract_chart(latest(ports, slug))
        assert (extracted.name, extracted.version) == (chart.name, chart.version)
        assert extracted.default_values == chart.default_values
        assert extracted.schema == chart.schema
        deploy(ports, slug, extracted, {"env": {"A": "1"}}, number=2)
        assert latest(ports, slug).status is ReleaseStatus.DEPLOYED

    def test_rendering_needs_no_release(self, ports: Ports, slug: str, chart: Chart) -> None:
        assert Target(slug).release in ports.releases.render(slug, chart, {})
        assert list(ports.releases.list_revisions(slug)) == []

    def test_what_the_charts_templates_refuse_is_refused(
        self, ports: Ports, slug: str, chart: Chart
    ) -> None:
        with pytest.raises(InvalidValuesError, match="outside domain"):
            ports.releases.render(slug, chart, {"host": "acme.example.com"})
        with pytest.raises(InvalidValuesError, match="outside domain"):
            deploy(ports, slug, chart, {"host": "acme.example.com"})
        assert list(ports.releases.list_revisions(slug)) == []


class ClusterContract:
    """Port ``Cluster``."""

    def test_the_namespace_is_there(self, ports: Ports) -> None:
        ports.cluster.require_namespace()

    def test_a_tenant_without_a_release_has_no_objects(self, ports: Ports, slug: str) -> None:
        assert ports.cluster.read_workload(slug) is None
        assert list(ports.cluster.list_workloads()) == []
        assert ports.cluster.list_pods(slug) == {}
        assert list(ports.cluster.list_events(slug)) == []
        assert list(ports.cluster.list_all_events()) == []
        assert not ports.cluster.has_volume(slug)

    def test_a_workload_tells_what_the_release_asks_for(
        self, ports: Ports, slug: str, chart: Chart
    ) -> None:
        deploy(ports, slug, chart, {"replicas": 0, "image": {"tag": "7"}, "domain": "x.org"})
        workload = read_workload(ports, slug)
        assert (workload.slug, workload.wanted_replicas, workload.spec_replicas) == (slug, 0, 0)
        assert (workload.host, workload.chart) == (f"{slug}.x.org", f"aware-tenant-{chart.version}")
        assert workload.image.endswith("/aware-gateway:7")
        assert [item.slug for item in ports.cluster.list_workloads()] == [slug]

    def test_workloads_are_chosen_by_their_labels(
        self, ports: Ports, slug: str, chart: Chart
    ) -> None:
        deploy(ports, slug, chart, {"replicas": 0})
        deploy(ports, f"{slug}-z", chart, {"replicas": 0})
        found = [item.slug for item in ports.cluster.list_workloads(f"tenant={slug}")]
        assert found == [slug]
        assert list(ports.cluster.list_workloads("tenant=nobody")) == []

    def test_a_watch_tells_of_what_was_there_before(
        self, ports: Ports, slug: str, chart: Chart
    ) -> None:
        deploy(ports, slug, chart, {"replicas": 0, "image": {"tag": "7"}})
        with ports.cluster.watch_workloads() as workloads:
            workload = workloads.read(slug)
            assert workload is not None
            assert workload.image.endswith("/aware-gateway:7")
            assert workloads.read(f"{slug}-z") is None

    def test_a_watch_shows_what_is_written_when_it_was_refreshed(
        self, ports: Ports, slug: str, chart: Chart
    ) -> None:
        with ports.cluster.watch_workloads() as workloads:
            for number in (1, 2):
                deploy(
                    ports, slug, chart, {"replicas": 0, "env": {"A": str(number)}}, number=number
                )
                workloads.refresh(slug)
                workload = workloads.read(slug)
                assert workload is not None
                assert workload.environment.values == {"A": str(number)}
            ports.releases.uninstall(slug, timeout_seconds=TIMEOUT_SECONDS)
            workloads.refresh(slug)
            assert workloads.read(slug) is None

    def test_a_tenant_gets_ready_before_the_eyes_of_a_watch(
        self, ports: Ports, slug: str, chart: Chart, run: RunOptions
    ) -> None:
        ports.secrets.create_token(slug, "token")
        with ports.cluster.watch_workloads() as workloads:
            deploy(ports, slug, chart)
            watching = replace(run, workloads=workloads)
            assert wait_until_ready(ports, slug, revision=1, run=watching).is_ready
            workload = workloads.read(slug)
            assert workload is not None
            assert (workload.is_ready, workload.ready_replicas) == (True, 1)

    def test_a_tenant_gets_ready_and_has_a_pod_for_each_replica(
        self, ports: Ports, slug: str, chart: Chart, run: RunOptions
    ) -> None:
        ports.secrets.create_token(slug, "token")
        deploy(ports, slug, chart, {"replicas": 2})
        assert wait_until_ready(ports, slug, revision=1, run=run).is_ready
        pods = ports.cluster.list_pods()[slug]
        assert [pod.is_ready for pod in pods] == [True, True]
        assert ports.cluster.list_pods(slug) == {slug: pods}

    def test_a_pod_is_of_the_workloads_newest_replica_set(
        self, ports: Ports, slug: str, chart: Chart, run: RunOptions
    ) -> None:
        ports.secrets.create_token(slug, "token")
        deploy(ports, slug, chart)
        assert wait_until_ready(ports, slug, revision=1, run=run).is_ready
        (pod,) = ports.cluster.list_pods(slug)[slug]
        newest = read_workload(ports, slug).replica_set
        assert newest == f"{Target(slug).release}-{pod.template_hash}"
        assert pod.uid
        assert not pod.is_cut_off

    def test_workload_and_pods_tell_where_their_environment_comes_from(
        self, ports: Ports, slug: str, chart: Chart, run: RunOptions
    ) -> None:
        ports.secrets.create_token(slug, "token")
        deploy(ports, slug, chart, {"env": {"A": "private"}})
        assert wait_until_ready(ports, slug, revision=1, run=run).is_ready
        (pod,) = ports.cluster.list_pods(slug)[slug]
        for environment in (pod.environment, read_workload(ports, slug).environment):
            assert environment.values == {"A": "private"}
            assert environment.secret_names == (Target(slug).token_secret,)

    def test_what_is_not_there_explains_nothing(self, ports: Ports) -> None:
        assert ports.cluster.read_config_maps(["no-such-map"]) == {}
        assert ports.cluster.read_node_outage("no-such-node") is None

    def test_a_rollout_that_completed_has_settled(
        self, ports: Ports, slug: str, chart: Chart, run: RunOptions
    ) -> None:
        ports.secrets.create_token(slug, "token")
        deploy(ports, slug, chart)
        wait_until_ready(ports, slug, revision=1, run=run)
        workload = read_workload(ports, slug)
        assert (workload.is_ready, workload.has_settled) == (True, True)

    def test_a_stopped_tenant_is_ready_without_pods(
        self, ports: Ports, slug: str, chart: Chart, run: RunOptions
    ) -> None:
        deploy(ports, slug, chart, {"replicas": 0})
        assert wait_until_ready(ports, slug, revision=1, run=run).is_ready
        assert ports.cluster.list_pods(slug) == {}

    def test_the_next_revision_takes_the_replicas_from_its_values(
        self, ports: Ports, slug: str, chart: Chart
    ) -> None:
        deploy(ports, slug, chart, {"replicas": 0})
        deploy(ports, slug, chart, {"replicas": 2}, number=2)
        assert read_workload(ports, slug).spec_replicas == 2
        ports.releases.rollback(slug, 1, timeout_seconds=TIMEOUT_SECONDS)
        assert read_workload(ports, slug).spec_replicas == 0

    def test_an_uninstall_leaves_the_volume(self, ports: Ports, slug: str, chart: Chart) -> None:
        deploy(ports, slug, chart, {"persistence": {"enabled": True}, "replicas": 0})
        ports.releases.uninstall(slug, timeout_seconds=TIMEOUT_SECONDS)
        assert ports.cluster.read_workload(slug) is None
        assert ports.cluster.has_volume(slug)

    def test_a_volume_is_deleted_once(self, ports: Ports, slug: str, chart: Chart) -> None:
        deploy(ports, slug, chart, {"persistence": {"enabled": True}, "replicas": 0})
        ports.releases.uninstall(slug, timeout_seconds=TIMEOUT_SECONDS)
        assert ports.cluster.delete_volume(slug)

    def test_a_volume_that_is_not_there_cannot_be_deleted(self, ports: Ports, slug: str) -> None:
        assert not ports.cluster.delete_volume(slug)


class SecretsContract:
    """Port ``Secrets``."""

    def test_there_is_no_token_until_it_is_created(self, ports: Ports, slug: str) -> None:
        assert ports.secrets.read_token(slug) is None
        assert not ports.secrets.has_secret(Target(slug).token_secret, "token")

    def test_a_created_token_is_read_back(self, ports: Ports, slug: str) -> None:
        assert ports.secrets.create_token(slug, "one")
        secret = ports.secrets.read_token(slug)
        assert secret is not None
        assert (secret.token, secret.previous, secret.revision) == ("one", None, 1)

    def test_a_token_that_is_there_is_not_created_again(self, ports: Ports, slug: str) -> None:
        ports.secrets.create_token(slug, "one")
        assert not ports.secrets.create_token(slug, "two")
        secret = ports.secrets.read_token(slug)
        assert secret is not None
        assert secret.token == "one"

    def test_an_update_keeps_the_token_before_until_it_is_dropped(
        self, ports: Ports, slug: str
    ) -> None:
        ports.secrets.create_token(slug, "one")
        secret = ports.secrets.read_token(slug)
        assert secret is not None
        both = replace(secret, token="two", previous="one", revision=2)
        ports.secrets.update_token(slug, both)
        secret = ports.secrets.read_token(slug)
        assert secret is not None
        assert (secret.token, secret.previous, secret.revision) == ("two", "one", 2)
        ports.secrets.update_token(slug, replace(secret, previous=None))
        secret = ports.secrets.read_token(slug)
        assert secret is not None
        assert secret.previous is None

    def test_an_update_of_what_changed_meanwhile_is_refused(self, ports: Ports, slug: str) -> None:
        ports.secrets.create_token(slug, "one")
        seen = ports.secrets.read_token(slug)
        assert seen is not None
        ports.secrets.update_token(slug, replace(seen, token="two"))
        with pytest.raises(ChangedMeanwhileError):
            ports.secrets.update_token(slug, replace(seen, token="three"))

    def test_an_update_of_what_was_deleted_meanwhile_is_refused(
        self, ports: Ports, slug: str
    ) -> None:
        ports.secrets.create_token(slug, "one")
        seen = ports.secrets.read_token(slug)
        assert seen is not None
        ports.secrets.delete_token(slug)
        with pytest.raises(ChangedMeanwhileError):
            ports.secrets.update_token(slug, replace(seen, token="two"))

    def test_a_token_is_deleted_once(self, ports: Ports, slug: str) -> None:
        ports.secrets.create_token(slug, "one")
        assert ports.secrets.delete_token(slug)
        assert not ports.secrets.delete_token(slug)

    def test_a_secret_is_found_by_name_and_key(self, ports: Ports, slug: str) -> None:
        ports.secrets.create_token(slug, "one")
        name = Target(slug).token_secret
        assert ports.secrets.has_secret(name, "token")
        assert not ports.secrets.has_secret(name, "other")
        assert not ports.secrets.has_secret("other", "token")

    def test_a_shared_secret_is_created_once_and_read_back(self, ports: Ports, slug: str) -> None:
        assert ports.secrets.read(f"{slug}-shared") is None
        assert ports.secrets.create(Secret(f"{slug}-shared", {"a": "ä\n", "b": ""}))
        assert not ports.secrets.create(Secret(f"{slug}-shared", {"a": "2"}))
        secret = ports.secrets.read(f"{slug}-shared")
        assert secret is not None
        assert secret.data == {"a": "ä\n", "b": ""}
        assert ports.secrets.exists(f"{slug}-shared")
        assert "ä\n" in ports.secrets.list_values([f"{slug}-shared"])

    def test_an_update_replaces_all_that_a_shared_secret_holds(
        self, ports: Ports, slug: str
    ) -> None:
        ports.secrets.create(Secret(f"{slug}-shared", {"a": "1", "b": "2"}))
        seen = ports.secrets.read(f"{slug}-shared")
        assert seen is not None
        ports.secrets.update(replace(seen, data={"b": "3", "c": "4"}))
        secret = ports.secrets.read(f"{slug}-shared")
        assert secret is not None
        assert secret.data == {"b": "3", "c": "4"}
        with pytest.raises(ChangedMeanwhileError):
            ports.secrets.update(replace(seen, data={"b": "5"}))

    def test_a_shared_secret_is_deleted_once(self, ports: Ports, slug: str) -> None:
        ports.secrets.create(Secret(f"{slug}-shared", {"a": "1"}))
        assert ports.secrets.delete(f"{slug}-shared")
        assert not ports.secrets.delete(f"{slug}-shared")

    def test_what_is_not_there_cannot_be_updated(self, ports: Ports, slug: str) -> None:
        ports.secrets.create(Secret(f"{slug}-shared", {"a": "1"}))
        seen = ports.secrets.read(f"{slug}-shared")
        assert seen is not None
        ports.secrets.delete(f"{slug}-shared")
        with pytest.raises(ChangedMeanwhileError):
            ports.secrets.update(seen)


class LivenessContract:
    """Port ``Liveness``."""

    def test_nobody_is_alive_at_first(self, ports: Ports) -> None:
        assert ports.liveness.list_alive() == {}

    def test_a_process_is_alive_while_it_holds(self, ports: Ports) -> None:
        with ports.liveness.hold() as id_:
            holder = ports.liveness.list_alive()[id_]
            assert holder.id == id_
            assert holder.identity
            assert abs(ports.cluster.now() - holder.since) < timedelta(seconds=TIMEOUT_SECONDS)
        assert ports.liveness.list_alive() == {}

    def test_two_processes_are_told_apart(self, ports: Ports) -> None:
        with ports.liveness.hold() as one, ports.liveness.hold() as two:
            assert set(ports.liveness.list_alive()) == {one, two}

    def test_a_process_that_fails_is_alive_no_longer(self, ports: Ports) -> None:
        with pytest.raises(KeyError), ports.liveness.hold():
            raise KeyError
        assert ports.liveness.list_alive() == {}

    def test_nobody_is_at_work_on_rollouts_at_first(self, ports: Ports) -> None:
        assert ports.liveness.read_rollouts() is None
        with ports.liveness.hold() as writer, pytest.raises(LeaseLostError):
            ports.liveness.require_rollouts(writer)

    def test_who_has_claimed_rollouts_is_told_with_the_rollout(self, ports: Ports) -> None:
        with ports.liveness.hold() as writer:
            with ports.liveness.claim_rollouts(writer, "r-1"):
                ports.liveness.require_rollouts(writer)
                worker = ports.liveness.read_rollouts()
                assert worker is not None
                assert (worker.rollout, worker.identity) == ("r-1", ports.liveness.identity())
            assert ports.liveness.read_rollouts() is None

    def test_only_one_process_at_a_time_has_rollouts(self, ports: Ports) -> None:
        with (
            ports.liveness.hold() as one,
            ports.liveness.hold() as two,
            ports.liveness.claim_rollouts(one, "r-1"),
        ):
            with (
                pytest.raises(ReleaseBusyError, match="rollout r-1"),
                ports.liveness.claim_rollouts(two, "r-2"),
            ):
                pass
            with pytest.raises(LeaseLostError):
                ports.liveness.require_rollouts(two)
            ports.liveness.require_rollouts(one)

    def test_rollouts_are_given_back_by_who_fails(self, ports: Ports) -> None:
        with ports.liveness.hold() as writer:
            with pytest.raises(KeyError), ports.liveness.claim_rollouts(writer, "r-1"):
                raise KeyError
            with ports.liveness.claim_rollouts(writer, "r-2"):
                ports.liveness.require_rollouts(writer)

    def test_rollouts_are_taken_from_a_process_that_is_gone(self, ports: Ports) -> None:
        with ExitStack() as first:
            dead = first.enter_context(ports.liveness.hold())
            # As after kill -9: nothing is given back.
            kept = ports.liveness.claim_rollouts(dead, "r-1")
            kept.__enter__()
        assert ports.liveness.read_rollouts() is None
        with ports.liveness.hold() as writer, ports.liveness.claim_rollouts(writer, "r-1"):
            ports.liveness.require_rollouts(writer)
            with pytest.raises(LeaseLostError):
                ports.liveness.require_rollouts(dead)

    def test_a_claim_on_rollouts_is_no_process(self, ports: Ports) -> None:
        with ports.liveness.hold() as writer, ports.liveness.claim_rollouts(writer, "r-1"):
            assert set(ports.liveness.list_alive()) == {writer}


class NodesContract:
    """Port ``Nodes``."""

    def test_there_is_a_node_that_takes_pods(self, ports: Ports) -> None:
        (node, *_) = ports.nodes.list()
        assert node.is_ready
        assert not node.is_cordoned
        assert node.pods > 0
        assert node.as_node().free_memory_mib > 0

    def test_a_tenant_takes_what_its_pods_request_of_the_node_that_they_are_on(
        self, ports: Ports, slug: str, chart: Chart, run: RunOptions
    ) -> None:
        assert not any(slug in node.tenants for node in ports.nodes.list())
        ports.secrets.create_token(slug, "token")
        deploy(ports, slug, chart, {"replicas": 2})
        assert wait_until_ready(ports, slug, revision=1, run=run).is_ready
        taken = add_footprints(
            node.tenants[slug] for node in ports.nodes.list() if slug in node.tenants
        )
        assert (taken.memory_mib, taken.cpu_millicores, taken.pods) == (128, 100, 2)
        assert taken.memory_limit_mib == 512

    def test_a_stopped_tenant_takes_nothing(self, ports: Ports, slug: str, chart: Chart) -> None:
        deploy(ports, slug, chart, {"replicas": 0})
        assert not any(slug in node.tenants for node in ports.nodes.list())


class HoldsContract:
    """Port ``Holds``."""

    def test_nobody_is_held_at_first(self, ports: Ports) -> None:
        assert list(ports.holds.list()) == []

    def test_holds_are_listed_by_slug_with_reason_person_and_time(
        self, ports: Ports, slug: str
    ) -> None:
        assert ports.holds.put(f"{slug}-z", "one")
        assert ports.holds.put(slug, "größer")
        first, second = ports.holds.list()
        assert (first.slug, first.reason) == (slug, "größer")
        assert (second.slug, second.reason) == (f"{slug}-z", "one")
        assert first.by == ports.liveness.identity()
        assert abs(ports.cluster.now() - first.since) < timedelta(seconds=TIMEOUT_SECONDS)

    def test_a_second_hold_only_gives_another_reason(self, ports: Ports, slug: str) -> None:
        ports.holds.put(slug, "one")
        (before,) = ports.holds.list()
        assert not ports.holds.put(slug, "two")
        assert list(ports.holds.list()) == [replace(before, reason="two")]

    def test_a_hold_is_removed_once(self, ports: Ports, slug: str) -> None:
        ports.holds.put(slug, "one")
        assert ports.holds.remove(slug)
        assert not ports.holds.remove(slug)
        assert list(ports.holds.list()) == []


def build_journal(id_: str = "20260301-030000-abcd", *, hour: int = 3) -> Journal:
    """Return a journal of three tenants of which one has failed."""
    rollout = Rollout(
        id=id_,
        kind=Kind.UPGRADE,
        by="operator@here",
        started_at=datetime(2026, 3, 1, hour, tzinfo=UTC),
        waves=(("a",), ("b", "c")),
        revisions={"a": 1, "b": 22, "c": 3},
        has_canary=True,
        unwell=frozenset({"c"}),
        budget=1,
        chart_name="aware-tenant",
        chart_version="0.2.0",
        defaults={"env": {"A": "größer"}},
        left_alone={"held": 1},
    )
    failed = Report("b", Outcome.FAILED, "it was größer", "Correct it", 23)
    return Journal(rollout, reports={"b": failed}, done=1, has_baked=True, seconds=1.5)


class JournalsContract:
    """Port ``Journals``."""

    def test_there_is_no_journal_at_first(self, ports: Ports) -> None:
        assert list(ports.journals.list()) == []
        assert ports.journals.read("nope") is None
        assert ports.journals.read_request("nope") == ""
        with pytest.raises(RolloutNotFoundError):
            ports.journals.read_chart("nope")

    def test_a_journal_is_read_back_as_it_was_written(self, ports: Ports) -> None:
        journal = build_journal()
        ports.journals.create(journal, b"\x00chart\xff")
        found = ports.journals.read(journal.rollout.id)
        assert found is not None
        assert replace(found, updated_at=None) == journal
        assert ports.journals.read_chart(journal.rollout.id) == b"\x00chart\xff"

    def test_a_save_writes_what_became_of_it_and_of_the_plan_only_the_budget(
        self, ports: Ports
    ) -> None:
        journal = build_journal()
        ports.journals.create(journal, b"")
        ended = replace(journal, state=State.FINISHED, reports={}, done=3, problem="none")
        changed = replace(journal.rollout, budget=99, concurrency=99)
        ports.journals.save(replace(ended, rollout=changed))
        found = ports.journals.read(journal.rollout.id)
        assert found is not None
        kept = replace(journal.rollout, budget=99)
        assert replace(found, updated_at=None) == replace(ended, rollout=kept)

    def test_journals_are_listed_newest_first(self, ports: Ports) -> None:
        for hour in (1, 2, 3):
            ports.journals.create(build_journal(f"r-{hour}", hour=hour), b"chart")
        assert [item.rollout.id for item in ports.journals.list()] == ["r-3", "r-2", "r-1"]

    def test_an_end_is_asked_for_until_nobody_does(self, ports: Ports) -> None:
        journal = build_journal()
        ports.journals.create(journal, b"")
        assert ports.journals.read_request(journal.rollout.id) == ""
        ports.journals.request_end(journal.rollout.id, "somebody@there")
        ports.journals.save(journal)
        assert ports.journals.read_request(journal.rollout.id) == "somebody@there"
        ports.journals.request_end(journal.rollout.id, "")
        assert ports.journals.read_request(journal.rollout.id) == ""

    def test_a_journal_is_removed_with_its_chart(self, ports: Ports) -> None:
        journal = build_journal()
        ports.journals.create(journal, b"chart")
        ports.journals.remove(journal.rollout.id)
        ports.journals.remove(journal.rollout.id)
        assert ports.journals.read(journal.rollout.id) is None
        assert list(ports.journals.list()) == []
        with pytest.raises(RolloutNotFoundError):
            ports.journals.read_chart(journal.rollout.id)


class ChartsContract:
    """Port ``Charts``."""

    def test_a_chart_that_is_not_there_is_named(self, ports: Ports) -> None:
        with pytest.raises(ChartNotFoundError, match="no-such-chart"):
            ports.charts.load("no-such-chart")

    def test_a_chart_is_the_same_each_time(self, ports: Ports, chart: Chart) -> None:
        assert ports.charts.load(chart.reference) == chart

    def test_a_package_holds_the_same_chart(self, ports: Ports, chart: Chart) -> None:
        unpacked = ports.charts.unpack(ports.charts.pack(chart))
        assert (unpacked.digest, unpacked.profiles) == (chart.digest, chart.profiles)
        assert replace(unpacked, reference=chart.reference) == chart

    def test_a_package_is_the_same_each_time(self, ports: Ports, chart: Chart) -> None:
        package = ports.charts.pack(chart)
        assert ports.charts.pack(chart) == package
        assert ports.charts.unpack(package).digest == chart.digest


class SurroundingsContract:
    """Port ``Surroundings``; a module that runs it has the fixture ``surroundings``.

    Its namespace is not there, nor is cert-manager.
    """

    def test_a_namespace_is_created_once_with_its_labels(self, surroundings: Surroundings) -> None:
        assert surroundings.read_namespace_labels() is None
        assert surroundings.create_namespace({"team": "a"})
        assert not surroundings.create_namespace({"team": "b"})
        labels = surroundings.read_namespace_labels()
        assert labels is not None
        assert labels["team"] == "a"

    def test_labels_are_added_to_those_that_a_namespace_has(
        self, surroundings: Surroundings
    ) -> None:
        surroundings.create_namespace({"team": "a", "level": "1"})
        surroundings.label_namespace({"level": "2", "more": "3"})
        labels = surroundings.read_namespace_labels()
        assert labels is not None
        assert {name: labels.get(name) for name in ("team", "level", "more")} == {
            "team": "a",
            "level": "2",
            "more": "3",
        }

    def test_a_definition_that_is_not_there_is_of_no_release(
        self, surroundings: Surroundings
    ) -> None:
        assert surroundings.find_release_of("things.example.invalid") is None
