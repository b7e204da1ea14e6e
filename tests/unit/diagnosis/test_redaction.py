"""No secret and no value of the environment is shown."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_manager.diagnosis import Redactor, build_redactor
from release_manager.workload import Environment
from tests.unit.builders import build_container, build_event, build_pod

TOKEN = "s3cr3t-t0ken"


def _redact(*secrets: str, env: dict[str, str] | None = None, **settings: str) -> Redactor:
    return build_redactor(secrets, [Environment(env or {})], settings)


@pytest.mark.parametrize(
    "line",
    [
        f"cannot use {TOKEN}",
        f"tokens={TOKEN}{TOKEN}",
        f"prefix{TOKEN}suffix",
        f"in base64: {base64.b64encode(TOKEN.encode()).decode()}",
    ],
)
def test_a_secret_is_cut_out_wherever_it_stands(line: str) -> None:
    shown = _redact(TOKEN).clean(line)
    assert TOKEN not in shown
    assert "[redacted]" in shown


@pytest.mark.parametrize(
    ("secret", "line"),
    [
        ("p@ss/w%rd", "postgres://u:p%40ss%2Fw%25rd@db/x"),
        ('quo"ted', '{"password": "quo\\"ted"}'),
        ("trailing\n", "it was trailing here"),
        ("-----BEGIN-----\nMIIEvQ\n-----END-----", "read MIIEvQ"),
        ("postgres://user:hunter22@db:5432/x", 'password authentication failed for "hunter22"'),
    ],
    ids=["in a URL", "in JSON", "without its newline", "a line of it", "the password of a URL"],
)
def test_a_secret_is_known_in_other_spellings(secret: str, line: str) -> None:
    assert "[redacted]" in _redact(secret).clean(line)


def test_a_short_secret_is_cut_out_as_a_word_only() -> None:
    assert _redact("no").clean("no, nothing") == "[redacted], nothing"


def test_the_longer_secret_is_cut_out_first() -> None:
    assert _redact("abcd", "abcdefgh").clean("x abcdefgh x") == "x [redacted] x"


def test_a_value_of_the_environment_is_told_by_its_name() -> None:
    redactor = _redact(env={"DB_HOST": "db.example.com"})
    shown = redactor.clean("connect ECONNREFUSED db.example.com:5432")
    assert shown == "connect ECONNREFUSED $DB_HOST:5432"


def test_a_value_of_a_config_map_is_told_by_its_key() -> None:
    assert _redact(REGION="mars-west-1").clean("region mars-west-1") == "region $REGION"


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("true", "tls is true"),
        ("8080", "listening on 8080"),
        ("512Mi", "limit 512Mi"),
        ("300s", "after 300s"),
        ("error", "error: no database"),
        ("production", "running in production"),
        ("liveness", "Container gateway failed liveness probe, will be restarted"),
        ("abc", "abc"),
        ("", "nothing"),
    ],
)
def test_values_that_give_nothing_away_stay(value: str, line: str) -> None:
    assert _redact(env={"A": value}).clean(line) == line


def test_a_value_inside_another_word_stays() -> None:
    assert _redact(env={"A": "rest"}).clean("restarting") == "restarting"


def test_a_long_number_is_no_port() -> None:
    assert _redact(env={"PIN": "123456"}).clean("pin 123456") == "pin $PIN"


def test_a_secret_that_is_also_in_the_environment_stays_secret() -> None:
    redactor = build_redactor([TOKEN], [Environment({"A": TOKEN})], {})
    assert redactor.clean(TOKEN) == "[redacted]"


def test_everything_that_pods_and_events_tell_is_redacted() -> None:
    redactor = _redact(TOKEN)
    container = build_container(waiting_message=TOKEN, exit_message=f"with {TOKEN}")
    assert TOKEN not in repr(redactor.clean_pod(build_pod("p", container, failure=TOKEN)))
    assert TOKEN not in repr(redactor.clean_event(build_event("Unhealthy", TOKEN)))


def test_what_is_replaced_is_kept_out_of_representations() -> None:
    assert TOKEN not in repr(_redact(TOKEN))


@given(st.text(min_size=4), st.text(), st.text())
def test_no_secret_survives(secret: str, before: str, after: str) -> None:
    shown = _redact(secret).clean(f"{before}{secret}{after}")
    assert secret not in shown.replace("[redacted]", "") or secret in f"{before}{after}[redacted]"
