"""What the kernel's ``mh`` and ``sh`` choose is what we compute."""

import socket
import struct
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import count
from pathlib import Path
from random import Random

import pytest

from lbaas.dataplane.ipvs.apply import apply
from lbaas.dataplane.ipvs.desired import (
    HASH_FALLBACK,
    HASH_PORT,
    Destination,
    Service,
    ServiceKey,
)
from lbaas.dataplane.ipvs.netlink import IpvsSocket
from lbaas.dataplane.ipvs.plan import EditDestination, plan
from lbaas.dataplane.namespaces import Namespace
from lbaas.domain.addresses import Address
from lbaas.domain.terms import Forwarding, Scheduler
from lbaas.explain.candidates import Candidate
from lbaas.explain.maglev import MaglevTable
from lbaas.explain.source_hash import SourceHashTable

TABLES: dict[Scheduler, type[MaglevTable] | type[SourceHashTable]] = {
    Scheduler.MH: MaglevTable,
    Scheduler.SH: SourceHashTable,
}
BOTH = HASH_FALLBACK | HASH_PORT
VIPS: dict[int, Address] = {4: IPv4Address("198.51.100.7"), 6: IPv6Address("2001:db8:100::7")}
MARK = 0x1000FFF0
UDP_HEADER = struct.Struct("!HHHH")
IPV6_HDRINCL = 36  # include/uapi/linux/in6.h; the socket module has no name for it
CASES = [
    # Weights as they were first, and as they were then: a destination whose weight becomes 0 keeps its slots.
    (Scheduler.MH, BOTH, (1, 1, 1), (1, 1, 1)),
    (Scheduler.MH, BOTH, (7, 300, 21, 1, 40), (7, 300, 21, 1, 40)),
    (Scheduler.MH, BOTH, (6, 10, 4), (6, 0, 4)),
    (Scheduler.MH, 0, (2, 0, 3), (2, 0, 3)),
    (Scheduler.SH, BOTH, (3, 1, 90), (0, 1, 90)),
]
FLOWS = 1000  # of each case and family: 10,000 in all
_ports = count(1000)


@pytest.fixture
def network() -> Iterator[None]:
    """A machine whose only device takes every packet and drops it."""
    space = Namespace.new()
    with space.inside():
        for command in (
            "ip link set lo up",
            "ip link add sink type dummy",
            "ip link set sink arp off up",
            "ip addr add 192.0.2.1/24 dev sink",
            "ip addr add 2001:db8::1/64 dev sink nodad",
            "ip route add default dev sink",
            "ip -6 route add default dev sink",
        ):
            subprocess.run(command.split(), check=True)
        yield


def members(family: int, number: int) -> list[Address]:
    base = ip_address("192.0.2.10" if family == 4 else "2001:db8::10")
    return [base + 3 * place for place in range(number)]


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize(("scheduler", "flags", "first", "then"), CASES)
@pytest.mark.parametrize("family", [4, 6])
def test_a_flow_goes_to_the_member_that_the_table_says(
    family: int, scheduler: Scheduler, flags: int, first: Sequence[int], then: Sequence[int]
) -> None:
    key, port = ServiceKey(family, MARK), next(_ports)
    addresses = members(family, len(first))
    with closing(IpvsSocket()) as ipvs:
        program(ipvs, key, scheduler, flags, addresses, first)
        changed = [
            EditDestination(key, Destination(address, Forwarding.DIRECT, weight))
            for address, before, weight in zip(addresses, first, then, strict=True)
            if before != weight
        ]
        assert apply(ipvs, changed).failed == ()
        clients = [client(family, number) for number in range(FLOWS)]
        send(VIPS[family], port, clients)
        candidates = [
            Candidate(address, weight, weight or before)
            for address, before, weight in zip(addresses, first, then, strict=True)
        ]
        table = TABLES[scheduler].of(family, candidates)
        chosen = {
            (address, sport): table.choose(
                address, sport if flags & HASH_PORT else 0, fall_back=bool(flags & HASH_FALLBACK)
            )
            for address, sport in clients
        }
        assert scheduled(port) == {
            flow: each.address for flow, each in chosen.items() if each is not None
        }


def program(
    ipvs: IpvsSocket,
    key: ServiceKey,
    scheduler: Scheduler,
    flags: int,
    addresses: Sequence[Address],
    weights: Sequence[int],
) -> None:
    destinations = tuple(
        Destination(address, Forwarding.DIRECT, weight)
        for address, weight in zip(addresses, weights, strict=True)
    )
    wanted = {key: Service(scheduler, flags, destinations)}
    assert apply(ipvs, plan({}, wanted).establish).failed == ()


def client(family: int, number: int) -> tuple[Address, int]:
    """Like no other of the family, and always the same for one number."""
    random = Random(number)
    address: Address
    if family == 4:
        address = IPv4Address(0x0B000000 + random.getrandbits(23))
    else:
        address = IPv6Address((0x20010DB900000000 << 64) + random.getrandbits(96))
    return address, random.randrange(1024, 65536)


def send(vip: Address, port: int, clients: Sequence[tuple[Address, int]]) -> None:
    """A datagram of each client to the VIP, with the service's mark."""
    with closing(raw_socket(vip.version)) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)
        for address, sport in clients:
            sender.sendto(datagram(address, sport, vip, port), (str(vip), 0))


def raw_socket(family: int) -> socket.socket:
    if family == 4:
        return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    sender = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
    sender.setsockopt(socket.IPPROTO_IPV6, IPV6_HDRINCL, 1)
    return sender


def datagram(source: Address, sport: int, destination: Address, dport: int) -> bytes:
    udp = UDP_HEADER.pack(sport, dport, UDP_HEADER.size, 0)
    ends = source.packed + destination.packed
    if source.version == 4:
        # The kernel fills in length, id and checksum.
        return struct.pack("!BBHHHBBH", 0x45, 0, 0, 0, 0, 64, 17, 0) + ends + udp
    return struct.pack("!IHBB", 6 << 28, len(udp), 17, 64) + ends + udp


def scheduled(port: int) -> dict[tuple[Address, int], Address]:
    """Where each flow to *port* went, by the kernel's own list."""
    lines = Path("/proc/thread-self/net/ip_vs_conn").read_text().splitlines()[1:]
    rows = [line.split() for line in lines]
    return {
        (parsed(row[1]), int(row[2], 16)): parsed(row[5]) for row in rows if int(row[4], 16) == port
    }


def parsed(text: str) -> Address:
    """Hexadecimal digits, or what IPv6 is usually written like."""
    return IPv6Address(text.strip("[]")) if ":" in text else IPv4Address(int(text, 16))
