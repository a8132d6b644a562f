"""Which certificate a request comes with, and whose word counts for that."""

import base64
import hashlib
import ssl
from ipaddress import ip_network
from urllib.parse import quote

import pytest

from lbaas.api.presented import CONNECTION, Connection, certificate, is_within
from lbaas.errors import Unauthenticated

DER = b"0\x03\x02\x01\x07"
PEM = ssl.DER_cert_to_PEM_cert(DER)
SHA256 = hashlib.sha256(DER).digest()
OWN = b"of the connection itself"
RFC9440 = f":{base64.b64encode(DER).decode()}:"


def presented(header: str | None, *, trusted: bool) -> bytes | None:
    scope = {"type": "http", "state": {CONNECTION: Connection(trusted, OWN)}}
    return certificate(scope, {} if header is None else {"client-cert": header})


@pytest.mark.parametrize("header", [RFC9440, quote(PEM), PEM])
def test_a_trusted_proxy_says_whose_certificate_it_saw(header: str) -> None:
    assert presented(header, trusted=True) == SHA256


@pytest.mark.parametrize("header", [RFC9440, "nonsense", None])
def test_of_anybody_else_the_header_says_nothing(header: str | None) -> None:
    assert presented(header, trusted=False) == OWN


def test_a_proxy_that_names_none_has_one_of_its_own() -> None:
    assert presented(None, trusted=True) == OWN
    assert presented("", trusted=True) == OWN


@pytest.mark.parametrize(
    "header", ["nonsense", ":no base64:", "%FF", "-----BEGIN CERTIFICATE-----"]
)
def test_a_header_that_is_no_certificate_is_refused(header: str) -> None:
    with pytest.raises(Unauthenticated, match="client-cert"):
        presented(header, trusted=True)


def test_a_request_of_no_connection_brings_none() -> None:
    assert certificate({"type": "http"}, {"client-cert": RFC9440}) is None


@pytest.mark.parametrize(
    ("peer", "inside"),
    [
        ("192.0.2.7", True),
        ("192.0.3.7", False),
        ("::ffff:192.0.2.7", True),
        ("::ffff:192.0.3.7", False),
        ("2001:db8::7", True),
        ("2001:db9::7", False),
        (None, False),
    ],
)
def test_a_peer_is_trusted_by_its_address_however_the_socket_tells_it(
    peer: str | None, inside: bool
) -> None:
    networks = [ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")]

    assert is_within(peer, networks) is inside
    assert not is_within(peer, [])
