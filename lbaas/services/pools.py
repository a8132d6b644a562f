"""Pools.

Whoever changes a pool's content holds its row first (shared for members, exclusively for the pool itself and
for a listener that starts to use it). So the clusters that a change concerns are known for sure, and two
clients that edit different members of one pool do not wait for each other.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from lbaas.domain.addresses import Address
from lbaas.domain.terms import Encapsulation, Forwarding, MemberAdminState
from lbaas.errors import InUse
from lbaas.persistence.models import Listener, Member, Pool, Tenant
from lbaas.services import rules, tenants, uses
from lbaas.services.scope import Lock, change, fetch, users, visible
from lbaas.services.uses import Use
from lbaas.services.work import Work
from lbaas.wire import tenants as wire

GUE_PORT = 6080  # IANA's for gue


async def create(work: Work, body: wire.PoolCreate) -> Pool:
    """A new pool with its members, used by nothing yet."""
    tenant = await tenants.owner(work, body.tenant_id)
    return await make(work, tenant, body.name, body, pointer="", use=None)


async def make(
    work: Work,
    tenant: Tenant,
    name: str,
    body: wire.PoolSettings,
    *,
    pointer: str,
    use: Use | None,
) -> Pool:
    """The pool that *body*, found at *pointer* in the request, describes; for a listener if *use* says so."""
    pool = Pool(tenant_id=tenant.id, name=name, **settings(body))
    open_left(pool)
    where = f"{pointer}/{{}}".format
    uses.possible(pool, where)
    members = [
        (f"{pointer}/members/{index}/address", member.address)
        for index, member in enumerate(body.members)
    ]
    inside(tenant, members)
    if use is not None:
        await uses.allow(work, pool, [use], where)
        await uses.allow_members(work, pool, [use], members)
    work.session.add(pool)
    await work.session.flush()
    work.session.add_all(new_member(pool, member) for member in body.members)
    await work.session.flush()
    return pool


def settings(body: wire.PoolSettings | wire.PoolPatch) -> dict[str, Any]:
    """What *body* says of the pool itself, by column."""
    said = body.changes() if isinstance(body, wire.PoolPatch) else _all_settings(body)
    if (monitor := said.get("monitor")) is not None:
        said["monitor"] = monitor.model_dump(mode="json")
    return said


def _all_settings(body: wire.PoolSettings) -> dict[str, Any]:
    names = wire.PoolSettings.model_fields.keys() - {"members"}
    return {name: getattr(body, name) for name in names}


def open_left(pool: Pool) -> None:
    """What the pool leaves open of its tunnel has its default."""
    if pool.forwarding is Forwarding.TUNNEL and pool.encapsulation is None:
        pool.encapsulation = Encapsulation.IPIP
    if pool.encapsulation is Encapsulation.GUE and pool.gue_port is None:
        pool.gue_port = GUE_PORT


async def patch(work: Work, pool_id: UUID, body: wire.PoolPatch) -> Pool:
    """The pool is as *body* says. Raises Invalid if a listener that uses it, or its cluster, can't have it so."""
    pool = await fetch(work, Pool, pool_id, lock=Lock.CHANGE)
    with work.session.no_autoflush:
        _change(pool, settings(body))
        uses.possible(pool, "/{}".format)
        used = await uses.of_pool(work, pool_id)
        await uses.allow(work, pool, used, "/{}".format)
        if not rules.bridges(pool):
            await _members_reachable(work, pool, used, settings(body))
    await work.session.flush()
    await work.changed("pool", pool_id, {use.cluster_id for use in used})
    return pool


def _change(pool: Pool, changes: dict[str, Any]) -> None:
    """What *changes* do not name of the tunnel follows what they do name."""
    if "forwarding" in changes and changes["forwarding"] is not pool.forwarding:
        changes = {"encapsulation": None, "gue_port": None, **changes}
    if changes.get("encapsulation", Encapsulation.GUE) is not Encapsulation.GUE:
        changes = {"gue_port": None, **changes}
    change(pool, changes)
    open_left(pool)


async def _members_reachable(
    work: Work, pool: Pool, used: Sequence[Use], changes: dict[str, Any]
) -> None:
    """Those of the other family lose the way if the pool no longer bridges."""
    blamed = "/encapsulation" if "encapsulation" in changes else "/forwarding"
    addresses = await work.session.scalars(select(Member.address).where(Member.pool_id == pool.id))
    await uses.allow_members(work, pool, used, [(blamed, address) for address in addresses])


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


async def hold_in_order(work: Work, pool_ids: Iterable[UUID]) -> None:
    """Those of the pools that exist are ours to change. In one order for all, so that two requests that
    share pools can't wait for each other."""
    wanted = list(pool_ids)
    if not wanted:
        return
    query = visible(work.caller, Pool).where(Pool.id.in_(wanted)).order_by(Pool.id)
    await work.session.execute(query.with_for_update(key_share=True))


async def start_use(
    work: Work, pool: Pool, use: Use, pointer: str, but: UUID | None = None
) -> None:
    """Nothing forbids *use* of the pool, which is held, beside those it has; *but* is the user's own listener.

    Raises Invalid.
    """
    others = await uses.of_pool(work, pool.id, but)
    await uses.allow(work, pool, [*others, use], lambda _: pointer)
    addresses = await work.session.scalars(select(Member.address).where(Member.pool_id == pool.id))
    await uses.allow_members(work, pool, [use], [(pointer, address) for address in addresses])


def new_member(pool: Pool, body: wire.MemberCreate) -> Member:
    """A member of *pool* as *body* describes it."""
    return Member(
        tenant_id=pool.tenant_id,
        pool_id=pool.id,
        address=body.address,
        weight=body.weight,
        labels=body.labels,
        **drained(body.admin_state, None),
    )


def drained(state: MemberAdminState, since: datetime | None) -> dict[str, Any]:
    """The columns of a member in *state*, which, if it is drained already, has been so *since*."""
    if state is MemberAdminState.ACTIVE:
        return {"admin_state": state, "drained_at": None}
    return {"admin_state": state, "drained_at": since or datetime.now(UTC)}


def inside(tenant: Tenant, members: Iterable[tuple[str, Address]]) -> None:
    """The tenant may have *members*, each with the pointer to blame, where they are. Raises Invalid."""
    for pointer, address in members:
        if reason := rules.outside(address, tenant.backend_prefixes):
            raise uses.refusal(pointer, reason)
