"""What IPVS keeps of connections, on a node as a whole: for how long, and which other nodes hear of them."""

from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from lbaas.dataplane.steps import Plan
from lbaas.wire.state import Timeouts


@dataclass(frozen=True, order=True)
class SyncDaemon:
    """A kernel thread that tells (*state* "master") or hears ("backup") of connections over a device."""

    state: str
    device: str
    sync_id: int

    def __str__(self) -> str:
        return f"sync {self.state} {self.sync_id} on {self.device}"


@dataclass(frozen=True)
class ConnectionTable:
    """Both daemons run or none does; a cluster's nodes are told from another's by the daemons' id."""

    timeouts: Timeouts
    daemons: frozenset[SyncDaemon] = frozenset()


@dataclass(frozen=True)
class SetTimeouts:
    """An idle flow is forgotten after these."""

    timeouts: Timeouts

    @property
    def key(self) -> str:
        return "timeouts"


@dataclass(frozen=True)
class StopDaemon:
    """No daemon of this state runs."""

    daemon: SyncDaemon

    @property
    def key(self) -> str:
        return str(self.daemon)


@dataclass(frozen=True)
class StartDaemon:
    """The daemon runs."""

    daemon: SyncDaemon

    @property
    def key(self) -> str:
        return str(self.daemon)


ConnectionStep: TypeAlias = SetTimeouts | StopDaemon | StartDaemon


def sync_daemons(cluster: UUID, device: str) -> frozenset[SyncDaemon]:
    """Every node tells and hears: flows of any may come to any other."""
    sync_id = cluster.int % 255 + 1  # 0 would hear of everybody's
    return frozenset(SyncDaemon(state, device, sync_id) for state in ("master", "backup"))


def plan(observed: ConnectionTable, desired: ConnectionTable) -> Plan[ConnectionStep]:
    """Steps to *desired*. A node runs one daemon of each state, so what is in the way goes first.

    Nothing that is announced depends on any of it, so all of it is part of establishing.
    """
    steps: list[ConnectionStep] = []
    if observed.timeouts != desired.timeouts:
        steps.append(SetTimeouts(desired.timeouts))
    steps += map(StopDaemon, sorted(observed.daemons - desired.daemons))
    steps += map(StartDaemon, sorted(desired.daemons - observed.daemons))
    return Plan(tuple(steps))
