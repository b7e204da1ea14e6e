"""Installing and upgrading the platform, from an empty cluster on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from release_manager.errors import (
    HelmFailedError,
    InvalidValuesError,
    OperationFailedError,
    ReleaseBusyError,
    RolloutFailedError,
    TenantExistsError,
    TenantNotFoundError,
)
from release_manager.operations.parts import PartRequest
from release_manager.operations.platform import (
    POD_SECURITY,
    PlatformPlan,
    PlatformRequest,
    plan_platform,
)
from release_manager.ports import Secret
from tests.unit.fakes import ManagerKilled
from tests.unit.operations.platforms import (
    CERTIFICATE,
    PINNED,
    FakeSite,
    build_part_chart,
)

EXTERNAL: dict[str, Any] = {
    "postgres": {"enabled": False},
    "externalDatabase": {"host": "db.example"},
}


def plan(site: FakeSite, **overrides: Any) -> PlatformPlan:
    request = PlatformRequest(PartRequest(overrides))
    return plan_platform(site.site, site.settings, request, writer="dry-run")


def test_an_empty_cluster_gets_everything_in_order(site: FakeSite) -> None:
    result = site.install()

    assert (result.slug, result.action, result.revision) == ("platform", "install", 1)
    assert site.surroundings.labels == POD_SECURITY
    assert site.other.statuses("cert-manager") == ["deployed"]
    assert site.world.statuses("platform") == ["deployed"]
    told = "\n".join(site.world.told)
    order = ["namespace created", "cert-manager: install", "Secret postgres-passwords", "chart 0.1"]
    assert sorted(order, key=told.index) == order


def test_the_second_run_changes_nothing(site: FakeSite) -> None:
    site.install()
    secrets = site.read_secrets()
    result = site.install()

    assert (result.action, result.revision) == ("nothing", 1)
    assert site.read_secrets() == secrets
    assert site.other.statuses("cert-manager") == ["deployed"]


def test_values_given_before_are_kept_by_a_run_without_them(site: FakeSite) -> None:
    site.install(env={"A": "1"})

    assert site.install().action == "nothing"
    assert site.world.values("platform")["env"] == {"A": "1"}


def test_an_install_does_not_change_what_is_there(site: FakeSite) -> None:
    site.install()
    with pytest.raises(TenantExistsError) as caught:
        site.install(env={"A": "1"})

    assert str(caught.value).startswith("platform: it is installed already")
    assert "upgrade-platform" in caught.value.remedy


def test_an_upgrade_changes_it(site: FakeSite) -> None:
    site.install(env={"A": "1"})
    result = site.upgrade(env={"B": "2"})

    assert (result.action, result.revision) == ("upgrade", 2)
    assert site.world.values("platform")["env"] == {"A": "1", "B": "2"}


def test_there_is_nothing_to_upgrade_before_an_install(site: FakeSite) -> None:
    site.surroundings.create_namespace({})
    with pytest.raises(TenantNotFoundError, match="not installed"):
        site.upgrade()


def test_an_upgrade_that_never_gets_ready_is_rolled_back(site: FakeSite) -> None:
    site.install()
    site.world.cluster.break_image("9")
    with pytest.raises(RolloutFailedError, match="rolled back to revision 1"):
        site.upgrade(
            image={"registry": "registry.wareit.ai", "repository": "aware-gateway", "tag": "9"}
        )
    assert site.world.statuses("platform")[-1] == "deployed"


def test_bad_values_are_refused_before_anything_is_changed(site: FakeSite) -> None:
    with pytest.raises(InvalidValuesError, match="field nonsense"):
        site.install(nonsense=1)

    assert site.surroundings.labels is None
    assert site.other.statuses("cert-manager") == []
    assert site.read_secrets() == {}


def test_what_the_templates_refuse_is_refused_before_anything_is_changed(site: FakeSite) -> None:
    with pytest.raises(InvalidValuesError, match="outside domain"):
        site.install(host="elsewhere.example")

    assert site.surroundings.labels is None


def test_a_namespace_keeps_the_labels_that_somebody_chose(site: FakeSite) -> None:
    chosen = {"pod-security.kubernetes.io/enforce": "baseline", "team": "a"}
    site.surroundings.create_namespace(chosen)
    site.install()

    assert site.surroundings.labels == {**POD_SECURITY, **chosen}


@pytest.mark.parametrize("moment", ["cert-manager", "platform"])
def test_an_install_that_was_killed_goes_on(site: FakeSite, moment: str) -> None:
    world = site.other if moment == "cert-manager" else site.world
    world.releases.kill_next()
    with pytest.raises(ManagerKilled):
        site.install()
    secrets = site.read_secrets()

    site.install()
    assert site.world.statuses("platform")[-1] == "deployed"
    assert site.other.statuses("cert-manager")[-1] == "deployed"
    assert secrets == {} or site.read_secrets() == secrets


def test_what_another_process_works_on_is_busy(site: FakeSite) -> None:
    site.install()
    site.world.releases.kill_by_hand("platform", site.world.charts.load("platform-chart"))
    with pytest.raises(ReleaseBusyError):
        plan(site)


# Secrets.


def test_secrets_are_strong_and_fit_each_other(site: FakeSite) -> None:
    site.install()
    passwords, shared = site.read_secrets().values()

    assert passwords.keys() == {"postgres", "aware"}
    assert min(map(len, [*passwords.values(), shared["jwt-secret"]])) >= 43
    assert len({*passwords.values(), shared["jwt-secret"]}) == 3
    url = f"postgresql://aware:{passwords['aware']}@postgres:5432/aware"
    assert shared["database-url"] == url


def test_no_secret_is_in_the_values(site: FakeSite) -> None:
    site.install()
    site.install_api()
    secrets = [text for data in site.read_secrets().values() for text in data.values()]
    written = str([site.world.values("platform"), site.world.values("api"), site.world.told])

    assert [text for text in secrets if text in written] == []


def test_passwords_that_are_there_make_the_url(site: FakeSite) -> None:
    site.ports.secrets.create(Secret("postgres-passwords", {"postgres": "x", "aware": "a/b c"}))
    site.install()

    assert ":a%2Fb%20c@" in site.read_secrets()["aware-secrets"]["database-url"]


def test_passwords_of_ones_own_are_used(site: FakeSite) -> None:
    site.ports.secrets.create(Secret("mine", {"postgres": "x", "aware": "y"}))
    site.install(postgres={"existingSecret": "mine"})

    assert site.read_secrets().keys() == {"aware-secrets"}


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        (None, "there is no Secret 'mine'"),
        (Secret("mine", {"postgres": "x"}), "the Secret mine has no key 'aware'"),
    ],
)
def test_passwords_of_ones_own_must_be_there(
    site: FakeSite, secret: Secret | None, message: str
) -> None:
    if secret is not None:
        site.ports.secrets.create(secret)
    with pytest.raises(InvalidValuesError, match=message):
        site.install(postgres={"existingSecret": "mine"})


def test_passwords_of_a_database_that_is_there_are_never_made_anew(site: FakeSite) -> None:
    site.install()
    site.world.cluster.volumes.add("platform")
    site.ports.secrets.delete("postgres-passwords")
    with pytest.raises(InvalidValuesError, match="its passwords is gone"):
        site.install()


def test_a_url_that_is_there_gets_the_key_beside_it(site: FakeSite) -> None:
    site.ports.secrets.create(Secret("aware-secrets", {"database-url": "postgresql://other"}))
    site.install()
    shared = site.read_secrets()["aware-secrets"]

    assert shared["database-url"] == "postgresql://other"
    assert len(shared["jwt-secret"]) >= 43


def test_a_secret_without_a_url_is_not_guessed_at(site: FakeSite) -> None:
    site.ports.secrets.create(Secret("aware-secrets", {"jwt-secret": "x"}))
    with pytest.raises(InvalidValuesError, match="without a key 'database-url'"):
        site.install()


def test_two_that_make_secrets_at_once_do_not_mix_them(site: FakeSite) -> None:
    def come_first() -> None:
        site.ports.secrets.create(Secret("postgres-passwords", {"postgres": "x", "aware": "y"}))

    site.world.secrets.before_create = come_first
    with pytest.raises(OperationFailedError, match="at the same moment"):
        site.install()
    site.install()
    assert ":y@" in site.read_secrets()["aware-secrets"]["database-url"]


# A database elsewhere.


def test_a_database_elsewhere_needs_no_password_of_ours_and_no_pods(site: FakeSite) -> None:
    url = "postgresql://aware:p@db.example/aware?sslmode=verify-full&sslrootcert=/etc/postgres-ca/ca.crt"
    site.ports.secrets.create(Secret("aware-secrets", {"database-url": url}))
    site.world.cluster.start_seconds = 1e9
    result = site.install(**EXTERNAL)

    assert (result.action, result.revision) == ("install", 1)
    assert site.read_secrets().keys() == {"aware-secrets"}
    assert site.install().action == "nothing"


def test_a_database_elsewhere_must_be_told_how_to_reach(site: FakeSite) -> None:
    with pytest.raises(InvalidValuesError, match="says how to connect") as caught:
        site.install(**EXTERNAL)
    assert "kubectl create secret" in caught.value.remedy
    assert site.surroundings.labels is None


@pytest.mark.parametrize("query", ["", "?sslmode=require", "?sslmode=verify-ca"])
def test_a_database_elsewhere_must_show_that_it_is_the_right_one(
    site: FakeSite, query: str
) -> None:
    url = f"postgresql://aware:p@db.example/aware{query}"
    site.ports.secrets.create(Secret("aware-secrets", {"database-url": url}))
    with pytest.raises(InvalidValuesError, match="does not say sslmode=verify-full") as caught:
        site.install(**EXTERNAL)
    assert "sslrootcert=/etc/postgres-ca/ca.crt" in caught.value.remedy
    assert site.surroundings.labels is None


# cert-manager.


def test_cert_manager_from_elsewhere_is_left_alone(site: FakeSite) -> None:
    site.surroundings.releases["certificates.cert-manager.io"] = ("", "")
    site.install()

    assert site.other.statuses("cert-manager") == []
    assert any("left as it is: the cluster has it" in text for text in site.world.told)


def test_a_cert_manager_of_ours_that_is_gone_comes_again(site: FakeSite) -> None:
    site.surroundings.releases["certificates.cert-manager.io"] = ("cert-manager", "cert-manager")
    site.install()

    assert site.other.statuses("cert-manager") == ["deployed"]


def test_a_cert_manager_that_somebody_installed_is_left_alone(site: FakeSite) -> None:
    chart = site.other.charts.load(PINNED)
    site.other.releases.upgrade_by_hand("cert-manager", {}, chart)
    site.surroundings.releases["certificates.cert-manager.io"] = ("", "")
    site.install()

    assert site.other.statuses("cert-manager") == ["deployed"]
    assert any("is not ours" in text for text in site.world.told)


def test_a_cert_manager_that_does_not_answer_fails_in_time(site: FakeSite) -> None:
    site.surroundings.problems = ["no endpoints available"] * 1000
    with pytest.raises(OperationFailedError, match="no endpoints available") as caught:
        site.install()

    assert str(caught.value).startswith("cert-manager: its API does not answer after 300 seconds")
    assert site.world.statuses("platform") == []


def test_its_api_is_waited_for(site: FakeSite) -> None:
    site.surroundings.problems = ["no endpoints available"] * 3
    site.install()

    waited = [text for text in site.world.told if "no endpoints available" in text]
    assert len(waited) == 1


def test_what_is_as_pinned_needs_no_registry(site: FakeSite) -> None:
    site.install()
    for world in (site.world, site.other):
        del world.charts.by_reference[PINNED]

    assert site.install().action == "nothing"


def test_a_new_pin_upgrades_it(site: FakeSite) -> None:
    site.install()
    reference = PINNED.replace("v1.21.1", "v1.22.0")
    site.offer(reference, build_part_chart("cert-manager", {"crds": {}}, "v1.22.0"))
    site.upgrade(certManager={"version": "v1.22.0"})

    assert site.other.statuses("cert-manager") == ["superseded", "deployed"]


def test_a_cert_manager_that_was_changed_by_hand_is_left_alone(site: FakeSite) -> None:
    site.install()
    chart = site.other.charts.load(PINNED)
    site.other.releases.upgrade_by_hand("cert-manager", {"env": {"A": "1"}}, chart)
    site.upgrade()

    assert site.other.values("cert-manager")["env"] == {"A": "1"}


def test_a_cert_manager_that_failed_is_installed_again(site: FakeSite) -> None:
    site.other.releases.fail_next()
    with pytest.raises(OperationFailedError):
        site.install()
    site.install()

    assert site.other.statuses("cert-manager")[-1] == "deployed"


def test_without_certificates_there_is_no_cert_manager(site: FakeSite) -> None:
    site.surroundings.conditions = []
    site.install(certificates={"enabled": False})

    assert site.other.statuses("cert-manager") == []


def test_another_package_takes_the_place_of_the_pin(site: FakeSite) -> None:
    site.offer("local.tgz", build_part_chart("cert-manager", {"crds": {}}, "v9"))
    request = PlatformRequest(PartRequest(), cert_manager_chart="local.tgz")
    steps = plan_platform(site.site, site.settings, request, writer="x").steps

    assert [step.detail for step in steps if step.part == "cert-manager"] == [
        "install chart v9 in cert-manager"
    ]


def test_a_certificate_of_ones_own_needs_no_cert_manager(site: FakeSite) -> None:
    site.surroundings.conditions = []
    site.install(certificates={"existingSecret": "wildcard"})

    assert site.other.statuses("cert-manager") == []


def test_traefik_comes_where_the_cluster_has_none(site: FakeSite) -> None:
    site.install(traefik={"install": True})

    assert site.other.statuses("traefik") == ["deployed"]


# The certificate.


def test_a_certificate_that_is_not_ready_is_told_and_waited_for_again(site: FakeSite) -> None:
    site.surroundings.conditions = [
        replace(CERTIFICATE, is_ready=False, reason="DNS record not yet propagated")
    ]
    with pytest.raises(RolloutFailedError, match="wildcard is not ready: DNS record"):
        site.install()
    assert site.world.statuses("platform") == ["deployed"]

    site.surroundings.conditions = [CERTIFICATE]
    assert site.install().action == "nothing"


def test_a_certificate_that_is_missing_is_told(site: FakeSite) -> None:
    site.surroundings.conditions = []
    with pytest.raises(RolloutFailedError, match="its certificate is missing"):
        site.install()


# Plans.


def test_a_dry_run_lists_the_steps_and_changes_nothing(site: FakeSite) -> None:
    found = plan(site)

    assert [(step.part, str(step.action)) for step in found.steps] == [
        ("namespace", "create"),
        ("cert-manager", "install"),
        ("secrets", "create"),
        ("platform", "install"),
    ]
    assert site.surroundings.labels is None
    assert site.read_secrets() == {}


def test_a_plan_for_what_is_there_has_nothing_to_do(site: FakeSite) -> None:
    site.install()

    assert {str(step.action) for step in plan(site).steps} == {"nothing"}


def test_helms_failure_names_the_part(site: FakeSite) -> None:
    site.world.releases.fail_before_writing = "the API server said no"
    with pytest.raises(HelmFailedError):
        site.install()
