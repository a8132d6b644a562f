"""What an agent tells the server after each cycle that had something to tell."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from lbaas.domain.addresses import Address
from lbaas.wire.state import Document, Mark, Port

# The subsystem of the failure that says: the server's database is of another past than what we hold.
HELD_BACK = "epoch"


class Failure(Document):
    """A step that did not apply, or was held back, and why."""

    subsystem: str
    operation: str
    key: str
    cause: str


class Unhealthy(Document):
    """A backend that this node finds unfit since *since*, seconds since the epoch, and why."""

    mark: Mark
    address: Address
    since: int
    cause: str


class Dropped(Document):
    """Packets for a listener that were refused since the node's table was made."""

    mark: Mark
    source: Annotated[int, Field(ge=0)] = 0  # by a source that may not come
    rate: Annotated[int, Field(ge=0)] = 0  # by one that came too often
    malformed: Annotated[int, Field(ge=0)] = 0  # by flags or fragments that no honest client sends


class HeldRemoval(Document):
    """So many of the node's services would go at once that it waits for an operator's word."""

    revision: Annotated[int, Field(ge=0)]
    services: Annotated[int, Field(ge=0)]
    of: Annotated[int, Field(ge=0)]


class Unheard(Document):
    """A peer that is not told of *missing* prefixes that the node should announce to it, and why not.

    *vips* are the first of those; where the peer is told of none, it is empty.
    """

    peer: Address
    missing: Annotated[int, Field(ge=1)]
    vips: tuple[Address, ...] = ()
    cause: str

    def of(self, vip: Address) -> bool:
        """True if the peer is not told of *vip*, as far as that is known."""
        return vip.version == self.peer.version and (not self.vips or vip in self.vips)


class Silent(Document):
    """A member at whose *port* clients of *vip* seem to hear nothing, while other members answer there."""

    vip: Address
    port: Port
    member: Address


class NodeFacts(Document):
    """What a node says of itself. *foreign* describes what others have in the kernel that could disturb us.

    *sessions* are the addresses of the peers with whom a BGP session stands; null if that is not known. *unheard* are
    the peers that are not told of all that they should be, *without_bfd* those with whom BFD should run and does not.
    *silent* members are a hint, from which nothing follows. *safe_to_stop*: the node was taken out of service,
    announces nothing, and gets no packets for its VIPs any more.
    Nodes that were looked at with the same *revision* applied have the same *order_digest*.
    """

    revision: Annotated[int, Field(ge=0)] = 0
    services: Annotated[int, Field(ge=0)] = 0
    scheduler_bytes: Annotated[int, Field(ge=0)] = 0
    order_digest: str = ""
    foreign: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    ingress_packets: Annotated[int, Field(ge=0)] = 0
    held_removal: HeldRemoval | None = None
    sessions: tuple[Address, ...] | None = None
    unheard: tuple[Unheard, ...] = ()
    without_bfd: tuple[Address, ...] = ()
    silent: tuple[Silent, ...] = ()
    safe_to_stop: bool = False


class Unsent(Document):
    """Usage that an agent has on its disk and the server has not: *periods*, the first since *since_s* of the epoch."""

    periods: Annotated[int, Field(ge=0)] = 0
    since_s: int | None = None


class Report(Document):
    """Sequenced within one *boot* of the agent, idempotent: the server keeps the newest.

    *revision* and *digest* name the state that the agent last applied, wholly if *failures* is empty.
    *changes* counts the writes to kernel and BIRD since the agent started, *repaired* those of them
    that undid a drift while the desired state had not changed. *checked* backends have a monitor; those
    that fail it are *unhealthy*. *unsent* is null where nothing is counted.
    """

    boot: UUID
    sequence: Annotated[int, Field(ge=0)]
    revision: Annotated[int, Field(ge=0)]
    digest: str
    changes: Annotated[int, Field(ge=0)]
    repaired: Annotated[int, Field(ge=0)]
    failures: tuple[Failure, ...] = ()
    checked: Annotated[int, Field(ge=0)] = 0
    unhealthy: Annotated[tuple[Unhealthy, ...], Field(max_length=10_000)] = ()
    dropped: Annotated[tuple[Dropped, ...], Field(max_length=10_000)] = ()
    facts: NodeFacts | None = None
    unsent: Unsent | None = None
