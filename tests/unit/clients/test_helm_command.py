"""Finding a helm that is new enough."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from release_manager.clients.helm_binary import find_helm
from release_manager.errors import HelmUnusableError

BuildHelm = Callable[[str], Path]


@pytest.mark.parametrize("version", ["v4.2.2", "v4.3.1", "4.10.0", "v5.0.0"])
def test_a_helm_that_is_new_enough_is_found(build_helm: BuildHelm, version: str) -> None:
    path = build_helm(f"echo {version}")
    assert find_helm(str(path)) == str(path)


@pytest.mark.parametrize("script", ["echo v3.1.0", "echo v4.2.1", "echo nonsense", "exit 1"])
def test_a_helm_that_is_too_old_or_none_is_refused(build_helm: BuildHelm, script: str) -> None:
    with pytest.raises(HelmUnusableError) as caught:
        find_helm(str(build_helm(script)))
    assert "too old" in caught.value.problem
    assert "Install Helm 4.2.2 or newer" in caught.value.remedy


def test_a_program_that_is_not_there_is_no_helm() -> None:
    with pytest.raises(HelmUnusableError, match="there is no program 'no-such-helm'"):
        find_helm("no-such-helm")
