"""The text of /proc/net/ip_vs, as a 6.1 kernel writes it."""

from ipaddress import IPv4Address, IPv6Address

from lbaas.dataplane.ipvs.desired import Destination
from lbaas.dataplane.ipvs.listing import Listed, parse
from lbaas.domain.terms import Forwarding

HEAD = b"""\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
"""
SERVICES = b"""\
TCP  C6336407:0050 wlc  persistent 300 FFFFFFFF
  -> 0A001499:0050      Masq    1      0          0
FWM  100006E0 mh
  -> 0A00140E:0000      Tunnel  1      3          7
  -> 0A00140B:0000      Route   0      0          0
FWM  10001388 wlc
  -> [fd00:0020:0000:0000:0000:0000:0000:0012]:0000      Tunnel  7      0          0
FWM  10001389 rr
FWM  1000138A rr
  -> 0A00140E:0000      Masq    1      0          0
"""


def test_destinations_come_in_the_order_they_were_added() -> None:
    first, *_ = parse(HEAD + SERVICES)
    assert first == Listed(
        0x100006E0,
        "mh",
        (
            Destination(IPv4Address("10.0.20.11"), Forwarding.DIRECT, 0),
            Destination(IPv4Address("10.0.20.14"), Forwarding.TUNNEL, 1),
        ),
    )


def test_services_keyed_by_address_are_passed_over() -> None:
    assert [each.mark for each in parse(HEAD + SERVICES)] == [
        0x100006E0,
        0x10001388,
        0x10001389,
        0x1000138A,
    ]


def test_a_service_may_have_no_destination_and_an_address_may_be_ipv6() -> None:
    _, second, third, _ = parse(HEAD + SERVICES)
    assert second.destinations == (Destination(IPv6Address("fd00:20::12"), Forwarding.TUNNEL, 7),)
    assert third == Listed(0x10001389, "rr", ())


def test_a_method_that_is_not_ours_is_none() -> None:
    *_, last = parse(HEAD + SERVICES)
    assert [each.forwarding for each in last.destinations] == [None]


def test_no_services_are_no_services() -> None:
    assert list(parse(HEAD)) == []
    assert list(parse(b"")) == []
