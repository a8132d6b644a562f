"""Addresses and prefixes, of both families, under one name each."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
Prefix = IPv4Network | IPv6Network


def host_prefix(address: Address) -> Prefix:
    """The /32 or /128 that holds just *address*."""
    return IPv4Network(address) if isinstance(address, IPv4Address) else IPv6Network(address)


def address_key(address: Address) -> tuple[int, int]:
    """Sort key: IPv4 before IPv6, then by value. The canonical order of every wire document."""
    return address.version, int(address)
