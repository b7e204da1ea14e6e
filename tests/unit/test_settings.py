"""Where settings come from, which one wins, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from release_manager.errors import InvalidSettingsError
from release_manager.settings import (
    FLEET_SCHEMA,
    SETTING_NAMES,
    Settings,
    _fits,
    read_settings,
)


def _write(folder: Path, text: str, name: str = "fleet.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def _read(
    folder: Path, *, flags: dict[str, str | None] | None = None, **environment: str
) -> Settings:
    return read_settings(flags or {}, environment, folder=folder)


def test_without_any_source_the_defaults_count(tmp_path: Path) -> None:
    settings = _read(tmp_path)
    assert (settings.namespace, settings.domain, settings.profile) == (
        "aware",
        "wareit.ai",
        "default",
    )


def test_every_setting_remembers_where_it_came_from(tmp_path: Path) -> None:
    path = _write(tmp_path, "domain: example.org\nregistry: r.example.org\n")
    settings = _read(tmp_path, flags={"namespace": "one"}, RELEASE_MANAGER_DOMAIN="example.com")
    assert settings.origins == {
        **dict.fromkeys(SETTING_NAMES, "default"),
        "namespace": "flag --namespace",
        "domain": "environment RELEASE_MANAGER_DOMAIN",
        "registry": f"file {path}",
    }


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    _write(tmp_path, "namespace: from-file\n")
    assert _read(tmp_path, RELEASE_MANAGER_NAMESPACE="from-env").namespace == "from-env"


def test_a_flag_wins_over_the_environment(tmp_path: Path) -> None:
    settings = _read(
        tmp_path, flags={"namespace": "from-flag"}, RELEASE_MANAGER_NAMESPACE="from-env"
    )
    assert settings.namespace == "from-flag"


def test_a_flag_that_was_not_given_changes_nothing(tmp_path: Path) -> None:
    _write(tmp_path, "namespace: from-file\n")
    assert _read(tmp_path, flags={"namespace": None}).namespace == "from-file"


def test_an_empty_variable_counts_as_unset(tmp_path: Path) -> None:
    assert _read(tmp_path, RELEASE_MANAGER_NAMESPACE="").namespace == "aware"


def test_the_environment_may_name_the_fleet_file(tmp_path: Path) -> None:
    path = _write(tmp_path, "domain: example.org\n", "other.yaml")
    assert _read(tmp_path, RELEASE_MANAGER_SETTINGS=str(path)).domain == "example.org"


def test_a_named_file_wins_over_the_one_in_the_folder(tmp_path: Path) -> None:
    _write(tmp_path, "domain: wrong.org\n")
    other = _write(tmp_path, "domain: right.org\n", "other.yaml")
    assert read_settings({}, {}, fleet_file=other, folder=tmp_path).domain == "right.org"


def test_a_relative_chart_lies_beside_the_file_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "my-chart").mkdir()
    _write(tmp_path, "charts: {tenant: my-chart}\n")
    assert _read(tmp_path).chart == str(tmp_path / "my-chart")


@pytest.mark.parametrize("reference", ["oci://r.example.org/aware-tenant:1.0.0", "elsewhere"])
def test_any_other_chart_is_taken_as_it_is_written(tmp_path: Path, reference: str) -> None:
    _write(tmp_path, f"charts: {{tenant: '{reference}'}}\n")
    assert _read(tmp_path).chart == reference


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("namspace: x\n", "'namspace' was unexpected"),
        ("namespace: Not_A_Name\n", "field namespace (file"),
        ("namespace: 7\n", "field namespace (file"),
        ("domain: .wareit.ai\n", "field domain (file"),
        ("registry: ''\n", "field registry (file"),
        ("charts: {tenants: x}\n", "'tenants' was unexpected"),
        ("defaults: [1]\n", "field defaults (file"),
        ("defaults: {releaseManager: {}}\n", "field defaults.releaseManager (file"),
        ("kubeconfig: /x\n", "'kubeconfig' was unexpected"),
        ("- a\n", "holds no mapping"),
        ("a: [\n", "is not YAML"),
        ("a: &x 1\nb: *x\n", "has an anchor or alias in line 1"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_name(tmp_path: Path, text: str, problem: str) -> None:
    path = _write(tmp_path, text)
    with pytest.raises(InvalidSettingsError) as caught:
        _read(tmp_path)
    assert problem in caught.value.problem
    assert str(path) in caught.value.problem


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidSettingsError, match=r"^field --settings: .*gone.yaml cannot be read"
    ):
        read_settings({}, {}, fleet_file=tmp_path / "gone.yaml")


@pytest.mark.parametrize(
    ("flags", "environment", "source"),
    [
        ({"namespace": "No"}, {}, "flag --namespace"),
        ({}, {"RELEASE_MANAGER_DOMAIN": "No!"}, "environment RELEASE_MANAGER_DOMAIN"),
    ],
)
def test_flags_and_environment_meet_the_same_rules(
    tmp_path: Path, flags: dict[str, str | None], environment: dict[str, str], source: str
) -> None:
    with pytest.raises(InvalidSettingsError) as caught:
        _read(tmp_path, flags=flags, **environment)
    assert source in caught.value.problem


def test_domain_and_registry_become_values_of_every_tenant() -> None:
    values = Settings(domain="example.org", registry="r.example.org").fleet_values()
    assert values == {"domain": "example.org", "image": {"registry": "r.example.org"}}


def test_the_files_defaults_join_them() -> None:
    settings = Settings(defaults={"image": {"tag": "1"}, "replicas": 2})
    assert settings.fleet_values() == {
        "domain": "wareit.ai",
        "image": {"registry": "registry.wareit.ai", "tag": "1"},
        "replicas": 2,
    }


_LEAVES = (
    st.none() | st.integers() | st.text(max_size=5) | st.sampled_from(["", "aware", "a.b", "A"])
)
_KEYS = st.sampled_from([*FLEET_SCHEMA["properties"], "tenant", "nonsense"])
_TREES = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_KEYS, inner, max_size=3)
)


@given(_TREES)
def test_what_fits_is_what_the_schema_accepts(value: object) -> None:
    assert _fits(value, FLEET_SCHEMA) is Draft7Validator(FLEET_SCHEMA).is_valid(value)
