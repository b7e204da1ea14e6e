"""What every client of a port must do, and its double alike.

tests/unit runs these against the doubles, tests/cluster against real Helm and a real
Kubernetes API. A module that runs them has the fixtures ``ports``, ``slug``, ``chart``, ``run``
and ``leave_pending`` (puts the latest revision of a tenant into a status, as a killed helm
leaves it).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from release_manager.chart import Chart
from release_manager.errors import (
    ChangedMeanwhileError,
    ChartNotFoundError,
    InvalidValuesError,
    ReleaseBusyError,
    RevisionNotFoundError,
    TenantNotFoundError,
)
from release_manager.operations.readiness import wait_until_ready
from release_manager.ports import Deployment, Ports, RunOptions
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

    def test_history_is_kept_short(self, ports: Ports, slug: str, chart: Chart) -> None:
        for number in range(1, 8):
            deploy(ports, slug, chart, {"env": {"A": str(number)}}, number=number)
        kept = [revision.number for revision in ports.releases.list_revisions(slug)]
        assert kept == [3, 4, 5, 6, 7]

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


class ChartsContract:
    """Port ``Charts``."""

    def test_a_chart_that_is_not_there_is_named(self, ports: Ports) -> None:
        with pytest.raises(ChartNotFoundError, match="no-such-chart"):
            ports.charts.load("no-such-chart")

    def test_a_chart_is_the_same_each_time(self, ports: Ports, chart: Chart) -> None:
        assert ports.charts.load(chart.reference) == chart
