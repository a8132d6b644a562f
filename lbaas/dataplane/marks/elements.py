"""The table's elements as the kernel holds them: which set, which bytes."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from lbaas.dataplane.marks.desired import FlowKey, FlowMark
from lbaas.dataplane.nfnetlink import Element
from lbaas.domain.addresses import Address

# The sets and maps of each family: VIPs; flows by port and by range of ports; and the same for ICMP errors.
VIPS = {4: "vips4", 6: "vips6"}
FLOWS = {4: ("flows4", "ranges4"), 6: ("flows6", "ranges6")}
ERRORS = {4: ("errors4", "error_ranges4"), 6: ("errors6", "error_ranges6")}

_PROTOCOL_AND_PORT = struct.Struct("!B3xH2x")
_MARK = struct.Struct("=I")  # a mark is a number of the kernel's own


@dataclass(frozen=True)
class Placed:
    """An element and the set that it belongs to."""

    set: str
    element: Element


def of_vip(address: Address) -> Placed:
    """The VIP among the addresses that are looked up."""
    return Placed(VIPS[address.version], Element(address.packed))


def of_flow(flow: FlowKey, mark: FlowMark) -> Iterator[Placed]:
    """The flow's elements: one for its packets and one for the errors about them, where it has such a mark."""
    ranged = flow.first != flow.last
    key = flow.vip.packed + _PROTOCOL_AND_PORT.pack(flow.protocol, flow.first)
    end = flow.vip.packed + _PROTOCOL_AND_PORT.pack(flow.protocol, flow.last) if ranged else None
    for sets, value in ((FLOWS, mark.packets), (ERRORS, mark.errors)):
        if value is not None:
            yield Placed(sets[flow.vip.version][ranged], Element(key, _MARK.pack(value), end))


def address_of(element: Element) -> Address:
    """What ``of_vip`` made the element of."""
    return ip_address(element.key)


def flow_of(element: Element) -> tuple[FlowKey, int]:
    """The flow and the mark that ``of_flow`` made the element of."""
    vip = ip_address(element.key[:-8])
    protocol, first = _PROTOCOL_AND_PORT.unpack(element.key[-8:])
    _, last = _PROTOCOL_AND_PORT.unpack((element.end or element.key)[-8:])
    (mark,) = _MARK.unpack(element.value or b"")
    return FlowKey(vip, protocol, first, last), mark
