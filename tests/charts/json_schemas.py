"""JSON schemas for kubeconform, built without a network from what the projects publish.

Kubernetes publishes an OpenAPI document and Traefik its CustomResourceDefinitions; both
lie in the Go modules that the local cluster is built from. Every object is closed, so
that a misspelt field is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Schema = dict[str, Any]

OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
# Texts in the OpenAPI document; the API server takes numbers as well.
TEXTS_OR_NUMBERS = (
    "io.k8s.apimachinery.pkg.api.resource.Quantity",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
)
LOCATION = "{{ .ResourceKind }}{{ .KindSuffix }}.json"


def write_schemas(folder: Path, openapi: Schema, crds: Iterable[Schema]) -> str:
    """Write one file for each kind; return the schema location to hand to kubeconform."""
    for name, schema in build_schemas(openapi, crds):
        (folder / name).write_text(json.dumps(schema))
    return str(folder / LOCATION)


def build_schemas(openapi: Schema, crds: Iterable[Schema]) -> Iterator[tuple[str, Schema]]:
    """Yield file name and self-contained schema of each kind."""
    definitions = {name: close_objects(schema) for name, schema in openapi["definitions"].items()}
    for name in TEXTS_OR_NUMBERS:
        definitions[name] = {"type": ["string", "number"]}
    for schema in definitions.values():
        for kind in schema.get("x-kubernetes-group-version-kind", []):
            yield build_file_name(**kind), include_definitions(schema, definitions)
    for crd in crds:
        spec = crd["spec"]
        for version in spec["versions"]:
            schema = close_objects(version["schema"]["openAPIV3Schema"])
            schema["properties"]["metadata"] = {"$ref": f"#/definitions/{OBJECT_META}"}
            name = build_file_name(spec["group"], version["name"], spec["names"]["kind"])
            yield name, include_definitions(schema, definitions)


def build_file_name(group: str, version: str, kind: str) -> str:
    """Return the name under which kubeconform looks for a kind: deployment-apps-v1.json."""
    parts = (kind.lower(), group.split(".", maxsplit=1)[0], version)
    return "-".join(part for part in parts if part) + ".json"


def close_objects(schema: Any) -> Any:
    """Return a copy in which objects with known properties have no others."""
    if isinstance(schema, list):
        return [close_objects(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: close_objects(value) for key, value in schema.items()}
    is_open = "additionalProperties" in schema or "x-kubernetes-preserve-unknown-fields" in schema
    if isinstance(schema.get("properties"), dict) and not is_open:
        closed["additionalProperties"] = False
    return closed


def include_definitions(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """Return the schema with all definitions that it refers to, directly or not."""
    wanted: dict[str, Schema] = {}
    waiting = list(find_references(schema))
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted[name] = definitions[name]
            waiting.extend(find_references(definitions[name]))
    return {**schema, "definitions": wanted}


def find_references(schema: Any) -> Iterator[str]:
    """Yield the names of the definitions that a schema refers to itself."""
    if isinstance(schema, dict):
        if isinstance(reference := schema.get("$ref"), str):
            yield reference.removeprefix("#/definitions/")
        schema = list(schema.values())
    if isinstance(schema, list):
        for item in schema:
            yield from find_references(item)
