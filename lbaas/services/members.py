"""Members of pools, one by one and as a set.

Whoever changes one member shares the pool's row, so that two clients that change different members do not
wait for each other; whoever replaces the set holds the row alone.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, Text, cast, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import aliased

from lbaas.domain.addresses import Address
from lbaas.errors import BlindWrite, ChangedMeanwhile
from lbaas.persistence.models import Member, Pool
from lbaas.services import pools, tenants, uses
from lbaas.services.scope import Lock, change, fetch
from lbaas.services.work import Precondition, Work
from lbaas.wire import tenants as wire


async def add(work: Work, pool_id: UUID, body: wire.MemberCreate) -> Member:
    """A new member of the pool, on every node that serves it."""
    [member] = await _add(work, pool_id, [body], pointers=["/address"])
    return member


async def add_all(work: Work, pool_id: UUID, body: wire.MemberSet) -> list[Member]:
    """New members of the pool, all or none; those that it has stay."""
    return await _add(work, pool_id, body.members, _pointers(body))


async def replace(work: Work, pool_id: UUID, body: wire.MemberSet) -> list[Member]:
    """The pool's members are those of *body* and no others.

    Who stays, by address, keeps id and age: the kernel's table depends on the order, so flows stay, too.
    Raises BlindWrite without ``If-Match``, ChangedMeanwhile if the set has another tag now.
    """
    expected, work.precondition = work.precondition, None  # it is the set's, not the pool's
    pool = await fetch(work, Pool, pool_id, lock=Lock.CHANGE)
    if expected is None:
        raise BlindWrite(
            "this removes members that you may never have seen: say If-Match with the ETag of the list, or *"
        )
    present = {member.address: member for member in await _all(work, pool_id)}
    _unchanged(expected, await set_tag(work, pool_id))
    await _fit(work, pool, body.members, _pointers(body))
    await _replace(work, pool, present, body)
    await work.pool_changed(pool_id)
    work.shown = await set_tag(work, pool_id)
    return await _all(work, pool_id)


def _unchanged(expected: Precondition, tag: str) -> None:
    if expected.versions is not None and tag not in expected.versions:
        raise ChangedMeanwhile(
            f'the list\'s ETag is "{tag}" by now: read it again, then decide again',
            extra={"version": tag},
        )


async def _replace(
    work: Work, pool: Pool, present: dict[Address, Member], body: wire.MemberSet
) -> None:
    wanted = {member.address: member for member in body.members}
    for address, member in present.items():
        if address not in wanted:
            await work.session.delete(member)
    for address, asked in wanted.items():
        if address in present:
            _change(present[address], asked.model_dump(exclude={"address"}))
        else:
            work.session.add(pools.new_member(pool, asked))
    await work.session.flush()


async def set_tag(work: Work, pool_id: UUID) -> str:
    """The ETag of the pool's members as a set: another one when any is added, changed or removed."""
    return await work.session.scalar(select(tag_of_set(pool_id))) or "empty"


def tag_of_set(pool_id: UUID) -> ScalarSelect[str]:
    """As :func:`set_tag`, for a statement that reads more; null for no members."""
    member = aliased(Member)
    each = cast(member.id, Text) + ":" + cast(member.version, Text)
    whole = func.md5(func.string_agg(each, aggregate_order_by(literal(","), member.id)))
    return select(whole).where(member.pool_id == pool_id).scalar_subquery()


async def patch(work: Work, pool_id: UUID, member_id: UUID, body: wire.MemberPatch) -> Member:
    """The member is as *body* says."""
    await fetch(work, Pool, pool_id, lock=Lock.SHARE)
    member = await _fetch(work, pool_id, member_id, lock=Lock.CHANGE)
    _change(member, body.changes())
    await work.session.flush()
    await work.pool_changed(pool_id)
    return member


def _change(member: Member, changes: dict[str, Any]) -> None:
    """A member that is drained already keeps the time since when."""
    if "admin_state" in changes:
        changes = {**changes, **pools.drained(changes["admin_state"], member.drained_at)}
    change(member, changes)


async def remove(work: Work, pool_id: UUID, member_id: UUID) -> None:
    """The member is gone from every node."""
    await fetch(work, Pool, pool_id, lock=Lock.SHARE)
    await work.session.delete(await _fetch(work, pool_id, member_id, lock=Lock.CHANGE))
    await work.pool_changed(pool_id)


def members_of(pool_id: UUID) -> ColumnElement[bool]:
    """The condition of a list of the pool's members."""
    return Member.pool_id == pool_id


async def _add(
    work: Work, pool_id: UUID, bodies: Sequence[wire.MemberCreate], pointers: Sequence[str]
) -> list[Member]:
    pool = await fetch(work, Pool, pool_id, lock=Lock.SHARE)
    await _fit(work, pool, bodies, pointers)
    members = [pools.new_member(pool, body) for body in bodies]
    work.session.add_all(members)
    await work.session.flush()
    await work.pool_changed(pool_id)
    return members


async def _fit(
    work: Work, pool: Pool, bodies: Sequence[wire.MemberCreate], pointers: Sequence[str]
) -> None:
    members = [(pointer, body.address) for body, pointer in zip(bodies, pointers, strict=True)]
    pools.inside(await tenants.hold(work, pool.tenant_id), members)
    await uses.allow_members(work, pool, await uses.of_pool(work, pool.id), members)


def _pointers(body: wire.MemberSet) -> list[str]:
    return [f"/members/{index}/address" for index in range(len(body.members))]


async def _all(work: Work, pool_id: UUID) -> list[Member]:
    query = select(Member).where(members_of(pool_id)).order_by(Member.id)
    return list(await work.session.scalars(query))


async def _fetch(work: Work, pool_id: UUID, member_id: UUID, lock: Lock = Lock.NONE) -> Member:
    return await fetch(work, Member, member_id, members_of(pool_id), lock=lock)
