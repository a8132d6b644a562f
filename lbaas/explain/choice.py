"""Whom a service of IPVS gives a new flow to."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lbaas.dataplane.ipvs.desired import HASH_FALLBACK, HASH_PORT, Service
from lbaas.domain.addresses import Address
from lbaas.domain.terms import Scheduler
from lbaas.explain.candidates import Candidate, with_last_weight
from lbaas.explain.maglev import MaglevTable
from lbaas.explain.source_hash import SourceHashTable
from lbaas.wire.explanation import FiveTuple

_TABLES: Mapping[str, type[MaglevTable] | type[SourceHashTable]] = {
    Scheduler.MH: MaglevTable,
    Scheduler.SH: SourceHashTable,
}


@dataclass(frozen=True)
class Choice:
    """*members* who may get the flow, one where that is certain, none where it is dropped; *why*, for a person."""

    members: tuple[Address, ...]
    why: str
    shares: Mapping[Address, float] = field(default_factory=dict)


def choice(service: Service, flow: FiveTuple, before: Mapping[Address, int]) -> Choice:
    """What the scheduler makes of *flow*.

    *before* is the newest weight that was not 0 of destinations at weight 0, where it is known.
    """
    table = _TABLES.get(service.scheduler)
    if table is None:
        able = tuple(each.address for each in service.destinations if each.weight)
        return Choice(able, f"{service.scheduler} chooses by load")
    if service.flags & HASH_PORT and flow.client_port is None:
        return _any_port(service, flow, before, table)
    return _one(service, flow, before, table)


def _one(
    service: Service,
    flow: FiveTuple,
    before: Mapping[Address, int],
    table: type[MaglevTable] | type[SourceHashTable],
) -> Choice:
    port = (flow.client_port or 0) if service.flags & HASH_PORT else 0
    fall_back = bool(service.flags & HASH_FALLBACK)
    found = [
        table.of(flow.vip.version, candidates).choose(flow.client, port, fall_back=fall_back)
        for candidates in _assumptions(service, before)
    ]
    members = tuple(dict.fromkeys(each.address for each in found if each is not None))
    if len(members) > 1:
        return Choice(members, "it depends on the weight that a member had before it became 0")
    what = "client and port" if service.flags & HASH_PORT else "client"
    return Choice(members, f"{service.scheduler} by {what}")


def _any_port(
    service: Service,
    flow: FiveTuple,
    before: Mapping[Address, int],
    table: type[MaglevTable] | type[SourceHashTable],
) -> Choice:
    able = tuple(each.address for each in service.destinations if each.weight)
    made = table.of(flow.vip.version, _assumptions(service, before)[0])
    shares = made.shares() if isinstance(made, MaglevTable) else {}
    return Choice(able, "the client's port decides: say CLIENT:PORT", shares)


def _assumptions(
    service: Service, before: Mapping[Address, int]
) -> tuple[tuple[Candidate, ...], ...]:
    """What the kernel may have: it tells nobody what weight a destination had before 0."""
    told = tuple(
        Candidate(each.address, each.weight, each.weight or before.get(each.address, 0))
        for each in service.destinations
    )
    if all(each.weight or each.address in before for each in service.destinations):
        return (told,)
    most = max((each.last_weight for each in told), default=1) or 1
    guessed = tuple(
        each if each.last_weight else with_last_weight([each], most)[0] for each in told
    )
    return told, guessed
