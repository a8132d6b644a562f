"""A node's view of its state: who is presumed fit, what verdicts do, what is told."""

import time
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address
from uuid import UUID

import pytest

from lbaas.domain.addresses import Address, host_prefix
from lbaas.domain.terms import Forwarding, ProbeKind, ProbeTarget, Scheduler, WhenNoBackend
from lbaas.health.marks import owned, probe_range
from lbaas.health.monitoring import Health
from lbaas.health.prober import Watch
from lbaas.health.roster import Place
from lbaas.health.verdicts import PASSED, Result, explained, judge
from lbaas.wire.state import Backend, ClusterState, MarkRange, Monitor, VirtualService

MARKS = MarkRange(first=0x10000000, last=0x1000FFFF)
VIP, OTHER_VIP = IPv4Address("198.51.100.1"), IPv4Address("198.51.100.2")
A, B = IPv4Address("10.0.20.11"), IPv4Address("10.0.20.12")
MARK = MARKS.first

MONITOR = Monitor(
    kind=ProbeKind.TCP,
    target=ProbeTarget.VIP,
    port=80,
    interval_ms=1000,
    timeout_ms=500,
    rise=1,
    fall=1,
)


class FakeProber:
    """Probes nothing; remembers what it was given."""

    def __init__(self) -> None:
        self.begun: list[Watch] = []
        self.alarms: list[tuple[float, Callable[[], None]]] = []
        self.changed: Callable[[Watch], None] | None = None

    def begin(self, watches: Iterable[Watch]) -> None:
        self.begun += watches

    def call_at(self, at_s: float, action: Callable[[], None]) -> None:
        self.alarms.append((at_s, action))

    def run(self, changed: Callable[[Watch], None]) -> None:
        self.changed = changed


class Node:
    """A node with checks: views states, and lets members pass and fail."""

    def __init__(self, *in_service: Place) -> None:
        self.prober = FakeProber()
        self.health = Health(lambda: frozenset(in_service), self.prober)
        self.reviewed: list[Address] = []
        self.health.start(self.reviewed.extend)
        while self.prober.changed is None:
            time.sleep(0.001)

    def view(self, *services: VirtualService, vips: Iterable[Address] = (VIP,)) -> ClusterState:
        seen = self.health.view(state(*services), frozenset(vips))
        self.health.details()
        return seen

    def result(self, member: Address, result: Result) -> None:
        for watch in self.prober.begun:
            if watch.check.member == member:
                judged = judge(watch.standing, result, watch.rise, watch.fall, time.monotonic())
                watch.standing = explained(judged, result)
                assert self.prober.changed is not None
                self.prober.changed(watch)


def service(
    *backends: Backend | Address,
    mark: int = MARK,
    vip: Address = VIP,
    monitor: Monitor | None = MONITOR,
    when: WhenNoBackend = WhenNoBackend.WITHDRAW,
) -> VirtualService:
    return VirtualService(
        mark=mark,
        family=4,
        scheduler=Scheduler.MH,
        forwarding=Forwarding.TUNNEL,
        backends=tuple(
            each if isinstance(each, Backend) else Backend(address=each, weight=1)
            for each in backends
        ),
        vip=vip,
        monitor=monitor,
        when_no_backend=when,
    )


def state(*services: VirtualService) -> ClusterState:
    vips = tuple(dict.fromkeys(each.vip for each in services))
    return ClusterState(
        cluster=UUID(int=1),
        revision=1,
        as_number=65001,
        marks=MARKS,
        nodes={},
        peers=(),
        vips=vips,
        announced=tuple(map(host_prefix, vips)),
        services=services,
        flows=(),
    )


def weights(seen: ClusterState, mark: int = MARK) -> list[int]:
    (found,) = [each for each in seen.services if each.mark == mark]
    return [each.weight for each in found.backends]


def probes(seen: ClusterState) -> list[VirtualService]:
    return [each for each in seen.services if each.mark not in MARKS]


def test_a_new_member_gets_traffic_once_its_first_probe_passes() -> None:
    node = Node()
    assert weights(node.view(service(A, B))) == [0, 0]
    node.result(A, PASSED)
    assert node.reviewed == [VIP]
    assert weights(node.view(service(A, B))) == [1, 0]


def test_after_a_restart_whoever_is_in_service_stays_there() -> None:
    node = Node((MARK, A))
    assert weights(node.view(service(A, B))) == [1, 0]


def test_a_member_in_service_stays_there_when_it_comes_to_be_checked() -> None:
    node = Node()
    assert weights(node.view(service(A, monitor=None))) == [1]
    assert weights(node.view(service(A))) == [1]
    slower = MONITOR.model_copy(update={"interval_ms": 2000})
    assert weights(node.view(service(A, monitor=slower))) == [1]


def test_a_vip_of_which_nothing_is_served_is_not_announced() -> None:
    node = Node()
    assert node.view(service(A)).announced == ()
    node.result(A, PASSED)
    assert node.view(service(A)).announced == (host_prefix(VIP),)


def test_what_fails_is_reported_with_its_cause_until_it_passes() -> None:
    node = Node((MARK, A), (MARK, B))
    node.view(service(A, B))
    node.result(A, Result(passed=False, cause="refused"))
    node.view(service(A, B))
    details = node.health.details()
    (unhealthy,) = details.unhealthy
    assert (details.checked, unhealthy.mark, unhealthy.address) == (2, MARK, A)
    assert unhealthy.cause == "refused"
    assert abs(unhealthy.since - time.time()) < 60
    node.result(A, PASSED)
    node.view(service(A, B))
    assert node.health.details().unhealthy == ()


def test_listeners_that_share_a_pool_share_its_checks_and_their_services() -> None:
    node = Node()
    seen = node.view(service(A), service(A, mark=MARK + 1))
    assert len(node.prober.begun) == 1
    (probe,) = probes(seen)
    assert [each.address for each in probe.backends] == [A]
    assert (probe.vip, probe.forwarding) == (VIP, Forwarding.TUNNEL)
    assert node.health.details().checked == 2


def test_probes_have_marks_of_their_own_beside_the_clusters() -> None:
    node = Node()
    seen = node.view(service(A))
    (probe,) = probes(seen)
    assert probe.mark in probe_range(MARKS)
    assert seen.marks == owned(MARKS)
    assert node.prober.begun[0].check.mark == probe.mark


@pytest.mark.parametrize(
    "monitor",
    [
        MONITOR.model_copy(update={"target": ProbeTarget.MEMBER}),
        MONITOR.model_copy(update={"kind": ProbeKind.ICMP, "port": None}),
    ],
)
def test_checks_of_the_member_itself_need_no_service_and_are_shared_by_vips(
    monitor: Monitor,
) -> None:
    node = Node()
    both = service(A, monitor=monitor), service(A, mark=MARK + 1, vip=OTHER_VIP, monitor=monitor)
    assert probes(node.view(*both, vips=(VIP, OTHER_VIP))) == []
    (watch,) = node.prober.begun
    assert watch.check.address == A
    node.result(A, PASSED)
    assert set(node.reviewed) == {VIP, OTHER_VIP}


def test_what_nobody_needs_is_no_longer_checked() -> None:
    node = Node()
    node.view(service(A, B), service(A, mark=MARK + 1, vip=OTHER_VIP), vips=(VIP, OTHER_VIP))
    first = {watch.check.member: watch for watch in node.prober.begun if watch.check.path}
    node.view(service(A))
    assert first[B].gone
    node.view(vips=(VIP, OTHER_VIP))
    assert all(watch.gone for watch in node.prober.begun)
    assert node.health.details().checked == 0


def test_a_check_that_is_wanted_again_begins_anew() -> None:
    node = Node()
    node.view(service(A))
    node.view(vips=(VIP,))
    assert weights(node.view(service(A))) == [0]
    assert [watch.gone for watch in node.prober.begun] == [True, False]


def test_the_vip_is_looked_at_again_when_a_drain_ends() -> None:
    node = Node((MARK, A))
    until = int(time.time()) + 60
    node.view(service(A, Backend(address=B, weight=0, drain_until=until)))
    node.view(service(A, Backend(address=B, weight=0, drain_until=until)))
    ((at_s, ring),) = node.prober.alarms
    assert 50 < at_s - time.monotonic() <= 61
    ring()
    assert node.reviewed == [VIP]
