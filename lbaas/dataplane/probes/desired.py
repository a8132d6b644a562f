"""What lets a probe that goes to a VIP, through the tunnel, come back.

A member answers a probe as the VIP, which is the node's own address as well. Over IPv4 the kernel drops what comes
from outside in its own name (``accept_local``) or, under a strict rp_filter, from where it would not send to. So
the answer's source is changed before the kernel routes it and changed back before the socket gets it: one
bit pattern, applied twice. Neither checksum sees it. IPv6 has no such check.
"""

from lbaas.wire.state import MarkRange

FAMILY, TABLE = "inet", "lbaas_probes"

# What the source is combined with meanwhile, by exclusive or. 7 keeps unicast addresses unicast, but for
# 7.0.0.0/8 and 120.0.0.0/8, which would become 0.0.0.0/8 and 127.0.0.0/8: for these it is 1.
_PATTERN, _OTHER_PATTERN = 0x07000000, 0x01000000


def declaration(probes: MarkRange) -> str:
    """Chains and rules of the table; it has no elements, and is the same however many checks there are.

    Only packets that a socket of a probe waits for are touched. They carry a mark until they are delivered: the
    first of *probes* for one pattern, the second for the other. Clients' packets have a mark of theirs by
    then and are not looked up. A probe that IPVS did not take would loop back to the node, which would balance it
    like a client's: it is dropped.
    """
    return _CHAINS.format(
        marks=f"{probes.first:#x}-{probes.last:#x}",
        hidden=f"{probes.first:#x}",
        otherwise=f"{probes.first + 1:#x}",
        pattern=f"{_PATTERN:#x}",
        other=f"{_OTHER_PATTERN:#x}",
    )


_CHAINS = """\
chain arriving {{
    type filter hook prerouting priority -140; policy accept;
    meta mark != 0 return
    meta nfproto ipv4 meta l4proto {{ 6, 17 }} socket mark {marks} goto hide
}}
chain hide {{
    ip saddr {{ 7.0.0.0/8, 120.0.0.0/8 }} @nh,96,32 set @nh,96,32 ^ {other} meta mark set {otherwise} return
    @nh,96,32 set @nh,96,32 ^ {pattern}
    meta mark set {hidden}
}}
chain delivered {{
    type filter hook input priority -300; policy accept;
    meta mark {hidden} @nh,96,32 set @nh,96,32 ^ {pattern} meta mark set 0
    meta mark {otherwise} @nh,96,32 set @nh,96,32 ^ {other} meta mark set 0
}}
chain leaving {{
    type filter hook output priority 0; policy accept;
    oifname "lo" meta mark {marks} drop
}}
"""
