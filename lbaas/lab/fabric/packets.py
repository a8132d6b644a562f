"""Reads captured packets: IP headers from the outermost in, then ports. Pure."""

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from lbaas.lab.messages import Layer

IPIP, TCP, UDP, IPV6, SCTP = 4, 6, 17, 41, 132
WITH_PORTS = {TCP, UDP, SCTP}
TUNNELS = {IPIP, IPV6}
# IPv6 headers that stand between the address and the payload: hop by hop, routing, destination options.
# ip6tnl sends the last (RFC 2473, tunnel encapsulation limit).
EXTENSIONS = {0, 43, 60}

TCP_FLAGS = ((0x02, "S"), (0x10, "A"), (0x01, "F"), (0x04, "R"), (0x08, "P"))


@dataclass(frozen=True)
class Decoded:
    """What the headers say; ports are those of the innermost packet."""

    layers: tuple[Layer, ...]
    length: int
    source_port: int | None = None
    destination_port: int | None = None
    tcp_flags: str = ""


def decode(packet: bytes) -> Decoded | None:
    """*packet* begins with an IP header; None if it is too short or none of IP's."""
    layers, length, rest = [], 0, packet
    while True:
        found = _header(rest)
        if found is None:
            break
        layer, size, rest = found
        layers.append(layer)
        length = length or size
        if layer.protocol not in TUNNELS:
            break
    if not layers:
        return None
    return _with_ports(tuple(layers), length, rest)


def _header(data: bytes) -> tuple[Layer, int, bytes] | None:
    version = data[0] >> 4 if data else 0
    if version == 4 and len(data) >= 20:
        return _header4(data)
    if version == 6 and len(data) >= 40:
        return _header6(data)
    return None


def _header4(data: bytes) -> tuple[Layer, int, bytes]:
    length, protocol = struct.unpack_from("!2xH5xB", data)
    source, destination = IPv4Address(data[12:16]), IPv4Address(data[16:20])
    layer = Layer(source=str(source), destination=str(destination), protocol=protocol)
    return layer, length, data[(data[0] & 0x0F) * 4 :]


def _header6(data: bytes) -> tuple[Layer, int, bytes]:
    payload, protocol = struct.unpack_from("!4xHB", data)
    source, destination = IPv6Address(data[8:24]), IPv6Address(data[24:40])
    rest = data[40:]
    while protocol in EXTENSIONS and len(rest) >= 8:
        protocol, rest = rest[0], rest[(rest[1] + 1) * 8 :]
    layer = Layer(source=str(source), destination=str(destination), protocol=protocol)
    return layer, 40 + payload, rest


def _with_ports(layers: tuple[Layer, ...], length: int, payload: bytes) -> Decoded:
    protocol = layers[-1].protocol
    if protocol not in WITH_PORTS or len(payload) < 4:
        return Decoded(layers, length)
    source, destination = struct.unpack_from("!HH", payload)
    flags = ""
    if protocol == TCP and len(payload) >= 14:
        flags = "".join(letter for bit, letter in TCP_FLAGS if payload[13] & bit)
    return Decoded(layers, length, source, destination, flags)
