"""The helm binary's verbs, with our own errors."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

from pyhelm3.errors import Error as PyhelmError

from ..chart import Chart
from ..errors import ChartNotFoundError, HelmUnusableError
from ..ports import Deployment
from ..tenant import Target
from .helm_command import NO_LIMIT, HelmCommand
from .helm_errors import classify_error, classify_failure


class Helm:
    """What we ask of helm, in one namespace."""

    def __init__(self, command: HelmCommand, namespace: str) -> None:
        self._command = command
        self._namespace = namespace

    def upgrade_install(self, deployment: Deployment, labels: Mapping[str, str]) -> list[str]:
        """Install or upgrade, without waiting for pods; return the chart's warnings."""
        upgrade = self._command.upgrade_install(
            deployment, namespace=self._namespace, labels=labels
        )
        return find_warnings(_run(upgrade, deployment.slug).decode())

    def template(self, slug: str, chart: Chart, values: dict[str, Any]) -> str:
        """Return the rendered manifest; no cluster is asked."""
        release = Target(slug).release
        rendering = self._command.template_text(
            release, chart.reference, values, namespace=self._namespace
        )
        return _run(rendering, slug).decode()

    def rollback(self, slug: str, number: int, *, timeout_seconds: float) -> None:
        """Restore revision ``number`` as a new revision, without waiting for pods."""
        command = ["rollback", Target(slug).release, number, "--namespace", self._namespace]
        command += [*NO_LIMIT, "--timeout", f"{round(timeout_seconds)}s"]
        _run(self._command.run(command), slug)

    def uninstall(self, slug: str, *, timeout_seconds: float) -> None:
        """Remove the release; what the chart marks as kept stays."""
        command = ["uninstall", Target(slug).release, "--namespace", self._namespace]
        command += ["--timeout", f"{round(timeout_seconds)}s"]
        _run(self._command.run(command), slug)

    def interrupt(self) -> None:
        """End every helm that runs now and can be ended safely."""
        self._command.interrupt()

    def pull(self, url: str, version: str, folder: Path) -> None:
        """Fetch a package from a registry into ``folder``. Raises ChartNotFoundError."""
        command = ["pull", url, "--version", version, "--destination", str(folder)]
        try:
            asyncio.run(self._command.run(command))
        except PyhelmError as exc:
            error = classify_error(exc.stderr.decode("utf-8", "replace"), "")
            raise ChartNotFoundError(
                f"field chart: {url}:{version} cannot be pulled: {error.problem}",
                remedy="Check the reference, and 'helm registry login'",
            ) from exc


def find_warnings(notes: str) -> list[str]:
    """Return the paragraphs of a chart's NOTES that begin with ``WARNING:``, a line each."""
    paragraphs = re.findall(r"^WARNING: (.+?)(?=\n\s*\n|\Z)", notes, re.MULTILINE | re.DOTALL)
    return [" ".join(paragraph.split()) for paragraph in paragraphs]


def _run(running: Coroutine[Any, Any, bytes], slug: str) -> bytes:
    try:
        return asyncio.run(running)
    except PyhelmError as exc:
        raise classify_failure(exc, slug) from exc
    except OSError as exc:
        raise HelmUnusableError(
            f"helm cannot be started: {exc.strerror}", remedy="Check --helm"
        ) from exc
