"""What a tenant's manifest is, and what an upgrade would change in it."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..chart import Chart
from ..errors import DriftError
from ..ports import Charts, Ports
from ..settings import Settings
from ..values import Values, validate_values
from .install import build_install_layers
from .observe import require_release
from .upgrade import UpgradeRequest, plan_upgrade

Render = Callable[[str, Chart, Values], str]


@dataclass(frozen=True)
class Diff:
    """What an upgrade would change: a unified diff, empty for nothing, and what to know of it."""

    text: str
    notes: tuple[str, ...] = ()


def render_tenant(
    charts: Charts, render: Render, settings: Settings, slug: str, overrides: Values
) -> str:
    """Return the manifest that ``install-tenant`` would send; no cluster is asked."""
    chart = charts.load(settings.chart)
    values = build_install_layers(chart, settings, overrides).to_values()
    validate_values(chart, values, tenant=slug)
    return render(slug, chart, values)


def diff_tenant(ports: Ports, settings: Settings, slug: str, request: UpgradeRequest) -> Diff:
    """Return the difference between the live manifest and the upgraded one.

    An upgrade that is refused because of drift is shown as it would be with
    overwrite_drift; a note tells so.
    """
    notes: tuple[str, ...] = ()
    try:
        observation, plan = plan_upgrade(ports, settings, slug, request, writer="")
    except DriftError as exc:
        notes = (f"upgrade-tenant would refuse: {exc.problem}. {exc.remedy}.",)
        request = replace(request, overwrite_drift=True)
        observation, plan = plan_upgrade(ports, settings, slug, request, writer="")
    base = observation.base or require_release(observation)
    live = ports.releases.read_body(base).manifest
    planned = ports.releases.render(slug, plan.chart, plan.values)
    lines = difflib.unified_diff(
        _normalise(live),
        _normalise(planned),
        f"revision {base.number}",
        f"revision {observation.next_number} (planned)",
        lineterm="",
    )
    return Diff("\n".join(lines), notes)


def _normalise(manifest: str) -> list[str]:
    """Return the lines of a manifest, its documents sorted by their origin in the chart."""
    documents = (document.strip("\n") for document in f"\n{manifest}".split("\n---"))
    ordered = sorted(document for document in documents if document.strip())
    return [line for document in ordered for line in ("---", *document.splitlines())]
