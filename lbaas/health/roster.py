"""Which VIP needs which checks: one watch for each check, however many VIPs and listeners share it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import structlog

from lbaas.domain.addresses import Address
from lbaas.errors import BadState
from lbaas.health.checks import Check, Path, check_of, probe_service
from lbaas.health.marks import MarkBook
from lbaas.health.prober import Watch
from lbaas.health.verdicts import presumed_fit, unproven
from lbaas.wire.state import MarkRange, VirtualService

log = structlog.get_logger()

# A service's mark, and the address of one of its backends.
Place: TypeAlias = tuple[int, Address]


@dataclass(frozen=True)
class Ward:
    """What a VIP needs: the watch of each of its places, and the services that their probes travel by."""

    services: tuple[VirtualService, ...] = ()
    watches: Mapping[Place, Watch] = field(default_factory=dict)
    probes: Mapping[Path, VirtualService] = field(default_factory=dict)

    def unfit(self, service: VirtualService) -> frozenset[Address]:
        """The backends of *service* that shall get no traffic."""
        if service.monitor is None:
            return frozenset()
        return frozenset(
            each.address
            for each in service.backends
            if (watch := self.watches.get((service.mark, each.address))) and not watch.standing.fit
        )


class Roster:
    """The wards of all VIPs. The agent's main thread alone changes it."""

    def __init__(self, marks: MarkRange) -> None:
        self._marks = MarkBook(marks)
        self._wards: dict[Address, Ward] = {}
        self._watches: dict[Check, Watch] = {}
        self._users: dict[Check, frozenset[Address]] = {}
        self._fresh: list[Watch] = []

    @property
    def places(self) -> int:
        """How many backends are checked, each counted once a service."""
        return sum(len(ward.watches) for ward in self._wards.values())

    def users(self, check: Check) -> frozenset[Address]:
        """The VIPs that *check* is for. From any thread."""
        return self._users.get(check, frozenset())

    def fresh(self) -> list[Watch]:
        """The watches that have come since the last call and are still wanted."""
        fresh, self._fresh = self._fresh, []
        return [watch for watch in fresh if not watch.gone]

    def assign(
        self,
        vip: Address,
        services: tuple[VirtualService, ...],
        in_service: frozenset[Place],
        now_s: float,
    ) -> Ward:
        """The ward of *vip* with *services*. Whoever is *in_service* is presumed fit, a new member not."""
        before = self._wards.get(vip, Ward())
        if before.services == services:
            return before
        ward = self._made(services, in_service, now_s)
        self._wards[vip] = ward
        kept = {watch.check for watch in ward.watches.values()}
        for check in kept:
            self._users[check] = self.users(check) | {vip}
        self._leave(vip, {watch.check for watch in before.watches.values()} - kept)
        for path in before.probes.keys() - ward.probes.keys():
            self._marks.release(path)
        return ward

    def forget(self, vip: Address) -> None:
        """*vip* needs nothing any more."""
        ward = self._wards.pop(vip, Ward())
        self._leave(vip, {watch.check for watch in ward.watches.values()})
        for path in ward.probes:
            self._marks.release(path)

    def _made(
        self, services: tuple[VirtualService, ...], in_service: frozenset[Place], now_s: float
    ) -> Ward:
        watches: dict[Place, Watch] = {}
        probes: dict[Path, VirtualService] = {}
        for place, check in self._checks(services):
            watch = self._watches.get(check)
            if watch is None:
                standing = presumed_fit(now_s) if place in in_service else unproven(now_s)
                watch = self._watches[check] = Watch(check, standing)
                self._fresh.append(watch)
            watches[place] = watch
            if check.path is not None and check.mark is not None:
                probes[check.path] = probe_service(check.path, check.mark)
        return Ward(services, watches, probes)

    def _checks(self, services: tuple[VirtualService, ...]) -> Iterator[tuple[Place, Check]]:
        for service in services:
            for backend in service.backends if service.monitor else ():
                try:
                    check = check_of(service, backend.address, self._marks.assign)
                except BadState as error:
                    log.warning("not checked", backend=str(backend.address), error=str(error))
                else:
                    yield (service.mark, backend.address), check

    def _leave(self, vip: Address, checks: set[Check]) -> None:
        for check in checks:
            users = self._users[check] - {vip}
            if users:
                self._users[check] = users
            else:
                del self._users[check]
                self._watches.pop(check).gone = True
