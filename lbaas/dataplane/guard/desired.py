"""A backend host's table: the tunnel's door, and the size of segments."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lbaas.domain.addresses import Address, address_key
from lbaas.wire.state import HostState

FAMILY, TABLE = "inet", "lbaas_host"

# What a tunnelled segment of TCP has around it: outer and inner IP header, TCP header.
_HEADERS = {4: 20 + 20 + 20, 6: 40 + 40 + 20}


@dataclass(frozen=True)
class Guard:
    """Who may send what through the tunnel. *segment_sizes* is the largest MSS per family."""

    endpoints: tuple[Address, ...]
    nodes: tuple[Address, ...]
    vips: tuple[Address, ...]
    segment_sizes: Mapping[int, int]


def guard(state: HostState, mtus: Mapping[int, int]) -> Guard:
    """The guard for *state*; *mtus* is the MTU, per family, of the device that the endpoints are on."""
    return Guard(
        state.endpoints,
        state.nodes,
        state.vips,
        {family: mtu - _HEADERS[family] for family, mtu in mtus.items()},
    )


def declaration(wanted: Guard) -> str:
    """The table's sets, with their elements, and rules.

    Outer packets (protocol 4 and 41) to our endpoints must come from a node; what leaves our tunnel must be
    for a VIP. A tunnel takes 20 or 40 bytes from each packet, so the SYN-ACK asks for smaller segments: else
    every full-size upload meets an ICMP error first. nftables lowers the option and never raises it.
    """
    sets = "".join(
        _set(name, family, addresses)
        for name, addresses in (
            ("endpoints", wanted.endpoints),
            ("nodes", wanted.nodes),
            ("vips", wanted.vips),
        )
        for family in (4, 6)
    )
    sizes = "".join(
        f"    {_IP[family]} saddr @vips{family} tcp flags & (syn) == syn tcp option maxseg size set {size}\n"
        for family, size in sorted(wanted.segment_sizes.items())
    )
    return sets + _CHAINS + f"chain segments {{\n    {_SEGMENTS_HOOK}\n{sizes}}}\n"


_IP = {4: "ip", 6: "ip6"}
_TYPE = {4: "ipv4_addr", 6: "ipv6_addr"}

_SEGMENTS_HOOK = "type filter hook output priority -150; policy accept;"

_CHAINS = """\
chain tunnel {
    type filter hook input priority -300; policy accept;
    ip daddr @endpoints4 ip protocol { 4, 41 } ip saddr != @nodes4 counter drop
    ip6 daddr @endpoints6 meta l4proto { 4, 41 } ip6 saddr != @nodes6 counter drop
}
chain inner {
    type filter hook prerouting priority -300; policy accept;
    iifname { "lbtun4", "lbtun6" } ip daddr != @vips4 counter drop
    iifname { "lbtun4", "lbtun6" } ip6 daddr != @vips6 counter drop
}
"""


def _set(name: str, family: int, addresses: Iterable[Address]) -> str:
    chosen = sorted((each for each in addresses if each.version == family), key=address_key)
    elements = f"elements = {{ {', '.join(map(str, chosen))} }}\n" if chosen else ""
    return f"set {name}{family} {{ type {_TYPE[family]}\n{elements}}}\n"
