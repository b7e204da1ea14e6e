"""Replacing the Secrets that the parts share."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

import pytest

from release_manager.errors import (
    DriftError,
    InvalidInputError,
    OperationFailedError,
    RolloutFailedError,
)
from release_manager.operations.deploy import Result
from release_manager.operations.rotation import Rotated, plan_secret_rotation, rotate_secret
from release_manager.ports import Secret
from tests.unit.fakes import ManagerKilled
from tests.unit.operations.platforms import FakeSite

BOTH = pytest.mark.parametrize("what", list(Rotated))
KEYS = {"database-url", "jwt-secret"}


@pytest.fixture
def installed(site: FakeSite) -> FakeSite:
    site.install()
    site.install_api()
    return site


def rotate(site: FakeSite, what: Rotated) -> Result:
    return rotate_secret(site.site, site.settings, what, site.world.run())


def shared(site: FakeSite) -> Mapping[str, str]:
    return site.read_secrets()["aware-secrets"]


def password(site: FakeSite) -> str:
    return unquote(urlsplit(shared(site)["database-url"]).password or "")


def test_the_jwt_secret_is_replaced_and_nothing_else(installed: FakeSite) -> None:
    before = shared(installed)
    rotate(installed, Rotated.JWT)

    assert shared(installed)["jwt-secret"] != before["jwt-secret"]
    assert shared(installed)["database-url"] == before["database-url"]
    assert shared(installed).keys() == KEYS
    assert installed.world.statuses("api") == ["superseded", "deployed"]
    assert installed.jobs.started == []


def test_the_database_password_is_replaced_everywhere(installed: FakeSite) -> None:
    before = password(installed)
    rotate(installed, Rotated.DATABASE)

    assert password(installed) not in ("", before)
    assert installed.read_secrets()["postgres-passwords"]["aware"] == password(installed)
    assert shared(installed).keys() == KEYS
    assert installed.jobs.started == [
        ("postgres-set-password", {"PASSWORD_FROM": "next-database-url"})
    ]
    assert installed.world.statuses("api") == ["superseded", "deployed"]


def test_the_rest_of_the_url_stays(installed: FakeSite) -> None:
    before = urlsplit(shared(installed)["database-url"])
    rotate(installed, Rotated.DATABASE)
    after = urlsplit(shared(installed)["database-url"])

    assert (after.hostname, after.port, after.path) == (before.hostname, before.port, before.path)
    assert after.username == before.username


@BOTH
def test_it_can_be_done_again_and_again(installed: FakeSite, what: Rotated) -> None:
    for _ in range(3):
        rotate(installed, what)

    assert shared(installed).keys() == KEYS
    assert installed.install_api().action == "nothing"


@BOTH
def test_an_api_that_does_not_get_ready_gets_the_old_one_back(
    installed: FakeSite, what: Rotated
) -> None:
    secrets = installed.read_secrets()
    world = installed.world
    world.releases.before_helm = lambda: world.cluster.break_image("")
    with pytest.raises(RolloutFailedError, match="rolled back to revision 1"):
        rotate(installed, what)

    assert installed.read_secrets() == secrets
    if what is Rotated.DATABASE:
        used = [environment["PASSWORD_FROM"] for _, environment in installed.jobs.started]
        assert used == ["next-database-url", "previous-database-url"]


@BOTH
def test_a_rotation_that_was_killed_goes_on_with_the_same_secret(
    installed: FakeSite, what: Rotated
) -> None:
    installed.world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        rotate(installed, what)
    half_way = shared(installed)
    rotate(installed, what)

    assert shared(installed) == {key: half_way[key] for key in KEYS}
    assert installed.world.statuses("api")[-1] == "deployed"
    assert "going on with a rotation that was interrupted" in installed.world.told


def test_a_role_that_cannot_be_changed_leaves_the_api_as_it_was(installed: FakeSite) -> None:
    before = shared(installed)
    installed.jobs.failures["postgres-set-password"] = "backoff limit"
    with pytest.raises(OperationFailedError):
        rotate(installed, Rotated.DATABASE)
    assert {key: shared(installed)[key] for key in KEYS} == before
    assert installed.world.statuses("api") == ["deployed"]

    installed.jobs.failures.clear()
    next_url = shared(installed)["next-database-url"]
    rotate(installed, Rotated.DATABASE)
    assert shared(installed)["database-url"] == next_url


def test_a_password_that_cannot_be_put_back_does_not_keep_the_api_from_going_back(
    installed: FakeSite,
) -> None:
    world = installed.world

    def break_both() -> None:
        world.cluster.break_image("")
        installed.jobs.failures["postgres-set-password"] = "backoff limit"

    world.releases.before_helm = break_both
    with pytest.raises(RolloutFailedError, match="rolled back to revision 1"):
        rotate(installed, Rotated.DATABASE)
    assert any("could not be put back" in text for text in world.told)
    # The role has the new password, and so has the Secret.
    assert shared(installed).keys() == KEYS | {"previous-database-url"}

    world.cluster.sick_images.clear()
    installed.jobs.failures.clear()
    wanted = shared(installed)["database-url"]
    rotate(installed, Rotated.DATABASE)
    assert (shared(installed)["database-url"], shared(installed).keys()) == (wanted, KEYS)


def test_a_role_that_got_its_old_password_back_gets_the_new_one_again(
    installed: FakeSite,
) -> None:
    installed.world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        rotate(installed, Rotated.DATABASE)
    rotate(installed, Rotated.DATABASE)

    used = [environment["PASSWORD_FROM"] for _, environment in installed.jobs.started]
    assert used == ["next-database-url", "database-url"]


def test_an_api_with_a_secret_of_its_own_keeps_it(site: FakeSite) -> None:
    site.install()
    own = {"database-url": "postgresql://a:b@c/d", "jwt-secret": "j"}
    site.ports.secrets.create(Secret("own", own))
    site.install_api(secrets={"name": "own"})
    with pytest.raises(InvalidInputError, match="the API reads the Secret own"):
        rotate(site, Rotated.DATABASE)
    assert site.jobs.started == []


def test_what_was_set_by_hand_is_in_the_way_before_anything_is_changed(
    installed: FakeSite,
) -> None:
    secrets = installed.read_secrets()
    installed.world.cluster.scale("api", 5)
    with pytest.raises(DriftError):
        rotate(installed, Rotated.DATABASE)
    assert (installed.read_secrets(), installed.jobs.started) == (secrets, [])


@pytest.mark.parametrize("url", ["postgresql://aware:p[secret]x@h/aware", "postgresql://h", "x"])
def test_a_url_that_makes_no_sense_is_not_told(installed: FakeSite, url: str) -> None:
    secret = installed.ports.secrets.read("aware-secrets")
    assert secret is not None
    data = {**secret.data, "database-url": url}
    installed.ports.secrets.update(Secret(secret.name, data, secret.resource_version))
    with pytest.raises(InvalidInputError, match="is no URL of a database") as caught:
        rotate(installed, Rotated.DATABASE)
    assert "secret]" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_passwords_of_ones_own_are_not_touched(site: FakeSite) -> None:
    site.ports.secrets.create(Secret("mine", {"postgres": "x", "aware": "y"}))
    site.install(postgres={"existingSecret": "mine"})
    with pytest.raises(InvalidInputError, match="a Secret of your own, mine"):
        rotate(site, Rotated.DATABASE)


def test_a_restore_that_was_interrupted_comes_first(installed: FakeSite) -> None:
    secret = installed.ports.secrets.read("aware-secrets")
    assert secret is not None
    data = {**secret.data, "previous-database-url": "postgresql://aware:x@postgres:5432/other"}
    installed.ports.secrets.update(Secret(secret.name, data, secret.resource_version))
    with pytest.raises(InvalidInputError, match="a restore was interrupted"):
        rotate(installed, Rotated.DATABASE)


def test_without_the_platform_there_is_nothing_to_rotate(site: FakeSite) -> None:
    with pytest.raises(InvalidInputError, match="no whole Secret aware-secrets"):
        plan_secret_rotation(site.ports, site.settings, Rotated.JWT)


def test_no_secret_is_told(installed: FakeSite) -> None:
    rotate(installed, Rotated.DATABASE)
    rotate(installed, Rotated.JWT)
    secrets = [text for data in installed.read_secrets().values() for text in data.values()]

    assert [text for text in secrets if text in str(installed.world.told)] == []
