"""Taking secrets and environment values out of what containers, probes and runtimes said."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import quote, urlsplit

from ..workload import Container, Environment, Event, Pod

REDACTED = "[redacted]"
# A shorter text is no secret; cut out wherever it stands, it would leave nothing readable.
MIN_SECRET_LENGTH = 4
MIN_VALUE_LENGTH = 4
# Words that mean the same everywhere, so that they give nothing away. The last ones are
# Kubernetes' own: without them its messages could not be understood.
_COMMON = frozenset(
    (
        *("true", "false", "null", "none", "undefined", "auto", "default", "enabled", "disabled"),
        *("trace", "debug", "info", "warn", "warning", "error", "fatal", "silent", "verbose"),
        *("production", "development", "staging", "test", "local", "localhost", "gateway"),
        *("127.0.0.1", "0.0.0.0", "http", "https", "json", "text", "utf-8", "utf8"),  # noqa: S104
        *("startup", "readiness", "liveness", "probe", "container", "image", "failed", "found"),
    )
)
# A port, a size, a duration.
_AMOUNT = re.compile(r"\d{1,5}([kKMGTmunsh]i?|min|ms|MB|GB|KB)?")


@dataclass(frozen=True)
class Redactor:
    """Replaces what must not be shown. replacements: the longest first."""

    replacements: Sequence[tuple[re.Pattern[str], str]] = field(default=(), repr=False)

    def clean(self, text: str) -> str:
        """Return the text without secrets; a value of the environment becomes its ``$NAME``."""
        for pattern, substitute in self.replacements:
            text = pattern.sub(substitute.replace("\\", r"\\"), text)
        return text

    def clean_event(self, event: Event) -> Event:
        """Return the event with a message that may be shown."""
        return replace(event, message=self.clean(event.message))

    def clean_pod(self, pod: Pod) -> Pod:
        """Return the pod with messages that may be shown."""
        containers = tuple(map(self._clean_container, pod.containers))
        return replace(pod, failure=self.clean(pod.failure), containers=containers)

    def _clean_container(self, container: Container) -> Container:
        return replace(
            container,
            waiting_message=self.clean(container.waiting_message),
            exit_message=self.clean(container.exit_message),
        )


def build_redactor(
    secrets: Iterable[str], environments: Iterable[Environment], settings: Mapping[str, str]
) -> Redactor:
    """Return what redacts the values of Secrets, of environments and of ConfigMaps.

    settings: what the ConfigMaps hold, by key.
    """
    patterns = {spelling: REDACTED for secret in secrets for spelling in _iter_spellings(secret)}
    named = [item for environment in environments for item in environment.values.items()]
    for name, value in [*named, *settings.items()]:
        for text in {value.strip(), *map(str.strip, value.splitlines())}:
            if _is_telling(text):
                patterns.setdefault(text, f"${name}")
    longest_first = sorted(patterns.items(), key=lambda item: len(item[0]), reverse=True)
    return Redactor([(_build_pattern(text, put), put) for text, put in longest_first])


def _build_pattern(text: str, substitute: str) -> re.Pattern[str]:
    is_whole = substitute == REDACTED and len(text) >= MIN_SECRET_LENGTH
    # Parts of words stay: "prod" in "product" gives nothing away.
    return re.compile(re.escape(text) if is_whole else rf"(?<!\w){re.escape(text)}(?!\w)")


def _is_telling(value: str) -> bool:
    is_common = value.lower() in _COMMON or _AMOUNT.fullmatch(value) is not None
    return len(value) >= MIN_VALUE_LENGTH and not is_common


def _iter_spellings(secret: str) -> Iterable[str]:
    """Yield a secret as it may stand in a line of a log."""
    parts = {secret, secret.strip(), *(line.strip() for line in secret.splitlines())}
    parts |= {password for part in list(parts) if (password := _find_password(part))}
    for part in parts:
        if part:
            yield from (part, quote(part, safe=""), json.dumps(part)[1:-1])
            if len(part) >= MIN_SECRET_LENGTH:
                yield base64.b64encode(part.encode()).decode()


def _find_password(text: str) -> str:
    """Return the password inside a URL, which programs print by itself."""
    try:
        return urlsplit(text).password or "" if "://" in text else ""
    except ValueError:
        return ""
