"""A flow as people write it: ``CLIENT[:PORT]`` and ``VIP:PORT[/PROTOCOL]``; IPv6 with a port in brackets."""

from ipaddress import ip_address

from lbaas.domain.addresses import Address
from lbaas.domain.terms import Protocol
from lbaas.errors import NoFlow
from lbaas.wire.explanation import FiveTuple

_EXAMPLE = "write CLIENT VIP:PORT/PROTOCOL, like 192.0.2.7:40000 198.51.100.7:443/tcp"


def flow_of(client: str, service: str) -> FiveTuple:
    """The flow that *client* and *service* mean. Raises NoFlow."""
    target, _, protocol = service.partition("/")
    try:
        source, source_port = _endpoint(client)
        vip, port = _endpoint(target)
        if port is None:
            raise NoFlow(f"{service}: which port? {_EXAMPLE}")
        flow = FiveTuple(
            client=source,
            client_port=source_port,
            vip=vip,
            port=port,
            protocol=Protocol(protocol or Protocol.TCP),
        )
    except ValueError as error:
        raise NoFlow(f"{error}: {_EXAMPLE}") from error
    if source.version != vip.version:
        raise NoFlow(
            f"{client} and {target} are of two families: no packet goes from one to the other"
        )
    return flow


def _endpoint(text: str) -> tuple[Address, int | None]:
    """An address, and a port where there is one."""
    if text.startswith("["):
        address, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif text.count(":") > 1:
        address, port = text, ""
    else:
        address, _, port = text.partition(":")
    return ip_address(address), int(port) if port else None
