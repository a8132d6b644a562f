"""What the ledger says is what flowed: both ways, by client's prefix, whoever was away meanwhile.

``LBAAS_METERED_BYTES`` is how much each client downloads, twice.
"""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lbaas.client.api import Json
from lbaas.lab.site import Site
from lbaas.lab.topology import Role
from tests.e2e.balanced import CLIENT, PORT, Balanced, eventually

DOWN = int(os.environ.get("LBAAS_METERED_BYTES", "1000000"))
UP = max(DOWN // 100, 250_000)
MOST_APART = 0.005
# No client asks for so much at once that a cable's queue overflows: what is lost on the way was sent, and not received.
RATE = 4 * DOWN

# By prefix, one address of the client there. The first is his own.
CLIENTS = {"10.0.1.0/24": "10.0.1.11", "10.77.1.0/24": "10.77.1.1", "10.77.2.0/24": "10.77.2.1"}
AWAY = ("lb1", "backend1")

# /proc/net/dev counts an Ethernet header for each packet, which nobody pays for.
ETHERNET = 14
# Bytes and packets, in and out.
COUNTED = "grep eth0: /proc/net/dev | tr -d : | awk '{print $2, $3, $10, $11}'"

# A sender with segmentation offload hands on bundles, and the counters of a cable that never cuts them up would count
# those: ETHTOOL_STSO and ETHTOOL_SGSO (linux/ethtool.h), by SIOCETHTOOL.
OFFLOAD = """
import array, fcntl, socket, struct, sys
with socket.socket() as opened:
    for offload in (0x1f, 0x24):
        value = array.array("B", struct.pack("II", offload, int(sys.argv[1])))
        fcntl.ioctl(opened, 0x8946, struct.pack("16sP16x", b"eth0", value.buffer_info()[0]))
"""


def offload(site: Site, machine: str, *, on: bool) -> None:
    ran = site.lab.run(machine, [sys.executable, "-c", OFFLOAD, str(int(on))])
    assert ran.status == 0, ran.stderr


def shell(site: Site, machine: str, *commands: str, timeout_s: float = 60) -> str:
    ran = site.lab.run(machine, ["sh", "-ec", "\n".join(commands)], timeout_s=timeout_s)
    assert ran.status == 0, ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def astray(site: Site) -> Iterator[Balanced]:
    """A VIP that was asked once past the nodes: backend1 answered, and received nothing out of a tunnel."""
    vip = Balanced.create(site, 4)
    (backend, *_) = site.lab.topology.of(Role.BACKEND)
    way = f"{vip.address} via {backend.address4} metric 1"
    shell(site, "router", f"ip route add {way}")
    try:
        assert vip.fetch().backend == backend.name
    finally:
        shell(site, "router", f"ip route del {way}")
    yield vip
    vip.delete()


@pytest.fixture
def metered(site: Site) -> Iterator[Balanced]:
    """A VIP of one backend, a client with addresses in three prefixes, and cables that count what they carry."""
    senders = (CLIENT, "backend1")
    own, *others = CLIENTS.values()
    (backend, *_) = site.lab.topology.of(Role.BACKEND)
    pool = {"members": [{"address": str(backend.address4)}]}
    vip = Balanced.order(site, 4, pool=pool)
    for sender in senders:
        offload(site, sender, on=False)
    shell(site, CLIENT, *(f"ip addr add {each}/32 dev lo" for each in others))
    shell(site, "router", *(f"ip route add {each} via {own}" for each in others))
    vip.wait_programmed()
    yield vip
    shell(site, "router", *(f"ip route del {each}" for each in others))
    shell(site, CLIENT, *(f"ip addr del {each}/32 dev lo" for each in others))
    for sender in senders:
        offload(site, sender, on=True)
    vip.delete()


@pytest.fixture
def nobody_away(site: Site) -> Iterator[None]:
    """Whatever the test did to them, afterwards all agents run."""
    yield
    for name in AWAY:
        if not site.agents[name].alive:
            site.start_agent(name)


@dataclass(frozen=True)
class Volume:
    """Packets and bytes, headers of IP included."""

    packets: int
    size: int


def exchange(vip: Balanced) -> Counter[tuple[str, str]]:
    """Every client downloads and uploads; the bytes that passed his cable, by prefix and direction."""
    commands: list[str] = []
    for client in CLIENTS.values():
        curl = f"curl -sf -o /dev/null --limit-rate {RATE} --interface {client} http://{vip.address}:{PORT}"
        upload = f"head -c {UP} /dev/zero | {curl}/up -H Expect: --data-binary @-"
        commands += [COUNTED, f"{curl}/bytes/{DOWN}", upload, COUNTED]
    lines = shell(vip.site, CLIENT, *commands, timeout_s=300).splitlines()
    passed: Counter[tuple[str, str]] = Counter()
    for prefix, before, after in zip(CLIENTS, lines[::2], lines[1::2], strict=True):
        moved = [int(b) - int(a) for a, b in zip(before.split(), after.split(), strict=True)]
        passed[prefix, "egress"] = moved[0] - ETHERNET * moved[1]
        passed[prefix, "ingress"] = moved[2] - ETHERNET * moved[3]
    return passed


def billed(vip: Balanced) -> Counter[tuple[str, str]]:
    """The ledger's bytes, by prefix and direction."""
    usage = vip.site.tenant.get(
        "/v1/usage", vip_id=vip.vip["id"], group_by="prefix,direction", limit=1000
    )
    found: Counter[tuple[str, str]] = Counter()
    for row in usage["items"]:
        found[row["prefix"], row["direction"]] += row["bytes"]
    return found


def agrees(told: Counter[tuple[str, str]], passed: Counter[tuple[str, str]]) -> bool:
    return told.keys() == passed.keys() and all(
        abs(told[key] - passed[key]) <= MOST_APART * passed[key] for key in passed
    )


@pytest.fixture
def metered6(site: Site) -> Iterator[Balanced]:
    """A VIP of one backend, over IPv6; its packets are as large on the cable as they are counted."""
    senders = (CLIENT, "backend1")
    (backend, *_) = site.lab.topology.of(Role.BACKEND)
    vip = Balanced.order(site, 6, pool={"members": [{"address": str(backend.address6)}]})
    for sender in senders:
        offload(site, sender, on=False)
    vip.wait_programmed()
    yield vip
    for sender in senders:
        offload(site, sender, on=True)
    vip.delete()


def captured(vip: Balanced) -> Counter[tuple[str, str]]:
    """What a download and an upload put on the client's cable, by a capture of it."""
    lab = vip.site.lab
    capture = lab.capture(CLIENT, "eth0")
    for asked in ({"path": "/bytes/200000"}, {"path": "/up", "upload": 100_000}):
        fetched = lab.fetch(CLIENT, vip.address, PORT, timeout_s=60, **asked)
        assert fetched.ok, fetched.error
    seen = capture.stop()
    assert seen.dropped == 0
    passed: Counter[tuple[str, str]] = Counter()
    for packet in seen.packets:
        if packet.outer is not None and vip.address in {
            packet.outer.source,
            packet.outer.destination,
        }:
            direction = "ingress" if packet.outer.destination == vip.address else "egress"
            passed["fd00:1::/48", direction] += packet.length
    return passed


def test_over_ipv6_the_ledger_agrees_with_a_capture_of_the_packets(metered6: Balanced) -> None:
    passed = captured(metered6)
    eventually(lambda: agrees(billed(metered6), passed), timeout_s=150)
    print(billed(metered6), passed)


@pytest.mark.usefixtures("astray", "nobody_away")
def test_the_ledger_has_what_flowed_though_agents_were_killed_and_the_server_was_down(
    metered: Balanced,
) -> None:
    site = metered.site
    passed = exchange(metered)
    for name in AWAY:
        site.agents[name].kill()
        site.agents[name].wait()
    site.server.stop()
    try:
        passed += exchange(metered)
        for name in AWAY:
            site.start_agent(name)
    finally:
        site.server.start()
        site.server.wait_ready()
    # An agent that met no server waits longer each time before it asks again.
    eventually(lambda: agrees(billed(metered), passed), timeout_s=150)
    told = billed(metered)
    print({key: (told[key], passed[key]) for key in sorted(passed)})
    ingress, egress = (
        sum(size for (_, direction), size in told.items() if direction == asked)
        for asked in ("ingress", "egress")
    )
    print(
        f"through the nodes {ingress} bytes, to the clients {egress}: {egress / ingress:.1f} times"
    )
    assert egress > 2 * ingress


def test_a_backend_that_answers_outside_the_balancer_is_named(astray: Balanced) -> None:
    eventually(lambda: [each["host"] for each in outside(astray)] == ["backend1"], timeout_s=150)


def outside(vip: Balanced) -> list[Json]:
    """Findings about hosts that answered and received nothing."""
    found = vip.site.admin.get("/v1/usage/reconciliation", vip_id=vip.vip["id"])
    return [
        finding
        for each in found["items"]
        for finding in each["findings"]
        if finding["kind"] == "answers_outside"
    ]
