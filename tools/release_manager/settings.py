"""Settings: flags over environment over the fleet file over defaults, read once.

``Settings`` is passed down; nothing else reads the environment. ``origins`` remembers
where each setting came from, for ``show-settings``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from .chart import DEFAULT_PROFILE
from .errors import InvalidSettingsError, InvalidValuesError
from .values import RECORD_KEY, load_values_file, merge_values

ENVIRONMENT_PREFIX = "RELEASE_MANAGER_"
FLEET_FILE = "fleet.yaml"

_DNS_NAME = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$"

_CHART = {
    "type": "string",
    "minLength": 1,
    "description": "a folder, a package or an oci:// reference",
}
FLEET_SCHEMA: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "title": "fleet.yaml",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "namespace": {
            "type": "string",
            "pattern": r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
            "description": "the namespace of all tenants, such as aware",
        },
        "domain": {
            "type": "string",
            "pattern": _DNS_NAME,
            "description": "the domain below which each tenant has its host, such as wareit.ai",
        },
        "registry": {
            "type": "string",
            "minLength": 1,
            "description": "the registry of aware-gateway and aware-api, without a scheme",
        },
        "profile": {
            "type": "string",
            "description": "the chart's profile for new tenants, such as openclaw",
        },
        "charts": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "tenant": _CHART,
                "platform": _CHART,
                "api": _CHART,
            },
        },
        "defaults": {
            "type": "object",
            "description": "values for every tenant, below the tenant's own",
        },
        "platform": {"type": "object", "description": "values of the chart platform"},
        "api": {"type": "object", "description": "values of the chart aware-api"},
    },
}


# Values that cannot be the same for every tenant.
_OF_ONE_TENANT = {
    RECORD_KEY: "the release manager",
    "slug": "one tenant",
    "host": "one tenant",
}


@dataclass(frozen=True)
class Settings:
    """Everything that is decided outside of a single command.

    chart, platform_chart, api_chart: folder, package or ``oci://`` reference, optionally with
    ``:version``; empty for the chart that this program carries. kubeconfig and context are
    empty for the ones that kubectl would use. defaults, platform, api: values of the charts.
    """

    namespace: str = "aware"
    domain: str = "wareit.ai"
    registry: str = "registry.wareit.ai"
    profile: str = DEFAULT_PROFILE
    chart: str = ""
    platform_chart: str = ""
    api_chart: str = ""
    kubeconfig: str = ""
    context: str = ""
    helm: str = "helm"
    defaults: dict[str, Any] = field(default_factory=dict)
    platform: dict[str, Any] = field(default_factory=dict)
    api: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)

    def fleet_values(self) -> dict[str, Any]:
        """Return the values that these settings mean for every tenant."""
        own = {"domain": self.domain, "image": {"registry": self.registry}}
        return merge_values(own, self.defaults)


SETTING_NAMES = tuple(item.name for item in fields(Settings) if item.name != "origins")
# Values, which are given in the file alone.
_VALUES = ("defaults", "platform", "api")
_FROM_TEXT = tuple(name for name in SETTING_NAMES if name not in _VALUES)
# The settings that ``charts`` of the file means.
_CHARTS = {"tenant": "chart", "platform": "platform_chart", "api": "api_chart"}


def read_settings(
    flags: Mapping[str, str | None],
    environment: Mapping[str, str],
    *,
    fleet_file: Path | None = None,
    folder: Path = Path(),
) -> Settings:
    """Join all sources. Raises InvalidSettingsError naming the source and the field.

    flags: by setting name; None where not given. fleet_file: of ``--settings``; else
    ``RELEASE_MANAGER_SETTINGS``, else ``fleet.yaml`` in ``folder`` if it is there.
    """
    path = _find_fleet_file(fleet_file, environment, folder)
    settings: dict[str, Any] = {}
    origins = dict.fromkeys(SETTING_NAMES, "default")
    if path is not None:
        for name, value in _read_fleet_file(path).items():
            settings[name], origins[name] = value, f"file {path}"
    for name in _FROM_TEXT:
        variable = ENVIRONMENT_PREFIX + name.upper()
        if environment.get(variable):
            settings[name], origins[name] = environment[variable], f"environment {variable}"
        if flags.get(name) is not None:
            settings[name], origins[name] = flags[name], f"flag --{name}"
    _check(
        {name: settings[name] for name in settings if name in FLEET_SCHEMA["properties"]}, origins
    )
    if settings.get("kubeconfig"):
        files = settings["kubeconfig"].split(os.pathsep)
        expanded = [str(Path(file).expanduser()) for file in files if file]
        settings["kubeconfig"] = os.pathsep.join(expanded)
    return Settings(**settings, origins=origins)


def check_defaults(defaults: Mapping[str, Any], source: str) -> None:
    """Refuse values that cannot be the same for every tenant. Raises InvalidSettingsError."""
    for key in _OF_ONE_TENANT.keys() & defaults.keys():
        raise InvalidSettingsError(
            f"field defaults.{key} ({source}): it belongs to {_OF_ONE_TENANT[key]}",
            remedy="Remove it",
        )


def _check_record_key(values: Mapping[str, Any], where: str) -> None:
    if RECORD_KEY in values:
        raise InvalidSettingsError(
            f"{where}: it belongs to {_OF_ONE_TENANT[RECORD_KEY]}", remedy="Remove it"
        )


def cache_folder() -> Path:
    """Return where this program keeps what it can make anew. Raises RuntimeError: no home."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "aware"


def _find_fleet_file(
    flag: Path | None, environment: Mapping[str, str], folder: Path
) -> Path | None:
    if flag is not None:
        return flag
    if named := environment.get(f"{ENVIRONMENT_PREFIX}SETTINGS"):
        return Path(named)
    default = folder / FLEET_FILE
    return default if default.is_file() else None


def _read_fleet_file(path: Path) -> dict[str, Any]:
    try:
        content = load_values_file(path, field_name="--settings")
    except InvalidValuesError as exc:
        raise InvalidSettingsError(exc.problem, remedy=exc.remedy) from exc
    _check(content, dict.fromkeys(content, f"file {path}"))
    check_defaults(content.get("defaults", {}), f"file {path}")
    for part in ("platform", "api"):
        _check_record_key(content.get(part, {}), f"field {part}.{RECORD_KEY} (file {path})")
    for name, reference in content.pop("charts", {}).items():
        # A relative path in the file means: beside the file.
        beside = path.parent / reference
        is_local = not reference.startswith("oci://") and beside.exists()
        content[_CHARTS[name]] = str(beside) if is_local else reference
    return content


def _check(content: Mapping[str, Any], origins: Mapping[str, str]) -> None:
    if _fits(content, FLEET_SCHEMA):
        return
    from jsonschema import Draft7Validator

    for error in Draft7Validator(FLEET_SCHEMA).iter_errors(dict(content)):
        where = ".".join(str(part) for part in error.absolute_path)
        origin = origins.get(where.split(".")[0], "the settings")
        if error.validator == "additionalProperties":
            known = ", ".join(error.schema["properties"])
            raise InvalidSettingsError(
                f"{origin if where else _source_of_unknown(content, origins)}: {error.message}",
                remedy=f"Known names: {known}",
            )
        wanted = error.schema.get("description", "")
        raise InvalidSettingsError(
            f"field {where} ({origin}): {error.message}",
            remedy=f"It must be {wanted}" if wanted else "Correct it",
        )


def _fits(value: object, schema: Mapping[str, Any]) -> bool:
    """Tell whether a value fits, as far as FLEET_SCHEMA has rules.

    For every command reads settings, and jsonschema, which tells what is wrong, is slow to import.
    """
    if schema["type"] == "string":
        return (
            isinstance(value, str)
            and len(value) >= schema.get("minLength", 0)
            and re.search(schema.get("pattern", ""), value) is not None
        )
    if not isinstance(value, dict):
        return False
    rules = schema.get("properties")
    return rules is None or all(
        name in rules and _fits(item, rules[name]) for name, item in value.items()
    )


def _source_of_unknown(content: Mapping[str, Any], origins: Mapping[str, str]) -> str:
    return next((origins[name] for name in content if name in origins), "the settings")
