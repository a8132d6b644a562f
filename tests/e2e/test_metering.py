"""What the ledger says is what flowed: both ways, by client's prefix, whoever was away meanwhile.

``LBAAS_METERED_BYTES`` is how much each client downloads, twice.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import pytest

from lbaas.client.api import Json
from lbaas.lab.site import Site
from lbaas.lab.topology import ROUTER, Role
from tests.e2e import pods
from tests.e2e.balanced import CLIENT, PATIENT_S, PORT, Balanced, eventually

DOWN = int(os.environ.get("LBAAS_METERED_BYTES", "1000000"))
UP = max(DOWN // 100, 250_000)
MOST_APART = 0.005
# No client asks for so much at once that a cable's queue overflows: what is lost on the way was sent, and not received.
RATE = 4 * DOWN

# By prefix, one address of the client there. The first is his own.
CLIENTS = {"10.0.1.0/24": "10.0.1.11", "10.77.1.0/24": "10.77.1.1", "10.77.2.0/24": "10.77.2.1"}
OWN = next(iter(CLIENTS))
AWAY = ("lb1", "backend1")
PODS = ("pod1", "pod2")

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


def offload(site: Site, machine: str, *, on: bool, entered: Sequence[str] = ()) -> None:
    ran = site.lab.run(machine, [*entered, sys.executable, "-c", OFFLOAD, str(int(on))])
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


def captured(vip: Balanced, prefix: str, use: Callable[[], object]) -> Counter[tuple[str, str]]:
    """What *use* of the VIP put on the cable of the client, who is in *prefix*, by a capture of it."""
    capture = vip.site.lab.capture(CLIENT, "eth0")
    use()
    seen = capture.stop()
    assert seen.dropped == 0
    passed: Counter[tuple[str, str]] = Counter()
    for packet in seen.packets:
        if packet.outer is not None and vip.address in {
            packet.outer.source,
            packet.outer.destination,
        }:
            direction = "ingress" if packet.outer.destination == vip.address else "egress"
            passed[prefix, direction] += packet.length
    return passed


def load_both_ways(vip: Balanced) -> None:
    for asked in ({"path": "/bytes/200000"}, {"path": "/up", "upload": 100_000}):
        fetched = vip.site.lab.fetch(CLIENT, vip.address, PORT, timeout_s=60, **asked)
        assert fetched.ok, fetched.error


def test_over_ipv6_the_ledger_agrees_with_a_capture_of_the_packets(metered6: Balanced) -> None:
    passed = captured(metered6, "fd00:1::/48", lambda: load_both_ways(metered6))
    eventually(lambda: agrees(billed(metered6), passed), timeout_s=150)
    print(billed(metered6), passed)


def claimed(site: Site) -> set[str]:
    """The addresses of the pods' machine, and of what it says to be on it."""
    (host,) = site.admin.get("/v1/backend-hosts", name=pods.MACHINE)["items"]
    return set(host["addresses"])


@pytest.fixture
def in_pods(site: Site) -> Iterator[Balanced]:
    """A VIP of two pods on a machine of their own."""
    with pods.machine_with_pods(site, len(PODS)) as places:
        # Until the machine says that they are its pods', nodes refuse in the VIP's name.
        eventually(lambda: {pod.v4 for pod in places} <= claimed(site))
        vip = Balanced.order(site, 4, pool={"members": [{"address": pod.v4} for pod in places]})
        offload(site, CLIENT, on=False)
        for pod in PODS:
            entered = ["nsenter", f"--net={pods.RUN_NETNS / pod}"]
            offload(site, ROUTER, on=False, entered=entered)
        vip.wait_programmed()
        yield vip
        offload(site, CLIENT, on=True)
        vip.delete()


def test_what_pods_answered_is_billed_though_they_are_gone_before_it_was_read(
    in_pods: Balanced,
) -> None:
    site = in_pods.site
    answered: set[str] = set()
    ports = count(41000)

    def both_answered() -> bool:
        in_pods.fetch(next(ports), "/bytes/100000", PATIENT_S)
        answered.add(in_pods.fetch(next(ports), timeout_s=PATIENT_S).backend)
        return answered >= set(PODS)

    passed = captured(in_pods, OWN, lambda: eventually(both_answered))
    pods.remove(site, *PODS)
    eventually(lambda: agrees(billed(in_pods), passed), timeout_s=150)
    print(billed(in_pods), passed)
    (seen,) = site.admin.get("/v1/usage/reconciliation", vip_id=in_pods.vip["id"])["items"]
    assert 0 < seen["received"]["packets"] <= seen["ingress"]["packets"]
    assert seen["findings"] == []


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
