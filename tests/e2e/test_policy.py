"""What becomes of packets on their way through a node: wrappings, affinity, and who is refused."""

import re
import sys
from collections.abc import Iterator

import pytest

from lbaas.lab.site import Site
from lbaas.lab.topology import Role
from tests.e2e.balanced import CLIENT, OWN_PORTS, PORT, Balanced, eventually
from tests.e2e.test_promises import ADDRESSES

NODES = ("lb1", "lb2")
OTHER_PORT = 8081
GUE_PORT = 5555
GUE = {"encapsulation": "gue", "gue_port": GUE_PORT}
MAC = "02:00:00:00:20:11"
STICKY = {"persistence_s": 300, "hash_ports": False}
STRANGERS = ["192.0.2.0/24", "2001:db8:bad::/48"]

# One echo request, answered within five seconds: a minimal Debian has no ping.
PING = """
import socket, sys
address = sys.argv[1]
family, protocol, request = (
    (socket.AF_INET6, socket.IPPROTO_ICMPV6, b"\\x80" + bytes(7))
    if ":" in address
    else (socket.AF_INET, socket.IPPROTO_ICMP, b"\\x08\\0\\xf7\\xff" + bytes(4))
)
echo = socket.socket(family, socket.SOCK_RAW, protocol)
echo.settimeout(5)
echo.connect((address, 0))
echo.send(request)
while echo.recv(100)[-8] not in (0, 129):
    pass
"""


@pytest.fixture(scope="module")
def policies(site: Site) -> Iterator[dict[str, Balanced]]:
    """VIPs that each differ from the usual in one thing, all programmed."""
    for backend in site.lab.topology.of(Role.BACKEND):
        site.lab.web(backend.name, OTHER_PORT)
    made = {
        "gue4": Balanced.order(site, 4, pool=GUE),
        "gue6": Balanced.order(site, 6, pool=GUE),
        "gre4": Balanced.order(site, 4, pool={"encapsulation": "gre"}),
        "gre6": Balanced.order(site, 6, pool={"encapsulation": "gre"}),
        "4in6": Balanced.order(site, 4, members=6),
        "6in4": Balanced.order(site, 6, members=4),
        "persistent": Balanced.order(site, 4, pool=STICKY),
        "all4": Balanced.order(site, 4, listener={"all_ports": True}),
        "all6": Balanced.order(site, 6, listener={"all_ports": True}),
        "restricted4": _restricted(site, 4),
        "restricted6": _restricted(site, 6),
        "limited4": Balanced.order(site, 4, vip={"new_connections_per_source": 3}),
        "limited6": Balanced.order(site, 6, vip={"new_connections_per_source": 3}),
    }
    for each in made.values():
        each.wait_programmed()
    yield made
    for each in made.values():
        each.delete()
    ours = {each.address for each in made.values()}
    # Of a VIP the address goes last.
    eventually(lambda: not any(ours & _accepted(site, node) for node in NODES))


def _accepted(site: Site, node: str) -> set[str]:
    return set(site.lab.run(node, ["sh", "-c", ADDRESSES]).stdout.split())


def _restricted(site: Site, family: int) -> Balanced:
    sources = [STRANGERS[0] if family == 4 else STRANGERS[1]]
    return Balanced.order(site, family, vip={"allowed_sources": sources})


@pytest.mark.parametrize("wrapping", ["gue4", "gue6", "gre4", "gre6", "4in6", "6in4"])
def test_every_wrapping_reaches_every_backend(policies: dict[str, Balanced], wrapping: str) -> None:
    balanced = policies[wrapping]
    eventually(lambda: balanced.fetch(timeout_s=1).ok)
    answers = [balanced.fetch() for _ in range(15)]
    assert [each.error for each in answers if not each.ok] == []
    assert {each.client for each in answers} == {balanced.client}
    assert len({each.backend for each in answers}) > 1
    assert balanced.site.lab.udp(CLIENT, balanced.address, PORT).ok


@pytest.fixture
def beside(site: Site) -> Iterator[str]:
    """lb1 and backend1 share a cable, too, and the other node is out of service; backend1's address."""
    member, other = str(site.lab.topology.of(Role.BACKEND)[0].address4), site.inventory.nodes["lb2"]
    pid = site.agents["backend1"].pid
    laid = f"ip link add beside type veth peer name beside address {MAC} netns {pid}"
    way = f"ip route add {member} dev beside; ip neighbour add {member} lladdr {MAC} dev beside"
    for machine, command in (
        ("lb1", f"{laid}; ip link set beside up; {way}"),
        ("backend1", "ip link set beside up"),
    ):
        ran = site.lab.run(machine, ["sh", "-ec", command])
        assert ran.status == 0, ran.stderr
    site.admin.patch(f"/v1/nodes/{other}", {"admin_state": "drained"})
    yield member
    site.admin.patch(f"/v1/nodes/{other}", {"admin_state": "active"})
    site.lab.run("lb1", ["ip", "link", "delete", "beside"])


def test_a_member_on_the_nodes_segment_can_be_reached_without_a_wrapping(
    site: Site, beside: str
) -> None:
    direct = {"forwarding": "direct", "members": [{"address": beside}]}
    vip = Balanced.order(site, 4, pool=direct)
    eventually(lambda: vip.fetch(timeout_s=1).ok)
    capture = site.lab.capture("lb1", "beside")
    answers = [vip.fetch() for _ in range(5)]
    packets = capture.stop().packets
    assert {(each.error, each.client, each.backend) for each in answers} == {
        ("", vip.client, "backend1")
    }
    assert packets
    assert not any(each.tunnelled for each in packets)
    vip.delete()


@pytest.mark.parametrize("wrapping", ["gue4", "gre4", "4in6"])
def test_a_large_upload_passes_through_every_wrapping(
    policies: dict[str, Balanced], wrapping: str
) -> None:
    address = policies[wrapping].address
    lab = policies[wrapping].site.lab
    answer = lab.fetch(CLIENT, address, PORT, path="/up", upload=500_000, timeout_s=20)
    assert answer.ok, answer


def test_a_persistent_client_stays_with_its_backend_from_port_to_port(
    policies: dict[str, Balanced], balanced4: Balanced
) -> None:
    persistent = policies["persistent"]
    chosen = {persistent.fetch().backend for _ in range(20)}
    spread = {balanced4.fetch().backend for _ in range(20)}
    assert len(chosen) == 1
    assert len(spread) > 1
    for node in NODES:
        assert " -p 300" in persistent.site.lab.run(node, ["ipvsadm", "-Sn"]).stdout


@pytest.mark.parametrize("vip", ["all4", "all6"])
def test_a_listener_of_all_ports_serves_any(policies: dict[str, Balanced], vip: str) -> None:
    lab, address = policies[vip].site.lab, policies[vip].address
    assert policies[vip].fetch().ok
    assert lab.fetch(CLIENT, address, OTHER_PORT).ok
    pinged = lab.run(CLIENT, [sys.executable, "-c", PING, address])
    assert pinged.status == 0, pinged.stderr


@pytest.mark.parametrize("vip", ["restricted4", "restricted6"])
def test_a_stranger_is_refused_and_counted_until_he_may_come(
    policies: dict[str, Balanced], vip: str
) -> None:
    balanced = policies[vip]
    before = _dropped(balanced.site, "source")
    assert balanced.fetch(timeout_s=1).error == "timed out"
    assert _dropped(balanced.site, "source") > before
    path = f"/v1/vips/{balanced.vip['id']}"
    own = f"{balanced.client}/{32 if balanced.family == 4 else 128}"
    balanced.site.tenant.patch(path, {"allowed_sources": [own]})
    balanced.wait_programmed()
    assert balanced.fetch().ok


@pytest.mark.parametrize("vip", ["limited4", "limited6"])
def test_who_opens_too_many_connections_is_slowed_and_counted(
    policies: dict[str, Balanced], vip: str
) -> None:
    balanced = policies[vip]
    before = _dropped(balanced.site, "rate")
    load = balanced.site.lab.load(CLIENT, balanced.address, PORT, every_ms=10, timeout_s=0.5)
    eventually(lambda: _dropped(balanced.site, "rate") > before + 10)
    attempts = load.stop()
    assert any(each.ok for each in attempts)
    assert any(each.error == "timed out" for each in attempts)
    eventually(lambda: balanced.fetch(timeout_s=1).ok)  # and is let in again


def test_an_open_flow_of_datagrams_is_no_new_connection(policies: dict[str, Balanced]) -> None:
    limited = policies["limited4"]
    lab = limited.site.lab
    own = OWN_PORTS + 400
    eventually(lambda: lab.udp(CLIENT, limited.address, PORT, source_port=own, timeout_s=1).ok)
    answers = [lab.udp(CLIENT, limited.address, PORT, source_port=own) for _ in range(20)]
    assert [each.error for each in answers if not each.ok] == []


def test_flags_that_no_tcp_sends_are_dropped_and_counted(balanced: Balanced) -> None:
    lab = balanced.site.lab
    before = _dropped(balanced.site, "malformed")
    capture = lab.capture("backend1", "any")
    sent = lab.run(CLIENT, [sys.executable, "-c", FLAGS, balanced.address, str(PORT)])
    assert sent.status == 0, sent.stderr
    eventually(lambda: _dropped(balanced.site, "malformed") == before + 4)
    arrived = [each for each in capture.stop().packets if each.source_port == 4444]
    assert arrived == []
    assert balanced.fetch().ok


def test_a_datagram_in_fragments_is_answered(balanced: Balanced) -> None:
    asked = balanced.site.lab.run(
        CLIENT, [sys.executable, "-c", LARGE, balanced.address, str(PORT)], timeout_s=20
    )
    assert asked.status == 0, asked.stderr


@pytest.mark.usefixtures("policies")
@pytest.mark.parametrize("wrapping", ["gre", "gue"])
def test_a_stranger_cannot_come_through_other_wrappings_either(
    policies: dict[str, Balanced], wrapping: str
) -> None:
    balanced = policies[f"{wrapping}4"]
    lab = balanced.site.lab
    capture = lab.capture("backend1", "any")
    host = str(lab.topology.of(Role.BACKEND)[0].address4)
    forging = [sys.executable, "-c", FORGE, host, balanced.address, str(PORT), wrapping]

    def dropped_and_counted() -> bool:
        """Counters begin anew when the host's VIPs change: one that an earlier test deleted may still linger."""
        before = _strangers(balanced.site)
        forged = lab.run(CLIENT, forging)
        assert forged.status == 0, forged.stderr
        return _strangers(balanced.site) == before + 3

    eventually(dropped_and_counted)
    packets = capture.stop().packets
    answers = [
        each
        for each in packets
        if each.direction == "out" and each.inner and each.inner.source == balanced.address
    ]
    assert answers == []


def _dropped(site: Site, cause: str) -> int:
    """Packets that both nodes dropped for this cause, over all listeners."""
    listings = (
        site.lab.run(node, ["nft", "list", "set", "inet", "lbaas", f"dropped_{cause}"]).stdout
        for node in NODES
    )
    return sum(int(each) for text in listings for each in re.findall(r"packets (\d+)", text))


def _strangers(site: Site) -> int:
    """Packets that backend1's guard dropped because no node sent them."""
    listing = site.lab.run("backend1", ["nft", "list", "chain", "inet", "lbaas_host", "tunnel"])
    return sum(int(each) for each in re.findall(r"packets (\d+)", listing.stdout))


# Sends TCP segments without a flag, with all, with SYN and FIN, with SYN and RST, from port 4444 to argv[1:3].
FLAGS = """
import socket, struct, sys
vip, port = sys.argv[1], int(sys.argv[2])
family = socket.AF_INET6 if ":" in vip else socket.AF_INET
raw = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_TCP)
for flags in (0, 0x3f, 3, 6):
    segment = struct.pack("!HHIIBBHHH", 4444, port, 1, 0, 5 << 4, flags, 1024, 0, 0)
    raw.sendto(segment, (vip, 0))
"""

# Sends 3,000 bytes in one datagram to argv[1:3] and waits for an answer; tries again, as it may get lost.
LARGE = """
import socket, sys
vip, port = sys.argv[1], int(sys.argv[2])
asking = socket.socket(socket.AF_INET6 if ":" in vip else socket.AF_INET, socket.SOCK_DGRAM)
asking.settimeout(2)
for attempt in range(5):
    asking.sendto(b"x" * 3000, (vip, port))
    try:
        asking.recv(65536)
        break
    except TimeoutError:
        continue
else:
    sys.exit("no answer")
"""

# Sends a SYN from an invented client to VIP argv[2], port argv[3], to host argv[1], wrapped as argv[4] says, 3 times.
FORGE = f"""
import socket, struct, sys
host, vip, port, wrapping = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
syn = struct.pack("!HHIIBBHHH", 5555, port, 1, 0, 5 << 4, 2, 1024, 0, 0)
inner = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 1, 0, 64, 6, 0,
                    socket.inet_aton("10.0.1.77"), socket.inet_aton(vip))
words = struct.unpack("!10H", inner)
total = sum(words)
total = (total >> 16) + (total & 0xFFFF)
inner = inner[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + inner[12:]
if wrapping == "gre":
    sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, 47)
    head, to = struct.pack("!HH", 0, 0x0800), (host, 0)
else:
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    head, to = struct.pack("!BBH", 0, 4, 0), (host, {GUE_PORT})
for _ in range(3):
    sender.sendto(head + inner + syn, to)
"""
