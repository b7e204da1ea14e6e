"""Which Go is used, and in which environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_cluster.golang import build_environment, find_go, parse_version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("go version go1.27 darwin/arm64", (1, 27, 0)),
        ("go version go1.26.8-custom linux/amd64", (1, 26, 8)),
        ("go version devel go1.28-0123abc linux/amd64", None),
        ("go version go1.27rc1 linux/amd64", None),
        ("", None),
    ],
)
def test_version_is_read_from_what_go_prints(
    text: str, version: tuple[int, int, int] | None
) -> None:
    assert parse_version(text) == version


def test_environment_keeps_what_reaches_the_network_and_drops_what_changes_the_result() -> None:
    environment = build_environment(
        {"GOPROXY": "file:///modules", "HTTPS_PROXY": "x", "GOOS": "plan9", "GOWORK": "/w"}
    )
    assert environment["GOPROXY"] == "file:///modules"
    assert environment["HTTPS_PROXY"] == "x"
    assert "GOOS" not in environment
    assert environment["GOWORK"] == "off"


def test_environment_takes_nothing_that_is_not_pinned() -> None:
    environment = build_environment({"GOTOOLCHAIN": "auto", "GOFLAGS": "-mod=mod"})
    assert environment["GOTOOLCHAIN"] == "local"
    assert "-mod=readonly" in environment["GOFLAGS"].split()
    assert environment["GOSUMDB"] == "off"


def test_everything_go_keeps_is_in_the_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    environment = build_environment({})
    for name in ("GOMODCACHE", "GOCACHE"):
        assert Path(environment[name]).is_relative_to(tmp_path / "aware")


def test_go_on_path_is_used_when_it_is_new_enough(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho go version go1.26.0 linux/amd64\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert find_go((1, 26, 0)).program == go
