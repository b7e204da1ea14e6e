"""Replacing a Secret that the parts share, while the API goes on.

The old one stays beside the new one until the API is ready with it, so that a failure puts it
back, and a rotation that was killed goes on with the same new one.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any
from urllib.parse import quote, unquote, urlunsplit

from ..errors import InvalidInputError
from ..part import API, PLATFORM
from ..ports import Ports, RunOptions, Secret, Site
from ..settings import Settings
from ..values import coalesce_values
from .api import plan_api_restart, restart_api
from .deploy import Result
from .jobs import run_job
from .observe import observe_tenant
from .shared_secrets import (
    DATABASE_URL,
    JWT_SECRET,
    NEXT_URL,
    PASSWORDS,
    PREVIOUS_URL,
    RANDOM_BYTES,
    SHARED,
    parse_url,
    read_database,
)
from .work import Work, working_on

SET_PASSWORD = "postgres-set-password"  # noqa: S105 - the name of a CronJob
PREVIOUS_JWT = "previous-jwt-secret"


class Rotated(StrEnum):
    """What can be rotated."""

    DATABASE = "database"
    JWT = "jwt"


@dataclass(frozen=True)
class RotationPlan:
    """What a rotation does. has_begun: whether an earlier one was interrupted."""

    what: Rotated
    secret: str
    has_api: bool
    has_begun: bool
    shared: Secret = field(repr=False)


def plan_secret_rotation(
    ports: Ports, settings: Settings, what: Rotated, work: Work | None = None
) -> RotationPlan:
    """Look and decide; changes nothing. Raises InvalidInputError, ReleaseBusyError.

    work: of a process that has the API for itself.
    """
    ports.cluster.require_namespace()
    shared = ports.secrets.read(SHARED)
    if shared is None or not shared.data.get(DATABASE_URL) or not shared.data.get(JWT_SECRET):
        raise _refuse(f"there is no whole Secret {SHARED}", "Install the platform first")
    previous = shared.data.get(PREVIOUS_URL)
    if previous is not None and read_database(previous) != read_database(shared.data[DATABASE_URL]):
        raise _refuse(
            "a restore was interrupted while the API was switched to another database",
            "Finish it first with 'release-manager restore-database'",
        )
    if what is Rotated.DATABASE and (own := _read_own_passwords(ports)):
        raise _refuse(
            f"field postgres.existingSecret: the passwords are in a Secret of your own, {own}",
            "Change the role's password, that Secret and the URL there, then upgrade-api",
        )
    keys = (NEXT_URL, PREVIOUS_URL) if what is Rotated.DATABASE else (PREVIOUS_JWT,)
    return RotationPlan(
        what,
        SHARED,
        has_api=plan_api_restart(ports, settings, work),
        has_begun=any(key in shared.data for key in keys),
        shared=shared,
    )


def _refuse(problem: str, remedy: str) -> InvalidInputError:
    return InvalidInputError(problem, remedy=remedy, tenant=PLATFORM.release)


def _read_own_passwords(ports: Ports) -> str:
    base = observe_tenant(ports, PLATFORM.release).base
    if base is None:
        return ""
    values: dict[str, Any] = coalesce_values({}, ports.releases.read_body(base).values)
    return str((values.get("postgres") or {}).get("existingSecret") or "")


def rotate_secret(site: Site, settings: Settings, what: Rotated, run: RunOptions) -> Result:
    """Replace the database's password or the API's signing secret, restart the API, verify.

    Can be run again at any point. Raises OperationFailedError, RolloutFailedError: then the old
    one is back.
    """
    ports = site.ports
    with working_on(ports, PLATFORM.release), working_on(ports, API.release) as work:
        plan = plan_secret_rotation(ports, settings, what, work)
        if plan.has_begun:
            run.progress("going on with a rotation that was interrupted")
        rotate = _rotate_database if what is Rotated.DATABASE else _rotate_jwt
        rotate(site, settings, plan, work, run)
        return Result(PLATFORM.release, "rotate-secret", 0, f"the old {what} secret is gone")


def _rotate_jwt(
    site: Site, settings: Settings, plan: RotationPlan, work: Work, run: RunOptions
) -> None:
    ports = site.ports
    if not plan.has_begun:
        new, old = _generate(), plan.shared.data[JWT_SECRET]
        _change(ports, {JWT_SECRET: new, PREVIOUS_JWT: old})
        run.progress(f"Secret {SHARED} holds a new {JWT_SECRET}")
    _restart(
        ports,
        settings,
        plan,
        work,
        run,
        undo=lambda: _restore_key(ports, JWT_SECRET, PREVIOUS_JWT),
    )
    _change(ports, {PREVIOUS_JWT: None})


def _rotate_database(
    site: Site, settings: Settings, plan: RotationPlan, work: Work, run: RunOptions
) -> None:
    ports = site.ports
    data = plan.shared.data
    if not plan.has_begun:
        _change(ports, {NEXT_URL: _replace_password(data[DATABASE_URL], _generate())})
        run.progress(f"Secret {SHARED} holds a new password beside the old one")
    if PREVIOUS_URL in data:
        # Whoever was killed may have given the role its old password back.
        _set_password(site, DATABASE_URL, run)
    else:
        _set_password(site, NEXT_URL, run)
        password = unquote(parse_url(_read(ports)[NEXT_URL]).password or "")
        # The database may be another than when that was written.
        new = _replace_password(data[DATABASE_URL], password)
        _change(ports, {DATABASE_URL: new, PREVIOUS_URL: data[DATABASE_URL], NEXT_URL: None})
        run.progress(f"Secret {SHARED} has the new password")

    def undo() -> None:
        run.progress("putting the old password back")
        _set_password(site, PREVIOUS_URL, run)
        _restore_key(ports, DATABASE_URL, PREVIOUS_URL)

    _restart(ports, settings, plan, work, run, undo=undo)
    _record_password(ports)
    _change(ports, {PREVIOUS_URL: None})


def _restart(
    ports: Ports,
    settings: Settings,
    plan: RotationPlan,
    work: Work,
    run: RunOptions,
    *,
    undo: Callable[[], None],
) -> None:
    if plan.has_api:
        restart_api(ports, settings, work, run, undo=undo)


def _set_password(site: Site, key: str, run: RunOptions) -> None:
    """Give the API's role the password of one of the URLs in the Secret, by its key."""
    run_job(site, SET_PASSWORD, run, {"PASSWORD_FROM": key})


def _generate() -> str:
    return secrets.token_urlsafe(RANDOM_BYTES)


def _replace_password(url: str, password: str) -> str:
    parts = parse_url(url)
    user, address = parts.username or "", parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{address}"))


def _record_password(ports: Ports) -> None:
    """Let the Secret that a new database would be made with have the role's password, too."""
    passwords = ports.secrets.read(PASSWORDS)
    parts = parse_url(_read(ports)[DATABASE_URL])
    role, password = unquote(parts.username or ""), unquote(parts.password or "")
    if passwords is not None and role in passwords.data:
        ports.secrets.update(replace(passwords, data={**passwords.data, role: password}))


def _read(ports: Ports) -> dict[str, str]:
    secret = ports.secrets.read(SHARED)
    return dict(secret.data) if secret is not None else {}


def _change(ports: Ports, changes: dict[str, str | None]) -> None:
    """Set keys of the Secret; None removes one. Raises ChangedMeanwhileError."""
    secret = ports.secrets.read(SHARED)
    if secret is None:
        raise _refuse(f"somebody deleted the Secret {SHARED}", "Bring it back, then run it again")
    data = {**secret.data, **changes}
    kept = {key: text for key, text in data.items() if text is not None}
    if kept != secret.data:
        ports.secrets.update(replace(secret, data=kept))


def _restore_key(ports: Ports, key: str, previous: str) -> None:
    before = _read(ports).get(previous)
    if before is not None:
        _change(ports, {key: before, previous: None})
