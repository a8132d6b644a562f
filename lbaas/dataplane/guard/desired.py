"""A backend host's table: the tunnel's door, and the size of segments."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lbaas.domain.addresses import Address, address_key
from lbaas.domain.terms import Encapsulation
from lbaas.wire.state import HostState

FAMILY, TABLE = "inet", "lbaas_host"

# What a tunnelled segment of TCP has around it, each by family: the outer header, and inner and TCP header.
_OUTER = {4: 20, 6: 40}
_INNER = {4: 20 + 20, 6: 40 + 20}
# And what stands between: GUE has UDP's header and one of its own.
_BETWEEN = {Encapsulation.IPIP: 0, Encapsulation.GRE: 4, Encapsulation.GUE: 8 + 4}


@dataclass(frozen=True)
class Guard:
    """Who may send what through the tunnels. *segment_sizes* is the largest MSS per family.

    *gue_ports* are open besides IP in IP, *gre* says whether GRE is.
    """

    endpoints: tuple[Address, ...]
    nodes: tuple[Address, ...]
    vips: tuple[Address, ...]
    segment_sizes: Mapping[int, int]
    gue_ports: tuple[int, ...] = ()
    gre: bool = False


def guard(state: HostState, mtus: Mapping[int, int]) -> Guard:
    """The guard for *state*; *mtus* is the MTU, per family, of the device that the endpoints are on."""
    ports = {tunnel.udp_port for tunnel in state.tunnels}
    kinds = {tunnel.encapsulation for tunnel in state.tunnels}
    return Guard(
        state.endpoints,
        state.nodes,
        state.vips,
        _segment_sizes(mtus, max((_BETWEEN[kind] for kind in kinds), default=0)),
        tuple(sorted(port for port in ports if port is not None)),
        Encapsulation.GRE in kinds,
    )


def _segment_sizes(mtus: Mapping[int, int], between: int) -> dict[int, int]:
    """For the largest of the wrappings, in an outer packet of the VIP's own family where the host has it."""
    if not mtus:
        return {}
    outer = {family: family if family in mtus else 10 - family for family in (4, 6)}
    return {
        family: mtus[outer[family]] - _OUTER[outer[family]] - between - _INNER[family]
        for family in (4, 6)
    }


def declaration(wanted: Guard) -> str:
    """The table's sets, with their elements, and rules.

    Outer packets to our endpoints must come from a node, in whatever wrapping we open; what leaves our tunnels
    must be for a VIP. A tunnel takes 20 bytes or more from each packet, so the SYN-ACK asks for smaller segments:
    else every full-size upload meets an ICMP error first. nftables lowers the option and never raises it.
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
    return (
        sets
        + _chain("tunnel", _TUNNEL_HOOK, _outer_rules(wanted))
        + _INNER_CHAIN
        + _chain("segments", _SEGMENTS_HOOK, _segment_rules(wanted))
    )


def _outer_rules(wanted: Guard) -> Iterator[str]:
    protocols = "{ 4, 41, 47 }" if wanted.gre else "{ 4, 41 }"
    ports = ", ".join(map(str, wanted.gue_ports))
    for family, protocol in ((4, "ip protocol"), (6, "meta l4proto")):
        ip = _IP[family]
        strangers = f"{ip} saddr != @nodes{family} counter drop"
        yield f"{ip} daddr @endpoints{family} {protocol} {protocols} {strangers}"
        if ports:
            yield f"{ip} daddr @endpoints{family} udp dport {{ {ports} }} {strangers}"


def _segment_rules(wanted: Guard) -> Iterator[str]:
    for family, size in sorted(wanted.segment_sizes.items()):
        opening = f"{_IP[family]} saddr @vips{family} tcp flags & (syn) == syn"
        yield f"{opening} tcp option maxseg size set {size}"


def _chain(name: str, hook: str, rules: Iterable[str]) -> str:
    lines = "".join(f"    {rule}\n" for rule in rules)
    return f"chain {name} {{\n    {hook}\n{lines}}}\n"


_IP = {4: "ip", 6: "ip6"}
_TYPE = {4: "ipv4_addr", 6: "ipv6_addr"}

_SEGMENTS_HOOK = "type filter hook output priority -150; policy accept;"

_TUNNEL_HOOK = "type filter hook input priority -300; policy accept;"

_INNER_CHAIN = """\
chain inner {
    type filter hook prerouting priority -300; policy accept;
    iifname { "lbtun4", "lbtun6", "lbgre4", "lbgre6" } ip daddr != @vips4 counter drop
    iifname { "lbtun4", "lbtun6", "lbgre4", "lbgre6" } ip6 daddr != @vips6 counter drop
    iifname "lbsit*" ip6 daddr != @vips6 counter drop
}
"""


def _set(name: str, family: int, addresses: Iterable[Address]) -> str:
    chosen = sorted((each for each in addresses if each.version == family), key=address_key)
    elements = f"elements = {{ {', '.join(map(str, chosen))} }}\n" if chosen else ""
    return f"set {name}{family} {{ type {_TYPE[family]}\n{elements}}}\n"
