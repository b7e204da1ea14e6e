"""The AWS provider's schema, from the bindings that were generated from it for another language.

The provider itself is of half a gigabyte; the npm package `@cdktf/provider-aws` (MPL-2.0) has what
`terraform providers schema -json` printed, spread over its classes and the comments of their
source. Version 21.22.1 of it is of the provider's 6.25.0.

    npm pack @cdktf/provider-aws@21.22.1 && tar xf cdktf-provider-aws-21.22.1.tgz
    python -m tests.terraform.extract_schema package/lib

writes schema.json beside this file, of the types named below, which are those that are used.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TARGET = Path(__file__).with_name("schema.json")
PROVIDER = "registry.terraform.io/hashicorp/aws"
RESOURCES = """
autoscaling_attachment cloudwatch_log_group cloudwatch_metric_alarm db_instance
default_security_group dlm_lifecycle_policy ebs_encryption_by_default ebs_volume
ecr_lifecycle_policy ecr_repository ecs_cluster ecs_service ecs_task_definition eip
eip_association eks_access_entry eks_access_policy_association eks_addon eks_cluster
eks_node_group iam_instance_profile iam_openid_connect_provider iam_role iam_role_policy
iam_role_policy_attachment iam_user iam_user_policy instance internet_gateway kms_key
launch_template lb lb_listener lb_target_group nat_gateway route route53_record route53_zone
route_table route_table_association s3_bucket s3_bucket_lifecycle_configuration s3_bucket_policy
s3_bucket_public_access_block s3_bucket_server_side_encryption_configuration s3_bucket_versioning
security_group subnet volume_attachment vpc vpc_endpoint vpc_security_group_egress_rule
vpc_security_group_ingress_rule
""".split()  # noqa: SIM905 - sixty names in ten lines
DATA_SOURCES = ["caller_identity", "ebs_encryption_by_default", "ssm_parameter"]
Json = dict[str, Any]
_TYPES = {"string": "string", "number": "number", "boolean": "bool", "any": "dynamic"}
_PRIMITIVES = {
    f"{name}{kind}": type_ for name, type_ in _TYPES.items() for kind in ("", "List", "Map")
}
_GETTERS: Json = {
    "getStringAttribute": "string",
    "getNumberAttribute": "number",
    "getBooleanAttribute": "bool",
    "getListAttribute": ["list", "string"],
    "getNumberListAttribute": ["list", "number"],
    "getStringMapAttribute": ["map", "string"],
    "getNumberMapAttribute": ["map", "number"],
    "getBooleanMapAttribute": ["map", "bool"],
    "getAnyMapAttribute": ["map", "string"],
}
_MAPS = {"StringMap": "string", "NumberMap": "number", "BooleanMap": "bool"}
# "readonly vpcId?: string;" with the name of the attribute in the link to its documentation.
_MEMBER = re.compile(
    r"Docs at Terraform Registry: \{@link \S+#(\w+) [^}]*\}.*?readonly \w+(\??): ([^;]*?);\n", re.S
)
# An entry of what a class hands to Terraform: name, whether it is a block, its type.
_ENTRY = re.compile(
    r'^\s+(\w+): \{\n\s+value: .*?\n\s+isBlock: (\w+),\n\s+type: "(\w+)",'
    r'\n\s+storageClassType: "(\w+)",',
    re.M,
)
# "// arn - computed: true, optional: false, required: false".
_COMMENT = re.compile(r"// (\w+) - computed: (true|false), optional: (?:true|false), required: ")
# The same where nobody can set it, and the member below it.
_READ_ONLY = re.compile(
    r"// (\w+) - computed: true, optional: false, required: false"
    r"\n\s+(get \w+\(\) \{\n\s+return [^\n]*|this\.\w+ = new [^\n]*)"
)
_SOURCE_MAP = re.compile(r"sourceMappingURL=data:application/json;base64,([\w+/=]+)")


@dataclass(frozen=True)
class Entry:
    """What a class hands to Terraform under a name. kind: simple, list, set, map or struct."""

    name: str
    is_block: bool
    kind: str
    storage: str


@dataclass(frozen=True)
class Member:
    """What may be set. declared: its type in TypeScript."""

    is_optional: bool
    declared: str


@dataclass(frozen=True)
class Bindings:
    """One resource or data source: JavaScript, and the TypeScript that it was made from."""

    script: str
    source: str

    def find_class(self, name: str) -> str:
        """Return a class's body in JavaScript; empty where there is none."""
        found = re.search(rf"^class {name} extends [\w.]+ \{{(.*?)^\}}", self.script, re.S | re.M)
        return found.group(1) if found else ""

    def list_computed(self, class_name: str) -> set[str]:
        """Return what the provider computes where nobody sets it: only TypeScript tells."""
        pattern = rf"^export class {class_name} extends [\w.]+ \{{(.*?)^\}}"
        found = re.search(pattern, self.source, re.S | re.M)
        comments = _COMMENT.findall(found.group(1)) if found else []
        return {name for name, is_computed in comments if is_computed == "true"}

    def list_members(self, interface: str) -> dict[str, Member]:
        """Return what may be set, by the attribute's name."""
        pattern = rf"^export interface {interface}(?: extends [\w.]+)? \{{(.*?)^\}}"
        found = re.search(pattern, self.source, re.S | re.M)
        members = _MEMBER.findall(found.group(1)) if found else []
        return {name: Member(mark == "?", declared) for name, mark, declared in members}

    def list_entries(self, struct: str) -> list[Entry]:
        """Return what a nested structure hands to Terraform."""
        function = f"{struct[0].lower()}{struct[1:]}ToHclTerraform"
        found = re.search(rf"function {function}\(struct\) \{{(.*?)^\}}", self.script, re.S | re.M)
        return _read_entries(found.group(1)) if found else []

    def build_block(self, entries: list[Entry], interface: str, class_name: str) -> Json:
        """Return a block's schema."""
        members, computed = self.list_members(interface), self.list_computed(class_name)
        blocks = {
            entry.name: self._build_nested(entry, members[entry.name])
            for entry in entries
            if entry.is_block
        }
        attributes = {
            entry.name: self._build_attribute(entry, members[entry.name])
            | ({"computed": True} if entry.name in computed else {})
            for entry in entries
            if not entry.is_block
        }
        for name, expression in _READ_ONLY.findall(self.find_class(class_name)):
            if name not in attributes and name not in blocks:
                attributes[name] = {"type": self._read_type(expression), "computed": True}
        return {"attributes": attributes} | ({"block_types": blocks} if blocks else {})

    def _build_attribute(self, entry: Entry, member: Member) -> Json:
        need = "optional" if member.is_optional else "required"
        return {"type": self._find_type(entry), need: True}

    def _build_nested(self, entry: Entry, member: Member) -> Json:
        struct = entry.storage.removesuffix("List")
        block = self.build_block(self.list_entries(struct), struct, f"{struct}OutputReference")
        if entry.name == "timeouts":
            return {"nesting_mode": "single", "block": block}
        mode = "single" if entry.kind == "struct" else entry.kind
        nested: Json = {"nesting_mode": mode, "block": block}
        if not member.is_optional:
            nested["min_items"] = 1
        if mode in ("list", "set") and "[]" not in member.declared:
            nested["max_items"] = 1
        return nested

    def _find_type(self, entry: Entry) -> Any:
        if entry.kind == "simple":
            return _PRIMITIVES[entry.storage]
        if entry.storage in _PRIMITIVES:
            return [entry.kind, _PRIMITIVES[entry.storage]]
        inner = self._build_object(re.sub(r"(List|Map)$", "", entry.storage))
        return [entry.kind, inner] if entry.kind in ("list", "set", "map") else inner

    def _build_object(self, struct: str) -> Any:
        body = self.find_class(f"{struct}OutputReference")
        types = {name: self._read_type(text) for name, text in _READ_ONLY.findall(body)}
        types |= {entry.name: self._find_type(entry) for entry in self.list_entries(struct)}
        return ["object", types]

    def _read_type(self, expression: str) -> Any:
        """Return the type of what a member's expression gives."""
        if getter := re.search(r"\.(get\w+)\(", expression):
            type_ = _GETTERS.get(getter.group(1), "dynamic")
            is_set = "cdktf.Fn.tolist" in expression and isinstance(type_, list)
            return ["set", type_[1]] if is_set else type_
        made = re.search(r"new (?:cdktf\.)?(\w+)\(", expression)
        return self._read_made(made.group(1), expression) if made else "dynamic"

    def _read_made(self, name: str, expression: str) -> Any:
        if name in _MAPS:
            return ["map", _MAPS[name]]
        for suffix, kind in (("List", "list"), ("Map", "map"), ("OutputReference", "")):
            if name.endswith(suffix):
                inner = self._build_object(name.removesuffix(suffix))
                wraps_set = kind == "list" and re.search(r", true\)", expression)
                return [("set" if wraps_set else kind), inner] if kind else inner
        return "dynamic"


def _read_entries(body: str) -> list[Entry]:
    start = body.find("const attrs = {")
    found = _ENTRY.findall(body[start:]) if start >= 0 else []
    return [Entry(name, block == "true", kind, storage) for name, block, kind, storage in found]


def read_bindings(folder: Path) -> Bindings:
    """Read all files of one resource or data source. Raises FileNotFoundError."""
    nested = sorted((folder / "index-structs").rglob("*.js"))
    scripts = [file.read_text() for file in (folder / "index.js", *nested)]
    maps = [base64.b64decode(text) for script in scripts for text in _SOURCE_MAP.findall(script)]
    sources = [json.loads(text)["sourcesContent"][0] for text in maps]
    return Bindings("\n".join(scripts), "\n".join(sources))


def build_schema(folder: Path, parent: str) -> Json:
    """Return the schema of what extends a parent, such as TerraformResource."""
    bindings = read_bindings(folder)
    found = re.search(rf"^export class (\w+) extends cdktf\.{parent}", bindings.source, re.M)
    if found is None:
        raise FileNotFoundError(folder)
    name = found.group(1)
    entries = _read_entries(bindings.find_class(name))
    block = bindings.build_block(entries, f"{name}Config", name)
    return {"version": 0, "block": block}


def build_document(library: Path) -> Json:
    """Return the document. Raises FileNotFoundError for what the package does not have."""

    def build_all(names: list[str], prefix: str, parent: str) -> Json:
        folders = {name: library / f"{prefix}{name.replace('_', '-')}" for name in names}
        return {f"aws_{name}": build_schema(folder, parent) for name, folder in folders.items()}

    provider = build_schema(library / "provider", "TerraformProvider")
    provider["block"]["attributes"].pop("alias", None)
    schemas = {
        "provider": provider,
        "resource_schemas": build_all(RESOURCES, "", "TerraformResource"),
        "data_source_schemas": build_all(DATA_SOURCES, "data-aws-", "TerraformDataSource"),
    }
    return {"format_version": "1.0", "provider_schemas": {PROVIDER: schemas}}


def main(arguments: list[str]) -> int:
    """Write the schema; return the exit code."""
    try:
        document = build_document(Path(*arguments))
    except FileNotFoundError as exc:
        sys.stderr.write(f"{exc.filename or exc} is not there: name the package's folder lib\n")
        return 2
    TARGET.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
