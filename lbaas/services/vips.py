"""VIPs and their listeners."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import selectinload
from sqlalchemy.orm.attributes import set_committed_value

from lbaas.domain.terms import Protocol
from lbaas.errors import InUse, PortsOverlap
from lbaas.persistence.models import Listener, Pool, Tenant, Vip
from lbaas.services import address_pools, marks, pools, rules, tenants
from lbaas.services.scope import Lock, change, fetch, referred, users
from lbaas.services.work import Work
from lbaas.wire import tenants as wire

WITH_LISTENERS = selectinload(Vip.listeners)


async def create(work: Work, body: wire.VipCreate) -> Vip:
    """A new VIP with an address of its own, and all that *body* says of listeners, pools and members."""
    tenant = await tenants.owner(work, body.tenant_id)
    allocation = await address_pools.allocate(work, tenant.id, body)
    vip = Vip(
        tenant_id=tenant.id,
        cluster_id=allocation.pool.cluster_id,
        address_pool_id=allocation.pool.id,
        name=body.name,
        address=allocation.address,
        labels=body.labels,
    )
    work.session.add(vip)
    await work.session.flush()
    made = await _add_listeners(work, tenant, vip, body.listeners)
    set_committed_value(vip, "listeners", made)
    await _changed(work, vip)
    return vip


async def patch(work: Work, vip_id: UUID, body: wire.VipPatch) -> Vip:
    """The VIP is as *body* says. Nothing of it concerns a node."""
    vip = await fetch(work, Vip, vip_id, options=[WITH_LISTENERS], lock=Lock.CHANGE)
    change(vip, body.changes())
    await work.session.flush()
    return vip


async def delete(work: Work, vip_id: UUID, *, cascade: bool) -> None:
    """The VIP is gone and its address rests. Its listeners go too if *cascade*, else raises InUse."""
    vip = await fetch(work, Vip, vip_id, lock=Lock.CHANGE)
    listeners = await _listeners(work, vip_id)
    if listeners and not cascade:
        raise InUse(
            f"VIP {vip.name} has listeners: delete them, or say ?cascade=true",
            extra={"used_by": users(listeners)},
        )
    await marks.free(work, [listener.id for listener in listeners])
    for listener in listeners:
        await work.session.delete(listener)
    await work.session.flush()
    await work.session.delete(vip)
    await work.session.flush()
    await address_pools.release(work, vip)
    await _changed(work, vip)


async def create_listener(work: Work, body: wire.ListenerCreate) -> Listener:
    """A new listener of the VIP. Raises PortsOverlap if another one has some of its ports."""
    vip = await referred(work, Vip, body.vip_id, "/vip_id", lock=Lock.CHANGE)
    pool = await _pool(work, vip, body.pool_id, "/pool_id")
    await _ports_free(work, vip, body.protocol, body.ports)
    listener = _listener(vip, pool, body)
    work.session.add(listener)
    await work.session.flush()
    await marks.allocate(work, vip.cluster_id, [listener.id])
    await _listeners_changed(work, vip)
    return listener


async def patch_listener(work: Work, listener_id: UUID, body: wire.ListenerPatch) -> Listener:
    """The listener is as *body* says; it keeps its mark."""
    listener = await fetch(work, Listener, listener_id)
    vip = await fetch(work, Vip, listener.vip_id, lock=Lock.CHANGE)
    listener = await fetch(work, Listener, listener_id, lock=Lock.CHANGE)
    changes = body.changes()
    if body.pool_id is not None:
        await _pool(work, vip, body.pool_id, "/pool_id")
    if body.ports is not None:
        await _ports_free(work, vip, listener.protocol, body.ports, but=listener_id)
        changes["ports"] = _ports(body.ports)
    change(listener, changes)
    await work.session.flush()
    await _listeners_changed(work, vip)
    return listener


async def delete_listener(work: Work, listener_id: UUID) -> None:
    """The listener is gone; its mark rests until no node can hold it."""
    listener = await fetch(work, Listener, listener_id)
    vip = await fetch(work, Vip, listener.vip_id, lock=Lock.CHANGE)
    listener = await fetch(work, Listener, listener_id, lock=Lock.CHANGE)
    await marks.free(work, [listener_id])
    await work.session.delete(listener)
    await _listeners_changed(work, vip)


async def _add_listeners(
    work: Work, tenant: Tenant, vip: Vip, bodies: Sequence[wire.InlineListener]
) -> list[Listener]:
    await pools.hold_in_order(work, (body.pool_id for body in bodies if body.pool_id is not None))
    made: list[Listener] = []
    for index, body in enumerate(bodies):
        pointer = f"/listeners/{index}"
        _refuse_overlap(body.protocol, body.ports, made)
        pool = await _pool_for(work, tenant, vip, body, pointer)
        listener = _listener(vip, pool, body)
        work.session.add(listener)
        made.append(listener)
    await work.session.flush()
    if made:
        await marks.allocate(work, vip.cluster_id, [listener.id for listener in made])
    return sorted(made, key=lambda listener: listener.id)


async def _pool_for(
    work: Work, tenant: Tenant, vip: Vip, body: wire.InlineListener, pointer: str
) -> Pool:
    if body.pool_id is not None:
        return await _pool(work, vip, body.pool_id, f"{pointer}/pool_id")
    inline = body.pool or wire.InlinePool()
    name = inline.name or f"{vip.name}-{body.name}"
    family = vip.address.version
    await pools.scheduler_fits(work, inline.scheduler, vip.cluster_id, f"{pointer}/pool/scheduler")
    return await pools.make(work, tenant, name, inline, pointer=f"{pointer}/pool", family=family)


async def _pool(work: Work, vip: Vip, pool_id: UUID, pointer: str) -> Pool:
    """The pool, held, of the VIP's tenant, and fit for it."""
    pool = await referred(work, Pool, pool_id, pointer, lock=Lock.CHANGE)
    await pools.usable_by(work, pool, vip, pointer)
    return pool


def _listener(vip: Vip, pool: Pool, body: wire.InlineListener | wire.ListenerCreate) -> Listener:
    return Listener(
        tenant_id=vip.tenant_id,
        vip_id=vip.id,
        name=body.name,
        protocol=body.protocol,
        ports=_ports(body.ports),
        pool_id=pool.id,
        labels=body.labels,
    )


def _ports(ports: Sequence[wire.PortsInput]) -> list[dict[str, Any]]:
    return [{"first": span.first, "last": span.last or span.first} for span in ports]


async def _listeners(work: Work, vip_id: UUID) -> list[Listener]:
    return list(await work.session.scalars(select(Listener).where(Listener.vip_id == vip_id)))


async def _ports_free(
    work: Work,
    vip: Vip,
    protocol: Protocol,
    ports: Sequence[wire.PortsInput],
    but: UUID | None = None,
) -> None:
    """No other listener of *vip*, which is held, has any of *ports*. Raises PortsOverlap."""
    others = [other for other in await _listeners(work, vip.id) if other.id != but]
    _refuse_overlap(protocol, ports, others)


def _refuse_overlap(
    protocol: Protocol, ports: Sequence[wire.PortsInput], others: Sequence[Listener]
) -> None:
    found = rules.overlapping(
        [(span["first"], span["last"]) for span in _ports(ports)],
        [
            (other, [(span["first"], span["last"]) for span in other.ports])
            for other in others
            if other.protocol is protocol
        ],
    )
    if found is not None:
        other, (first, last) = found
        raise PortsOverlap(
            f"listener {other.name} has {protocol} ports {first} to {last}: choose others, or change it",
            extra={"used_by": users([other])},
        )


async def _listeners_changed(work: Work, vip: Vip) -> None:
    """The VIP, which shows its listeners, has a new version."""
    vip.updated_at = func.now()
    await work.session.flush()
    await _changed(work, vip)


async def _changed(work: Work, vip: Vip) -> None:
    await work.changed("vip", vip.id, [vip.cluster_id])
