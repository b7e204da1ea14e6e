"""Helm by hand beside the release manager, judged by what the tenant answers."""

from __future__ import annotations

from pathlib import Path

from tests.containers.conftest import STAND_IN, WITH_VOLUME, Visitor
from tests.terminal import Operator

NEW_VERSION = ("--set", "image.tag=1.1.0-stand-in")


def test_tenant_answers_through_upgrade_rollback_and_uninstall_by_hand(
    operator: Operator, visitor: Visitor, chart: Path
) -> None:
    def ask() -> tuple[str, int]:
        answer = visitor.ask_with_token("acme").body
        return answer["version"], answer["counter"]

    wait = ("--wait", "--timeout", "2m")
    operator.run("install-tenant", "acme", *STAND_IN, *WITH_VOLUME)
    visitor.ask_with_token("acme", "/counter", method="POST")
    operator.helm("upgrade", "tenant-acme", chart, "--reuse-values", *NEW_VERSION, *wait)
    assert ask() == ("1.1.0-stand-in", 1)
    assert operator.tenant("acme")["reason"] == "set by hand: image.tag=1.1.0-stand-in"
    operator.helm("rollback", "tenant-acme", 1, *wait)
    assert ask() == ("1.0.0-stand-in", 1)
    assert operator.tenant("acme")["reason"] == ""
    operator.run("upgrade-tenant", "acme", *NEW_VERSION)
    assert ask() == ("1.1.0-stand-in", 1)
    operator.helm("uninstall", "tenant-acme", *wait)
    assert operator.read("list-tenants") == []
    operator.run("install-tenant", "acme", *STAND_IN, *WITH_VOLUME)
    assert ask() == ("1.0.0-stand-in", 1)


def test_tenant_that_helm_by_hand_broke_is_explained_and_helm_rollback_mends_it(
    operator: Operator, visitor: Visitor, chart: Path
) -> None:
    operator.run("install-tenant", "acme", *STAND_IN)
    crashing = ("--set", "image.tag=1.2.0-crashes-stand-in")
    operator.helm("upgrade", "tenant-acme", chart, "--reuse-values", *crashing)
    failed = operator.run("start-tenant", "acme", exit_code=1)
    assert "container gateway keeps crashing with exit code 3" in failed.stderr
    assert "container gateway keeps crashing with exit code 3" in operator.tenant("acme")["reason"]
    operator.helm("rollback", "tenant-acme", 1, "--wait", "--timeout", "2m")
    assert visitor.ask_with_token("acme").body["version"] == "1.0.0-stand-in"
    assert operator.tenant("acme")["state"] == "running"
