"""Which conversation a check leads."""

from lbaas.domain.terms import ProbeKind
from lbaas.errors import BadState
from lbaas.health.checks import Check
from lbaas.health.conversations.conversation import Conversation
from lbaas.health.conversations.datagrams import Dns, Echo, Udp
from lbaas.health.conversations.http import Http
from lbaas.health.conversations.tls import Tls
from lbaas.wire.state import HttpProbe, UdpProbe


def conversation(check: Check, identifier: int) -> Conversation | None:
    """A new one; None where a connection says enough. *identifier*, 16 bits, tells a probe from the last."""
    monitor = check.monitor
    match monitor.kind:
        case ProbeKind.TCP:
            return None
        case ProbeKind.HTTP:
            return _http(check)
        case ProbeKind.HTTPS:
            return Tls(_http(check), monitor.http.host if monitor.http else None)
        case ProbeKind.UDP:
            return Udp(monitor.udp or UdpProbe())
        case ProbeKind.DNS:
            if monitor.dns is None:
                raise BadState("a dns monitor without a name to ask for")
            return Dns(monitor.dns, identifier)
        case ProbeKind.ICMP:
            return Echo(check.address.version, identifier)


def _http(check: Check) -> Http:
    monitor = check.monitor
    return Http(monitor.http or HttpProbe(), check.address, monitor.port or 80)
