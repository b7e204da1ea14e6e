"""The life of a tenant whose containers are real."""

from __future__ import annotations

import json

from tests.containers.conftest import STAND_IN, WITH_VOLUME, Visitor
from tests.terminal import Operator, wait_for


def test_tenant_answers_with_its_token_only(operator: Operator, visitor: Visitor) -> None:
    operator.run("install-tenant", "acme", *STAND_IN)
    refused = visitor.ask("acme")
    assert refused.status == 401
    answer = visitor.ask_with_token("acme")
    assert answer.status == 200
    assert answer.body["stand_in"] is True
    assert answer.body["tenant"] == "acme"
    assert answer.body["version"] == "1.0.0-stand-in"
    assert visitor.ask("acme", token="x" * 40).status == 401
    assert visitor.ask("acme", "/healthz").status == 200


def test_volume_outlives_stop_upgrade_and_uninstall_until_its_deletion_is_asked_for(
    operator: Operator, visitor: Visitor
) -> None:
    operator.run("install-tenant", "acme", *STAND_IN, *WITH_VOLUME)
    for number in (1, 2, 3):
        assert visitor.ask_with_token("acme", "/counter", method="POST").body["counter"] == number
    operator.run("stop-tenant", "acme")
    operator.run("start-tenant", "acme")
    assert visitor.ask_with_token("acme").body["counter"] == 3
    operator.run("upgrade-tenant", "acme", "--set", "image.tag=1.1.0-stand-in")
    upgraded = visitor.ask_with_token("acme").body
    assert (upgraded["version"], upgraded["counter"]) == ("1.1.0-stand-in", 3)
    operator.run("uninstall-tenant", "acme", "--yes")
    operator.run("install-tenant", "acme", *STAND_IN, *WITH_VOLUME)
    assert visitor.ask_with_token("acme").body["counter"] == 3
    operator.run("uninstall-tenant", "acme", "--yes", "--delete-data")
    wait_for(lambda: not list_volumes(operator), "the volume to be removed")
    operator.run("install-tenant", "acme", *STAND_IN, *WITH_VOLUME)
    assert visitor.ask_with_token("acme").body["counter"] == 0


def list_volumes(operator: Operator) -> list[str]:
    """Return the PersistentVolumes that claims of the operator's namespace have or had."""
    volumes = json.loads(operator.kubectl("get", "persistentvolumes", "-o", "json"))["items"]
    return [
        volume["metadata"]["name"]
        for volume in volumes
        if volume["spec"]["claimRef"]["namespace"] == operator.namespace
    ]


def test_version_that_crashes_is_explained_and_taken_back(
    operator: Operator, visitor: Visitor
) -> None:
    operator.run("install-tenant", "acme", *STAND_IN)
    crashing = ("--set", "image.tag=1.2.0-crashes-stand-in")
    failed = operator.run("upgrade-tenant", "acme", *crashing, exit_code=1)
    assert "container gateway keeps crashing with exit code 3" in failed.stderr
    assert "told to crash" in failed.stderr
    assert "rolled back" in failed.stderr
    assert visitor.ask_with_token("acme").body["version"] == "1.0.0-stand-in"
    assert operator.tenant("acme")["state"] == "running"


def test_tenant_runs_confined(operator: Operator) -> None:
    operator.run("install-tenant", "acme", *STAND_IN)
    status = read_inside(operator, "print(open('/proc/self/status').read())")
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert facts["CapEff"] == "0" * 16
    assert facts["NoNewPrivs"] == "1"
    assert facts["Seccomp"] == "2"
    assert facts["Uid"].split()[0] == "1000"
    assert "Read-only file system" in read_inside(
        operator,
        "try: open('/usr/x', 'w')",
        "except OSError as error: print(error)",
    )
    mounted = read_inside(operator, "import os; print(os.path.exists('/var/run/secrets'))")
    assert mounted.strip() == "False"


def read_inside(operator: Operator, *lines: str) -> str:
    """Run a Python program inside the tenant's container and return what it prints."""
    program = ("exec", "deployment/tenant-acme", "--", "python3", "-c", "\n".join(lines))
    return operator.kubectl(*program)
