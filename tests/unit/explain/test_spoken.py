"""A flow as people write it."""

import pytest

from lbaas.errors import NoFlow
from lbaas.explain.spoken import flow_of


@pytest.mark.parametrize(
    ("client", "service", "meant"),
    [
        ("192.0.2.7", "198.51.100.7:80", "192.0.2.7 → 198.51.100.7:80/tcp"),
        ("192.0.2.7:4000", "198.51.100.7:53/udp", "192.0.2.7:4000 → 198.51.100.7:53/udp"),
        ("2001:db8::7", "[2001:db8:1::7]:80/sctp", "2001:db8::7 → [2001:db8:1::7]:80/sctp"),
        ("[2001:db8::7]:1", "[2001:db8:1::7]:80", "[2001:db8::7]:1 → [2001:db8:1::7]:80/tcp"),
    ],
)
def test_what_is_meant(client: str, service: str, meant: str) -> None:
    assert str(flow_of(client, service)) == meant


@pytest.mark.parametrize(
    ("client", "service", "why"),
    [
        ("192.0.2.7", "198.51.100.7", "which port"),
        ("192.0.2.7", "2001:db8::7", "which port"),
        ("192.0.2.300", "198.51.100.7:80", "192.0.2.300"),
        ("192.0.2.7", "198.51.100.7:80/icmp", "icmp"),
        ("192.0.2.7:http", "198.51.100.7:80", "http"),
        ("192.0.2.7:70000", "198.51.100.7:80", "65535"),
        ("2001:db8::7", "198.51.100.7:80", "two families"),
    ],
)
def test_what_makes_no_sense_is_told_with_an_example(client: str, service: str, why: str) -> None:
    with pytest.raises(NoFlow, match=why):
        flow_of(client, service)
