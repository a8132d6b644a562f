"""A node's view of its cluster's state: what its own checks and the clock make of weights and announcements."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain
from operator import attrgetter
from typing import Protocol

from lbaas.agent.details import Details
from lbaas.domain.addresses import Address, host_prefix
from lbaas.health.checks import probe_service
from lbaas.health.effect import Outlook, drained, outlook, withdrawn
from lbaas.health.marks import owned, probe_range
from lbaas.health.prober import Watch
from lbaas.health.roster import Place, Roster, Ward
from lbaas.wire.report import Unhealthy
from lbaas.wire.state import ClusterState, MarkRange, VirtualService

_MOST_TOLD = 10_000

# A drain's end is seen a moment after it, so that the clock has surely passed it.
_AFTER_S = 0.05


class Probing(Protocol):
    """What a prober does: see lbaas.health.prober."""

    def begin(self, watches: Iterable[Watch]) -> None: ...

    def call_at(self, at_s: float, action: Callable[[], None]) -> None: ...

    def run(self, changed: Callable[[Watch], None]) -> None: ...


class Health:
    """Give ``view`` to the node and ``details`` to its agent, then ``start``.

    *in_service* tells, once, which backends the kernel sends new flows to: they stay in service until their
    own probes say otherwise, so that a restart takes nobody out. Any other member waits for its first pass.
    """

    def __init__(self, in_service: Callable[[], frozenset[Place]], prober: Probing) -> None:
        self._ask_kernel = in_service
        self._prober = prober
        self._at_start: frozenset[Place] = frozenset()
        self._in_service: dict[Address, frozenset[Place]] = {}
        self._roster: Roster | None = None
        self._unhealthy: dict[Address, tuple[Unhealthy, ...]] = {}
        self._alarms: set[tuple[Address, int]] = set()
        self._changed: Callable[[Iterable[Address]], None] = _tell_nobody
        self._epoch_s = time.time() - time.monotonic()

    def start(self, changed: Callable[[Iterable[Address]], None]) -> None:
        """Probes are sent from now on; *changed* is told, from another thread, of VIPs to view again."""
        self._changed = changed
        run = partial(self._prober.run, self._judged)
        threading.Thread(target=run, daemon=True, name="health").start()

    def view(self, state: ClusterState, vips: frozenset[Address]) -> ClusterState:
        """*state*, the part that concerns *vips*, as this node shall hold it: see lbaas.node_agent.view.

        Besides the cluster's services it has those by which probes travel, under marks of the node's own.
        """
        roster = self._roster or self._open(state.marks)
        services: defaultdict[Address, list[VirtualService]] = defaultdict(list)
        for service in state.services:
            services[service.vip].append(service)
        for vip in vips - services.keys():
            self._forget(roster, vip)
        outlooks: list[Outlook] = []
        probes: list[VirtualService] = []
        for vip, some in services.items():
            ward = self._assign(roster, vip, tuple(some))
            outlooks += self._look(vip, ward)
            probes += (probe_service(path, mark) for mark, path in ward.paths.items())
        return _viewed(state, outlooks, probes)

    def details(self) -> Details:
        """What the agent reports of its members. The round is over: what it made can be probed."""
        if self._roster is None:
            return Details()
        self._at_start = frozenset()
        if fresh := self._roster.fresh():
            self._prober.begin(fresh)
        unhealthy = sorted(chain.from_iterable(self._unhealthy.values()), key=attrgetter("mark"))
        return Details(checked=self._roster.places, unhealthy=tuple(unhealthy[:_MOST_TOLD]))

    def _open(self, marks: MarkRange) -> Roster:
        self._roster = Roster(probe_range(marks))
        self._at_start = self._ask_kernel()
        return self._roster

    def _assign(self, roster: Roster, vip: Address, services: tuple[VirtualService, ...]) -> Ward:
        in_service = self._in_service.get(vip, self._at_start)
        return roster.assign(vip, services, in_service, time.monotonic())

    def _forget(self, roster: Roster, vip: Address) -> None:
        roster.forget(vip)
        self._in_service.pop(vip, None)
        self._unhealthy.pop(vip, None)

    def _look(self, vip: Address, ward: Ward) -> list[Outlook]:
        """The outlook of each service of *vip*, remembered for reports and for what comes next."""
        now_s = time.time()
        outlooks = [outlook(each, ward.unfit(each), now_s) for each in ward.services]
        self._in_service[vip] = frozenset(
            (each.service.mark, backend.address)
            for each in outlooks
            for backend in each.service.backends
            if backend.weight
        )
        self._tell_of(vip, ward)
        for service in ward.services:
            self._set_alarms(service, now_s)
        return outlooks

    def _tell_of(self, vip: Address, ward: Ward) -> None:
        found = tuple(
            Unhealthy(
                mark=mark,
                address=address,
                since=int(self._epoch_s + watch.standing.since_s),
                cause=watch.standing.cause,
            )
            for (mark, address), watch in ward.watches.items()
            if watch.standing.cause
        )
        if found:
            self._unhealthy[vip] = found
        else:
            self._unhealthy.pop(vip, None)

    def _set_alarms(self, service: VirtualService, now_s: float) -> None:
        """The VIP is viewed again when a drain ends."""
        for backend in service.backends:
            until = backend.drain_until
            if until is None or drained(backend, now_s) or (service.vip, until) in self._alarms:
                continue
            self._alarms.add((service.vip, until))
            at_s = time.monotonic() + until - now_s + _AFTER_S
            self._prober.call_at(at_s, partial(self._ring, service.vip, until))

    def _ring(self, vip: Address, until: int) -> None:
        self._alarms.discard((vip, until))
        self._changed((vip,))

    def _judged(self, watch: Watch) -> None:
        if self._roster is not None:
            self._changed(self._roster.users(watch))


def _viewed(
    state: ClusterState, outlooks: Sequence[Outlook], probes: Iterable[VirtualService]
) -> ClusterState:
    unannounced = {host_prefix(vip) for vip in withdrawn(outlooks)}
    services = [*(each.service for each in outlooks), *probes]
    return state.model_copy(
        update={
            "services": tuple(sorted(services, key=attrgetter("family", "mark"))),
            "announced": tuple(each for each in state.announced if each not in unannounced),
            "marks": owned(state.marks),
        }
    )


def _tell_nobody(_: Iterable[Address]) -> None:
    """Before ``start`` nobody wants to know."""
