"""Random values of the data plane's types, small enough to collide."""

from ipaddress import IPv4Address, IPv6Address

from hypothesis import strategies as st

from lbaas.domain.addresses import Address

ipv4 = st.integers(1, 6).map(lambda n: IPv4Address(0xC6336400 + n))
ipv6 = st.integers(1, 6).map(lambda n: IPv6Address((0x20010DB8 << 96) + n))
addresses: st.SearchStrategy[Address] = st.one_of(ipv4, ipv6)
