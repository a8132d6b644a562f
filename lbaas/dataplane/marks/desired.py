"""Which packets carry which mark, and the table that sees to it."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from lbaas.dataplane.marks.policy import Policy, Span, policy, spans
from lbaas.dataplane.turns import by_turns
from lbaas.domain.addresses import Address
from lbaas.domain.terms import Protocol
from lbaas.wire.state import ClusterState

FAMILY, TABLE = "inet", "lbaas"

PROTOCOL_NUMBERS = {Protocol.TCP: 6, Protocol.UDP: 17, Protocol.SCTP: 132}


@dataclass(frozen=True, slots=True)
class FlowKey:
    """Packets to one VIP, protocol (by number) and range of ports, both ends included."""

    vip: Address
    protocol: int
    first: int
    last: int

    def __hash__(self) -> int:
        # An address hashes its digits as text, and this is looked up wherever two tables meet.
        return hash((int(self.vip), self.protocol, self.first, self.last))

    def overlaps(self, other: "FlowKey") -> bool:
        """True if a packet can match both."""
        return (
            (self.vip, self.protocol) == (other.vip, other.protocol)
            and self.first <= other.last
            and other.first <= self.last
        )

    def __str__(self) -> str:
        ports = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{self.vip} protocol {self.protocol} port {ports}"


@dataclass(frozen=True, slots=True)
class FlowMark:
    """The mark of a flow's packets, and of the ICMP errors about its replies; None where there is none.

    Both are the same when all is well: an error must reach the backend that its flow went to. *sources* is who
    may send the packets, where the policy of their mark is restricted.
    """

    packets: int | None
    errors: int | None
    sources: frozenset[Span] = frozenset()


# Packets refused, by cause (see ``rules.DROPS``) and mark.
Drops: TypeAlias = Mapping[tuple[str, int], int]


@dataclass(frozen=True, slots=True)
class MarkTable:
    """The table's content. *structure* is its sets, chains and rules as listed, None without a table.

    *drops* counts refused packets by cause and mark. Nobody desires them: tables that differ in nothing else
    are equal.
    """

    structure: str | None
    vips: frozenset[Address] = frozenset()
    flows: dict[FlowKey, FlowMark] = field(default_factory=dict)
    policies: Mapping[int, Policy] = field(default_factory=dict)
    drops: Drops = field(default_factory=dict, compare=False)

    @property
    def marks(self) -> frozenset[int]:
        """Those that some packet may carry."""
        return frozenset(
            each
            for mark in by_turns(self.flows.values())
            for each in (mark.packets, mark.errors)
            if each
        )


def joined(structure: str | None, tables: Iterable[MarkTable]) -> MarkTable:
    """The content of all *tables* in one; of two marks for one flow, the later table's."""
    vips: set[Address] = set()
    flows: dict[FlowKey, FlowMark] = {}
    policies: dict[int, Policy] = {}
    for table in by_turns(tables):
        vips |= table.vips
        flows |= table.flows
        policies |= table.policies
    return MarkTable(structure, frozenset(vips), flows, policies)


def without(table: MarkTable, marks: AbstractSet[int]) -> MarkTable:
    """*table* less what has one of *marks*."""
    flows = {flow: mark for flow, mark in table.flows.items() if mark.packets not in marks}
    policies = {mark: policy for mark, policy in table.policies.items() if mark not in marks}
    return replace(table, flows=flows, policies=policies)


def mark_table(state: ClusterState, structure: str | None) -> MarkTable:
    """The table that *state* asks for, under rules that list as *structure*."""
    sources = {each.mark: spans(each) for each in state.admissions}
    return MarkTable(
        structure,
        frozenset(state.vips),
        {
            FlowKey(
                flow.vip, PROTOCOL_NUMBERS[flow.protocol], flow.ports.first, flow.ports.last
            ): FlowMark(flow.mark, flow.mark, sources.get(flow.mark, frozenset()))
            for flow in state.flows
        },
        {each.mark: policy(each) for each in state.admissions},
    )
