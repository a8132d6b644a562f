"""VIPs, and all that goes with them."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy.orm import selectinload
from sqlalchemy.orm.attributes import set_committed_value

from lbaas.domain.terms import Role
from lbaas.errors import InUse
from lbaas.persistence.models import Tenant, Vip
from lbaas.services import address_pools, listeners, marks, rules, tenants
from lbaas.services.address_pools import Allocation
from lbaas.services.scope import Lock, change, fetch, users
from lbaas.services.uses import refusal
from lbaas.services.work import Work
from lbaas.wire import tenants as wire

WITH_LISTENERS = selectinload(Vip.listeners)

# Fields that concern no node.
NAMES_ONLY = frozenset({"name", "labels"})


async def create(work: Work, body: wire.VipCreate) -> Vip:
    """A new VIP with an address of its own, and all that *body* says of listeners, pools and members."""
    tenant = await tenants.owner(work, body.tenant_id)
    allocation = await address_pools.allocate(work, tenant.id, body)
    vip = await describe(work, tenant, allocation, body)
    if vip.listeners:
        await marks.allocate(work, vip.cluster_id, [listener.id for listener in vip.listeners])
    await _changed(work, vip)
    return vip


async def describe(work: Work, tenant: Tenant, allocation: Allocation, body: wire.VipCreate) -> Vip:
    """The rows that *body* asks for are in the session, and no rule forbids them."""
    vip = Vip(
        tenant_id=tenant.id,
        cluster_id=allocation.pool.cluster_id,
        address_pool_id=allocation.pool.id,
        name=body.name,
        address=allocation.address,
        allowed_sources=list(body.allowed_sources),
        new_connections_per_source=body.new_connections_per_source,
        when_no_backend=body.when_no_backend,
        communities=[],
        labels=body.labels,
    )
    _sources_fit(vip)
    _communities_allowed(work, vip, body.communities)
    vip.communities = list(body.communities)
    work.session.add(vip)
    await work.session.flush()
    made = await listeners.create_inline(work, tenant, vip, body.listeners)
    set_committed_value(vip, "listeners", made)
    return vip


async def patch(work: Work, vip_id: UUID, body: wire.VipPatch) -> Vip:
    """The VIP is as *body* says."""
    vip = await fetch(work, Vip, vip_id, options=[WITH_LISTENERS], lock=Lock.CHANGE)
    if body.communities is not None:
        _communities_allowed(work, vip, body.communities)
    change(vip, body.changes())
    _sources_fit(vip)
    await work.session.flush()
    if body.model_fields_set - NAMES_ONLY:
        await _changed(work, vip)
    return vip


async def delete(work: Work, vip_id: UUID, *, cascade: bool) -> None:
    """The VIP is gone and its address rests. Its listeners go too if *cascade*, else raises InUse.

    So do those that serve another VIP as well.
    """
    vip, others = await _hold(work, vip_id)
    serving = await listeners.of_vip(work, vip_id)
    if serving and not cascade:
        raise InUse(
            f"VIP {vip.name} has listeners: delete them, or say ?cascade=true",
            extra={"used_by": users(serving)},
        )
    await marks.free(work, [listener.id for listener in serving])
    for listener in serving:
        await work.session.delete(listener)
    await listeners.changed(work, others)
    await work.session.delete(vip)
    await work.session.flush()
    await address_pools.release(work, vip)
    await _changed(work, vip)


async def _hold(work: Work, vip_id: UUID) -> tuple[Vip, list[Vip]]:
    """The VIP, and those with which it has a listener in common; all ours to change."""
    await fetch(work, Vip, vip_id)
    together = {
        other
        for listener in await listeners.of_vip(work, vip_id)
        for other in (listener.vip_id, listener.dual_vip_id)
    }
    held = await listeners.hold_vips(work, together - {vip_id})
    return await fetch(work, Vip, vip_id, lock=Lock.CHANGE), list(held.values())


def _communities_allowed(work: Work, vip: Vip, wanted: Iterable[str]) -> None:
    """They steer the operator's routers. Raises Invalid."""
    if work.caller.role is not Role.ADMIN and set(wanted) != set(vip.communities):
        raise refusal(
            "/communities",
            "BGP communities steer the operator's routers: only an operator sets them; leave the field out",
        )


def _sources_fit(vip: Vip) -> None:
    for index, prefix in enumerate(vip.allowed_sources):
        if prefix.version != vip.address.version:
            raise refusal(f"/allowed_sources/{index}", rules.foreign_source(prefix))


async def _changed(work: Work, vip: Vip) -> None:
    await work.changed("vip", vip.id, [vip.cluster_id])
