"""The table's elements as the kernel holds them: which set, which bytes."""

import struct
from collections.abc import Iterator
from ipaddress import ip_address

from lbaas.dataplane.marks.desired import FlowKey, FlowMark
from lbaas.dataplane.marks.policy import Policy, Span
from lbaas.dataplane.nfnetlink import Element, Placed, chain_of
from lbaas.domain.addresses import Address

# The sets and maps of each family: VIPs; flows by port and by range of ports; and the same for ICMP errors.
VIPS = {4: "vips4", 6: "vips6"}
FLOWS = {4: ("flows4", "ranges4"), 6: ("flows6", "ranges6")}
ERRORS = {4: ("errors4", "error_ranges4"), 6: ("errors6", "error_ranges6")}
SOURCES = {4: "sources4", 6: "sources6"}

_PROTOCOL_AND_PORT = struct.Struct("!B3xH2x")
_MARK = struct.Struct("=I")  # a mark is a number of the kernel's own


def of_vip(address: Address) -> Placed:
    """The VIP among the addresses that are looked up."""
    return Placed(VIPS[address.version], Element(address.packed))


def of_flow(flow: FlowKey, mark: FlowMark) -> Iterator[Placed]:
    """The flow's elements: for its packets, for the errors about them, and for each span of its sources."""
    family, vip = flow.vip.version, flow.vip.packed
    key = vip + _PROTOCOL_AND_PORT.pack(flow.protocol, flow.first)
    ranged = flow.first != flow.last
    end = vip + _PROTOCOL_AND_PORT.pack(flow.protocol, flow.last) if ranged else None
    for span in mark.sources:
        source = Element(key + span.first.packed, end=(end or key) + span.last.packed)
        yield Placed(SOURCES[family], source)
    if mark.packets is not None:
        yield Placed(FLOWS[family][ranged], Element(key, _MARK.pack(mark.packets), end))
    if mark.errors is not None:
        yield Placed(ERRORS[family][ranged], Element(key, _MARK.pack(mark.errors), end))


def of_policy(mark: int, policy: Policy) -> Iterator[Placed]:
    """The marks that are looked up further, and the chain of the limit."""
    key = _MARK.pack(mark)
    if policy.policed:
        yield Placed("policed", Element(key))
    if policy.restricted:
        yield Placed("restricted", Element(key))
    if policy.per_second is not None:
        yield Placed("rates", Element(key, chain=f"rate_{policy.per_second}"))


def of_drops(cause: str, mark: int) -> Placed:
    """What is counted against the mark."""
    return Placed(f"dropped_{cause}", Element(_MARK.pack(mark)))


def address_of(element: Element) -> Address:
    """What ``of_vip`` made the element of."""
    return ip_address(element.key)


def flow_of(first_key: bytes, last_key: bytes) -> FlowKey:
    """The flow that ``of_flow`` made elements with these keys of."""
    protocol, first = _PROTOCOL_AND_PORT.unpack(first_key[-8:])
    _, last = _PROTOCOL_AND_PORT.unpack(last_key[-8:])
    return FlowKey(ip_address(first_key[:-8]), protocol, first, last)


def source_of(element: Element) -> tuple[tuple[bytes, bytes], Span]:
    """The flow's keys, as ``flow_of`` reads them, and the span that ``of_flow`` made the element of."""
    end = element.end or element.key
    width = (len(element.key) - 8) // 2
    span = Span(ip_address(element.key[-width:]), ip_address(end[-width:]))
    return (element.key[:-width], end[:-width]), span


def limit_of(element: Element) -> tuple[int, int]:
    """The mark and the limit that ``of_policy`` made the element of; 0, which nobody has, if it goes elsewhere."""
    _, _, limit = (chain_of(element.value or b"") or "").partition("rate_")
    return mark_of(element.key), int(limit) if limit.isdecimal() else 0


def mark_of(key: bytes) -> int:
    """The mark that is kept so."""
    (mark,) = _MARK.unpack(key)
    return int(mark)
