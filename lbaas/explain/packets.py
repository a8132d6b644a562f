"""A packet as a rule sees it, and whether it does: yes, no, or that can't be told from the rule's text."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from lbaas.domain.addresses import Address

# Bits of ``ct state``, by their names; nftables lists numbers when asked to.
ESTABLISHED, NEW, UNTRACKED = 0x2, 0x8, 0x40
_STATES = {
    "invalid": 1,
    "established": ESTABLISHED,
    "related": 4,
    "new": NEW,
    "untracked": UNTRACKED,
}
_PROTOCOLS = {
    "icmp": 1,
    "ipip": 4,
    "tcp": 6,
    "udp": 17,
    "ipv6": 41,
    "gre": 47,
    "ipv6-icmp": 58,
    "icmpv6": 58,
}
_FAMILIES = {"ipv4": 2, "ipv6": 10}


@dataclass(frozen=True)
class Packet:
    """The first of its kind in a flow; what is None may be anything."""

    what: str
    source: Address | None
    destination: Address | None
    protocol: int
    state: int
    family: int
    source_port: int | None = None
    destination_port: int | None = None


_CONDITION = re.compile(
    r"\b(ip6? [sd]addr|(?:tcp|udp|th) [sd]port|ip protocol|ip6 nexthdr|meta l4proto|meta nfproto|"
    r"iifname|iif|oifname|oif|ct state) (?:(!=|==) )?(\{[^}]*\}|\"[^\"]*\"|[\w.:/,-]+)"
)
# What a rule may hold besides without matching less.
_HARMLESS = re.compile(
    r'\bcounter(?: packets \d+ bytes \d+)?|\blog(?: prefix "[^"]*")?(?: level \w+)?|comment "[^"]*"'
)
_ENDS = re.compile(
    r"(?:\b(?:accept|drop|continue|return)|\breject(?: with [\w -]+)?|\b(?:jump|goto) \S+|\bmeta mark set \S+)\s*$"
)


def matches(rule: str, packet: Packet) -> bool | None:
    """Whether *packet* meets all conditions of *rule*; None if that can't be told."""
    rest = _HARMLESS.sub("", _ENDS.sub("", _HARMLESS.sub("", rule).rstrip()))
    found = [_holds(packet, *each) for each in _CONDITION.findall(rest)]
    if False in found:
        return False
    if None in found or _CONDITION.sub("", rest).strip():
        return None
    return True


def _holds(packet: Packet, what: str, operator: str, values: str) -> bool | None:
    held = _SUBJECTS[what](packet, _values(values)) if what in _SUBJECTS else None
    if held is None:
        return None
    return held is not (operator == "!=")


def _values(text: str) -> list[str]:
    return [each.strip().strip('"') for each in text.strip("{}").split(",") if each.strip()]


def _any(tests: Iterator[bool | None]) -> bool | None:
    found = list(tests)
    return True if True in found else None if None in found else False


def _address(family: int, of: Callable[[Packet], Address | None]) -> "Subject":
    def holds(packet: Packet, values: list[str]) -> bool | None:
        if packet.family != family:
            return False
        address = of(packet)
        return None if address is None else _any(_within(address, each) for each in values)

    return holds


def _within(address: Address, text: str) -> bool | None:
    try:
        if "-" in text:
            first, last = map(ip_address, text.split("-"))
            return int(first) <= int(address) <= int(last)
        return address in ip_network(text, strict=False)
    except ValueError:
        return None  # a named set


def _port(protocols: tuple[int, ...], of: Callable[[Packet], int | None]) -> "Subject":
    def holds(packet: Packet, values: list[str]) -> bool | None:
        if packet.protocol not in protocols:
            return False
        port = of(packet)
        return None if port is None else _any(_number(port, each, {}) for each in values)

    return holds


def _number(number: int, text: str, names: Mapping[str, int]) -> bool | None:
    first, _, last = text.partition("-") if text not in names else (text, "", "")
    try:
        low = names[first] if first in names else int(first, 0)
        return low <= number <= (int(last, 0) if last else low)
    except ValueError:
        return None


def _protocol(packet: Packet, values: list[str]) -> bool | None:
    return _any(_number(packet.protocol, each, _PROTOCOLS) for each in values)


def _ip_protocol(packet: Packet, values: list[str]) -> bool | None:
    return packet.family == 4 and _protocol(packet, values)


def _nfproto(packet: Packet, values: list[str]) -> bool | None:
    return _any(_number(2 if packet.family == 4 else 10, each, _FAMILIES) for each in values)


def _state(packet: Packet, values: list[str]) -> bool | None:
    return _any(_number(packet.state, each, _STATES) for each in values)


def _device(_packet: Packet, values: list[str]) -> bool | None:
    """Ours come and go by any device but the machine's own."""
    return False if values == ["lo"] else None


Subject = Callable[[Packet, list[str]], bool | None]
_TRANSPORT = {"tcp": (6,), "udp": (17,), "th": (6, 17, 132)}
_SUBJECTS: Mapping[str, Subject] = {
    "ip saddr": _address(4, lambda packet: packet.source),
    "ip daddr": _address(4, lambda packet: packet.destination),
    "ip6 saddr": _address(6, lambda packet: packet.source),
    "ip6 daddr": _address(6, lambda packet: packet.destination),
    **{
        f"{name} sport": _port(of, lambda packet: packet.source_port)
        for name, of in _TRANSPORT.items()
    },
    **{
        f"{name} dport": _port(of, lambda packet: packet.destination_port)
        for name, of in _TRANSPORT.items()
    },
    "ip protocol": _ip_protocol,
    "ip6 nexthdr": _protocol,
    "meta l4proto": _protocol,
    "meta nfproto": _nfproto,
    "ct state": _state,
    **dict.fromkeys(("iifname", "iif", "oifname", "oif"), _device),
}
