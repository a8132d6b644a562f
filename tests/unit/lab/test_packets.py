import struct
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from lbaas.lab.fabric.packets import IPIP, IPV6, TCP, UDP, decode

CLIENT, VIP, NODE, BACKEND = "10.0.1.11", "198.51.100.1", "10.0.10.11", "10.0.20.11"
CLIENT6, VIP6, NODE6, BACKEND6 = "fd00:1::11", "2001:db8:100::1", "fd00:10::11", "fd00:20::11"


def ipv4(source: str, destination: str, protocol: int, payload: bytes) -> bytes:
    addresses = ip_address(source).packed + ip_address(destination).packed
    length = 20 + len(payload)
    return struct.pack("!BxH5xBxx", 0x45, length, protocol) + addresses + payload


def ipv6(source: str, destination: str, protocol: int, payload: bytes) -> bytes:
    addresses = ip_address(source).packed + ip_address(destination).packed
    return struct.pack("!B3xHBx", 0x60, len(payload), protocol) + addresses + payload


def tcp(source: int, destination: int, flags: int) -> bytes:
    return struct.pack("!HH9xB6x", source, destination, flags)


def test_a_plain_packet_has_one_layer_its_ports_and_flags() -> None:
    decoded = decode(ipv4(CLIENT, VIP, TCP, tcp(4444, 80, 0x12)))

    assert decoded is not None
    assert [(layer.source, layer.destination) for layer in decoded.layers] == [(CLIENT, VIP)]
    assert (decoded.source_port, decoded.destination_port) == (4444, 80)
    assert decoded.tcp_flags == "SA"
    assert decoded.length == 40


def test_a_tunnelled_packet_shows_both_headers_and_the_inner_ports() -> None:
    inner = ipv4(CLIENT, VIP, UDP, struct.pack("!HHHH", 5555, 53, 8, 0))

    decoded = decode(ipv4(NODE, BACKEND, IPIP, inner))

    assert decoded is not None
    assert [(layer.source, layer.destination) for layer in decoded.layers] == [
        (NODE, BACKEND),
        (CLIENT, VIP),
    ]
    assert (decoded.source_port, decoded.destination_port) == (5555, 53)


def test_ipv6_in_ipv6_is_opened_past_the_option_that_the_tunnel_adds() -> None:
    inner = ipv6(CLIENT6, VIP6, TCP, tcp(4444, 80, 0x02))
    option = bytes([IPV6, 0, 4, 1, 4, 1, 1, 0])  # tunnel encapsulation limit, RFC 2473

    decoded = decode(ipv6(NODE6, BACKEND6, 60, option + inner))

    assert decoded is not None
    assert [layer.destination for layer in decoded.layers] == [BACKEND6, VIP6]
    assert decoded.tcp_flags == "S"


def test_what_is_cut_short_keeps_what_was_read() -> None:
    decoded = decode(ipv4(NODE, BACKEND, IPIP, b"")[:20])

    assert decoded is not None
    assert [layer.destination for layer in decoded.layers] == [BACKEND]
    assert decoded.source_port is None


def test_what_is_not_ip_is_nothing() -> None:
    assert decode(b"") is None
    assert decode(b"\x00\x01\x08\x00" * 10) is None


@given(st.binary(max_size=200))
def test_any_bytes_can_be_read(packet: bytes) -> None:
    decoded = decode(packet)

    assert decoded is None or decoded.layers
