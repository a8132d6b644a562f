"""The packets of a flow as rules see them: on their way to a node, in a tunnel, and out of it."""

from lbaas.dataplane.marks.desired import PROTOCOL_NUMBERS
from lbaas.domain.addresses import Address
from lbaas.domain.terms import Encapsulation
from lbaas.explain.packets import Packet
from lbaas.wire.explanation import FiveTuple
from lbaas.wire.state import Tunnel

_GRE, _UDP = 47, 17
_INSIDE = {4: 4, 6: 41}  # the protocol of a packet that holds one of this family


def asked(flow: FiveTuple, state: int) -> Packet:
    """The client's packet, of which conntrack says *state*."""
    return Packet(
        "the client's packet",
        flow.client,
        flow.vip,
        PROTOCOL_NUMBERS[flow.protocol],
        state,
        flow.vip.version,
        flow.client_port,
        flow.port,
    )


def replied(flow: FiveTuple, state: int) -> Packet:
    """The member's answer to it."""
    return Packet(
        "the reply",
        flow.vip,
        flow.client,
        PROTOCOL_NUMBERS[flow.protocol],
        state,
        flow.vip.version,
        flow.port,
        flow.client_port,
    )


def wrapped(
    flow: FiveTuple, tunnel: Tunnel, source: Address | None, member: Address, state: int
) -> Packet:
    """The client's packet on its way from a node to *member*."""
    match tunnel.encapsulation:
        case Encapsulation.IPIP:
            protocol = _INSIDE[flow.vip.version]
        case Encapsulation.GRE:
            protocol = _GRE
        case Encapsulation.GUE:
            protocol = _UDP
    what = "the tunnelled packet"
    port = tunnel.udp_port
    return Packet(what, source, member, protocol, state, member.version, None, port)
