"""What runs of a tenant: its Deployment, its pods, their containers and events.

Only frozen data; nothing here looks at a cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Environment:
    """Where containers get their environment and their files from.

    values: the literal ones, by name. They may be secret, and are never printed.
    """

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret_names: tuple[str, ...] = ()
    config_map_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Workload:
    """A tenant's Deployment.

    wanted_replicas is what the release says (an annotation that only Helm writes),
    spec_replicas what the Deployment says now: they differ after ``kubectl scale``.
    ending_replicas: pods that were told to end and have not yet; old clusters do not count
    them. replica_set: name of the newest one. foreign_fields: dotted paths that a program
    other than helm has set, as ``kubectl set image`` does.
    """

    slug: str
    wanted_replicas: int
    spec_replicas: int
    ready_replicas: int
    updated_replicas: int
    existing_replicas: int
    is_observed: bool
    image: str
    host: str
    chart: str
    ending_replicas: int = 0
    replica_set: str = ""
    progress_reason: str = ""
    progress_at: datetime | None = None
    failure_message: str = ""
    foreign_fields: tuple[str, ...] = ()
    environment: Environment = field(default_factory=Environment, repr=False)
    resources: dict[str, Any] = field(default_factory=dict)

    @property
    def is_scaled_by_hand(self) -> bool:
        """Whether somebody has asked for other replicas than the release does."""
        return self.spec_replicas != self.wanted_replicas

    @property
    def is_complete(self) -> bool:
        """Whether every replica of the current revision is ready and no older one counts."""
        return self.is_observed and (
            self.spec_replicas
            == self.updated_replicas
            == self.existing_replicas
            == self.ready_replicas
        )

    @property
    def is_ready(self) -> bool:
        """Whether it is complete and, for a tenant that is stopped, no pod is ending either."""
        return self.is_complete and not (self.spec_replicas == 0 and self.ending_replicas > 0)

    @property
    def has_settled(self) -> bool:
        """Whether the last rollout once completed."""
        return self.is_observed and self.progress_reason == "NewReplicaSetAvailable"

    @property
    def has_missed_deadline(self) -> bool:
        """Whether the Deployment made no progress within its own deadline."""
        return self.is_observed and self.progress_reason == "ProgressDeadlineExceeded"


@dataclass(frozen=True)
class Container:
    """One container of a pod: whether it runs, why it waits, and how its last run ended.

    has_started: whether its startup probe has passed. startup_seconds: how long that probe
    lets it start. running_since: None when it does not run now. exit_began_at, exit_at: when
    the run began and ended that exit_code and exit_reason are about.
    """

    name: str
    image: str
    is_ready: bool
    restarts: int
    has_started: bool = False
    startup_seconds: int = 0
    running_since: datetime | None = None
    waiting_reason: str = ""
    waiting_message: str = ""
    exit_code: int | None = None
    exit_reason: str = ""
    exit_message: str = ""
    exit_began_at: datetime | None = None
    exit_at: datetime | None = None
    memory_limit: str = ""


@dataclass(frozen=True)
class Pod:
    """One pod of a tenant.

    template_hash: of its ReplicaSet. is_cut_off: it was ready, and then its node was not.
    unready_since: None while it is ready. ends_by: when a pod that was told to end should be
    gone. failure: why the whole pod was given up, such as an eviction. claims: its volume
    claims. requests: what it asks of a node.
    """

    name: str
    phase: str
    node: str
    is_ready: bool
    is_deleting: bool
    created_at: datetime
    uid: str = ""
    template_hash: str = ""
    is_cut_off: bool = False
    unready_since: datetime | None = None
    ends_by: datetime | None = None
    finalizers: tuple[str, ...] = ()
    failure: str = ""
    scheduling_message: str = ""
    claims: tuple[str, ...] = ()
    requests: Mapping[str, str] = field(default_factory=dict)
    environment: Environment = field(default_factory=Environment, repr=False)
    containers: tuple[Container, ...] = ()


@dataclass(frozen=True)
class Event:
    """A Kubernetes event about one of a tenant's objects. uid: of that object.

    began_at: when it was seen first, if it has been seen more often than once.
    """

    at: datetime
    kind: str
    name: str
    reason: str
    message: str
    is_warning: bool
    uid: str = ""
    began_at: datetime | None = None
