"""The packet's way, seen from captures and from the backends."""

import re
import sys
from collections.abc import Iterable, Iterator

import pytest

from lbaas.lab.messages import Packet
from lbaas.lab.site import Site
from lbaas.lab.topology import SEGMENTS, Role
from tests.e2e.balanced import CLIENT, OWN_PORTS, PATIENT_S, PORT, Balanced, eventually

NODES = ("lb1", "lb2")
FLOWS = range(OWN_PORTS + 300, OWN_PORTS + 340)


def test_the_backend_sees_the_clients_own_address_and_port(balanced: Balanced) -> None:
    for source_port in range(OWN_PORTS + 200, OWN_PORTS + 203):
        answer = balanced.fetch(source_port)
        assert (answer.error, answer.status) == ("", 200)
        assert (answer.client, answer.client_port) == (balanced.client, source_port)
        assert answer.vip == balanced.address


def test_udp_comes_back_from_the_vip_too(balanced: Balanced) -> None:
    own = OWN_PORTS + 210
    answer = balanced.site.lab.udp(CLIENT, balanced.address, PORT, source_port=own)
    assert answer.error == ""
    assert (answer.client, answer.client_port) == (balanced.client, own)


def test_requests_cross_the_nodes_in_a_tunnel_and_replies_cross_none(balanced: Balanced) -> None:
    captures = [balanced.site.lab.capture(node, "eth0") for node in NODES]
    answers = [balanced.fetch(path="/bytes/20000") for _ in range(20)]
    packets = [packet for capture in captures for packet in capture.stop().packets]
    assert all(answer.ok for answer in answers)
    arrived = [each for each in packets if each.direction == "in" and _to(each, balanced.address)]
    sent = [each for each in packets if each.direction == "out" and _to(each, balanced.address)]
    assert len(arrived) >= 5 * len(answers)
    assert not any(packet.tunnelled for packet in arrived)
    assert all(packet.tunnelled for packet in sent)
    assert len(sent) == len(arrived)
    assert [each for each in packets if each.inner and each.inner.source == balanced.address] == []


def test_every_node_carries_flows_and_chooses_the_same_backend_for_each(
    balanced: Balanced,
) -> None:
    """The same 5-tuples three times: over both nodes, over the second alone, over the first alone."""
    together, carriers = _chosen(balanced)
    assert set(carriers.values()) == set(NODES)
    assert len(set(together.values())) == len(balanced.site.lab.topology.of(Role.BACKEND))
    for drained, other in (("lb1", "lb2"), ("lb2", "lb1")):
        _set_admin_state(balanced, drained, "drained")
        eventually(lambda: len(balanced.next_hops()) == 1)
        alone, carriers = _chosen(balanced)
        assert set(carriers.values()) == {other}
        assert alone == together
        _set_admin_state(balanced, drained, "active")
        eventually(lambda: len(balanced.next_hops()) == 2)


def test_each_node_tells_with_which_routers_it_has_a_session(balanced4: Balanced) -> None:
    site = balanced4.site
    routers = {"10.0.10.1", "fd00:10::1"}

    def told() -> bool:
        nodes = [site.admin.nodes.get(node) for node in site.inventory.nodes.values()]
        sessions = [node.facts.sessions or () for node in nodes if node.facts]
        return [set(map(str, each)) for each in sessions] == [routers] * len(NODES)

    eventually(told)


def test_what_no_listener_asked_for_does_not_reach_the_nodes_own_services(
    balanced4: Balanced,
) -> None:
    lab = balanced4.site.lab
    for node in NODES:
        lab.web(node, 9999)
    answer = lab.fetch(CLIENT, balanced4.address, 9999, timeout_s=3)
    assert answer.error == "ECONNREFUSED"
    # The service is there: at the node's own address it answers.
    first, _ = lab.topology.of(Role.NODE)
    assert lab.fetch(CLIENT, str(first.address4), 9999, timeout_s=3).ok


def test_a_full_size_upload_meets_no_icmp_error(balanced: Balanced) -> None:
    capture = balanced.site.lab.capture(CLIENT, "eth0")
    answer = balanced.site.lab.fetch(
        CLIENT, balanced.address, PORT, path="/up", upload=2_000_000, timeout_s=20
    )
    packets = capture.stop().packets
    assert answer.ok
    errors = [each for each in packets if each.inner and each.inner.protocol in (1, 58)]
    assert [each for each in errors if each.length > 200] == []  # neighbour discovery is shorter


@pytest.fixture
def narrow(site: Site) -> Iterator[None]:
    """What the router sends to clients may have 1300 bytes; whoever sends more is told so."""
    clients = ["ip", "link", "set", SEGMENTS[Role.CLIENT].name, "mtu"]
    assert site.lab.run("router", [*clients, "1300"]).status == 0
    yield
    site.lab.run("router", [*clients, "1500"])
    for backend in site.lab.topology.of(Role.BACKEND):
        for family in ("-4", "-6"):
            site.lab.run(backend.name, ["ip", family, "route", "flush", "cache"])


@pytest.mark.usefixtures("narrow")
def test_a_client_behind_a_narrow_link_gets_large_answers(balanced: Balanced) -> None:
    """The router tells the VIP, and a node passes it to the backend that sent too much: it carries the flow's mark."""
    told = _too_big(balanced.site)
    answers = [balanced.fetch(path="/bytes/30000", timeout_s=PATIENT_S) for _ in range(12)]
    assert [each.error for each in answers if not each.ok] == []
    assert {each.length for each in answers} == {30000}
    assert _too_big(balanced.site) > told


def test_a_backend_host_answers_no_arp_for_the_vip(balanced4: Balanced) -> None:
    asked = balanced4.site.lab.run(
        "router", [sys.executable, "-c", ASK_ARP, "backends", balanced4.address, "10.0.20.11"]
    )
    assert asked.status == 0, asked.stderr
    assert asked.stdout.split() == ["10.0.20.11"]


def test_tunnelled_packets_from_a_stranger_are_dropped_and_counted(balanced4: Balanced) -> None:
    lab = balanced4.site.lab
    capture = lab.capture("backend1", "any")
    forged = lab.run(
        CLIENT, [sys.executable, "-c", FORGE, "10.0.20.11", balanced4.address, str(PORT)]
    )
    assert forged.status == 0, forged.stderr
    listing = lab.run("backend1", ["nft", "list", "chain", "inet", "lbaas_host", "tunnel"]).stdout
    packets = capture.stop().packets
    assert any(each.tunnelled and each.direction == "in" for each in packets)
    assert re.search(r"nodes4 counter packets [1-9]", listing)
    assert not any(each.direction == "out" and _from(each, balanced4.address) for each in packets)


def test_every_node_holds_the_same_services(balanced4: Balanced) -> None:
    first, second = (balanced4.site.lab.run(node, ["ipvsadm", "-Sn"]).stdout for node in NODES)
    assert first == second
    assert first.count("-s mh -b mh-fallback,mh-port") == 4  # tcp and udp, of both families


def _too_big(site: Site) -> int:
    """How often the router has told somebody that his packet was too large for the next link."""
    text = site.lab.run("router", ["cat", "/proc/net/snmp", "/proc/net/snmp6"]).stdout
    lines = [line.split() for line in text.splitlines()]
    # The kernel has these two lines once there was any message of ICMP.
    names, values = [line for line in lines if line[0] == "IcmpMsg:"] or ([], [])
    counts = dict(zip(names, values, strict=True)) | {line[0]: line[1] for line in lines}
    return int(counts.get("OutType3", 0)) + int(counts["Icmp6OutPktTooBigs"])


def _chosen(balanced: Balanced) -> tuple[dict[int, str], dict[int, str]]:
    """For each source port of FLOWS the backend that answered, and the node that carried it."""
    captures = {node: balanced.site.lab.capture(node, "eth0") for node in NODES}
    backends = {}
    for port in FLOWS:
        answer = balanced.fetch(port)
        assert answer.ok, answer
        backends[port] = answer.backend
    carriers = {
        port: node
        for node, capture in captures.items()
        for port in _source_ports(capture.stop().packets, balanced.address)
    }
    return backends, {port: carriers[port] for port in FLOWS}


def _source_ports(packets: Iterable[Packet], vip: str) -> set[int]:
    return {
        packet.source_port
        for packet in packets
        if packet.direction == "in" and _to(packet, vip) and packet.source_port is not None
    }


def _set_admin_state(balanced: Balanced, node: str, admin_state: str) -> None:
    path = f"/v1/nodes/{balanced.site.inventory.nodes[node]}"
    balanced.site.admin.patch(path, {"admin_state": admin_state})


def _to(packet: Packet, address: str) -> bool:
    return packet.inner is not None and packet.inner.destination == address


def _from(packet: Packet, address: str) -> bool:
    return packet.inner is not None and packet.inner.source == address


# Prints each address of argv[2:] for which somebody behind interface argv[1] answers ARP within a second.
ASK_ARP = """
import select, socket, struct, sys, time
interface, *addresses = sys.argv[1:]
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
link.bind((interface, 0x0806))
own = link.getsockname()[4]
for address in addresses:
    head = b"\\xff" * 6 + own + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1)
    link.send(head + own + socket.inet_aton("10.0.20.1") + b"\\0" * 6 + socket.inet_aton(address))
    deadline = time.monotonic() + 1
    while (left := deadline - time.monotonic()) > 0 and select.select([link], [], [], left)[0]:
        frame = link.recv(2048)
        if frame[20:22] == b"\\0\\2" and frame[28:32] == socket.inet_aton(address):
            print(address)
            break
"""

# Sends an IP-in-IP packet to host argv[1]: a SYN from an invented client to VIP argv[2], port argv[3].
FORGE = """
import socket, struct, sys
host, vip, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
syn = struct.pack("!HHIIBBHHH", 5555, port, 1, 0, 5 << 4, 2, 1024, 0, 0)
inner = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 1, 0, 64, 6, 0,
                    socket.inet_aton("10.0.1.77"), socket.inet_aton(vip))
words = struct.unpack("!10H", inner)
total = sum(words)
total = (total >> 16) + (total & 0xFFFF)
inner = inner[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + inner[12:]
tunnel = socket.socket(socket.AF_INET, socket.SOCK_RAW, 4)
for _ in range(3):
    tunnel.sendto(inner + syn, (host, 0))
"""


# What conntrack makes of packets to a VIP as they come, and of the wrapped ones as they go. It sees packets of a
# namespace as soon as one rule there asks for a state.
WITNESS = """
table inet witness {{
    counter untracked {{}}
    counter tracked {{}}
    chain coming {{
        type filter hook prerouting priority 0;
        ip daddr {vip} ct state untracked counter name untracked
        ip daddr {vip} ct state != untracked counter name tracked
    }}
    chain going {{
        type filter hook postrouting priority 0;
        ip protocol 4 ct state untracked counter name untracked
        ip protocol 4 ct state != untracked counter name tracked
    }}
}}
"""


def test_conntrack_sees_neither_clients_packets_nor_the_wrapped_ones(balanced4: Balanced) -> None:
    lab = balanced4.site.lab
    witness = WITNESS.format(vip=balanced4.address)
    for node in NODES:
        made = lab.run(node, ["nft", "-f", "/dev/stdin"], stdin=witness)
        assert made.status == 0, made.stderr
    assert all(balanced4.fetch().ok for _ in range(10))
    listed = "".join(
        lab.run(node, ["nft", "list", "counters", "table", "inet", "witness"]).stdout
        for node in NODES
    )
    for node in NODES:
        assert lab.run(node, ["nft", "delete", "table", "inet", "witness"]).status == 0
    counts: dict[str, int] = {"untracked": 0, "tracked": 0}
    for name, packets in re.findall(r"counter (\w+) \{\s+packets (\d+)", listed):
        counts[name] += int(packets)
    # Of each request at least a SYN, an ACK and the request itself, coming and going.
    assert counts["untracked"] >= 60
    assert counts["tracked"] == 0


def test_datagrams_that_are_scheduled_one_by_one_leave_no_flow_behind(site: Site) -> None:
    pool = {"one_packet": True}
    vip = Balanced.order(site, 4, pool=pool, protocols=("udp",))
    vip.wait_programmed()
    eventually(lambda: site.lab.udp(CLIENT, vip.address, PORT).ok)
    answers = [site.lab.udp(CLIENT, vip.address, PORT) for _ in range(20)]
    assert all(answer.ok for answer in answers)
    assert len({answer.backend for answer in answers}) > 1
    flows = [site.lab.run(node, ["ipvsadm", "-Lnc"]).stdout for node in NODES]
    assert all(f" {vip.address}:{PORT} " not in each for each in flows)
    vip.delete()
