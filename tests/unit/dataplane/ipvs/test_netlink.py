"""What goes to the kernel says what comes back from it."""

import socket
import struct
from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from lbaas.dataplane.ipvs.netlink import (
    Method,
    TunnelType,
    decode_destination,
    decode_service,
    encode_destination,
    encode_service,
)
from lbaas.dataplane.netlink import attribute, parse
from lbaas.domain.addresses import Address

marks = st.integers(1, 0xFFFFFFFF)
families = st.sampled_from([4, 6])
addresses = st.integers(0, 2**32 - 1).map(IPv4Address) | st.integers(0, 2**128 - 1).map(IPv6Address)
# What the kernel adds to a destination when it lists it: flows that are open, and that are not.
LISTED = attribute(7, bytes(4)) + attribute(8, bytes(4))


@given(families, marks, st.sampled_from(["rr", "mh", "wlc"]), st.data())
def test_a_service_is_told_as_it_was_wanted(
    family: int, mark: int, scheduler: str, data: st.DataObject
) -> None:
    flags = data.draw(st.sampled_from([0, 0x4, 0x18, 0x19]))
    timeout_s = data.draw(st.integers(0, 86400))
    prefix = data.draw(st.integers(0, 32 if family == 4 else 128))
    (nest,) = parse(encode_service(family, mark, scheduler, flags, timeout_s, prefix)).values()
    told = decode_service(nest)
    assert (told.family, told.mark, told.scheduler) == (family, mark, scheduler)
    assert (told.flags, told.timeout_s, told.prefix) == (flags, timeout_s, prefix)


@given(families, marks)
def test_a_service_is_named_by_family_and_mark_alone(family: int, mark: int) -> None:
    (nest,) = parse(encode_service(family, mark)).values()
    number = socket.AF_INET6 if family == 6 else socket.AF_INET
    assert parse(nest) == {1: struct.pack("=H", number), 5: struct.pack("=I", mark)}


@given(addresses, st.sampled_from(Method), st.integers(0, 65535), st.data())
def test_a_destination_is_told_as_it_was_wanted(
    address: Address, method: Method, weight: int, data: st.DataObject
) -> None:
    tunnel = data.draw(st.sampled_from(TunnelType))
    port = data.draw(st.integers(0, 65535))
    (nest,) = parse(encode_destination(address, method, weight, tunnel, port)).values()
    told = decode_destination(nest + LISTED)
    assert (told.address, told.method, told.weight) == (address, method, weight)
    assert (told.tunnel_type, told.tunnel_port, told.tunnel_flags) == (tunnel, port, 0)


@given(addresses)
def test_a_destination_is_named_by_its_address_and_no_port(address: Address) -> None:
    (nest,) = parse(encode_destination(address)).values()
    fields = parse(nest)
    assert set(fields) == {1, 2, 11}
    assert (fields[1], fields[2]) == (address.packed.ljust(16, b"\0"), bytes(2))
