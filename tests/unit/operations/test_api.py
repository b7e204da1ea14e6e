"""Installing and upgrading the API."""

from __future__ import annotations

from dataclasses import replace

import pytest

from release_manager.errors import (
    HelmFailedError,
    InvalidValuesError,
    NamespaceNotFoundError,
    RolloutFailedError,
    TenantExistsError,
)
from release_manager.ports import Secret
from release_manager.workload import Container, Environment, Pod
from tests.unit.fakes import START
from tests.unit.operations.platforms import FakeSite

SHARED = Secret(
    "aware-secrets",
    {"database-url": "postgresql://a:very-secret@b/c?sslmode=verify-full", "jwt-secret": "j"},
)


def change_shared(site: FakeSite, **data: str) -> None:
    secret = site.ports.secrets.read("aware-secrets")
    assert secret is not None
    changed = {key.replace("_", "-"): text for key, text in data.items()}
    site.ports.secrets.update(replace(secret, data={**secret.data, **changed}))


def test_it_is_installed_after_the_platform(site: FakeSite) -> None:
    site.install()
    result = site.install_api()

    assert (result.slug, result.action, result.revision) == ("api", "install", 1)
    assert site.install_api().action == "nothing"


def test_without_the_platform_it_is_refused(site: FakeSite) -> None:
    with pytest.raises(InvalidValuesError, match="no Secret aware-secrets") as caught:
        site.install_api()

    assert "install-platform" in str(caught.value)
    assert site.world.statuses("api") == []


def test_a_secret_that_is_not_whole_is_refused(site: FakeSite) -> None:
    site.ports.secrets.create(replace(SHARED, data={"database-url": "x"}))
    with pytest.raises(InvalidValuesError, match="a key 'jwt-secret'"):
        site.install_api()


def test_its_namespace_must_be_there(site: FakeSite) -> None:
    site.world.cluster.is_namespace_there = False
    with pytest.raises(NamespaceNotFoundError):
        site.install_api()


def test_it_gets_domain_and_registry(site: FakeSite) -> None:
    site.ports.secrets.create(SHARED)
    site.settings = replace(site.settings, domain="x.org", registry="r.x.org")
    site.install_api()

    values = site.world.values("api")
    assert (values["domain"], values["image"]["registry"]) == ("x.org", "r.x.org")


def test_the_fleet_files_values_win(site: FakeSite) -> None:
    site.ports.secrets.create(SHARED)
    site.settings = replace(site.settings, api={"image": {"registry": "mine"}})
    site.install_api()

    assert site.world.values("api")["image"]["registry"] == "mine"


@pytest.mark.parametrize("change", [{"database_url": "postgresql://other"}, {"jwt_secret": "k"}])
def test_it_restarts_when_its_secret_has_changed(site: FakeSite, change: dict[str, str]) -> None:
    site.ports.secrets.create(SHARED)
    site.install_api()
    before = site.world.values("api")["secrets"]["checksum"]
    change_shared(site, **change)
    with pytest.raises(TenantExistsError, match="this would change it"):
        site.install_api()
    result = site.upgrade_api()

    assert (result.action, result.revision) == ("upgrade", 2)
    assert site.world.values("api")["secrets"]["checksum"] != before


def test_it_trusts_who_signed_for_a_database_elsewhere(site: FakeSite) -> None:
    site.ports.secrets.create(SHARED)
    site.install(
        postgres={"enabled": False}, externalDatabase={"host": "db", "caConfigMap": "rds-ca"}
    )
    site.install_api()

    assert site.world.values("api")["database"] == {"caConfigMap": "rds-ca"}


def test_an_upgrade_that_never_gets_ready_is_rolled_back(site: FakeSite) -> None:
    site.ports.secrets.create(SHARED)
    site.install_api()
    site.world.cluster.break_image("9")
    with pytest.raises(RolloutFailedError, match="rolled back to revision 1") as caught:
        site.upgrade_api(image={"tag": "9"})

    assert str(caught.value).startswith("api: ")


def test_a_migration_that_fails_is_told_by_its_last_lines_without_secrets(site: FakeSite) -> None:
    site.ports.secrets.create(SHARED)
    site.install_api()
    container = Container("migrations", "x", is_ready=False, restarts=0, exit_code=1)
    site.world.cluster.job_pods["api-migrations"] = [
        Pod(
            "api-migrations-x7k2p",
            phase="Failed",
            node="node-0",
            is_ready=False,
            is_deleting=False,
            created_at=START,
            environment=Environment({}, secret_names=("aware-secrets",)),
            containers=(container,),
        )
    ]
    lines = ["connecting to postgresql://a:very-secret@b", "relation users does not exist"]
    site.world.cluster.logs["api-migrations"] = lines
    site.world.releases.fail_before_writing = "pre-upgrade hooks failed"
    with pytest.raises(HelmFailedError, match="relation users does not exist") as caught:
        site.upgrade_api(env={"A": "1"})

    assert "very-secret" not in str(caught.value)
    assert "migration said: connecting to" in str(caught.value)


def test_an_upgrade_keeps_what_a_failed_install_was_given(site: FakeSite) -> None:
    site.ports.secrets.create(SHARED)
    site.world.releases.fail_next("the migration failed")
    with pytest.raises(HelmFailedError):
        site.install_api(replicas=3)
    site.upgrade_api(secrets={"name": "aware-secrets"})

    assert site.world.values("api")["replicas"] == 3
