"""Which packets the nodes' table lets on, marked, and which it drops and counts: on the loopback of one namespace."""

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from lbaas.dataplane.link.netlink import Held, LinkSocket
from lbaas.dataplane.marks.apply import apply
from lbaas.dataplane.marks.desired import FAMILY, TABLE, FlowKey, FlowMark, MarkTable
from lbaas.dataplane.marks.observe import drops, expected_structure, observe
from lbaas.dataplane.marks.plan import plan
from lbaas.dataplane.marks.policy import Policy, Span
from lbaas.dataplane.marks.rules import declaration
from lbaas.dataplane.nfnetlink import NfSocket
from lbaas.dataplane.nftables import Nft
from lbaas.domain.addresses import Address
from lbaas.wire.state import MarkRange
from tests.kernel.loopback import settle

MARKS = MarkRange(first=0x10000000, last=0x1000FFFF)
OPEN, WEB, CLOSED, SLOW, CLOSED6, SLOW6 = range(MARKS.first, MARKS.first + 6)
UDP, TCP = 17, 6

VIPS = {
    mark: IPv4Address(f"198.51.100.{number}")
    for number, mark in enumerate((OPEN, WEB, CLOSED, SLOW), 1)
} | {CLOSED6: IPv6Address("2001:db8::5"), SLOW6: IPv6Address("2001:db8::6")}
FRIEND, STRANGER = IPv4Address("10.9.9.9"), IPv4Address("10.9.10.9")
FRIEND6, STRANGER6 = IPv6Address("fd00:9::9"), IPv6Address("fd00:9::a")
FRIENDS = frozenset({Span(IPv4Address("10.9.9.0"), IPv4Address("10.9.9.255"))})
LIMIT = 3


def flow(
    mark: int, protocol: int, first: int, last: int, *sources: Span
) -> dict[FlowKey, FlowMark]:
    value = FlowMark(mark, mark, frozenset(sources))
    return {FlowKey(VIPS[mark], protocol, first, last): value}


FLOWS = {
    **flow(OPEN, UDP, 1, 65535),
    **flow(WEB, TCP, 80, 80),
    **flow(CLOSED, UDP, 80, 80, *FRIENDS),
    **flow(CLOSED, UDP, 100, 200, *FRIENDS),
    **flow(SLOW, UDP, 80, 80),
    **flow(CLOSED6, UDP, 80, 80, Span(FRIEND6, FRIEND6)),
    **flow(SLOW6, UDP, 80, 80),
}
POLICIES = {
    CLOSED: Policy(restricted=True),
    CLOSED6: Policy(restricted=True),
    SLOW: Policy(per_second=LIMIT),
    SLOW6: Policy(per_second=LIMIT),
}

IF_INET6, TENTATIVE = Path("/proc/thread-self/net/if_inet6"), 0x40  # IFA_F_TENTATIVE

# What arrives is counted behind the nodes' rules, where IPVS would take it, and goes no further.
WITNESS = f"""
table inet witness {{
    set marked {{ type mark
        size 64
        flags dynamic
        counter
    }}
    chain input {{
        type filter hook input priority 50;
        meta mark {MARKS.first:#x}-{MARKS.last:#x} add @marked {{ meta mark }} drop
    }}
}}
"""


@dataclass(frozen=True)
class Node:
    """A namespace with the table of the policies above."""

    nft: Nft

    def arrived(self, mark: int) -> int:
        """Packets that came through with *mark*."""
        found = self.nft.elements_of(FAMILY, "witness", ["set marked"])["marked"]
        counts = {each["elem"]["val"]: each["elem"]["counter"]["packets"] for each in found}
        return int(counts.get(mark, 0))

    def dropped(self, cause: str, mark: int) -> int:
        return drops(self.nft).get((cause, mark), 0)


@pytest.fixture
def node() -> Iterator[Node]:
    with closing(Nft()) as nft, closing(NfSocket()) as netfilter, closing(LinkSocket()) as link:
        addresses = [*VIPS.values(), FRIEND, STRANGER, FRIEND6, STRANGER6]
        held = [Held(1, address) for address in addresses]  # 1 is the loopback device
        link.set_up(1, mtu=1500)
        link.add(held)
        _await_usable()
        vips = frozenset(VIPS.values())
        desired = MarkTable(expected_structure(nft, MARKS), vips, FLOWS, POLICIES)
        steps = plan(observe(nft, netfilter), desired).establish
        assert apply(nft, netfilter, steps, declaration(MARKS)).failed == ()
        nft.run(WITNESS)
        yield Node(nft)
        nft.run(f"delete table inet witness\ndelete table {FAMILY} {TABLE}")
        link.remove(held)
        link.set_up(1, mtu=65536)


def _await_usable() -> None:
    """The kernel ends duplicate address detection in a thread of its own, also where there is none to be done."""
    until_s = time.monotonic() + 30
    while any(
        int(flags, 16) & TENTATIVE
        for *_, flags, _ in map(str.split, IF_INET6.read_text().splitlines())
    ):
        assert time.monotonic() < until_s
        time.sleep(0.01)


def send(
    source: Address, mark: int, port: int, *, source_port: int = 0, size: int = 1, times: int = 1
) -> None:
    """Datagrams to the VIP of *mark*."""
    family = socket.AF_INET6 if source.version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.bind((str(source), source_port))
        for _ in range(times):
            sender.sendto(b"x" * size, (str(VIPS[mark]), port))
    settle()


def test_all_ports_are_marked(node: Node) -> None:
    for port in (1, 7777, 65535):
        send(STRANGER, OPEN, port)
    assert node.arrived(OPEN) == 3


def test_a_datagram_in_fragments_is_put_together_and_keeps_its_mark(node: Node) -> None:
    send(FRIEND, OPEN, 7777, size=4000)
    assert node.arrived(OPEN) == 1


def test_a_friend_may_come_by_every_port_of_the_listener_and_a_stranger_by_none(node: Node) -> None:
    for port in (80, 150):
        send(FRIEND, CLOSED, port)
        send(STRANGER, CLOSED, port)
    assert (node.arrived(CLOSED), node.dropped("source", CLOSED)) == (2, 2)


def test_of_ipv6_too(node: Node) -> None:
    send(FRIEND6, CLOSED6, 80)
    send(STRANGER6, CLOSED6, 80)
    assert (node.arrived(CLOSED6), node.dropped("source", CLOSED6)) == (1, 1)


def test_a_source_opens_so_many_flows_at_once_and_another_has_its_own_share(node: Node) -> None:
    for source in (FRIEND, STRANGER):
        for port in range(3000, 3000 + LIMIT):
            send(source, SLOW, 80, source_port=port)
    assert node.arrived(SLOW) == 2 * LIMIT
    for port in range(3100, 3200):
        send(FRIEND, SLOW, 80, source_port=port)
    assert node.dropped("rate", SLOW) > 0
    assert node.arrived(SLOW) + node.dropped("rate", SLOW) == 2 * LIMIT + 100


def test_an_ipv6_source_is_a_whole_64(node: Node) -> None:
    for port in range(3000, 3100):
        send(FRIEND6 if port % 2 else STRANGER6, SLOW6, 80, source_port=port)
    assert node.dropped("rate", SLOW6) > 0


def test_datagrams_of_a_flow_that_is_open_are_no_new_connections(node: Node) -> None:
    send(FRIEND, SLOW, 80, source_port=3000, times=100)
    assert (node.arrived(SLOW), node.dropped("rate", SLOW)) == (100, 0)


def test_flags_that_no_tcp_sends_are_dropped_and_all_others_pass(node: Node) -> None:
    fin, syn, rst, psh, ack, urg = (1 << bit for bit in range(6))
    sane = (syn, syn | ack, ack, ack | psh, fin | ack, fin | ack | psh | urg, rst, rst | ack)
    insane = (0, fin, fin | psh | urg, syn | fin, syn | rst, fin | rst | ack, 0x3F)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, TCP) as raw:
        for flags in (*sane, *insane):
            segment = struct.pack("!HHIIBBHHH", 4444, 80, 1, 0, 5 << 4, flags, 1024, 0, 0)
            raw.sendto(segment, (str(VIPS[WEB]), 0))
    settle()
    assert (node.arrived(WEB), node.dropped("malformed", WEB)) == (len(sane), len(insane))
