"""What a run of the demo found out, as values. Times are in seconds, as the lab's clock measured them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Json = dict[str, Any]


@dataclass(frozen=True)
class Order:
    """A tenant asked for a VIP: *request* went to *path*, *answer* came back after *elapsed_s*."""

    path: str
    request: Json
    answer: Json
    elapsed_s: float

    @property
    def vip(self) -> str:
        return str(self.answer["address"])

    @property
    def family(self) -> int:
        return 6 if ":" in self.vip else 4

    @property
    def members(self) -> tuple[str, ...]:
        """Their addresses, in the order in which the tenant named them."""
        pools = [listener["pool"] for listener in self.request["listeners"]]
        return tuple(member["address"] for pool in pools for member in pool["members"])


@dataclass(frozen=True)
class Programmed:
    """How far the order had come when the API said so.

    *agents* are nodes and backend hosts by name, each with the revision that it had applied. *first_answer_s* is
    the time from the POST to the end of the first exchange that worked, None if none did; *unanswered*
    counts the attempts that had ended in failure by then.
    """

    vip: str
    revision: int
    agents: Mapping[str, int | None]
    programmed: bool
    programmed_s: float
    first_answer_s: float | None
    unanswered: int


@dataclass(frozen=True)
class Tally:
    """Packets of one kind, and the bytes that their outermost IP headers say."""

    packets: int = 0
    length_bytes: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.packets + other.packets, self.length_bytes + other.length_bytes)


@dataclass(frozen=True)
class Crossing:
    """What crossed a node: *requests* in, the same in tunnels out, *replies* in either direction.

    *missed* packets were lost to the capture itself: with any, the counts prove nothing.
    """

    requests: Tally
    tunnelled: Tally
    replies: Tally
    missed: int


@dataclass(frozen=True)
class Exchanges:
    """Requests to one VIP while every node was being captured.

    *served* counts the answers of each backend, *seen* those in which the backend said that its client
    was this address. *errors* are what failed, in words.
    """

    vip: str
    client: str
    client_address: str
    served: Mapping[str, int]
    seen: Mapping[str, int]
    download_bytes: int
    errors: tuple[str, ...]
    nodes: Mapping[str, Crossing]
    replies: Tally  # as the client got them
    replies_missed: int

    @property
    def requests(self) -> Tally:
        return sum((each.requests for each in self.nodes.values()), Tally())

    @property
    def tunnelled(self) -> Tally:
        return sum((each.tunnelled for each in self.nodes.values()), Tally())

    @property
    def replies_at_nodes(self) -> Tally:
        return sum((each.replies for each in self.nodes.values()), Tally())


@dataclass(frozen=True)
class Route:
    """The router's route to a VIP: by which nodes, in the order of their addresses."""

    vip: str
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class Mark:
    """What nftables writes on packets to *vip*, *protocol*, *ports*."""

    vip: str
    protocol: str
    ports: str
    mark: int


@dataclass(frozen=True)
class Destination:
    """One backend of an IPVS service, with the counters of *this* node."""

    address: str
    forwarding: str
    weight: int
    connections: int = 0
    in_packets: int = 0
    in_bytes: int = 0
    out_packets: int = 0


@dataclass(frozen=True)
class Service:
    """One IPVS fwmark service, destinations in the kernel's order."""

    family: int
    mark: int
    scheduler: str
    flags: str
    destinations: tuple[Destination, ...]


@dataclass(frozen=True)
class NodeTables:
    """What one node's kernel holds."""

    marks: tuple[Mark, ...]
    services: tuple[Service, ...]


@dataclass(frozen=True)
class Tables:
    """What router and nodes hold for the VIPs; *members* are the tenant's, by VIP."""

    members: Mapping[str, tuple[str, ...]]
    routes: tuple[Route, ...]
    nodes: Mapping[str, NodeTables]


@dataclass(frozen=True)
class Attempt:
    """One new connection, begun *at_s* after a node was lost or came back (before: negative).

    *elapsed_s* is how long it took until its answer was there, or until it failed.
    """

    at_s: float
    elapsed_s: float
    error: str = ""


@dataclass(frozen=True)
class HeldFlow:
    """One connection that was established before a node was lost.

    *through* is the node whose capture showed its packets just before. *exchanged* counts the lines that
    were answered since; *waiting_s* is how long the last one has been waiting for its answer.
    """

    source_port: int
    through: str
    alive: bool
    exchanged: int
    waiting_s: float
    longest_stall_s: float
    error: str = ""


@dataclass(frozen=True)
class NodeLoss:
    """A node lost its power at time 0, was watched for *watched_s*, and nobody was told."""

    node: str
    vip: str
    watched_s: float
    detection_s: float  # what BFD is set to
    attempts: tuple[Attempt, ...]
    flows: tuple[HeldFlow, ...]
    route: Route  # afterwards


@dataclass(frozen=True)
class NodeReturn:
    """The node got its power back at time 0; the same flows were held, new connections made.

    *back_s* is when the router used it again, None if it did not.
    """

    node: str
    vip: str
    back_s: float | None
    attempts: tuple[Attempt, ...]
    flows: tuple[HeldFlow, ...]


Fact: TypeAlias = Order | Programmed | Exchanges | Tables | NodeLoss | NodeReturn


@dataclass(frozen=True)
class Verdict:
    """Whether *claim* holds, and what was seen that says so."""

    claim: str
    holds: bool
    seen: str
