"""The table as the kernel has it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from lbaas.dataplane.marks.desired import (
    FAMILY,
    TABLE,
    Drops,
    FlowKey,
    FlowMark,
    MarkTable,
)
from lbaas.dataplane.marks.policy import Policy, Span
from lbaas.dataplane.marks.rules import CONTAINERS, DROPS, declaration
from lbaas.dataplane.nftables import Nft, learn_structure
from lbaas.domain.addresses import Address
from lbaas.wire.state import MarkRange


def expected_structure(nft: Nft, marks: MarkRange) -> str:
    """How a table of ours lists on this machine: what ``mark_table`` wants as *structure*."""
    return _canonical(learn_structure(nft, FAMILY, TABLE, declaration(marks), elements=False))


def observe(nft: Nft) -> MarkTable:
    """The table with its elements; a table that is not there has no structure."""
    structure = nft.structure(FAMILY, TABLE)
    if structure is None:
        return MarkTable(None)
    elements = nft.elements_of(FAMILY, TABLE, _FILLED)
    return MarkTable(
        _canonical(structure),
        frozenset(
            ip_address(address)
            for family in (4, 6)
            for address in elements.get(f"vips{family}", [])
        ),
        _flows(elements),
        _policies(elements),
        drops(nft),
    )


def drops(nft: Nft) -> Drops:
    """How many packets were refused, by cause and mark."""
    counters = nft.elements_of(FAMILY, TABLE, [f"set dropped_{cause}" for cause in DROPS])
    return {
        (name.removeprefix("dropped_"), each["elem"]["val"]): each["elem"]["counter"]["packets"]
        for name, elements in counters.items()
        for each in elements
    }


_FILLED = tuple(str(each) for each in CONTAINERS if each.elements)

# The sets and the chain of one limit; they look alike but for the limit itself.
_OF_LIMIT = re.compile(r"\t(?:set opened[46]|chain rate)_(\d+) \{")


def _canonical(structure: str) -> str:
    """The listing's sets and chains in an order that does not vary; those of limits once, without the number.

    A table has them for the limits that its listeners have, or had. One that does not look as it should shows
    as a part that no declaration has.
    """
    parts = structure.removesuffix("}\n").split("\n\n")
    return "\n\n".join(sorted({_numberless(part.strip("\n")) for part in parts}))


def _numberless(part: str) -> str:
    head = _OF_LIMIT.match(part)
    if head is None:
        return part
    number = head[1]
    return re.sub(rf"_{number}\b|\b{number}/second burst {number} packets", "N", part)


def _policies(elements: dict[str, list[Any]]) -> dict[int, Policy]:
    policed, restricted = set(elements.get("policed", [])), set(elements.get("restricted", []))
    rates = {mark: _limit(verdict) for mark, verdict in elements.get("rates", [])}
    return {
        mark: Policy(mark in policed, mark in restricted, rates.get(mark))
        for mark in (policed | restricted | rates.keys())
    }


def _limit(verdict: dict[str, dict[str, str]]) -> int:
    """The number of the chain that a listener with a limit goes to; 0, which none has, if it goes elsewhere."""
    target = verdict.get("goto", {}).get("target", "")
    return int(target.removeprefix("rate_")) if target.startswith("rate_") else 0


def _span(source: Any) -> Span:
    """An address, ``{"range": [FIRST, LAST]}``, or ``{"prefix": {"addr": ADDRESS, "len": BITS}}``."""
    match source:
        case {"range": [first, last]}:
            return Span(ip_address(first), ip_address(last))
        case {"prefix": {"addr": network, "len": length}}:
            prefix = ip_network(f"{network}/{length}")
            return Span(prefix.network_address, prefix.broadcast_address)
    return Span(ip_address(source), ip_address(source))


@dataclass(frozen=True)
class _Entry:
    flow: FlowKey
    mark: int


def _flows(elements: dict[str, list[Any]]) -> dict[FlowKey, FlowMark]:
    packets = {each.flow: each.mark for each in _entries(elements, ("flows", "ranges"))}
    errors = {each.flow: each.mark for each in _entries(elements, ("errors", "error_ranges"))}
    sources = _sources(elements)
    return {
        flow: FlowMark(packets.get(flow), errors.get(flow), frozenset(sources.get(flow, ())))
        for flow in dict.fromkeys([*packets, *errors, *sources])
    }


def _entries(elements: dict[str, list[Any]], maps: tuple[str, str]) -> Iterator[_Entry]:
    for family in (4, 6):
        for name in maps:
            for key, mark in elements.get(f"{name}{family}", []):
                yield _Entry(_flow(key["concat"], family), _number(mark))


def _sources(elements: dict[str, list[Any]]) -> dict[FlowKey, set[Span]]:
    sources: dict[FlowKey, set[Span]] = {}
    for family in (4, 6):
        for each in elements.get(f"sources{family}", []):
            *flow, source = each["concat"]
            sources.setdefault(_flow(flow, family), set()).add(_span(source))
    return sources


def _flow(key: list[Any], family: int) -> FlowKey:
    address, protocol, port = key
    first, last = port["range"] if isinstance(port, dict) else (port, port)
    return FlowKey(_address(address, family), _number(protocol), _number(first), _number(last))


def _address(value: str | int, family: int) -> Address:
    """A raw match lists an address as a number, which JSON holds as text where it is long."""
    if isinstance(value, str) and not value.startswith("0x"):
        return ip_address(value)
    number = _number(value)
    return IPv4Address(number) if family == 4 else IPv6Address(number)


def _number(value: str | int) -> int:
    return int(value, 0) if isinstance(value, str) else value
