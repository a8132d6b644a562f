"""What a request presents besides its token: the certificate of whoever is at the other end of its connection.

TLS that ends here has proven that the other end has the certificate's key. TLS that ends at a proxy has proven it to
the proxy, whose word counts if it is one of those that we trust.
"""

import base64
import binascii
import hashlib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TypeAlias
from urllib.parse import unquote

from starlette.types import Scope

from lbaas.errors import Unauthenticated

# In the request's state: who is at the other end of the connection.
CONNECTION = "connection"
# RFC 9440; what nginx has, PEM in percent encoding, is taken as well.
HEADER = "client-cert"

Networks: TypeAlias = Sequence[IPv4Network | IPv6Network]


@dataclass(frozen=True)
class Connection:
    """Its other end: whether it is a proxy that we trust, and the SHA-256 of the certificate that it presented."""

    trusted: bool
    certificate: bytes | None


def certificate(scope: Scope, headers: Mapping[str, str]) -> bytes | None:
    """The SHA-256 of the certificate that the request comes with. Raises Unauthenticated for a header that is none.

    A header of somebody whom we do not trust says nothing.
    """
    connection: Connection | None = scope.get("state", {}).get(CONNECTION)
    if connection is None:
        return None
    said = headers.get(HEADER)
    if said and connection.trusted:
        return hashlib.sha256(_der(said)).digest()
    return connection.certificate


def is_within(peer: str | None, networks: Networks) -> bool:
    """True if the address is in one of them; of a socket without an address, False."""
    if peer is None or not networks:
        return False
    address = ip_address(peer)
    # A socket of both families tells IPv4 addresses so.
    plain = (address.version == 6 and address.ipv4_mapped) or address
    return any(plain in network for network in networks)


def _der(said: str) -> bytes:
    try:
        if said.startswith(":") and said.endswith(":"):
            return base64.b64decode(said.strip(":"), validate=True)
        return ssl.PEM_cert_to_DER_cert(unquote(said))
    except (ValueError, binascii.Error) as error:
        raise Unauthenticated(
            f"the header {HEADER} of the proxy is no certificate: {error}"
        ) from error
