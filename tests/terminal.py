"""An operator at a terminal: the three programs that one would use, in one namespace."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MANAGER = Path(sys.executable).parent / "release-manager"
Completed = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Operator:
    """Somebody at a terminal: runs release-manager, helm and kubectl in one namespace."""

    namespace: str
    environment: Mapping[str, str] = field(repr=False)

    def run(self, *arguments: object, exit_code: int = 0, **options: Any) -> Completed:
        """Run release-manager and insist on its exit code."""
        result = self.call(MANAGER, *arguments, **options)
        said = f"{arguments}\n{result.stdout}\n{result.stderr}"
        assert result.returncode == exit_code, said
        assert "Traceback" not in result.stderr, said
        return result

    def call_manager(self, *arguments: object) -> Completed:
        """Run release-manager; its exit code is for the test to judge."""
        return self.call(MANAGER, *arguments)

    def read(self, *arguments: object) -> Any:
        """Run release-manager and return what it prints as JSON."""
        return json.loads(self.run(*arguments, "-o", "json").stdout)

    def tenant(self, slug: str) -> dict[str, Any]:
        """Return the tenant's row of list-tenants."""
        rows = [row for row in self.read("list-tenants") if row["slug"] == slug]
        assert len(rows) == 1, rows
        return dict(rows[0])

    def helm(self, *arguments: object, exit_code: int = 0) -> Completed:
        """Run helm by hand."""
        result = self.call("helm", "--namespace", self.namespace, *arguments)
        assert result.returncode == exit_code, result.stderr
        return result

    def helm_values(self, slug: str) -> dict[str, Any]:
        """Return the values that Helm has for a tenant, without the chart's defaults."""
        values = self.helm("get", "values", f"tenant-{slug}", "-o", "json").stdout
        return dict(json.loads(values) or {})

    def kubectl(self, *arguments: object, exit_code: int = 0, **options: Any) -> str:
        """Run kubectl and return its output."""
        result = self.call("kubectl", "--namespace", self.namespace, *arguments, **options)
        assert result.returncode == exit_code, result.stderr
        return result.stdout

    def get(self, kind: str, name: str) -> Any:
        """Return one object as JSON."""
        return json.loads(self.kubectl("get", kind, name, "-o", "json"))

    def exists(self, kind: str, name: str) -> bool:
        """Tell whether an object is there."""
        return bool(self.kubectl("get", kind, name, "--ignore-not-found", "-o", "name").strip())

    def call(self, program: object, *arguments: object, **options: Any) -> Completed:
        """Run any program with this operator's environment."""
        return subprocess.run(
            [str(program), *map(str, arguments)],
            env=dict(self.environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
            **options,
        )

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        """Start release-manager and leave it running."""
        return subprocess.Popen(
            [str(MANAGER), *map(str, arguments)],
            env=dict(self.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def write_dead_kubeconfig(operator: Operator, folder: Path) -> Path:
    """Return a kubeconfig whose API server does not answer."""
    config = json.loads(operator.kubectl("config", "view", "--raw", "-o", "json"))
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    path = folder / "dead.kubeconfig"
    path.write_text(json.dumps(config))
    path.chmod(0o600)
    return path


def wait_for(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Poll until a condition holds."""
    deadline = time.monotonic() + seconds
    while True:
        began_at = time.monotonic()
        if condition():
            return
        now = time.monotonic()
        assert now < deadline, f"waited {seconds} s for {what}"
        # What looks by running a program would keep a core busy, which the others wait for.
        time.sleep(max(0.05, now - began_at))
