"""Programs that somebody has attached to devices: they see packets where none of our rules is asked yet, or any more.

Source: include/uapi/linux/{if_link,pkt_sched,rtnetlink}.h; net/sched/cls_api.c.
"""

import struct
from collections.abc import Iterator, Mapping
from contextlib import closing

from lbaas.dataplane.netlink import Message, NetlinkSocket, parse

_ROUTE = 0  # NETLINK_ROUTE
_GET_LINK, _GET_FILTER = 18, 46  # RTM_*
_IFINFOMSG = struct.Struct("=BxHiII")  # family, type, index, flags, change
_IFNAME, _XDP, _XDP_ATTACHED, _XDP_PROGRAM = 3, 43, 2, 4  # IFLA_*
_TCMSG = struct.Struct("=B3xiIII")  # family, device index, handle, parent, info
_KIND = 1  # TCA_KIND

# Where filters see every packet of a device: the blocks of clsact, and the older qdisc ingress.
_PLACES: Mapping[str, tuple[int, ...]] = {
    "ingress": (0xFFFFFFF2, 0xFFFF0000),
    "egress": (0xFFFFFFF3,),
}


def attached() -> tuple[str, ...]:
    """What is attached to the devices of this network namespace, a word on each. Raises OSError."""
    with closing(NetlinkSocket(_ROUTE)) as netlink:
        links = netlink.dump(Message(_GET_LINK, _IFINFOMSG.pack(0, 0, 0, 0, 0)))
        return tuple(each for link in links for each in _on(netlink, link))


def _on(netlink: NetlinkSocket, link: bytes) -> Iterator[str]:
    _, _, index, _, _ = _IFINFOMSG.unpack_from(link)
    fields = parse(link[_IFINFOMSG.size :])
    device = fields[_IFNAME].rstrip(b"\0").decode()
    express = parse(fields.get(_XDP, b""))
    if any(express.get(_XDP_ATTACHED, b"\0")):
        program = int.from_bytes(express.get(_XDP_PROGRAM, b""), "little")
        yield f"XDP program {program} on {device}"
    for place, parents in _PLACES.items():
        kinds = {kind for parent in parents for kind in _filters(netlink, index, parent)}
        if kinds:
            yield f"tc filters ({', '.join(sorted(kinds))}) at {device} {place}"


def _filters(netlink: NetlinkSocket, index: int, parent: int) -> Iterator[str]:
    asked = Message(_GET_FILTER, _TCMSG.pack(0, index, 0, parent, 0))
    for payload in netlink.dump(asked):
        kind = parse(payload[_TCMSG.size :]).get(_KIND)
        if kind is not None:
            yield kind.rstrip(b"\0").decode()
