"""How parts are called, in sentences and in commands."""

from __future__ import annotations

import pytest

from release_manager.cli import release_manager
from release_manager.errors import InvalidInputError
from release_manager.part import PARTS, name_command, tell_subject
from release_manager.tenant import RESERVED_SLUGS, Target

VERBS = ("install", "upgrade", "uninstall", "recover", "show", "history")


def test_a_sentence_names_tenants_and_parts() -> None:
    assert (tell_subject("acme"), tell_subject("api")) == ("tenant acme", "api")


def test_an_error_of_a_part_begins_with_its_name() -> None:
    error = InvalidInputError("it is in use", remedy="Wait", tenant="platform")
    assert str(error) == "platform: it is in use. Wait."


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("slug", ["acme", *PARTS])
def test_every_command_that_is_named_exists(verb: str, slug: str) -> None:
    program, command, *_ = name_command(verb, slug).split()
    known = release_manager.commands if program == "release-manager" else {"history", "uninstall"}
    assert command in known


def test_the_commands_of_a_tenant_name_it() -> None:
    assert name_command("upgrade", "acme") == "release-manager upgrade-tenant acme"
    assert name_command("history", "acme") == "release-manager history acme"


def test_no_tenant_can_be_called_like_a_part() -> None:
    assert PARTS.keys() <= RESERVED_SLUGS


def test_a_parts_objects_have_names_of_their_own() -> None:
    platform, tenant = Target("platform"), Target("acme")
    assert (platform.release, platform.workload) == ("platform", "postgres")
    assert (platform.workload_kind, platform.selector) == ("statefulsets", "app=postgres")
    assert platform.volume_claim == "data-postgres-0"
    assert (tenant.release, tenant.workload) == ("tenant-acme", "tenant-acme")
    assert (tenant.workload_kind, tenant.selector) == ("deployments", "app=tenant,tenant=acme")
