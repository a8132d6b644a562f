"""The closed vocabularies, spelled as the API, the wire and the kernel's tools spell them."""

from enum import StrEnum

# First and last.
ALL_PORTS = (1, 65535)


class Protocol(StrEnum):
    """Transport protocols that IPVS balances."""

    TCP = "tcp"
    UDP = "udp"
    SCTP = "sctp"


class Scheduler(StrEnum):
    """How a virtual service chooses the backend of a new flow."""

    MH = "mh"  # Maglev hashing: alike on every node, so a flow survives the loss of its node
    SH = "sh"  # source hashing: alike on every node, but a change moves most flows
    RR = "rr"
    WRR = "wrr"
    LC = "lc"
    WLC = "wlc"

    @property
    def same_on_every_node(self) -> bool:
        """True if every node maps one 5-tuple to one backend without speaking to the others."""
        return self in (Scheduler.MH, Scheduler.SH)


class Forwarding(StrEnum):
    """How a node hands the packet to the backend; the reply never comes back through it."""

    TUNNEL = "tunnel"  # IP-in-IP, any routed backend
    DIRECT = "direct"  # the node rewrites the MAC address only: same L2 segment


class Encapsulation(StrEnum):
    """What the tunnel wraps a packet in."""

    IPIP = "ipip"  # IP in IP: 20 bytes over IPv4, 40 over IPv6; every kernel opens it
    GUE = "gue"  # UDP: routers on the way spread it by port, at 8 bytes more and the UDP header
    GRE = "gre"


class WhenNoBackend(StrEnum):
    """What becomes of a VIP's listener whose members have all failed their checks."""

    WITHDRAW = "withdraw"  # this node announces the VIP no more
    REJECT = "reject"  # clients are refused at once
    SEND_TO_ALL = "send_to_all"  # the checks are doubted, not the members


class ProbeKind(StrEnum):
    """What a health check says to a member."""

    TCP = "tcp"
    HTTP = "http"
    HTTPS = "https"
    UDP = "udp"
    DNS = "dns"
    ICMP = "icmp"


class ProbeTarget(StrEnum):
    """Where a health check goes."""

    VIP = "vip"  # through the tunnel to the VIP on the member, as clients' packets do
    MEMBER = "member"  # to the member's own address


class Progress(StrEnum):
    """How far a VIP's newest change has come."""

    PROGRAMMED = "programmed"  # every active node and every host of a member has applied it
    PENDING = "pending"


class TenantAdminState(StrEnum):
    """What an operator wants of a tenant."""

    ACTIVE = "active"
    SUSPENDED = "suspended"  # its VIPs are withdrawn and kept; it may read and not write


class NodeAdminState(StrEnum):
    """What an operator wants of a node."""

    ACTIVE = "active"
    DRAINED = "drained"  # forwards what still arrives, announces nothing
    MAINTENANCE = "maintenance"  # as drained, and nobody waits for it


class MemberAdminState(StrEnum):
    """What a tenant wants of a member."""

    ACTIVE = "active"
    DRAINED = "drained"  # keeps its flows, gets no new ones


class Role(StrEnum):
    """What a token may do."""

    ADMIN = "admin"  # an operator: everything, every tenant
    MEMBER = "member"  # a tenant: its own objects
    READER = "reader"  # a tenant, reading only
    NODE = "node"  # one load-balancer node: its cluster's state, its own reports
    HOST = "host"  # one backend host: its own state and reports


class Verdict(StrEnum):
    """What explain says of one hop of a packet's way."""

    OK = "ok"
    SUSPECT = "suspect"  # it may break here, which can't be told for sure
    BROKEN = "broken"  # it breaks here
    UNKNOWN = "unknown"  # it could not be looked at
