"""Which packets carry which mark, and the table that sees to it."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from lbaas.domain.addresses import Address
from lbaas.domain.terms import Protocol
from lbaas.wire.state import ClusterState, MarkRange

FAMILY, TABLE = "inet", "lbaas"

PROTOCOL_NUMBERS = {Protocol.TCP: 6, Protocol.UDP: 17, Protocol.SCTP: 132}


@dataclass(frozen=True)
class FlowKey:
    """Packets to one VIP, protocol (by number) and range of ports, both ends included."""

    vip: Address
    protocol: int
    first: int
    last: int

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


@dataclass(frozen=True)
class FlowMark:
    """The mark of a flow's packets, and of the ICMP errors about its replies; None where there is none.

    Both are the same when all is well: an error must reach the backend that its flow went to.
    """

    packets: int | None
    errors: int | None


@dataclass(frozen=True)
class MarkTable:
    """The table's content. *structure* is its sets, chains and rules as listed, None without a table."""

    structure: str | None
    vips: frozenset[Address] = frozenset()
    flows: Mapping[FlowKey, FlowMark] = field(default_factory=dict)


def joined(structure: str | None, tables: Iterable[MarkTable]) -> MarkTable:
    """The content of all *tables* in one; of two marks for one flow, the later table's."""
    vips: set[Address] = set()
    flows: dict[FlowKey, FlowMark] = {}
    for table in tables:
        vips |= table.vips
        flows |= table.flows
    return MarkTable(structure, frozenset(vips), flows)


def without(table: MarkTable, marks: AbstractSet[int]) -> MarkTable:
    """*table* less what has one of *marks*."""
    flows = {flow: mark for flow, mark in table.flows.items() if mark.packets not in marks}
    return replace(table, flows=flows)


def mark_table(state: ClusterState, structure: str | None) -> MarkTable:
    """The table that *state* asks for, under rules that list as *structure*."""
    return MarkTable(
        structure,
        frozenset(state.vips),
        {
            FlowKey(
                flow.vip, PROTOCOL_NUMBERS[flow.protocol], flow.ports.first, flow.ports.last
            ): FlowMark(flow.mark, flow.mark)
            for flow in state.flows
        },
    )


def declaration(marks: MarkRange) -> str:
    """Sets, chains and rules of the table, without elements.

    One look-up in a hash decides for a port, one in an interval map for a range, whatever the number of
    VIPs. An ICMP error quotes the packet that the backend sent, so its key is the *source* of the inner
    header, at fixed offsets behind the 8 bytes of ICMP. A packet to a VIP that nothing marks must not
    reach the node's own services, hence the refusal in the input hook; IPVS takes the marked ones later in
    that hook.
    """
    sets = "".join(_sets(*layout) for layout in _LAYOUTS)
    return sets + _CHAINS.format(first=f"{marks.first:#x}", last=f"{marks.last:#x}")


# Family, address type, and where an ICMP error's inner source address, protocol and source port are.
_LAYOUTS = (
    (4, "ipv4_addr", "@th,160,32 . @th,136,8 . @th,224,16"),
    (6, "ipv6_addr", "@th,128,128 . @th,112,8 . @th,384,16"),
)


def _sets(family: int, address: str, inner: str) -> str:
    flow, error = (
        f"type {address} . inet_proto . inet_service : mark",
        f"typeof {inner} : meta mark",
    )
    return (
        f"set vips{family} {{ type {address}\n}}\n"
        f"map flows{family} {{ {flow}\n}}\n"
        f"map ranges{family} {{ {flow}\nflags interval\n}}\n"
        f"map errors{family} {{ {error}\n}}\n"
        f"map error_ranges{family} {{ {error}\nflags interval\n}}\n"
    )


_CHAINS = """\
chain vip4 {{
    meta mark set ip daddr . ip protocol . th dport map @flows4 return
    meta mark set ip daddr . ip protocol . th dport map @ranges4 return
    icmp type {{ 3, 11, 12 }} meta mark set @th,160,32 . @th,136,8 . @th,224,16 map @errors4 return
    icmp type {{ 3, 11, 12 }} meta mark set @th,160,32 . @th,136,8 . @th,224,16 map @error_ranges4 return
    meta mark set 0
}}
chain vip6 {{
    meta mark set ip6 daddr . meta l4proto . th dport map @flows6 return
    meta mark set ip6 daddr . meta l4proto . th dport map @ranges6 return
    icmpv6 type {{ 1, 2, 3, 4 }} meta mark set @th,128,128 . @th,112,8 . @th,384,16 map @errors6 return
    icmpv6 type {{ 1, 2, 3, 4 }} meta mark set @th,128,128 . @th,112,8 . @th,384,16 map @error_ranges6 return
    meta mark set 0
}}
chain prerouting {{
    type filter hook prerouting priority -150; policy accept;
    ip daddr @vips4 goto vip4
    ip6 daddr @vips6 goto vip6
}}
chain refuse {{
    meta mark {first}-{last} return
    meta l4proto {{ 1, 58 }} return
    meta l4proto 6 reject with tcp reset
    reject with icmpx type port-unreachable
}}
chain input {{
    type filter hook input priority -10; policy accept;
    ip daddr @vips4 goto refuse
    ip6 daddr @vips6 goto refuse
}}
"""
