"""Address pools, and the addresses that VIPs get from them."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address
from uuid import UUID

from sqlalchemy import func, or_, select

from lbaas.domain.addresses import Address, Prefix
from lbaas.errors import AddressTaken, FieldProblem, InUse, Invalid, PoolExhausted
from lbaas.persistence import extents, resting
from lbaas.persistence.models import AddressPool, Cluster, Vip
from lbaas.services.scope import Lock, change, fetch, referred, users
from lbaas.services.work import Work
from lbaas.wire import operators, tenants


@dataclass(frozen=True)
class Allocation:
    """An address that is its VIP's from now on."""

    pool: AddressPool
    address: Address


async def create(work: Work, body: operators.AddressPoolCreate) -> AddressPool:
    """A new pool; all of its prefix but the reserved parts is free. VIPs are /32s and /128s, so a
    prefix's first and last addresses are addresses like any other."""
    await referred(work, Cluster, body.cluster_id, "/cluster_id", lock=Lock.CHANGE)
    _reserved_inside(body)
    await _prefix_free(work, body)
    pool = AddressPool(
        cluster_id=body.cluster_id,
        name=body.name,
        prefix=body.prefix,
        reserved=list(body.reserved),
        tenant_ids=None if body.tenant_ids is None else list(body.tenant_ids),
        quarantine_s=body.quarantine_s,
        communities=list(body.communities),
    )
    work.session.add(pool)
    await work.session.flush()
    free = extents.without(span(body.prefix), map(span, body.reserved))
    await extents.open_space(work.session, pool.id, free)
    return pool


async def patch(work: Work, pool_id: UUID, body: operators.AddressPoolPatch) -> AddressPool:
    """The pool is as *body* says; VIPs that have an address of it keep it."""
    pool = await fetch(work, AddressPool, pool_id, lock=Lock.CHANGE)
    change(pool, body.changes())
    await work.session.flush()
    if body.communities is not None:
        await work.address_pool_changed(pool_id)
    return pool


async def delete(work: Work, pool_id: UUID) -> None:
    """The pool is gone. Raises InUse if a VIP has an address of it."""
    pool = await fetch(work, AddressPool, pool_id, lock=Lock.CHANGE)
    query = select(Vip).where(Vip.address_pool_id == pool_id).limit(100)
    if vips := list(await work.session.scalars(query)):
        raise InUse(f"VIPs have addresses of {pool.name}", extra={"used_by": users(vips)})
    await extents.close_space(work.session, pool_id)
    await resting.forget(work.session, pool_id)
    await work.session.delete(pool)


async def fill(work: Work, pool_id: UUID) -> operators.AddressPoolFill:
    """How full the pool is; read from what is left, which is a few rows however many VIPs there are."""
    pool = await fetch(work, AddressPool, pool_id)
    spans = extents.without(span(pool.prefix), map(span, pool.reserved))
    usable = sum(span.last - span.first + 1 for span in spans)
    resting_now = await resting.count(work.session, pool_id)
    free = await extents.count_free(work.session, pool_id)
    return operators.AddressPoolFill(
        usable=usable, allocated=usable - free - resting_now, resting=resting_now
    )


async def allocate(work: Work, tenant_id: UUID, body: tenants.VipCreate) -> Allocation:
    """An address for the VIP that *body* asks for.

    Raises Invalid if no pool fits, AddressTaken, or PoolExhausted with the pools' names.
    """
    pools = await fitting(work, tenant_id, body)
    if body.address is not None:
        return await _allocate_given(work, tenant_id, pools, body.address)
    for pool in pools:
        number = await _take_any(work, pool)
        if number is not None:
            return Allocation(pool, _address(pool.prefix.version, number))
    raise await _exhausted(work, pools)


async def release(work: Work, vip: Vip) -> None:
    """The VIP's address rests for as long as its pool says; only its tenant may ask for it meanwhile."""
    query = select(AddressPool.quarantine_s).where(AddressPool.id == vip.address_pool_id)
    rest = timedelta(seconds=await work.session.scalar(query) or 0)
    await resting.lay_down(work.session, vip.address_pool_id, int(vip.address), vip.tenant_id, rest)


async def _take_any(work: Work, pool: AddressPool) -> int | None:
    """A number of the pool that is free, or has rested enough."""
    whole = span(pool.prefix)
    while True:
        start = whole.first + secrets.randbelow(whole.last - whole.first + 1)
        number = await extents.take_any(work.session, pool.id, start)
        if number is not None or not await resting.reap(work.session, pool.id):
            return number


async def _exhausted(work: Work, pools: Sequence[AddressPool]) -> PoolExhausted:
    names = ", ".join(pool.name for pool in pools)
    rest = sum([await resting.count(work.session, pool.id) for pool in pools])
    waiting = f" ({rest} rest and will be free again)" if rest else ""
    return PoolExhausted(
        f"no address is free in {names}{waiting}: delete a VIP, or ask the operator for another pool",
        extra={"address_pools": [str(pool.id) for pool in pools], "resting": rest},
    )


async def fitting(work: Work, tenant_id: UUID, body: tenants.VipCreate) -> Sequence[AddressPool]:
    """The pools that the VIP may have its address from. Raises Invalid if there are none."""
    query = select(AddressPool).where(
        or_(AddressPool.tenant_ids.is_(None), AddressPool.tenant_ids.contains([tenant_id]))
    )
    if body.address_pool_id is not None:
        query = query.where(AddressPool.id == body.address_pool_id)
    if body.address is not None:
        query = query.where(AddressPool.prefix.op(">>=")(body.address))
    if (family := wanted_family(body)) is not None:
        query = query.where(func.family(AddressPool.prefix) == family)
    pools = list(await work.session.scalars(query.order_by(AddressPool.id)))
    if not pools:
        raise _no_pool(body)
    return pools


def wanted_family(body: tenants.VipCreate) -> int | None:
    """The VIP's. None: whatever the pool or the address says."""
    if body.family is None and body.address_pool_id is None and body.address is None:
        return 4
    return body.family


def _no_pool(body: tenants.VipCreate) -> Invalid:
    field = "address" if body.address is not None else "family"
    if body.address_pool_id is not None:
        field = "address_pool_id"
    detail = "the tenant has no address pool that fits: see address_pool_id, address and family"
    return Invalid(detail, problems=[FieldProblem(pointer=f"/{field}", detail=detail)])


async def _allocate_given(
    work: Work, tenant_id: UUID, pools: Sequence[AddressPool], address: Address
) -> Allocation:
    if len(pools) > 1:
        names = ", ".join(pool.name for pool in pools)
        detail = f"{address} is in several pools ({names}): say which by address_pool_id"
        raise Invalid(detail, problems=[FieldProblem(pointer="/address_pool_id", detail=detail)])
    pool = pools[0]
    if not await _take_given(work, tenant_id, pool, int(address)):
        reserved = any(address in part for part in pool.reserved)
        why = "reserved" if reserved else "another VIP's, or was until a moment ago"
        raise AddressTaken(f"{address} of {pool.name} is {why}: ask for another, or for any")
    return Allocation(pool, address)


async def _take_given(work: Work, tenant_id: UUID, pool: AddressPool, number: int) -> bool:
    session = work.session
    if await extents.take_given(session, pool.id, number):
        return True
    if await resting.take_back(session, pool.id, number, tenant_id):
        return True
    while await resting.reap(session, pool.id):
        if await extents.take_given(session, pool.id, number):
            return True
    return False


def _reserved_inside(body: operators.AddressPoolCreate) -> None:
    whole = span(body.prefix)
    for index, part in enumerate(body.reserved):
        inner = span(part)
        inside = whole.first <= inner.first and inner.last <= whole.last
        if part.version != body.prefix.version or not inside:
            detail = f"{part} is not part of {body.prefix}"
            problem = FieldProblem(pointer=f"/reserved/{index}", detail=detail)
            raise Invalid(detail, problems=[problem])


async def _prefix_free(work: Work, body: operators.AddressPoolCreate) -> None:
    """Two pools of one cluster may not share an address; in two clusters that is anycast."""
    query = select(AddressPool).where(
        AddressPool.cluster_id == body.cluster_id, AddressPool.prefix.op("&&")(body.prefix)
    )
    if other := (await work.session.scalars(query)).first():
        raise AddressTaken(
            f"{body.prefix} overlaps {other.prefix} of address pool {other.name}",
            extra={"used_by": users([other])},
        )


def span(prefix: Prefix) -> extents.Span:
    """Its addresses as numbers."""
    return extents.Span(int(prefix.network_address), int(prefix.broadcast_address))


def _address(family: int, number: int) -> Address:
    return IPv4Address(number) if family == 4 else IPv6Address(number)
