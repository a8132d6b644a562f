"""The table as the kernel has it."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from lbaas.dataplane.marks.desired import (
    FAMILY,
    TABLE,
    FlowKey,
    FlowMark,
    MarkTable,
    declaration,
)
from lbaas.dataplane.nftables import Nft, learn_structure
from lbaas.domain.addresses import Address
from lbaas.wire.state import MarkRange


def expected_structure(nft: Nft, marks: MarkRange) -> str:
    """How a table of ours lists on this machine: what ``mark_table`` wants as *structure*."""
    return learn_structure(nft, FAMILY, TABLE, declaration(marks), elements=False)


def observe(nft: Nft) -> MarkTable:
    """The table with its elements; a table that is not there has no structure."""
    structure = nft.structure(FAMILY, TABLE)
    if structure is None:
        return MarkTable(None)
    elements = nft.elements(FAMILY, TABLE)
    return MarkTable(
        structure,
        frozenset(
            ip_address(address)
            for family in (4, 6)
            for address in elements.get(f"vips{family}", [])
        ),
        _flows(elements),
    )


@dataclass(frozen=True)
class _Entry:
    flow: FlowKey
    mark: int


def _flows(elements: dict[str, list[Any]]) -> dict[FlowKey, FlowMark]:
    packets = {each.flow: each.mark for each in _entries(elements, ("flows", "ranges"))}
    errors = {each.flow: each.mark for each in _entries(elements, ("errors", "error_ranges"))}
    return {
        flow: FlowMark(packets.get(flow), errors.get(flow))
        for flow in dict.fromkeys([*packets, *errors])
    }


def _entries(elements: dict[str, list[Any]], maps: tuple[str, str]) -> Iterator[_Entry]:
    for family in (4, 6):
        for name in maps:
            for key, mark in elements.get(f"{name}{family}", []):
                address, protocol, port = key["concat"]
                first, last = port["range"] if isinstance(port, dict) else (port, port)
                flow = FlowKey(
                    _address(address, family), _number(protocol), _number(first), _number(last)
                )
                yield _Entry(flow, _number(mark))


def _address(value: str | int, family: int) -> Address:
    """A raw match lists an address as a number, which JSON holds as text where it is long."""
    if isinstance(value, str) and not value.startswith("0x"):
        return ip_address(value)
    number = _number(value)
    return IPv4Address(number) if family == 4 else IPv6Address(number)


def _number(value: str | int) -> int:
    return int(value, 0) if isinstance(value, str) else value
