"""Pools, as the API takes them and as it shows them."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, StrictBool
from pydantic.json_schema import SkipJsonSchema

from lbaas.domain.terms import Encapsulation, Forwarding, Scheduler
from lbaas.wire.fields import Input, Name, Patch, Resource
from lbaas.wire.monitors import Monitor, Port
from lbaas.wire.tenants.labels import Labels
from lbaas.wire.tenants.members import DAYS_S, Deadline, Members

Persistence = Annotated[int, Field(strict=True, ge=1, le=DAYS_S)]
Quorum = Annotated[int, Field(strict=True, ge=1, le=1000)]
V4Length = Annotated[int, Field(strict=True, ge=1, le=32)]
V6Length = Annotated[int, Field(strict=True, ge=1, le=128)]


class PoolSettings(Input):
    """How a pool's members are chosen, reached and checked."""

    scheduler: Scheduler = Scheduler.MH
    forwarding: Forwarding = Forwarding.TUNNEL
    encapsulation: Encapsulation | None = Field(
        default=None, description="What a tunnel wraps packets in: ipip if left out."
    )
    gue_port: Port | None = Field(
        default=None, description="Where hosts take in gue: UDP port 6080 if left out."
    )
    hash_ports: StrictBool = Field(
        default=True,
        description="mh and sh hash the source port beside the address. False: all of a client's "
        "connections go to one member.",
    )
    persistence_s: Persistence | None = Field(
        default=None, description="A client stays with its member for so long."
    )
    persistence_prefix_v4: V4Length | None = Field(
        default=None, description="Persistence is for all clients of a prefix of this length."
    )
    persistence_prefix_v6: V6Length | None = None
    one_packet: StrictBool = Field(
        default=False, description="Each datagram is scheduled for itself. For udp only."
    )
    drain_deadline_s: Deadline | None = Field(
        default=None,
        description="So long after it was drained a member loses the flows it still has; never if null.",
    )
    quorum: Quorum = Field(
        default=1,
        description="With fewer healthy members a listener counts as having none.",
    )
    local: StrictBool = Field(
        default=False,
        description="A node sends to members on its own machine only, and announces only while it has "
        "one. As long as no member is on a node of the cluster, as if false.",
    )
    monitor: Monitor | None = Field(
        default=None, description="How members are checked; not at all if null."
    )
    members: Members = ()
    labels: Labels = Field(default_factory=dict)


class InlinePool(PoolSettings):
    """A pool that is made together with the listener that uses it."""

    name: Name | None = Field(default=None, description="<VIP>-<listener> if left out.")


class PoolCreate(PoolSettings):
    tenant_id: UUID | None = Field(default=None, description="For operators: whose it becomes.")
    name: Name


class PoolPatch(Patch):
    name: Name | SkipJsonSchema[None] = None
    scheduler: Scheduler | SkipJsonSchema[None] = None
    forwarding: Forwarding | SkipJsonSchema[None] = None
    encapsulation: Encapsulation | None = None
    gue_port: Port | None = None
    hash_ports: StrictBool | SkipJsonSchema[None] = None
    persistence_s: Persistence | None = None
    persistence_prefix_v4: V4Length | None = None
    persistence_prefix_v6: V6Length | None = None
    one_packet: StrictBool | SkipJsonSchema[None] = None
    drain_deadline_s: Deadline | None = None
    quorum: Quorum | SkipJsonSchema[None] = None
    local: StrictBool | SkipJsonSchema[None] = None
    monitor: Monitor | None = Field(default=None, description="All of it; null removes it.")
    labels: Labels | SkipJsonSchema[None] = None

    @classmethod
    def clearable(cls) -> frozenset[str]:
        return frozenset(
            {
                "encapsulation",
                "gue_port",
                "persistence_s",
                "persistence_prefix_v4",
                "persistence_prefix_v6",
                "drain_deadline_s",
                "monitor",
            }
        )


class Pool(Resource):
    tenant_id: UUID
    name: str
    scheduler: Scheduler
    forwarding: Forwarding
    encapsulation: Encapsulation | None
    gue_port: int | None
    hash_ports: bool
    persistence_s: int | None
    persistence_prefix_v4: int | None
    persistence_prefix_v6: int | None
    one_packet: bool
    drain_deadline_s: int | None
    quorum: int
    local: bool
    monitor: Monitor | None
    labels: dict[str, str]
