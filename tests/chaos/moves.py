"""What can happen in a schedule: orders of a tenant, and faults that strike a machine for a while."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class Wish:
    """A member as the tenant wants it; backends are numbered from 0."""

    backend: int
    weight: int
    drained: bool = False


@dataclass(frozen=True)
class Create:
    """The tenant asks for a VIP and calls it *slot*; nothing if he has one of that number."""

    slot: int
    family: int
    members: tuple[Wish, ...]


@dataclass(frozen=True)
class Serve:
    """The VIP of *slot* has exactly these members."""

    slot: int
    members: tuple[Wish, ...]


@dataclass(frozen=True)
class Delete:
    """The tenant needs the VIP of *slot* no more."""

    slot: int


class Fault(StrEnum):
    """What may befall a machine, or the server."""

    KILL_AGENT = "kill the agent"
    FREEZE_AGENT = "freeze the agent"
    CUT_MANAGEMENT = "cut the way to the server"
    FILL_DISK = "fill the disk"
    FLUSH_TABLE = "flush our table"
    DELETE_SERVICE = "delete a service of ours"
    FORGET_ADDRESSES = "forget the VIPs' addresses"
    KILL_NODE = "cut the node's power"
    LOSE_PACKETS = "lose the node's packets silently"
    HANG_BIRD = "freeze BIRD"
    JUMP_CLOCK = "set the clock"
    STOP_SERVER = "stop the server"
    KILL_SERVER = "kill the server"


# Whom a fault may strike. Those that take a node off its routers' paths come one at a time: two nodes are
# what the lab has, and a VIP with no node left is promised nothing.
OF_NODES = frozenset(Fault) - {Fault.STOP_SERVER, Fault.KILL_SERVER}
OF_HOSTS = frozenset(
    {
        Fault.KILL_AGENT,
        Fault.FREEZE_AGENT,
        Fault.CUT_MANAGEMENT,
        Fault.FILL_DISK,
        Fault.FLUSH_TABLE,
    }
)
OF_SERVER = frozenset({Fault.STOP_SERVER, Fault.KILL_SERVER})
OFF_THE_PATH = frozenset({Fault.KILL_NODE, Fault.LOSE_PACKETS, Fault.HANG_BIRD})

SERVER = "server"


@dataclass(frozen=True)
class Strike:
    """*fault* befalls *machine* and is mended after *lasts* more moves."""

    fault: Fault
    machine: str
    lasts: int


Order = Create | Serve | Delete
Move = Order | Strike


@dataclass(frozen=True)
class Step:
    """A move, and how long nothing more happens after it."""

    move: Move
    pause_s: float
