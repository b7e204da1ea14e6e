"""Removing the platform and the API: what is refused, what goes and what stays."""

from __future__ import annotations

import pytest

from release_manager.errors import InvalidInputError, TenantNotFoundError
from tests.unit.fakes import ManagerKilled
from tests.unit.operations.platforms import FakeSite

VOLUME = "volume data-postgres-0"
SECRETS = ["Secret postgres-passwords", "Secret aware-secrets"]


@pytest.fixture
def installed(site: FakeSite) -> FakeSite:
    site.install()
    site.world.cluster.volumes.add("platform")
    return site


def test_it_is_refused_while_there_is_data(installed: FakeSite) -> None:
    with pytest.raises(InvalidInputError, match=f"there is data: {VOLUME}") as caught:
        installed.remove()

    assert "--keep-data or --delete-data" in caught.value.remedy
    assert installed.world.statuses("platform") == ["deployed"]


def test_data_is_kept_when_told(installed: FakeSite) -> None:
    secrets = installed.read_secrets()
    result = installed.remove(is_keeping_data=True)

    assert installed.world.statuses("platform") == []
    assert installed.read_secrets() == secrets
    assert installed.ports.cluster.has_volume("platform")
    assert f"kept: {VOLUME}, {', '.join(SECRETS)}" in result.detail


def test_data_is_deleted_when_told(installed: FakeSite) -> None:
    result = installed.remove(is_deleting_data=True)

    assert installed.read_secrets() == {}
    assert not installed.ports.cluster.has_volume("platform")
    assert "removed: release platform, volume data-postgres-0" in result.detail


def test_data_that_was_kept_can_be_deleted_later(installed: FakeSite) -> None:
    installed.remove(is_keeping_data=True)
    with pytest.raises(TenantNotFoundError, match="still there: volume") as caught:
        installed.remove()
    assert "--delete-data" in caught.value.remedy

    installed.remove(is_deleting_data=True)
    assert installed.read_secrets() == {}


def test_what_was_kept_is_found_again(installed: FakeSite) -> None:
    secrets = installed.read_secrets()
    installed.remove(is_keeping_data=True)
    installed.install()

    assert installed.read_secrets() == secrets


@pytest.mark.parametrize("user", ["api", "tenant acme"])
def test_it_is_refused_while_others_need_it(installed: FakeSite, user: str) -> None:
    if user == "api":
        installed.install_api()
    else:
        installed.world.install("acme")
    with pytest.raises(InvalidInputError, match=f"in use by {user}"):
        installed.remove(is_keeping_data=True)

    installed.remove(is_keeping_data=True, is_forced=True)
    assert installed.world.statuses("platform") == []


def test_of_many_users_some_are_named(installed: FakeSite) -> None:
    for number in range(7):
        installed.world.install(f"t{number}")
    with pytest.raises(InvalidInputError, match="tenant t4, 2 more tenants"):
        installed.remove(is_keeping_data=True)


def test_what_is_not_there_cannot_be_removed(site: FakeSite) -> None:
    with pytest.raises(TenantNotFoundError, match="platform: it is not installed"):
        site.remove()


def test_a_removal_that_was_killed_is_finished_by_the_next(installed: FakeSite) -> None:
    installed.world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        installed.remove(is_deleting_data=True)
    assert installed.read_secrets()

    installed.remove(is_deleting_data=True)
    assert installed.world.statuses("platform") == []
    assert installed.read_secrets() == {}


def test_the_api_leaves_the_database_and_all_secrets(installed: FakeSite) -> None:
    installed.install_api()
    secrets = installed.read_secrets()
    installed.remove("api")

    assert installed.world.statuses("api") == []
    assert installed.read_secrets() == secrets
    assert installed.world.statuses("platform") == ["deployed"]
