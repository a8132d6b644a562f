"""Health checks, with real servers that are killed and real paths that are broken."""

import signal
import sys
import time
from collections.abc import Iterator

import pytest

from lbaas.lab.site import Site
from lbaas.lab.topology import DATA, Role
from tests.e2e.balanced import CLIENT, Balanced, eventually
from tests.e2e.balanced import PORT as WEB
from tests.e2e.checked import FALL, INTERVAL_S, NODES, TIMEOUT_S, Checked, Servers

# How often an agent looks for drift, and a margin for the guest's one slow processor.
CYCLE_S = 5.0
SLOW_S = 25.0
SEEN_S = INTERVAL_S * FALL + TIMEOUT_S + CYCLE_S + SLOW_S

BACKENDS = ("backend1", "backend2", "backend3")


@pytest.fixture(scope="module")
def servers(site: Site) -> Iterator[Servers]:
    started = Servers(site)
    started.start(*BACKENDS)
    yield started
    started.kill(*BACKENDS)


@pytest.fixture(scope="module")
def both(site: Site, servers: Servers) -> Iterator[tuple[Checked, Checked]]:
    """A checked VIP of each family, all of whose members are in service. Deleted afterwards."""
    del servers  # without them every member fails, and the VIPs send to all
    made = Checked.create(site, 4), Checked.create(site, 6)
    for vip in made:
        vip.await_traffic(*BACKENDS)
        vip.await_announced(len(NODES))
    yield made
    for vip in made:
        vip.delete()


def test_a_member_whose_server_dies_is_left_and_taken_back_while_the_api_is_down(
    site: Site, servers: Servers, both: tuple[Checked, Checked]
) -> None:
    site.server.stop()
    try:
        servers.kill("backend1")
        begun = time.monotonic()
        for vip in both:
            vip.await_traffic("backend2", "backend3", timeout_s=SEEN_S)
        print(f"left by both nodes {time.monotonic() - begun:.2f} s after its server was killed")
        for vip in both:
            answers = [vip.fetch() for _ in range(10)]
            assert {answer.backend for answer in answers} <= {"backend2", "backend3"}
            assert all(answer.ok for answer in answers)
        servers.start("backend1")
        for vip in both:
            vip.await_traffic(*BACKENDS)
    finally:
        site.server.start()
        site.server.wait_ready()


@pytest.fixture
def unattended(site: Site, both: tuple[Checked, Checked]) -> Iterator[None]:
    """Nobody repairs backend1 meanwhile."""
    site.agents["backend1"].kill(signal.SIGKILL)
    site.agents["backend1"].wait()
    yield
    site.start_agent("backend1")
    for vip in both:
        vip.await_traffic(*BACKENDS)


@pytest.mark.usefixtures("unattended")
def test_whatever_clients_would_not_get_through_fails_the_check(
    site: Site, both: tuple[Checked, Checked]
) -> None:
    """The server itself is well all the time, and a check of the member's own address would pass."""
    four, six = both

    def break_and_mend(vip: Checked, breaking: str, mending: str) -> None:
        broken = site.lab.run("backend1", ["sh", "-c", breaking])
        assert broken.status == 0, broken.stderr
        vip.await_traffic("backend2", "backend3", timeout_s=SEEN_S)
        site.lab.run("backend1", ["sh", "-c", mending])
        vip.await_traffic(*BACKENDS)

    devices = ("lbtun4", "lbtun6")  # either makes it the host's own
    gone, back = (
        " && ".join(f"ip addr {verb} {four.address}/32 dev {device}" for device in devices)
        for verb in ("del", "add")
    )
    break_and_mend(four, gone, back)
    filtering = "/proc/sys/net/ipv4/conf/lbtun4/rp_filter"
    break_and_mend(four, f"echo 1 >{filtering}", f"echo 2 >{filtering}")
    again = f"ip link set lbtun6 up; ip addr add {six.address}/128 dev lbtun6 nodad"
    break_and_mend(six, "ip link set lbtun6 down", again)


@pytest.fixture
def strict(site: Site) -> Iterator[None]:
    """lb1 drops what comes from an address that it would not send to by the same way."""
    filtering = f"/proc/sys/net/ipv4/conf/{DATA}/rp_filter"
    site.lab.run("lb1", ["sh", "-c", f"echo 1 >{filtering}"])
    yield
    site.lab.run("lb1", ["sh", "-c", f"echo 0 >{filtering}"])


@pytest.mark.usefixtures("strict")
def test_a_node_with_a_strict_rp_filter_checks_all_the_same(
    site: Site, both: tuple[Checked, Checked]
) -> None:
    """Answers come from the VIP, which is the node's own address: the kernel itself would drop them."""
    vip = both[0]
    vip.patch(when_no_backend="reject")  # else members that all fail would be sent to
    site.lab.run("lb1", ["sleep", f"{INTERVAL_S * (FALL + 1) + TIMEOUT_S}"])
    vip.await_traffic(*BACKENDS)
    vip.patch(when_no_backend="send_to_all")


def test_nobody_outside_can_send_a_node_packets_in_the_vips_name(
    site: Site, both: tuple[Checked, Checked]
) -> None:
    """What lets answers to probes in lets nothing else in: a stranger's packet is still a martian."""
    before = _martians(site)
    vip, node = both[0].address, site.lab.topology.of(Role.NODE)[0]
    spoof = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
        f"s.setsockopt(0, 15, 1); s.bind(({vip!r}, 8000));"
        f"[s.sendto(b'x', ({str(node.address4)!r}, port)) for port in range(40000, 40020)]"
    )
    site.lab.run("client1", ["ip", "addr", "add", f"{vip}/32", "dev", "lo"])
    sent = site.lab.run("client1", ["python3", "-c", spoof])
    site.lab.run("client1", ["ip", "addr", "del", f"{vip}/32", "dev", "lo"])
    assert sent.status == 0, sent.stderr
    eventually(lambda: _martians(site) >= before + 20)


def test_the_last_member_fails_and_the_vip_says_what_happens(
    site: Site, servers: Servers, both: tuple[Checked, Checked]
) -> None:
    servers.kill(*BACKENDS)
    for vip in both:  # send_to_all, since nothing else was said
        vip.await_traffic(*BACKENDS)
        assert vip.next_hops() == len(NODES)
        assert vip.fetch().error == "ECONNREFUSED"  # by the members, which are asked after all
    for vip in both:
        vip.patch(when_no_backend="reject")
    for vip in both:
        vip.await_traffic()
        vip.await_refused()
        assert vip.next_hops() == len(NODES)
    for vip in both:
        vip.patch(when_no_backend="withdraw")
    for vip in both:
        vip.await_announced(0)
        vip.await_traffic()
    # One member is enough for the first, and fewer than the quorum of the second.
    first, second = both
    site.tenant.patch(f"/v1/pools/{second.pool}", {"quorum": 2})
    servers.start("backend1")
    first.await_traffic("backend1")
    first.await_announced(len(NODES))
    second.await_traffic("backend1")
    assert second.next_hops() == 0
    servers.start("backend2", "backend3")
    for vip in both:
        vip.await_traffic(*BACKENDS)
        vip.await_announced(len(NODES))
        assert vip.fetch().ok
        vip.patch(when_no_backend="send_to_all")


@pytest.mark.parametrize("family", [4, 6], ids=["v4", "v6"])
def test_new_members_are_let_in_by_every_kind_of_check(site: Site, family: int) -> None:
    """The lab's own servers answer HTTP and datagrams on port 80."""
    vips = [
        Checked.create(site, family, **monitor)
        for monitor in (
            {"kind": "icmp"},
            {"kind": "tcp", "port": 80},
            {"kind": "udp", "port": 80, "udp": {"payload": "3f", "response": "7b22"}},
            {"kind": "http", "port": 80, "http": {"body_contains": "backend"}},
            {"kind": "http", "port": 80, "target": "member"},
        )
    ]
    for vip in vips:
        vip.await_traffic(*BACKENDS)
    for vip in vips:
        vip.delete()


# Opens 90 connections to argv[1], port argv[2], and holds them, those that nobody answers too.
HOLD = """
import socket, sys, time
held = []
for _ in range(90):
    held.append(socket.socket())
    held[-1].setblocking(False)
    held[-1].connect_ex((sys.argv[1], int(sys.argv[2])))
time.sleep(600)
"""

# A member that hears everything, and whose answers get lost.
MUTE = "table inet mute {{ chain out {{ type filter hook output priority 0; ip saddr {vip} drop; }}; }}"


@pytest.fixture
def muted(site: Site) -> Iterator[Balanced]:
    """A VIP that nobody checks, for which backend1 answers nothing."""
    vip = Balanced.create(site, 4)
    mute = MUTE.format(vip=vip.address)
    assert site.lab.run("backend1", ["nft", "-f", "/dev/stdin"], stdin=mute).status == 0
    yield vip
    site.lab.run("backend1", ["nft", "delete", "table", "inet", "mute"])
    vip.delete()


def test_a_member_that_answers_nobody_is_hinted_at_though_nobody_checks_it(
    site: Site, muted: Balanced
) -> None:
    holding = site.lab.spawn(CLIENT, [sys.executable, "-c", HOLD, muted.address, str(WEB)])
    mute = str(site.lab.topology.of(Role.BACKEND)[0].address4)

    def hints() -> set[tuple[int, str]]:
        nodes = site.tenant.get(f"/v1/vips/{muted.vip['id']}/status")["nodes"]
        return {(hint["port"], hint["address"]) for node in nodes for hint in node["silent"]}

    eventually(lambda: hints() == {(WEB, mute)})
    holding.kill()
    holding.wait()


def test_a_drained_member_leaves_at_its_deadline(site: Site, both: tuple[Checked, Checked]) -> None:
    vip = both[0]
    members = f"/v1/pools/{vip.pool}/members"
    member = site.tenant.get(members)["items"][0]
    site.tenant.patch(f"{members}/{member['id']}", {"admin_state": "drained"})
    eventually(lambda: sorted(vip.weights("lb1").values()) == [0, 1, 1])
    eventually(lambda: all(len(vip.weights(node)) == 2 for node in NODES))
    site.tenant.patch(f"{members}/{member['id']}", {"admin_state": "active"})
    vip.await_traffic(*BACKENDS)


def _martians(site: Site) -> int:
    text = site.lab.run("lb1", ["cat", "/proc/net/stat/rt_cache"]).stdout
    names, *rows = [line.split() for line in text.splitlines()]
    column = names.index("in_martian_src")
    return sum(int(row[column], 16) for row in rows)
