"""Listeners: which packets to a VIP, or to two, go to which pool.

Whoever writes a listener holds its VIPs first, in the order of their ids, then the listener, then the pool.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select

from lbaas.domain.terms import ALL_PORTS
from lbaas.errors import NameTaken, PortsOverlap
from lbaas.persistence.models import Listener, Pool, Tenant, Vip
from lbaas.services import marks, pools, rules
from lbaas.services.scope import Lock, change, fetch, referred, users
from lbaas.services.uses import Use, refusal
from lbaas.services.work import Work
from lbaas.wire import tenants as wire


async def create(work: Work, body: wire.ListenerCreate) -> Listener:
    """A new listener of the VIP, or of both. Raises PortsOverlap if another one has some of its ports."""
    vips = await _referred_vips(work, body)
    pool = await _referred_pool(work, vips[0], body.pool_id, "/pool_id")
    listener = make(vips, pool, body)
    await _fits(work, listener, vips, pool)
    work.session.add(listener)
    await work.session.flush()
    await marks.allocate(work, vips[0].cluster_id, [listener.id])
    await changed(work, vips)
    return listener


async def patch(work: Work, listener_id: UUID, body: wire.ListenerPatch) -> Listener:
    """The listener is as *body* says; it keeps its mark."""
    listener, held = await _hold(work, listener_id, body.dual_vip_id)
    changes = _changes(body)
    dual_id = changes.get("dual_vip_id", listener.dual_vip_id)
    vips = [held[listener.vip_id], *([held[dual_id]] if dual_id else [])]
    _possible(vips)
    pool = await _referred_pool(work, vips[0], body.pool_id or listener.pool_id, "/pool_id")
    with work.session.no_autoflush:
        change(listener, changes)
        await _fits(work, listener, vips, pool)
    await work.session.flush()
    await changed(work, held.values())
    return listener


async def delete(work: Work, listener_id: UUID) -> None:
    """The listener is gone from its VIPs; its mark rests until no node can hold it."""
    listener, held = await _hold(work, listener_id)
    await marks.free(work, [listener_id])
    await work.session.delete(listener)
    await changed(work, held.values())


async def create_inline(
    work: Work, tenant: Tenant, vip: Vip, bodies: Sequence[wire.InlineListener]
) -> list[Listener]:
    """The first listeners of *vip*, which is new, with pools of their own or existing ones; without marks yet."""
    await pools.hold_in_order(work, (body.pool_id for body in bodies if body.pool_id is not None))
    made: list[Listener] = []
    for index, body in enumerate(bodies):
        pointer = f"/listeners/{index}"
        pool = await _pool_for(work, tenant, vip, body, pointer)
        listener = make([vip], pool, body)
        _sources_fit(listener, [vip], f"{pointer}/allowed_sources")
        _ports_free(listener, made)
        work.session.add(listener)
        made.append(listener)
    await work.session.flush()
    return sorted(made, key=lambda listener: listener.id)


async def of_vip(work: Work, vip_id: UUID) -> list[Listener]:
    """All that serve the VIP, as their first or as their second."""
    serving = or_(Listener.vip_id == vip_id, Listener.dual_vip_id == vip_id)
    return list(await work.session.scalars(select(Listener).where(serving)))


async def hold_vips(work: Work, ids: Iterable[UUID | None]) -> dict[UUID, Vip]:
    """Those of the VIPs that *ids* name, ours to change. Raises Invalid for one that is not there."""
    named = sorted({vip_id for vip_id in ids if vip_id is not None})
    return {
        vip_id: await referred(work, Vip, vip_id, "/dual_vip_id", lock=Lock.CHANGE)
        for vip_id in named
    }


async def changed(work: Work, vips: Iterable[Vip]) -> None:
    """The VIPs, which show their listeners, have a new version."""
    vips = list(vips)
    for vip in vips:
        vip.updated_at = func.now()
    await work.session.flush()
    for vip in vips:
        await work.changed("vip", vip.id, [vip.cluster_id])


def make(
    vips: Sequence[Vip], pool: Pool, body: wire.InlineListener | wire.ListenerCreate
) -> Listener:
    """A listener of *vips*, one or two, as *body* describes it."""
    return Listener(
        tenant_id=vips[0].tenant_id,
        vip_id=vips[0].id,
        dual_vip_id=vips[1].id if len(vips) > 1 else None,
        name=body.name,
        protocol=body.protocol,
        ports=_ports(body.ports),
        all_ports=body.all_ports,
        allowed_sources=list(body.allowed_sources),
        pool_id=pool.id,
        labels=body.labels,
    )


def _changes(body: wire.ListenerPatch) -> dict[str, Any]:
    """Ports instead of all ports, or the other way round, where *body* says one of them."""
    changes = body.changes()
    if body.ports:
        changes |= {"ports": _ports(body.ports), "all_ports": False}
    elif body.all_ports:
        changes["ports"] = []
    return changes


def _ports(ports: Sequence[wire.PortsInput]) -> list[dict[str, Any]]:
    return [{"first": span.first, "last": span.last or span.first} for span in ports]


async def _hold(
    work: Work, listener_id: UUID, *more: UUID | None
) -> tuple[Listener, dict[UUID, Vip]]:
    """The listener, and by id its VIPs and *more* of them, all ours to change."""
    seen = await fetch(work, Listener, listener_id)
    held = await hold_vips(work, [seen.vip_id, seen.dual_vip_id, *more])
    listener = await fetch(work, Listener, listener_id, lock=Lock.CHANGE)
    if listener.dual_vip_id not in held:  # it came while we waited for the first VIP
        held |= await hold_vips(work, [listener.dual_vip_id])
    return listener, held


async def _referred_vips(work: Work, body: wire.ListenerCreate) -> list[Vip]:
    """The VIPs that *body* names, ours to change, first the first."""
    named = {body.vip_id: "/vip_id"}
    if body.dual_vip_id is not None:
        named = {body.dual_vip_id: "/dual_vip_id", **named}
    held = {
        vip_id: await referred(work, Vip, vip_id, named[vip_id], lock=Lock.CHANGE)
        for vip_id in sorted(named)
    }
    vips = [held[vip_id] for vip_id in (body.vip_id, body.dual_vip_id) if vip_id is not None]
    _possible(vips)
    return vips


def _possible(vips: Sequence[Vip]) -> None:
    """The VIPs can have a listener in common. Raises Invalid."""
    if len(vips) == 2 and (reason := _apart(*vips)):
        raise refusal("/dual_vip_id", reason)


def _apart(vip: Vip, dual: Vip) -> str | None:
    """Why the two can't have a listener in common; None if they can."""
    if dual.tenant_id != vip.tenant_id:
        return "it is another tenant's"
    if dual.cluster_id != vip.cluster_id:
        return f"VIP {dual.name} is of another cluster: a listener is served by one"
    if dual.address.version == vip.address.version:
        return f"VIPs {vip.name} and {dual.name} are both IPv{vip.address.version}: take one of each family"
    return None


async def _referred_pool(work: Work, vip: Vip, pool_id: UUID, pointer: str) -> Pool:
    pool = await referred(work, Pool, pool_id, pointer, lock=Lock.CHANGE)
    if pool.tenant_id != vip.tenant_id:
        raise refusal(pointer, f"pool {pool.name} is not of the VIP's tenant")
    return pool


async def _fits(work: Work, listener: Listener, vips: Sequence[Vip], pool: Pool) -> None:
    """Neither the pool, nor other listeners of the *vips*, which are all held, forbid it."""
    if not listener.all_ports and not listener.ports:
        raise refusal("/ports", "a listener that is no longer on all ports says on which")
    _sources_fit(listener, vips, "/allowed_sources")
    for vip in vips:
        others = [other for other in await of_vip(work, vip.id) if other.id != listener.id]
        _name_free(listener, vip, others)
        _ports_free(listener, others)
    await pools.start_use(work, pool, _use(listener, vips), "/pool_id", but=listener.id)


def _use(listener: Listener, vips: Sequence[Vip]) -> Use:
    [first, *dual] = vips
    return Use(
        listener=listener.name,
        protocol=listener.protocol,
        all_ports=listener.all_ports,
        family=None if dual else first.address.version,
        cluster_id=first.cluster_id,
    )


async def _pool_for(
    work: Work, tenant: Tenant, vip: Vip, body: wire.InlineListener, pointer: str
) -> Pool:
    use = Use(body.name, body.protocol, body.all_ports, vip.address.version, vip.cluster_id)
    if body.pool_id is not None:
        pool = await _referred_pool(work, vip, body.pool_id, f"{pointer}/pool_id")
        await pools.start_use(work, pool, use, f"{pointer}/pool_id")
        return pool
    inline = body.pool or wire.InlinePool()
    name = inline.name or f"{vip.name}-{body.name}"
    return await pools.make(work, tenant, name, inline, pointer=f"{pointer}/pool", use=use)


def _sources_fit(listener: Listener, vips: Sequence[Vip], pointer: str) -> None:
    """Each source can come to a VIP, and each VIP has some, where any are named."""
    families = {vip.address.version for vip in vips}
    for index, prefix in enumerate(listener.allowed_sources):
        if prefix.version not in families:
            raise refusal(f"{pointer}/{index}", rules.foreign_source(prefix))
    missing = families - {prefix.version for prefix in listener.allowed_sources}
    if listener.allowed_sources and missing:
        raise refusal(pointer, rules.one_sided(missing.pop()))


def _name_free(listener: Listener, vip: Vip, others: Sequence[Listener]) -> None:
    if taken := [other for other in others if other.name == listener.name]:
        raise NameTaken(
            f"another listener of VIP {vip.name} has the name: choose another",
            extra={"used_by": users(taken)},
        )


def _ports_free(listener: Listener, others: Sequence[Listener]) -> None:
    """None of *others* has any of the listener's ports. Raises PortsOverlap."""
    alike = [(other, _spans(other)) for other in others if other.protocol is listener.protocol]
    found = rules.overlapping(_spans(listener), alike)
    if found is not None:
        other, (first, last) = found
        raise PortsOverlap(
            f"listener {other.name} has {other.protocol} ports {first} to {last}: choose others, or change it",
            extra={"used_by": users([other])},
        )


def _spans(listener: Listener) -> list[rules.Span]:
    if listener.all_ports:
        return [ALL_PORTS]
    return [(span["first"], span["last"]) for span in listener.ports]
