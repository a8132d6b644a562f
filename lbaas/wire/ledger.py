"""What the ledger tells: usage in sums, and how the two ends' counts agree."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from lbaas.domain.usage import Direction
from lbaas.wire.fields import Address

OTHERS = "others"


class Usage(BaseModel):
    """What was counted from *begun_at* to before *ended_at*. What it is not told apart by is null.

    Bytes are those of IP packets, headers included, without any tunnel's. Connections are counted at nodes, and not
    by prefix.
    """

    model_config = ConfigDict(frozen=True)

    begun_at: datetime
    ended_at: datetime
    tenant_id: UUID | None
    tenant: str | None
    vip_id: UUID | None
    vip: str | None
    address: Address | None
    listener_id: UUID | None = Field(description="Null for egress, which hosts count by VIP.")
    listener: str | None
    direction: Direction | None
    prefix: str | None = Field(
        description=f"Clients' addresses; {OTHERS!r} are those that their meter had no room to tell apart."
    )
    packets: int
    bytes: int
    connections: int | None


class Volume(BaseModel):
    """So much."""

    model_config = ConfigDict(frozen=True)

    packets: int
    bytes: int


class Finding(BaseModel):
    """A backend host whose two counts of a VIP do not belong together.

    ``answers_outside``: it sent *volume* in the VIP's name and received nothing of it from the nodes.
    ``never_answers``: it received *volume* and sent nothing. *addresses* are the members that it is, or was; the
    host itself is named to operators.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["answers_outside", "never_answers"]
    addresses: list[Address]
    host_id: UUID | None
    host: str | None
    volume: Volume


class ReconciledVip(BaseModel):
    """A VIP's packets at three places: in at the nodes, received by hosts, answered by them.

    *lost_packets* were counted at nodes and at no host, *lost_percent* is their share of the ingress; negative if
    hosts counted more. Null where some members are reached through a tunnel and others directly: then hosts count
    the first alone.
    *egress_per_ingress* compares bytes.
    """

    model_config = ConfigDict(frozen=True)

    vip_id: UUID
    vip: str | None
    address: Address | None
    tenant_id: UUID
    ingress: Volume
    received: Volume
    egress: Volume
    connections: int
    lost_packets: int | None
    lost_percent: float | None
    egress_per_ingress: float | None
    findings: list[Finding]


class MissingReports(BaseModel):
    """Reports *first* to *last* of a meter never came: what they counted is in no sum."""

    model_config = ConfigDict(frozen=True)

    meter: UUID
    first: int
    last: int
    found_at: datetime


class AgentAccount(BaseModel):
    """How an agent's reports came in. Only agents of which there is something to say are told of.

    ``late``: nothing came for the last minutes. ``missing``: it is alive and has never reported usage. *missing*,
    *refused* (counts of what is not its own) and *misdated* (reports from a wrong clock, booked at the nearest time
    that is possible) are all that are remembered.
    """

    model_config = ConfigDict(frozen=True)

    agent_id: UUID
    agent: str | None
    role: Literal["node", "host"]
    state: Literal["current", "late", "missing"]
    counted_until: datetime | None
    missing: list[MissingReports]
    refused: int
    misdated: int


class Reconciliation(BaseModel):
    """A page of VIPs, in order of their ids, and where the next one begins. *agents* are for operators."""

    model_config = ConfigDict(frozen=True)

    begun_at: datetime
    ended_at: datetime
    items: list[ReconciledVip]
    next_cursor: str | None
    agents: list[AgentAccount]
