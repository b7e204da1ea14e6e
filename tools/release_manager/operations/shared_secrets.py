"""The Secrets that the parts share: made once, with strong randomness, and never again."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import SplitResult, parse_qs, quote, urlsplit

from ..errors import InvalidValuesError, OperationFailedError
from ..part import API, PLATFORM
from ..ports import Ports, RunOptions, Secret

SHARED = "aware-secrets"
DATABASE_URL, JWT_SECRET = "database-url", "jwt-secret"
# There while the API is being switched to another database: the URL of the one before.
PREVIOUS_URL = "previous-database-url"
# There while the password is being changed: the URL with the new one.
NEXT_URL = "next-database-url"
PASSWORDS = "postgres-passwords"
SUPERUSER = "postgres"
# How a URL ends where the pods find the authorities' certificates.
VERIFYING = "?sslmode=verify-full&sslrootcert=/etc/postgres-ca/ca.crt"
RANDOM_BYTES = 32


@dataclass(frozen=True)
class SecretsPlan:
    """Which Secrets are made, and which get a key more."""

    created: tuple[Secret, ...] = ()
    completed: tuple[Secret, ...] = field(default=())

    def describe(self) -> str:
        """Return what is done, in a few words; empty for nothing."""
        made = [f"create {secret.name}" for secret in self.created]
        made += [f"complete {secret.name}" for secret in self.completed]
        return ", ".join(made)


def plan_secrets(ports: Ports, values: Mapping[str, Any]) -> SecretsPlan:
    """Decide which Secrets the platform lacks. values: the chart's, with its defaults.

    Raises InvalidValuesError where one that is there, or has to be, cannot be used.
    """
    if not values["postgres"]["enabled"]:
        return _plan_external(ports)
    role, database = values["postgres"]["role"], values["postgres"]["database"]
    own = values["postgres"]["existingSecret"]
    passwords = ports.secrets.read(own or PASSWORDS)
    created: list[Secret] = []
    if passwords is None:
        _refuse_missing_passwords(ports, own)
        passwords = Secret(PASSWORDS, {SUPERUSER: _generate(), role: _generate()})
        created.append(passwords)
    for key in (SUPERUSER, role):
        if not passwords.data.get(key):
            raise InvalidValuesError(
                f"the Secret {passwords.name} has no key {key!r}, the password of that role",
                remedy="Add it",
                tenant=PLATFORM.release,
            )
    if ports.secrets.read(SHARED) is None:
        password = quote(passwords.data[role], safe="")
        url = f"postgresql://{role}:{password}@{PLATFORM.workload}:5432/{database}"
        created.append(Secret(SHARED, {DATABASE_URL: url, JWT_SECRET: _generate()}))
        return SecretsPlan(tuple(created))
    return SecretsPlan(tuple(created), _complete_shared(ports))


def _plan_external(ports: Ports) -> SecretsPlan:
    shared = ports.secrets.read(SHARED)
    if shared is None:
        raise InvalidValuesError(
            f"field externalDatabase: there is no Secret {SHARED} that says how to connect",
            remedy=f"Create it with 'kubectl create secret generic {SHARED} "
            f"--from-file={DATABASE_URL}=FILE', the file with a URL such as "
            f"postgresql://aware:PASSWORD@HOST:5432/aware{VERIFYING} and no newline",
            tenant=PLATFORM.release,
        )
    plan = SecretsPlan(completed=_complete_shared(ports))
    if parse_qs(parse_url(shared.data[DATABASE_URL]).query).get("sslmode") != ["verify-full"]:
        raise InvalidValuesError(
            f"the Secret {SHARED}: its {DATABASE_URL} does not say sslmode=verify-full, and "
            "without that nobody knows that it is your database",
            remedy=f"End the URL with {VERIFYING}",
            tenant=PLATFORM.release,
        )
    return plan


def _complete_shared(ports: Ports) -> tuple[Secret, ...]:
    shared = ports.secrets.read(SHARED)
    if shared is None or not shared.data.get(DATABASE_URL):
        raise InvalidValuesError(
            f"the Secret {SHARED} is there already, without a key {DATABASE_URL!r}",
            remedy="Add it, or delete the Secret and it is made anew",
            tenant=PLATFORM.release,
        )
    if shared.data.get(JWT_SECRET):
        return ()
    return (replace(shared, data={**shared.data, JWT_SECRET: _generate()}),)


def _refuse_missing_passwords(ports: Ports, own: str) -> None:
    if own:
        raise InvalidValuesError(
            f"field postgres.existingSecret: there is no Secret {own!r}",
            remedy="Create it, or leave the field out and one is made",
            tenant=PLATFORM.release,
        )
    if ports.cluster.has_volume(PLATFORM.release):
        raise InvalidValuesError(
            f"the volume {PLATFORM.volume_claim} holds a database, but the Secret {PASSWORDS} "
            "with its passwords is gone",
            remedy="Bring the Secret back; new passwords would not open that database",
            tenant=PLATFORM.release,
        )


def parse_url(url: str) -> SplitResult:
    """Return the parts of a database's URL. Raises InvalidValuesError, which does not tell it."""
    try:
        parts = urlsplit(url)
        if parts.hostname and parts.username and parts.path.strip("/"):
            return parts
    except ValueError:
        # Its text has a part of the URL in it.
        pass
    raise InvalidValuesError(
        f"the Secret {SHARED}: its {DATABASE_URL} is no URL of a database",
        remedy="Let it look like postgresql://ROLE:PASSWORD@HOST:5432/NAME, with every "
        "character of the password that is no letter and no digit as %XX",
        tenant=PLATFORM.release,
    )


def read_database(url: str) -> str:
    """Return the name of the database in a URL. Raises InvalidValuesError."""
    return parse_url(url).path.removeprefix("/")


def _generate() -> str:
    return secrets.token_urlsafe(RANDOM_BYTES)


def ensure_secrets(ports: Ports, values: Mapping[str, Any], run: RunOptions) -> None:
    """Make what ``plan_secrets`` finds lacking; one that is there is never made again."""
    plan = plan_secrets(ports, values)
    for secret in plan.created:
        if ports.secrets.create(secret):
            run.progress(f"Secret {secret.name} created")
        else:
            # What was just generated for the others would not fit it.
            raise OperationFailedError(
                f"somebody else made the Secret {secret.name} at the same moment",
                remedy="Run the command again",
                tenant=PLATFORM.release,
            )
    for secret in plan.completed:
        ports.secrets.update(secret)
        run.progress(f"Secret {secret.name} has all its keys now")


def read_checksum(ports: Ports, name: str) -> str:
    """Return what changes when the API's Secret does, and tells nothing of what is in it.

    Keyed with the Secret's own random part: nobody can try a password against it. Raises
    InvalidValuesError for a Secret that is not there or not whole.
    """
    shared = ports.secrets.read(name)
    missing = [key for key in (DATABASE_URL, JWT_SECRET) if not (shared and shared.data.get(key))]
    if shared is None or missing:
        raise InvalidValuesError(
            f"there is no Secret {name} with a key {missing[0]!r}",
            remedy="Make it with 'release-manager install-platform'",
            tenant=API.release,
        )
    key, url = shared.data[JWT_SECRET].encode(), shared.data[DATABASE_URL].encode()
    return hmac.new(key, url, hashlib.sha256).hexdigest()[:40]
