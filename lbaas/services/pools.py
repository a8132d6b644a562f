"""Pools.

Whoever changes a pool's content holds its row first (shared for members, exclusively for the pool itself and
for a listener that starts to use it). So the clusters that a change concerns are known for sure, and two
clients that edit different members of one pool do not wait for each other.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import select

from lbaas.domain.addresses import Address
from lbaas.domain.terms import Scheduler
from lbaas.errors import FieldProblem, InUse, Invalid
from lbaas.persistence import feed
from lbaas.persistence.models import Cluster, Listener, Member, Pool, Tenant, Vip
from lbaas.services import clusters, rules, tenants
from lbaas.services.scope import Lock, change, fetch, users, visible
from lbaas.services.work import Work
from lbaas.wire import tenants as wire


async def create(work: Work, body: wire.PoolCreate) -> Pool:
    """A new pool with its members, used by nothing yet."""
    tenant = await tenants.owner(work, body.tenant_id)
    return await make(work, tenant, body.name, body, pointer="", family=None)


async def make(
    work: Work,
    tenant: Tenant,
    name: str,
    body: wire.PoolCreate | wire.InlinePool,
    *,
    pointer: str,
    family: int | None,
) -> Pool:
    """The pool that *body*, found at *pointer* in the request, describes; for VIPs of *family* if given."""
    for index, member in enumerate(body.members):
        member_fits(tenant, member.address, family, f"{pointer}/members/{index}/address")
    pool = Pool(
        tenant_id=tenant.id,
        name=name,
        scheduler=body.scheduler,
        forwarding=body.forwarding,
        labels=body.labels,
    )
    work.session.add(pool)
    await work.session.flush()
    work.session.add_all(new_member(pool, member) for member in body.members)
    await work.session.flush()
    return pool


async def patch(work: Work, pool_id: UUID, body: wire.PoolPatch) -> Pool:
    """The pool is as *body* says. Raises Invalid if one of its clusters can't have the scheduler."""
    pool = await fetch(work, Pool, pool_id, lock=Lock.CHANGE)
    used_in = await feed.clusters_of_pool(work.session, pool_id)
    if body.scheduler is not None:
        for cluster in used_in:
            await scheduler_fits(work, body.scheduler, cluster, "/scheduler")
    change(pool, body.changes())
    await work.session.flush()
    await work.changed("pool", pool_id, used_in)
    return pool


async def delete(work: Work, pool_id: UUID) -> None:
    """The pool and its members are gone. Raises InUse if a listener uses it."""
    pool = await fetch(work, Pool, pool_id, lock=Lock.CHANGE)
    query = select(Listener).where(Listener.pool_id == pool_id).limit(100)
    if listeners := list(await work.session.scalars(query)):
        raise InUse(f"listeners use pool {pool.name}", extra={"used_by": users(listeners)})
    for member in await work.session.scalars(select(Member).where(Member.pool_id == pool_id)):
        await work.session.delete(member)
    await work.session.flush()
    await work.session.delete(pool)


async def family_of(work: Work, pool_id: UUID) -> int | None:
    """The address family of the VIPs that use the pool; None if none does."""
    query = select(Vip.address).join(Listener, Listener.vip_id == Vip.id)
    address = await work.session.scalar(query.where(Listener.pool_id == pool_id).limit(1))
    return None if address is None else address.version


async def hold_in_order(work: Work, pool_ids: Iterable[UUID]) -> None:
    """Those of the pools that exist are ours to change. In one order for all, so that two requests that
    share pools can't wait for each other."""
    wanted = list(pool_ids)
    if not wanted:
        return
    query = visible(work.caller, Pool).where(Pool.id.in_(wanted)).order_by(Pool.id)
    await work.session.execute(query.with_for_update(key_share=True))


async def usable_by(work: Work, pool: Pool, vip: Vip, pointer: str) -> None:
    """Nothing forbids a listener of *vip* to use *pool*, which is held. Raises Invalid."""
    if pool.tenant_id != vip.tenant_id:
        raise _invalid(pointer, f"pool {pool.name} is not of the VIP's tenant")
    addresses = await work.session.scalars(select(Member.address).where(Member.pool_id == pool.id))
    for reason in _other_families(addresses, vip.address.version):
        raise _invalid(pointer, f"pool {pool.name}: {reason}")
    family = await family_of(work, pool.id)
    if family not in (None, vip.address.version):
        raise _invalid(pointer, f"pool {pool.name} serves IPv{family} VIPs: make another pool")
    await scheduler_fits(work, pool.scheduler, vip.cluster_id, pointer)


async def scheduler_fits(work: Work, scheduler: Scheduler, cluster_id: UUID, pointer: str) -> None:
    """The cluster's nodes can serve by *scheduler*, and no node joins meanwhile. Raises Invalid."""
    if scheduler.same_on_every_node:
        return
    hold = select(Cluster.id).where(Cluster.id == cluster_id).with_for_update(read=True)
    await work.session.execute(hold)
    reason = rules.unlike_nodes(scheduler, await clusters.count_nodes(work, cluster_id))
    if reason is not None:
        raise _invalid(pointer, reason)


def new_member(pool: Pool, body: wire.MemberCreate) -> Member:
    """A member of *pool* as *body* describes it."""
    return Member(
        tenant_id=pool.tenant_id,
        pool_id=pool.id,
        address=body.address,
        weight=body.weight,
        admin_state=body.admin_state,
        labels=body.labels,
    )


def member_fits(tenant: Tenant, address: Address, family: int | None, pointer: str) -> None:
    """The tenant may have a member at *address*, for VIPs of *family* if any. Raises Invalid."""
    reason = rules.outside(address, tenant.backend_prefixes)
    if reason is None and family is not None:
        reason = rules.other_family(address, family)
    if reason is not None:
        raise _invalid(pointer, reason)


def _other_families(addresses: Iterable[Address], family: int) -> Sequence[str]:
    return [reason for address in addresses if (reason := rules.other_family(address, family))]


def _invalid(pointer: str, detail: str) -> Invalid:
    return Invalid(detail, problems=[FieldProblem(pointer=pointer, detail=detail)])
