"""Which VIP needs which checks: one watch for each check, however many VIPs and listeners share it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import structlog

from lbaas.domain.addresses import Address
from lbaas.errors import BadState
from lbaas.health.checks import Check, Path, check_of
from lbaas.health.marks import MarkBook
from lbaas.health.verdicts import presumed_fit, unproven
from lbaas.health.watch import Watch
from lbaas.wire.state import MarkRange, Monitor, VirtualService

log = structlog.get_logger()

# A service's mark, and the address of one of its backends.
Place: TypeAlias = tuple[int, Address]


@dataclass(frozen=True)
class Ward:
    """What a VIP needs: the watch of each of its places, and the paths of their probes by mark."""

    services: tuple[VirtualService, ...] = ()
    watches: Mapping[Place, Watch] = field(default_factory=dict)
    paths: Mapping[int, Path] = field(default_factory=dict)

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
        # By monitor first: it is costly to hash, and many members share one.
        self._watches: defaultdict[Monitor, dict[tuple[Address, int | None], Watch]] = defaultdict(
            dict
        )
        # Changed in place: a member that is asked at its own address may have a watch that serves thousands.
        self._users: dict[Watch, set[Address]] = {}
        self._fresh: list[Watch] = []

    @property
    def places(self) -> int:
        """How many backends are checked, each counted once a service."""
        return sum(len(ward.watches) for ward in self._wards.values())

    def users(self, watch: Watch) -> frozenset[Address]:
        """The VIPs that *watch* is for. From any thread."""
        return frozenset(self._users.get(watch, ()))

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
        for watch in frozenset(ward.watches.values()):
            self._users.setdefault(watch, set()).add(vip)
        self._leave(vip, before, ward)
        self._wards[vip] = ward
        return ward

    def forget(self, vip: Address) -> None:
        """*vip* needs nothing any more."""
        self._leave(vip, self._wards.pop(vip, Ward()), Ward())

    def _made(
        self, services: tuple[VirtualService, ...], in_service: frozenset[Place], now_s: float
    ) -> Ward:
        watches: dict[Place, Watch] = {}
        for service in services:
            if service.monitor is None:
                continue
            known = self._watches[service.monitor]
            for check in self._checks(service):
                place = (service.mark, check.member)
                watch = known.get((check.member, check.mark))
                if watch is None:
                    standing = presumed_fit(now_s) if place in in_service else unproven(now_s)
                    watch = known[check.member, check.mark] = Watch(check, standing)
                    self._fresh.append(watch)
                watches[place] = watch
        checks = (watch.check for watch in watches.values())
        paths = {each.mark: each.path for each in checks if each.mark and each.path}
        return Ward(services, watches, paths)

    def _checks(self, service: VirtualService) -> Iterator[Check]:
        for backend in service.backends:
            try:
                yield check_of(service, backend.address, self._marks.assign)
            except BadState as error:
                log.warning("not checked", backend=str(backend.address), error=str(error))

    def _leave(self, vip: Address, before: Ward, after: Ward) -> None:
        for watch in frozenset(before.watches.values()) - frozenset(after.watches.values()):
            self._users[watch].discard(vip)
            if not self._users[watch]:
                self._drop(watch)
        for mark in before.paths.keys() - after.paths.keys():
            self._marks.release(mark)

    def _drop(self, watch: Watch) -> None:
        watch.gone = True
        del self._users[watch]
        check = watch.check
        known = self._watches[check.monitor]
        del known[check.member, check.mark]
        if not known:
            del self._watches[check.monitor]
