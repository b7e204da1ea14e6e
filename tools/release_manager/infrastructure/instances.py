"""The EC2 instance types that a cluster of tenants is built of.

vCPUs and memory: https://aws.amazon.com/ec2/instance-types/. Pods: ``eni-max-pods.txt`` of
https://github.com/awslabs/amazon-eks-ami, which has for each type what AWS's formula
``max_enis * (ips_per_eni - 1) + 2`` gives.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InvalidSettingsError

AMD64 = "amd64"
ARM64 = "arm64"


@dataclass(frozen=True)
class InstanceType:
    """What a machine has. eks_max_pods: what AWS's VPC CNI has addresses for, without prefixes."""

    name: str
    vcpus: int
    memory_gib: float
    architecture: str
    eks_max_pods: int

    @property
    def family(self) -> str:
        """The part of the name before the size."""
        return self.name.partition(".")[0]


# By family, each from the smallest to the largest; burstable families first.
INSTANCE_TYPES: tuple[InstanceType, ...] = (
    InstanceType("t3.small", 2, 2, AMD64, 11),
    InstanceType("t3.medium", 2, 4, AMD64, 17),
    InstanceType("t3.large", 2, 8, AMD64, 35),
    InstanceType("t3.xlarge", 4, 16, AMD64, 58),
    InstanceType("t3.2xlarge", 8, 32, AMD64, 58),
    InstanceType("t4g.small", 2, 2, ARM64, 11),
    InstanceType("t4g.medium", 2, 4, ARM64, 17),
    InstanceType("t4g.large", 2, 8, ARM64, 35),
    InstanceType("t4g.xlarge", 4, 16, ARM64, 58),
    InstanceType("t4g.2xlarge", 8, 32, ARM64, 58),
    InstanceType("m6i.large", 2, 8, AMD64, 29),
    InstanceType("m6i.xlarge", 4, 16, AMD64, 58),
    InstanceType("m6i.2xlarge", 8, 32, AMD64, 58),
    InstanceType("m6i.4xlarge", 16, 64, AMD64, 234),
    InstanceType("m6i.8xlarge", 32, 128, AMD64, 234),
    InstanceType("m7g.large", 2, 8, ARM64, 29),
    InstanceType("m7g.xlarge", 4, 16, ARM64, 58),
    InstanceType("m7g.2xlarge", 8, 32, ARM64, 58),
    InstanceType("m7g.4xlarge", 16, 64, ARM64, 234),
    InstanceType("m7g.8xlarge", 32, 128, ARM64, 234),
)


def find_instance_type(name: str) -> InstanceType:
    """Return the type of that name. Raises InvalidSettingsError."""
    for instance in INSTANCE_TYPES:
        if instance.name == name:
            return instance
    raise InvalidSettingsError(
        f"field --instance-type: nothing is known here about {name!r}",
        remedy=f"Choose one of: {', '.join(instance.name for instance in INSTANCE_TYPES)}",
    )


def find_next_size(name: str) -> InstanceType | None:
    """Return the next larger type of the same family, or None: unknown, or the largest."""
    family = [item for item in INSTANCE_TYPES if item.family == name.partition(".")[0]]
    names = [item.name for item in family]
    if name not in names[:-1]:
        return None
    return family[names.index(name) + 1]
