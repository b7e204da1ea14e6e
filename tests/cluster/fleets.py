"""Fleets for tests of rollouts: many tenants at once, of which chosen ones fail when upgraded."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from release_manager.operations.install import install_tenant
from release_manager.ports import Ports, RunOptions
from release_manager.settings import Settings
from tests.terminal import Completed, Operator, wait_for

BEHAVIOUR = "local-cluster/behaviour"
# A tenant's own value wins over the fleet's: whoever has it is not struck.
IMMUNE: dict[str, Any] = {"podLabels": {BEHAVIOUR: "good"}}
AT_ONCE = ("--yes", "--canary", "0", "--bake", "0s")


def strike(behaviour: str) -> tuple[str, str]:
    """Return the flag that lets every tenant fail in a way, but those that are immune."""
    return "--set", f"podLabels.{BEHAVIOUR}={behaviour}"


def name_tenants(number: int, prefix: str = "t") -> list[str]:
    """Return slugs in the order in which rollouts take them."""
    return [f"{prefix}{index:02}" for index in range(number)]


@dataclass(frozen=True)
class FleetOperator:
    """Somebody who upgrades a fleet, and looks at what became of it."""

    operator: Operator
    ports: Ports
    settings: Settings
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def end_processes(self) -> None:
        """End what a test that failed has left running, so that no other test suffers from it."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def install(self, overrides: Mapping[str, Mapping[str, Any]]) -> None:
        """Install tenants by slug, with values of their own, and wait until all are ready."""
        run = RunOptions(120, lambda _: None, is_waiting=False)

        def install(slug: str) -> None:
            values = dict(overrides[slug])
            install_tenant(self.ports, self.settings, slug, values, run, is_cleaning_up=False)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(install, overrides))
        wait_for(self._is_settled, "the fleet to be ready")

    def _is_settled(self) -> bool:
        return all(item.is_ready for item in self.ports.cluster.list_workloads())

    def upgrade(self, *arguments: object, exit_code: int = 0) -> Completed:
        """Run upgrade-all without asking."""
        return self.operator.run("upgrade-all", *AT_ONCE, *arguments, exit_code=exit_code)

    def resume(self, *arguments: object, exit_code: int = 0) -> Completed:
        """Run resume-rollout."""
        return self.operator.run("resume-rollout", *arguments, exit_code=exit_code)

    def rows(self) -> dict[str, dict[str, Any]]:
        """Return the rows of list-tenants, by slug."""
        return {row["slug"]: row for row in self.operator.read("list-tenants")}

    def rollout(self) -> dict[str, Any]:
        """Return the newest rollout."""
        return dict(self.operator.read("show-rollout"))

    def reports(self) -> dict[str, dict[str, Any]]:
        """Return what the newest rollout says of the tenants that are not done, by slug."""
        return {report["slug"]: report for report in self.rollout()["reports"]}

    def values(self, slug: str) -> dict[str, Any]:
        """Return a tenant's live values."""
        return self.operator.helm_values(slug)

    def revisions(self) -> dict[str, int]:
        """Return every tenant's latest revision."""
        return {slug: row["revision"] for slug, row in self.rows().items()}

    def require_running(self, slugs: Iterable[str]) -> None:
        """Assert that tenants run, with nothing to say against them."""
        rows = self.rows()
        states = {slug: (rows[slug]["state"], rows[slug]["reason"]) for slug in slugs}
        assert set(states.values()) <= {("running", "")}, states


def read_events(completed: Completed) -> list[dict[str, Any]]:
    """Return the events that ``-o json`` printed."""
    return [json.loads(line) for line in completed.stdout.splitlines()]
