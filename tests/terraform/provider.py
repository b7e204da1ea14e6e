"""A stand-in of Terraform's AWS provider, which knows the real one's schema and reaches nothing.

Terraform speaks to it as to the real one, by its plugin protocol 6. So Terraform itself finds
arguments, blocks and types that AWS' provider does not have, and plans what it would make, change,
replace and destroy. The schema, schema.json, is what extract_schema.py made; its origin and licence
are named there. What it does not tell is written down here: which changes replace a resource
(`FORCES_NEW`), what importing finds (`IMPORTED`), and what AWS would answer (`ANSWERS`). It cannot
tell whether AWS takes a value.

`STUB_ANSWERS` may name a JSON file with more of these: {"data.aws_x": {attribute: value}}.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import msgpack
from tf.gen import tfplugin_pb2 as pb
from tf.gen import tfplugin_pb2_grpc as rpc
from tf.runner import _self_signed_cert, _ShutdownInterceptor

SCHEMA = Path(__file__).with_name("schema.json")
PROVIDER = "registry.terraform.io/hashicorp/aws"
ACCOUNT, REGION = "123456789012", "eu-central-1"
NESTING = {"single": 1, "list": 2, "set": 3, "map": 4, "group": 5}
# Terraform's own encoding of a value that is not known before it is applied.
UNKNOWN = msgpack.ExtType(0, b"\x00")

# "Forces new resource" in the provider's documentation, for what the project's roots change.
FORCES_NEW: Mapping[str, tuple[str, ...]] = {
    "aws_db_instance": ("identifier",),
    "aws_ebs_volume": ("availability_zone", "encrypted", "kms_key_id", "snapshot_id"),
    "aws_ecr_repository": ("name", "encryption_configuration"),
    "aws_eip": ("domain",),
    "aws_eip_association": ("allocation_id", "instance_id"),
    "aws_eks_addon": ("addon_name", "cluster_name"),
    "aws_eks_cluster": ("name",),
    "aws_eks_node_group": (
        *("ami_type", "cluster_name", "instance_types", "node_group_name_prefix", "node_role_arn"),
        "subnet_ids",
    ),
    "aws_iam_instance_profile": ("name",),
    "aws_iam_role": ("name",),
    "aws_iam_role_policy": ("name", "role"),
    "aws_iam_user_policy": ("name", "user"),
    "aws_instance": ("ami", "availability_zone", "private_ip", "subnet_id"),
    "aws_lb": ("internal", "load_balancer_type", "name"),
    "aws_lb_target_group": ("name", "port", "protocol", "target_type", "vpc_id"),
    "aws_nat_gateway": ("allocation_id", "subnet_id"),
    "aws_route53_record": ("name", "set_identifier", "zone_id"),
    "aws_route53_zone": ("name",),
    "aws_s3_bucket": ("bucket",),
    "aws_security_group": ("description", "name", "vpc_id"),
    "aws_subnet": ("availability_zone", "cidr_block", "vpc_id"),
    "aws_volume_attachment": ("device_name", "instance_id", "volume_id"),
    "aws_vpc": ("cidr_block",),
    "aws_vpc_endpoint": ("service_name", "vpc_endpoint_type", "vpc_id"),
}
# user_data replaces an instance only where this says so.
REPLACES_ON_USER_DATA = "user_data_replace_on_change"
# The attribute that an import's ID is, beside `id`.
IMPORTED = {
    "aws_ecr_repository": "name",
    "aws_route53_zone": "zone_id",
    "aws_s3_bucket": "bucket",
}
# ARNs that follow from a configuration.
ARNS = {"aws_iam_role": f"arn:aws:iam::{ACCOUNT}:role/{{name}}"}
ANSWERS: Mapping[str, Mapping[str, Any]] = {
    "aws_ebs_volume": {"id": "vol-0123456789abcdef0"},
    "aws_eip": {"id": "eipalloc-0123456789abcdef0", "public_ip": "203.0.113.10"},
    "aws_eks_cluster": {
        "identity": [{"oidc": [{"issuer": "https://oidc.eks.eu-central-1.amazonaws.com/id/AB12"}]}]
    },
    "aws_eks_node_group": {
        "resources": [
            {"autoscaling_groups": [{"name": "eks-main"}], "remote_access_security_group_id": ""}
        ]
    },
    "aws_lb": {"dns_name": "aware-eks.elb.eu-central-1.amazonaws.com", "zone_id": "Z3F0SRJ5LGBH90"},
    "aws_route53_zone": {"name": "wareit.ai", "name_servers": ["ns-1.awsdns-00.org"]},
    "aws_subnet": {"id": "subnet-0123456789abcdef0"},
    "aws_vpc": {"id": "vpc-0123456789abcdef0"},
    "data.aws_caller_identity": {"account_id": ACCOUNT},
    "data.aws_ebs_encryption_by_default": {"enabled": True},
    "data.aws_ssm_parameter": {
        "value": "ami-0123456789abcdef0",
        "insecure_value": "ami-0123456789abcdef0",
    },
}

Json = dict[str, Any]


def read_answers() -> dict[str, dict[str, Any]]:
    """Return what AWS answers: ANSWERS, and over them the file of STUB_ANSWERS."""
    file = os.environ.get("STUB_ANSWERS")
    more = json.loads(Path(file).read_text()) if file else {}
    return {name: {**ANSWERS.get(name, {}), **more.get(name, {})} for name in {*ANSWERS, *more}}


def decode(value: pb.DynamicValue) -> Any:
    """Return a value that Terraform sent."""
    if value.msgpack:
        return msgpack.unpackb(value.msgpack, raw=False, strict_map_key=False)
    return json.loads(value.json) if value.json else None


def encode(value: Any) -> pb.DynamicValue:
    """Return a value for Terraform."""
    return pb.DynamicValue(msgpack=msgpack.packb(value, use_bin_type=True))


def build_schema(schema: Json) -> pb.Schema:
    """Return a schema as the protocol has it."""
    return pb.Schema(version=schema.get("version", 0), block=_build_block(schema["block"]))


def _build_block(block: Json) -> pb.Schema.Block:
    attributes = [
        pb.Schema.Attribute(
            name=name,
            type=json.dumps(attribute["type"]).encode(),
            **{kind: attribute.get(kind, False) for kind in ("required", "optional", "computed")},
        )
        for name, attribute in sorted(block.get("attributes", {}).items())
    ]
    blocks = [
        pb.Schema.NestedBlock(
            type_name=name,
            block=_build_block(nested["block"]),
            nesting=NESTING[nested["nesting_mode"]],
            min_items=nested.get("min_items", 0),
            max_items=nested.get("max_items", 0),
        )
        for name, nested in sorted(block.get("block_types", {}).items())
    ]
    return pb.Schema.Block(attributes=attributes, block_types=blocks)


def plan_computed(block: Json, value: Any) -> Any:
    """Return a value in which whatever the provider will compute is unknown."""

    def fill(_name: str, attribute: Json, current: Any) -> Any:
        return UNKNOWN if attribute.get("computed") and current is None else current

    return _walk(block, value, fill)


def compute(block: Json, value: Any, kind: str, answers: Mapping[str, Any]) -> Any:
    """Return a value in which whatever was unknown is known: as answered, else made up."""
    seed = json.dumps(value, sort_keys=True, default=str)
    if kind in ARNS and isinstance(value, dict):
        answers = {"arn": ARNS[kind].format(**value), **answers}

    def fill(name: str, attribute: Json, current: Any) -> Any:
        is_unknown = isinstance(current, msgpack.ExtType)
        if not is_unknown and not (attribute.get("computed") and current is None):
            return current
        return answers[name] if name in answers else _make_up(attribute["type"], kind, name, seed)

    return _walk(block, value, fill)


def _walk(block: Json, value: Any, fill: Any) -> Any:
    if not isinstance(value, dict):
        return value
    done = dict(value)
    for name, attribute in block.get("attributes", {}).items():
        done[name] = fill(name, attribute, value.get(name))
    for name, nested in block.get("block_types", {}).items():
        found = value.get(name)
        if isinstance(found, list):
            done[name] = [_walk(nested["block"], item, fill) for item in found]
        elif isinstance(found, dict):
            done[name] = _walk(nested["block"], found, fill)
    return done


def _make_up(type_: Any, kind: str, name: str, seed: str) -> Any:
    """Return something of the type, the same for the same configuration."""
    if type_ in ("string", "dynamic"):
        digest = hashlib.sha256(f"{kind} {seed}".encode()).hexdigest()[:17]
        word = kind.removeprefix("data.").removeprefix("aws_").replace("_", "-")
        is_arn = name == "arn" or name.endswith("_arn")
        return f"arn:aws:{word}:{REGION}:{ACCOUNT}:{digest}" if is_arn else f"{word}-{digest}"
    if type_ in ("number", "bool"):
        return 0 if type_ == "number" else False
    if type_[0] == "object":
        return {item: _make_up(inner, kind, item, seed) for item, inner in type_[1].items()}
    return {} if type_[0] == "map" else []


def list_replacing(kind: str, before: Json, after: Json) -> list[str]:
    """Return the attributes whose change replaces the resource."""
    names = list(FORCES_NEW.get(kind, ()))
    if after.get(REPLACES_ON_USER_DATA):
        names += ["user_data"]
    # Unknown counts as changed: Terraform cannot know better before it applies.
    return [name for name in names if before.get(name) != after.get(name)]


class StandIn(rpc.ProviderServicer):  # type: ignore[misc]
    """Answers Terraform."""

    def __init__(self) -> None:
        schemas = json.loads(SCHEMA.read_text())["provider_schemas"][PROVIDER]
        self._provider = schemas["provider"]
        self._resources: Json = schemas["resource_schemas"]
        self._data: Json = schemas["data_source_schemas"]
        self._answers = read_answers()

    def _answers_of(self, kind: str) -> Mapping[str, Any]:
        return self._answers.get(kind, {})

    def GetMetadata(self, request: Any, context: Any) -> Any:
        return pb.GetMetadata.Response(
            server_capabilities=pb.ServerCapabilities(),
            resources=[pb.GetMetadata.ResourceMetadata(type_name=name) for name in self._resources],
            data_sources=[pb.GetMetadata.DataSourceMetadata(type_name=name) for name in self._data],
        )

    def GetProviderSchema(self, request: Any, context: Any) -> Any:
        return pb.GetProviderSchema.Response(
            provider=build_schema(self._provider),
            resource_schemas={name: build_schema(item) for name, item in self._resources.items()},
            data_source_schemas={name: build_schema(item) for name, item in self._data.items()},
            server_capabilities=pb.ServerCapabilities(),
        )

    def ValidateProviderConfig(self, request: Any, context: Any) -> Any:
        return pb.ValidateProviderConfig.Response()

    def ValidateResourceConfig(self, request: Any, context: Any) -> Any:
        return pb.ValidateResourceConfig.Response()

    def ValidateDataResourceConfig(self, request: Any, context: Any) -> Any:
        return pb.ValidateDataResourceConfig.Response()

    def ConfigureProvider(self, request: Any, context: Any) -> Any:
        return pb.ConfigureProvider.Response()

    def GetFunctions(self, request: Any, context: Any) -> Any:
        return pb.GetFunctions.Response()

    def StopProvider(self, request: Any, context: Any) -> Any:
        return pb.StopProvider.Response()

    def UpgradeResourceState(self, request: Any, context: Any) -> Any:
        state = pb.DynamicValue(json=request.raw_state.json)
        return pb.UpgradeResourceState.Response(upgraded_state=state)

    def ReadResource(self, request: Any, context: Any) -> Any:
        return pb.ReadResource.Response(new_state=request.current_state)

    def PlanResourceChange(self, request: Any, context: Any) -> Any:
        kind = request.type_name
        before, proposed = decode(request.prior_state), decode(request.proposed_new_state)
        planned = plan_computed(self._resources[kind]["block"], proposed)
        replacing = list_replacing(kind, before, planned) if before and planned else []
        return pb.PlanResourceChange.Response(
            planned_state=encode(planned),
            requires_replace=[
                pb.AttributePath(steps=[pb.AttributePath.Step(attribute_name=name)])
                for name in replacing
            ],
        )

    def ApplyResourceChange(self, request: Any, context: Any) -> Any:
        kind = request.type_name
        planned = decode(request.planned_state)
        block = self._resources[kind]["block"]
        made = compute(block, planned, kind, self._answers_of(kind))
        return pb.ApplyResourceChange.Response(new_state=encode(made))

    def ReadDataSource(self, request: Any, context: Any) -> Any:
        kind = f"data.{request.type_name}"
        block = self._data[request.type_name]["block"]
        found = compute(block, decode(request.config), kind, self._answers_of(kind))
        return pb.ReadDataSource.Response(state=encode(found))

    def ImportResourceState(self, request: Any, context: Any) -> Any:
        kind = request.type_name
        block = self._resources[kind]["block"]
        empty = dict.fromkeys(block["attributes"])
        for name, nested in block.get("block_types", {}).items():
            empty[name] = None if nested["nesting_mode"] == "single" else []
        named = {**empty, "id": request.id, IMPORTED[kind]: request.id}
        optional = {
            name: answer
            for name, answer in self._answers_of(kind).items()
            if named.get(name) is None
        }
        found = compute(block, {**named, **optional}, kind, {})
        imported = pb.ImportResourceState.ImportedResource(type_name=kind, state=encode(found))
        return pb.ImportResourceState.Response(imported_resources=[imported])


def serve() -> None:
    """Serve until Terraform has had enough. The first line tells it where, by which certificate."""
    stop = _ShutdownInterceptor()
    unlimited = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(10), interceptors=[stop], options=unlimited)
    rpc.add_ProviderServicer_to_server(StandIn(), server)
    with tempfile.TemporaryDirectory() as folder:
        address = f"{folder}/provider.sock"
        chain, credentials = _self_signed_cert()
        server.add_secure_port(f"unix://{address}", credentials)
        server.start()
        certificate = base64.b64encode(chain).decode().rstrip("=")
        print(f"1|6|unix|{address}|grpc|{certificate}", flush=True)
        while server.wait_for_termination(0.05):
            if stop.stopped:
                break


if __name__ == "__main__":
    serve()
