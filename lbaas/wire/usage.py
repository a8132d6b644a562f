"""What an agent counted, on its way to the ledger: delivered at least once, entered exactly once.

An agent numbers its reports and keeps each on disk until the server has acknowledged it. Counts are what was added
in the report's period, never totals since some start: the meter knows what the kernel had shown before.
"""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from lbaas.domain.addresses import Prefix
from lbaas.wire.state import Document

# More than any period can bring, and little enough to be added up in 64 bits.
Count = Annotated[int, Field(ge=0, le=1 << 56)]


class Point(StrEnum):
    """Where on the packet's way it was counted."""

    NODE = "node"  # a client's packet, at the load-balancer node
    TUNNEL = "tunnel"  # the same packet, unwrapped at a backend host
    REPLY = "reply"  # a backend's answer, as it leaves its host


class Counted(Document):
    """Packets of a VIP at one point, and how many of them opened connections.

    *listener* is known at nodes only. Bytes are those of the inner IP packets, headers included.
    """

    point: Point
    vip: UUID
    listener: UUID | None = None
    packets: Count = 0
    bytes: Count = 0
    connections: Count = 0


class CountedPrefix(Document):
    """The share of clients in *prefix*; of all that the meter had no room for, where it is null."""

    point: Point
    vip: UUID
    prefix: Prefix | None
    packets: Count = 0
    bytes: Count = 0


class UsageReport(Document):
    """Report *sequence*, from 1 without a gap, of one *meter*: a new one begins whenever its directory was lost.

    The period is half open, in seconds since the epoch. *merged* periods that did not fit on the disk were
    added up in this one; *resets* of kernel counters were seen in it.
    """

    meter: UUID
    sequence: Annotated[int, Field(ge=1, le=1 << 56)]
    begun_s: Count
    ended_s: Count
    totals: Annotated[tuple[Counted, ...], Field(max_length=100_000)] = ()
    prefixes: Annotated[tuple[CountedPrefix, ...], Field(max_length=100_000)] = ()
    merged: Count = 0
    resets: Count = 0


class UsageReports(Document):
    """Body of ``POST /v1/agent/usage``: reports of one meter in order, the oldest unacknowledged first."""

    reports: Annotated[tuple[UsageReport, ...], Field(min_length=1, max_length=60)]


class UsageAcknowledged(Document):
    """Everything up to *sequence* of *meter* is in the ledger: the agent may forget it."""

    meter: UUID
    sequence: Count
