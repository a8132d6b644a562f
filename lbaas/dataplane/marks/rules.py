"""The rules of the nodes' table, and the sets and maps that they look into.

A packet's way through them, whatever the number of VIPs:

- ``raw`` (priority raw): conntrack passes it over. It would see half of each flow, since replies go past us.
- ``prerouting``: one look-up in a hash finds the mark of a port, one in an interval map that of a range. Our word
  is the last: others that write marks hook in at mangle, five before us.
- ``admit``: flags that no honest TCP sends are dropped; a listener with a policy goes on to ``policed``, by its mark.
- ``policed``: a stranger is dropped; so is who opens too many connections, by the ``rate_N`` of the listener's limit.
- ``refuse`` (input): what nothing marked must not reach the node's own services. IPVS takes the marked packets
  later in that hook, and sends them on.
- ``left`` (input, after IPVS): a marked packet that IPVS did not take, because somebody deleted its service, waits for
  the repair. The node would answer it with a reset, and a flow that lives elsewhere would die.
- ``sent`` and ``leaving`` (output, postrouting): nor is the wrapped packet tracked, and the mark ends with us.

An ICMP error quotes the packet that the backend sent, so its key is the *source* of the inner header, at fixed
offsets behind the 8 bytes of ICMP. A fragment without ports gets no mark and need not: the kernel reassembles at
the node, since the VIP is the node's own address, and the whole packet has the first fragment's mark. The one that
would overwrite the flags of a TCP header (RFC 3128) is dropped.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from lbaas.wire.state import MarkRange

# A source that opened nothing for so long is forgotten; as many are remembered for each limit and family. Where
# there is no room for another, he is let in: a limit must not become the way to shut everybody out.
_SOURCES, _SOURCE_TIMEOUT_S = 65536, 10

# So long a datagram's 4-tuple is a flow that is open already.
_FLOW_TIMEOUT_S = 60

# Always declared, so that a table's listing shows how the chain of a limit looks (see ``observe``).
_SAMPLE_LIMIT = 1


@dataclass(frozen=True)
class Container:
    """A set, or a map if *value* says of what. *elements*: the agent fills it, else packets do."""

    name: str
    key: str
    value: str = ""
    extra: str = ""
    elements: bool = True

    def __str__(self) -> str:
        """``map NAME`` or ``set NAME``."""
        return f"{'map' if self.value else 'set'} {self.name}"

    @property
    def declaration(self) -> str:
        value = f" : {self.value}" if self.value else ""
        return f"{self} {{ {self.key}{value}\n{self.extra}}}\n"


_INTERVAL = "flags interval\n"


def _of_family(family: int, address: str, inner: str) -> Iterator[Container]:
    flow, error = f"type {address} . inet_proto . inet_service", f"typeof {inner}"
    ip = "ip" if family == 4 else "ip6"
    yield Container(f"vips{family}", f"type {address}")
    yield Container(f"flows{family}", flow, "mark")
    yield Container(f"ranges{family}", flow, "mark", _INTERVAL)
    yield Container(f"errors{family}", error, "meta mark")
    yield Container(f"error_ranges{family}", error, "meta mark", _INTERVAL)
    yield Container(f"sources{family}", f"{flow} . {address}", extra=_INTERVAL)
    yield Container(
        f"open{family}",
        f"typeof {ip} saddr . th sport . {ip} daddr . th dport",
        extra=_remembering(_FLOW_TIMEOUT_S),
        elements=False,
    )


def _remembering(timeout_s: int) -> str:
    return f"size {_SOURCES}\nflags dynamic,timeout\ntimeout {timeout_s}s\n"


_COUNTING = "size 65536\nflags dynamic\ncounter\n"

# Where dropped packets are counted, by the mark of their listener. Names are those of ``report.Dropped``.
DROPS = ("source", "rate", "malformed")

CONTAINERS = (
    # Where an ICMP error's inner source address, protocol and source port are.
    *_of_family(4, "ipv4_addr", "@th,160,32 . @th,136,8 . @th,224,16"),
    *_of_family(6, "ipv6_addr", "@th,128,128 . @th,112,8 . @th,384,16"),
    Container("policed", "type mark"),
    Container("restricted", "type mark"),
    Container("rates", "type mark", "verdict"),
    *(
        Container(f"dropped_{cause}", "type mark", extra=_COUNTING, elements=False)
        for cause in DROPS
    ),
)


def declaration(marks: MarkRange) -> str:
    """Sets, chains and rules of the table, without elements."""
    return (
        "".join(each.declaration for each in CONTAINERS)
        + _DROPPING
        + "".join(f"set {name} {{ {body}\n}}\n" for name, body in _limit_sets(_SAMPLE_LIMIT))
        + f"chain rate_{_SAMPLE_LIMIT} {{\n"
        + "".join(f"    {rule}\n" for rule in _limit_rules(_SAMPLE_LIMIT))
        + "}\n"
        + _CHAINS.format(first=f"{marks.first:#x}", last=f"{marks.last:#x}")
    )


def limit_chain(own: str, per_second: int) -> Iterator[str]:
    """Commands after which table *own* has the chain of a limit, whether it had it before or not."""
    for name, body in _limit_sets(per_second):
        yield f"add set {own} {name} {{ {'; '.join(body.splitlines())}; }}"
    chain = f"{own} rate_{per_second}"
    yield f"add chain {chain}"
    yield f"flush chain {chain}"
    for rule in _limit_rules(per_second):
        yield f"add rule {chain} {rule}"


# Of IPv6, a source is a /64: whoever has one address has all of them.
_SOURCE = {4: "ip daddr . ip saddr", 6: "ip6 daddr . ip6 saddr & ffff:ffff:ffff:ffff::"}


def _limit_sets(per_second: int) -> Iterator[tuple[str, str]]:
    for family, ip in ((4, "ip"), (6, "ip6")):
        key = f"typeof {ip} daddr . {ip} saddr\n"
        yield f"opened{family}_{per_second}", key + _remembering(_SOURCE_TIMEOUT_S).rstrip()


def _limit_rules(per_second: int) -> Iterator[str]:
    yield "tcp flags & (fin | syn | rst | ack) != syn return"
    for family, ip in ((4, "ip"), (6, "ip6")):
        known = f"{ip} saddr . th sport . {ip} daddr . th dport @open{family}"
        yield f"meta l4proto != tcp {known} goto remember"
        limit = f"limit rate over {per_second}/second burst {per_second} packets"
        yield f"update @opened{family}_{per_second} {{ {_SOURCE[family]} {limit} }} goto too_many"
    yield "meta l4proto != tcp goto remember"


_DROPPING = """\
chain malformed {
    add @dropped_malformed { meta mark } drop
}
chain stranger {
    add @dropped_source { meta mark } drop
}
chain too_many {
    add @dropped_rate { meta mark } drop
}
chain remember {
    update @open4 { ip saddr . th sport . ip daddr . th dport }
    update @open6 { ip6 saddr . th sport . ip6 daddr . th dport }
}
"""

_CHAINS = """\
chain policed {{
    meta mark @restricted ip daddr . ip protocol . th dport . ip saddr != @sources4 goto stranger
    meta mark @restricted ip6 daddr . meta l4proto . th dport . ip6 saddr != @sources6 goto stranger
    meta mark vmap @rates
}}
chain admit {{
    tcp flags & (fin | syn | rst | ack) != {{ syn, syn | ack, ack, fin | ack, rst, rst | ack }} goto malformed
    meta mark @policed goto policed
}}
chain vip4 {{
    meta mark set ip daddr . ip protocol . th dport map @flows4 goto admit
    meta mark set ip daddr . ip protocol . th dport map @ranges4 goto admit
    icmp type {{ 3, 11, 12 }} meta mark set @th,160,32 . @th,136,8 . @th,224,16 map @errors4 return
    icmp type {{ 3, 11, 12 }} meta mark set @th,160,32 . @th,136,8 . @th,224,16 map @error_ranges4 return
    ip protocol 6 ip frag-off & 0x1fff == 1 drop
    meta mark set 0
}}
chain vip6 {{
    meta mark set ip6 daddr . meta l4proto . th dport map @flows6 goto admit
    meta mark set ip6 daddr . meta l4proto . th dport map @ranges6 goto admit
    icmpv6 type {{ 1, 2, 3, 4 }} meta mark set @th,128,128 . @th,112,8 . @th,384,16 map @errors6 return
    icmpv6 type {{ 1, 2, 3, 4 }} meta mark set @th,128,128 . @th,112,8 . @th,384,16 map @error_ranges6 return
    meta mark set 0
}}
chain raw {{
    type filter hook prerouting priority -300; policy accept;
    ip daddr @vips4 notrack
    ip6 daddr @vips6 notrack
}}
chain prerouting {{
    type filter hook prerouting priority -145; policy accept;
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
chain left {{
    type filter hook input priority 150; policy accept;
    meta mark {first}-{last} ip daddr @vips4 drop
    meta mark {first}-{last} ip6 daddr @vips6 drop
}}
chain sent {{
    type filter hook output priority -300; policy accept;
    meta mark {first}-{last} notrack
}}
chain leaving {{
    type filter hook postrouting priority -300; policy accept;
    meta mark {first}-{last} meta mark set 0
}}
"""
