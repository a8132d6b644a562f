"""The text of /proc/net/ip_vs_conn, as a 6.1 kernel writes it."""

from ipaddress import IPv4Address, IPv6Address

from lbaas.dataplane.ipvs.flows import parse, place_of

TEXT = b"""\
Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData
TCP 0A00010B A411 C6336401 0050 0A00140B 0050 ESTABLISHED     899
UDP 0A00010B A412 C6336401 0035 0A00140C 0035 UDP             299
TCP fd00:0001:0000:0000:0000:0000:0000:0011 A413 2001:0db8:0100:0000:0000:0000:0000:0001 01BB 0A00140C 01BB SYN_RECV 59
"""


def test_of_tcp_connections_the_place_and_whether_they_got_beyond_their_beginning() -> None:
    first, second = parse(TEXT)
    assert place_of(first.place) == (IPv4Address("198.51.100.1"), 80, IPv4Address("10.0.20.11"))
    assert place_of(second.place) == (
        IPv6Address("2001:db8:100::1"),
        443,
        IPv4Address("10.0.20.12"),
    )
    assert (first.begun, second.begun) == (True, False)
