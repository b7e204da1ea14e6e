"""The tenant's contract for values, to Helm and to Python alike."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator

from release_manager.values import coalesce_values, merge_values
from tests.charts.chart import CHART, RunTool, Values, scenario_name

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
OPENCLAW = yaml.safe_load((CHART / "profiles" / "openclaw.yaml").read_text())


def is_valid(values: Values) -> bool:
    return Draft7Validator(SCHEMA).is_valid(coalesce_values(DEFAULTS, values))


def test_every_profile_fits_the_schema() -> None:
    for profile in (CHART / "profiles").glob("*.yaml"):
        assert is_valid(yaml.safe_load(profile.read_text())), profile.name


def test_the_scenario_openclaw_is_the_profile() -> None:
    values = yaml.safe_load((CHART / "ci" / "openclaw-values.yaml").read_text())

    assert values == {"slug": "ci-openclaw", **OPENCLAW}


def test_every_scenario_has_a_slug_of_its_own(scenario: Path) -> None:
    values = yaml.safe_load(scenario.read_text())

    assert values["slug"] == f"ci-{scenario_name(scenario)}"


def test_templates_and_schema_reserve_the_same_slugs() -> None:
    template = (CHART / "templates" / "_validate.tpl").read_text()
    block = re.search(r'define "aware-tenant.reserved" -}}(.*?){{- end', template, re.DOTALL)

    assert block is not None
    assert block[1].split() == SCHEMA["properties"]["slug"]["not"]["enum"]


# Each of these is a host of the platform's own, or a name that mail and browsers look for.
MUST_BE_RESERVED = """
    admin api app auth cdn docs ftp grafana localhost mail mx ns ns1 ns2 platform postgres registry
    smtp staging static status traefik wildcard www
"""


def test_every_slug_that_would_collide_is_reserved() -> None:
    assert set(MUST_BE_RESERVED.split()) <= set(SCHEMA["properties"]["slug"]["not"]["enum"])


GOOD = [
    {"slug": "a"},
    {"slug": "a" * 40},
    {"slug": "007"},
    {"host": "wareit.ai"},
    {"replicas": 0},
    {"image": {"digest": "sha256:" + "a" * 64}},
    {"image": {"registry": "localhost:5000"}},
    {"resources": {"limits": {"cpu": 2, "memory": "1.5Gi", "nvidia.com/gpu": 1}}},
    {"resources": {"limits": {"cpu": None}}},
    {"persistence": {"storageClass": "-"}},
    {"middlewares": {"rateLimit": {"period": "1m30s"}}},
    {"podDisruptionBudget": {"maxUnavailable": "25%"}},
    {"releaseManager": {"anything": [{"goes": None}]}},
]
BAD = [
    {"slug": "a" * 41},
    {"slug": "Acme"},
    {"slug": "a_b"},
    {"slug": "a.b"},
    {"slug": "-a"},
    {"slug": "a-"},
    {"slug": "akmé"},
    {"slug": "a/b"},
    {"slug": 7},
    {"slug": "api"},
    {"host": "Acme.wareit.ai"},
    {"host": "acme"},
    {"host": "acme.wareit.ai/path"},
    {"domain": ""},
    {"replicas": 1.5},
    {"replicas": "1"},
    {"image": {"tag": 1.5}},
    {"image": {"digest": "sha256:" + "A" * 64}},
    {"image": {"repository": "a:b"}},
    {"resources": {"limits": {"memory": "1 Gi"}}},
    {"resources": {"limits": {"memory": "-1Gi"}}},
    {"resources": {"limits": {"disk": "1Gi"}}},
    {"env": {"A": 1}},
    {"env": {"A-B": "1"}},
    {"emptyDirs": {"data": {"mountPath": "/x", "sizeLimit": "1Mi"}}},
    {"emptyDirs": {"x": {"mountPath": "/x"}}},
    {"emptyDirs": {"x": {"mountPath": "x", "sizeLimit": "1Mi"}}},
    {"podLabels": {"app": "x"}},
    {"commonLabels": {"team": "a b"}},
    {"networkPolicy": {"ingressFrom": []}},
    {"networkPolicy": {"dnsTo": [{}]}},
    {"networkPolicy": {"blockedCidrs": {"ipv4": ["10.0.0.1"]}}},
    {"securityContext": {"runAsNonroot": True}},
    {"probes": {"startup": {"tcpSocket": {"port": 1}}}},
    {"strategy": {"type": "Blue"}},
    {"podDisruptionBudget": {"maxUnavailable": "many"}},
    {"gateway": {"config": {"gateway": "lan"}}},
    {"nothing": {"like": "this"}},
    {"replicas": None},
    {"image": None},
    {"persistence": {"size": None}},
]


def accepts(run_tool: RunTool, values: Values, folder: Path) -> bool:
    """Whether Helm takes the values, or refuses them for another reason than the schema."""
    file = folder / "values.json"
    file.write_text(json.dumps(values))
    result = run_tool("helm", "template", "tenant-acme", CHART, "--values", file)
    return "schema" not in result.stderr


@pytest.mark.parametrize("values", GOOD, ids=json.dumps)
def test_helm_and_python_accept(values: Values, run_tool: RunTool, tmp_path: Path) -> None:
    assert (is_valid(values), accepts(run_tool, values, tmp_path)) == (True, True)


@pytest.mark.parametrize("values", BAD, ids=json.dumps)
def test_helm_and_python_refuse(values: Values, run_tool: RunTool, tmp_path: Path) -> None:
    assert (is_valid(values), accepts(run_tool, values, tmp_path)) == (False, False)


def test_a_layer_above_the_profile_may_restore_a_limit() -> None:
    merged = merge_values(OPENCLAW, {"resources": {"limits": {"cpu": "1"}}})

    assert coalesce_values(DEFAULTS, merged)["resources"]["limits"]["cpu"] == "1"
