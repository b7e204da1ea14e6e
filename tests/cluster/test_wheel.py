"""The wheel is enough: it carries the charts and the prices."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_an_installed_wheel_renders_a_tenant(tools_path: Path, tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", str(site), str(wheel)], check=True)
    # The installed package comes first, so that the source tree's chart is out of reach.
    environment = {"PATH": str(tools_path), "PYTHONPATH": str(site), "HOME": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, str(site / "bin" / "release-manager"), "render-tenant", "acme"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "Host(`acme.wareit.ai`)" in result.stdout
    settings = subprocess.run(
        [sys.executable, str(site / "bin" / "release-manager"), "show-settings"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert str(site) in settings.stdout
    costs = subprocess.run(
        [sys.executable, str(site / "bin" / "release-manager"), "cost", "--tenants", "10"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert costs.returncode == 0, costs.stderr
