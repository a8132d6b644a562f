"""The meter's tables on the real nftables: every packet is counted once, whatever turns meanwhile."""

import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from lbaas.dataplane.nfnetlink import NfSocket
from lbaas.dataplane.nftables import Nft
from lbaas.dataplane.usage import apply, observe, render
from lbaas.dataplane.usage.desired import (
    HOST_TABLE,
    NODE_TABLE,
    USUAL_BITS,
    HostAddresses,
    Meter,
    host_meter,
    node_meter,
)
from lbaas.dataplane.usage.reading import Reading
from lbaas.lab.topology import Role, Topology
from lbaas.wire.state import MarkRange
from lbaas.wire.usage import Point
from tests.kernel.loopback import settle

MARK = 0x10000007
NODE = node_meter(MarkRange(first=0x10000000, last=0x1000FFFF), USUAL_BITS)
BACKEND = Topology().of(Role.BACKEND)[0]
PORT = 5300
# Packets to the port, over the loopback, carry the mark.
MARKS = f"""
add table inet lbaas_marking
add chain inet lbaas_marking marking {{ type filter hook prerouting priority -145; policy accept; }}
add rule inet lbaas_marking marking iifname "lo" udp dport {PORT} meta mark set {MARK:#x}
"""
# An IP header, one of UDP, and so many bytes.
PAYLOAD, SIZE = 100, 128


@pytest.fixture
def nft() -> Iterator[Nft]:
    with closing(Nft()) as opened:
        opened.run(MARKS)
        yield opened
        opened.run("delete table inet lbaas_marking")
        for table in (NODE_TABLE, HOST_TABLE):
            apply.remove(opened, table)


@pytest.fixture
def netfilter() -> Iterator[NfSocket]:
    with closing(NfSocket()) as opened:
        yield opened


def send(source: str, packets: int, payload: int = PAYLOAD) -> None:
    """Datagrams over the loopback, from *source*, to a port where somebody listens."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    target = "::1" if ":" in source else "127.0.0.1"
    with (
        socket.socket(family, socket.SOCK_DGRAM) as listener,
        socket.socket(family, socket.SOCK_DGRAM) as sender,
    ):
        listener.bind((target, PORT))
        sender.bind((source, 0))
        for _ in range(packets):
            sender.sendto(b"x" * payload, (target, PORT))
        settle()


def readings(netfilter: NfSocket, meter: Meter, before: int) -> list[Reading]:
    """All counts of generations older than *before*."""
    return [
        reading
        for series in observe.held(netfilter, meter.table)
        if series.generation < before
        for reading in observe.read(netfilter, meter.table, series)
    ]


def by_client(found: list[Reading]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for each in found:
        counts[str(ip_address(each.client)) if each.client else "others"] += each.packets
    return counts


def test_packets_are_counted_by_mark_and_prefix_of_both_families(
    nft: Nft, netfilter: NfSocket
) -> None:
    apply.turn(nft, NODE, 100)
    send("127.0.1.1", 3)
    send("127.0.1.2", 2)
    send("127.0.2.1", 1)
    send("::1", 4)
    apply.turn(nft, NODE, 160)
    found = readings(netfilter, NODE, before=160)
    assert by_client(found) == {"127.0.1.0": 5, "127.0.2.0": 1, "::": 4}
    assert sum(each.size for each in found) == 6 * SIZE + 4 * (SIZE + 20)
    assert {each.subject for each in found} == {MARK.to_bytes(4, "little")}


def test_each_packet_is_in_one_generation_however_often_it_turns(
    nft: Nft, netfilter: NfSocket
) -> None:
    for generation in range(20):
        apply.turn(nft, NODE, 100 + generation)
        send("127.0.1.1", generation)
    apply.turn(nft, NODE, 200)
    assert by_client(readings(netfilter, NODE, before=200)) == {"127.0.1.0": sum(range(20))}


def test_what_was_read_can_be_forgotten_while_counting_goes_on(
    nft: Nft, netfilter: NfSocket
) -> None:
    apply.turn(nft, NODE, 100)
    send("127.0.1.1", 3)
    apply.turn(nft, NODE, 160)
    apply.forget(nft, NODE, [s for s in observe.held(netfilter, NODE_TABLE) if s.generation == 100])
    send("127.0.1.1", 2)
    apply.turn(nft, NODE, 220)
    assert by_client(readings(netfilter, NODE, before=220)) == {"127.0.1.0": 2}


def test_where_there_is_no_room_for_a_prefix_its_packets_are_still_counted(
    nft: Nft, netfilter: NfSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "ROOM", 2)
    monkeypatch.setattr(render, "BUNDLES_ROOM", 2)
    apply.turn(nft, NODE, 100)
    for client in range(5):
        send(f"127.0.{client}.1", 2)
        send(f"127.0.{client}.1", 1, payload=4000)  # three on the wire
    apply.turn(nft, NODE, 160)
    assert by_client(readings(netfilter, NODE, before=160)) == {
        "127.0.0.0": 5,
        "127.0.1.0": 5,
        "others": 15,
    }


def test_who_is_new_at_one_subject_too_often_takes_no_room(
    nft: Nft, netfilter: NfSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "NEW_AT_ONCE", 3)
    monkeypatch.setattr(render, "NEW_PER_SECOND", 1)
    apply.turn(nft, NODE, 100)
    for client in range(200):
        send(f"127.0.{client}.1", 1)
    apply.turn(nft, NODE, 160)
    found = by_client(readings(netfilter, NODE, before=160))
    assert found.total() == 200
    assert found["others"] > 0


def test_a_long_datagram_is_counted_as_what_it_is_on_the_wire(
    nft: Nft, netfilter: NfSocket
) -> None:
    apply.turn(nft, NODE, 100)
    send("127.0.1.1", 1, payload=10 * (NODE.longest - 28))
    apply.turn(nft, NODE, 160)
    (found,) = readings(netfilter, NODE, before=160)
    assert (found.packets, found.size) == (10, 10 * NODE.longest)


def test_the_longest_and_the_shortest_prefixes_can_be_counted_by(
    nft: Nft, netfilter: NfSocket
) -> None:
    hosts = node_meter(MarkRange(first=MARK, last=MARK), {4: 32, 6: 128})
    apply.turn(nft, hosts, 100)
    send("127.0.1.9", 1)
    apply.turn(nft, node_meter(MarkRange(first=MARK, last=MARK), {4: 0, 6: 0}), 160)
    send("127.0.1.9", 1)
    send("::1", 1)
    apply.turn(nft, NODE, 220)
    found = {(str(ip_address(each.client)), each.bits) for each in readings(netfilter, NODE, 220)}
    assert found == {("127.0.1.9", 32), ("0.0.0.0", 0), ("::", 0)}  # noqa: S104  # no interface to bind to


def test_a_hosts_replies_are_counted_by_client_but_what_it_tells_its_nodes(
    nft: Nft, netfilter: NfSocket
) -> None:
    vips: tuple[IPv4Address | IPv6Address, ...] = (BACKEND.address4, BACKEND.address6)
    node, client = Topology().of(Role.NODE)[0], Topology().of(Role.CLIENT)[0]
    meter = host_meter(HostAddresses(vips=vips, nodes=(node.address4, node.address6)), USUAL_BITS)
    apply.turn(nft, meter, 100)
    for family, machine_address, node_address in (
        (socket.AF_INET, client.address4, node.address4),
        (socket.AF_INET6, client.address6, node.address6),
    ):
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            for target in (machine_address, machine_address, node_address):
                sender.sendto(b"x" * PAYLOAD, (str(target), PORT))
    apply.turn(nft, meter, 160)
    found = [each for each in readings(netfilter, meter, 160) if each.point is Point.REPLY]
    counts = by_client(found)
    del counts["ff02::"]  # who its neighbours are, it asks in the name of this device's address
    assert counts == {"10.0.1.0": 2, "fd00:1::": 2}
    assert {each.subject for each in found} == {vip.packed for vip in vips}


def test_addresses_can_change_without_a_turn(nft: Nft, netfilter: NfSocket) -> None:
    nobody = host_meter(HostAddresses(), USUAL_BITS)
    apply.turn(nft, nobody, 100)
    before = observe.structure(nft, HOST_TABLE)
    meter = host_meter(HostAddresses(vips=(BACKEND.address4,)), USUAL_BITS)
    apply.keep_addresses(nft, meter)
    assert observe.structure(nft, HOST_TABLE) == before
    client = Topology().of(Role.CLIENT)[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", (str(client.address4), PORT))
    apply.turn(nft, meter, 160)
    assert by_client(readings(netfilter, meter, 160)) == {"10.0.1.0": 1}
