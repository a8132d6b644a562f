"""Steps that turn what lbaas holds for a Service into what it shall hold. Pure.

What is new comes first and what is too much goes last, so that an address that can't be had takes nothing away.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID

from lbaas.domain.addresses import Address
from lbaas.domain.terms import Protocol
from lbaas.kube.desired import Wanted, WantedMember, WantedVip
from lbaas.kube.held import Held, HeldListener, HeldPool, HeldVip


@dataclass(frozen=True)
class CreatePool:
    """There is a pool with these settings and members."""

    settings: Mapping[str, Any]
    members: Mapping[Address, WantedMember]


@dataclass(frozen=True)
class PatchPool:
    id: UUID
    changes: Mapping[str, Any]


@dataclass(frozen=True)
class SetMembers:
    """The pool has these members and no others; *tag* is of the set that this was decided from."""

    pool: UUID
    members: Mapping[Address, WantedMember]
    tag: str


@dataclass(frozen=True)
class CreateVip:
    vip: WantedVip


@dataclass(frozen=True)
class PatchVip:
    id: UUID
    changes: Mapping[str, Any]


@dataclass(frozen=True)
class CreateListener:
    """The VIPs of *families*, the first the primary one, have a listener on *ports*."""

    protocol: Protocol
    ports: tuple[int, ...]
    families: tuple[int, ...]


@dataclass(frozen=True)
class PatchListener:
    """The listener is on *ports* and serves the VIPs of *families*, sending to the pool."""

    id: UUID
    ports: tuple[int, ...]
    families: tuple[int, ...]


@dataclass(frozen=True)
class Delete:
    """The object is gone. *kind* is the API's collection."""

    kind: str
    id: UUID


Step: TypeAlias = (
    CreatePool
    | PatchPool
    | SetMembers
    | CreateVip
    | PatchVip
    | CreateListener
    | PatchListener
    | Delete
)


@dataclass(frozen=True)
class Kept:
    """Those of the held objects that the Service goes on using."""

    vips: Mapping[int, HeldVip]
    pool: HeldPool | None


def keep(held: Held, wanted: Wanted) -> Kept:
    """Of several that would do, the oldest: it has the flows."""
    vips = {}
    for vip in wanted.vips:
        fitting = [each for each in held.vips if _fits(each, vip)]
        if fitting:
            vips[vip.family] = min(fitting, key=lambda each: each.id)
    return Kept(vips, min(held.pools, key=lambda each: each.id, default=None))


def plan(held: Held, wanted: Wanted | None) -> tuple[Step, ...]:
    """In an order that the API accepts; none if *held* is as *wanted*. Nothing is wanted: nothing shall be left."""
    if wanted is None:
        return tuple(_leavings(held, held.listeners, (), ()))
    kept = keep(held, wanted)
    listeners = {each.protocol: each for each in held.listeners if _stays(each, wanted, kept)}
    stay = {each.id for each in listeners.values()}
    gone = [each for each in held.listeners if each.id not in stay]
    return (
        *_pool(kept.pool, wanted),
        *_vips(kept.vips, wanted.vips),
        *(Delete("listeners", each.id) for each in gone),
        *_listeners(listeners, wanted, kept),
        *_leavings(held, (), kept.vips.values(), [kept.pool] if kept.pool else ()),
    )


def _fits(held: HeldVip, wanted: WantedVip) -> bool:
    return held.address.version == wanted.family and wanted.address in (None, held.address)


def _stays(listener: HeldListener, wanted: Wanted, kept: Kept) -> bool:
    """It is on the VIP that is the primary one. A listener can't change that."""
    primary = kept.vips.get(wanted.vips[0].family)
    return primary is not None and listener.vip == primary.id and listener.protocol in wanted.ports


def _pool(held: HeldPool | None, wanted: Wanted) -> Iterator[Step]:
    if held is None:
        yield CreatePool(wanted.pool, wanted.members)
        return
    if changes := _changes(held.settings, wanted.pool):
        yield PatchPool(held.id, changes)
    if held.members != wanted.members:
        yield SetMembers(held.id, wanted.members, held.tag)


def _vips(held: Mapping[int, HeldVip], wanted: Iterable[WantedVip]) -> Iterator[Step]:
    for vip in wanted:
        known = held.get(vip.family)
        if known is None:
            yield CreateVip(vip)
        elif changes := _changes(known.settings, vip.settings):
            yield PatchVip(known.id, changes)


def _listeners(held: Mapping[Protocol, HeldListener], wanted: Wanted, kept: Kept) -> Iterator[Step]:
    families = tuple(vip.family for vip in wanted.vips)
    ids = [kept.vips[family].id if family in kept.vips else None for family in families]
    dual = ids[1] if len(ids) > 1 else None
    for protocol, ports in wanted.ports.items():
        known = held.get(protocol)
        if known is None:
            yield CreateListener(protocol, ports, families)
            continue
        joined = len(families) == 1 or dual is not None
        fits = known.dual == dual and joined and kept.pool and known.pool == kept.pool.id
        if not fits or known.ports != ports:
            yield PatchListener(known.id, ports, families)


def _leavings(
    held: Held,
    listeners: Iterable[HeldListener],
    vips: Iterable[HeldVip],
    pools: Iterable[HeldPool],
) -> Iterator[Step]:
    """*listeners* go, and all but *vips* and *pools*."""
    stay = {vip.id for vip in vips} | {pool.id for pool in pools}
    yield from (Delete("listeners", each.id) for each in listeners)
    yield from (Delete("vips", each.id) for each in held.vips if each.id not in stay)
    yield from (Delete("pools", each.id) for each in held.pools if each.id not in stay)


def _changes(held: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wanted.items() if held.get(name) != value}
