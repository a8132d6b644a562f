"""The VIPs that a cluster serves, with all that hangs on them, as the compiler's records."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Select,
    SQLColumnExpression,
    Subquery,
    Text,
    Uuid,
    any_,
    bindparam,
    cast,
    func,
    select,
    true,
    union,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, array
from sqlalchemy.sql.selectable import LateralFromClause

from lbaas.compiler.snapshot import ListenerRow, MemberRow, PoolRow, VipRow
from lbaas.domain.terms import ALL_PORTS, TenantAdminState
from lbaas.persistence.models import AddressPool, Listener, Mark, Member, Pool, Tenant, Vip
from lbaas.persistence.prepared import Prepared

# The VIPs of a listener, found by their key.
SERVES = Vip.id == any_(array([Listener.vip_id, Listener.dual_vip_id]))


def served() -> ColumnElement[bool]:
    """The VIP's tenant is not suspended: what is, is kept, and neither announced nor served."""
    suspended = select(Tenant.id).where(Tenant.admin_state == TenantAdminState.SUSPENDED)
    return Vip.tenant_id.not_in(suspended)


async def vips_of_cluster(driver: asyncpg.Connection, cluster: UUID) -> Sequence[UUID]:
    """The ids of all VIPs of the cluster, those that are not served included."""
    return [vip for (vip,) in await _VIP_IDS.rows(driver, cluster=cluster)]


async def load_vips(
    driver: asyncpg.Connection,
    cluster: UUID,
    vips: Collection[UUID],
    pools: Collection[UUID] = (),
) -> tuple[VipRow, ...]:
    """Of the cluster's VIPs *vips* and those that use one of *pools*, with all that hangs on them."""
    found: dict[UUID, tuple[str, str]] = {}
    listeners: dict[UUID, list[ListenerRow]] = defaultdict(list)
    given = {"cluster": cluster, "vips": list(vips), "pools": list(pools)}
    for vip, address, said, mark, *listener in await _VIPS.rows(driver, **given):
        found[vip] = address, said
        if mark is not None:
            listeners[vip].append(_listener(mark, *listener))
    return tuple(_vip(vip, *row, listeners.get(vip, ())) for vip, row in found.items())


def _said(*columns: SQLColumnExpression[Any]) -> ColumnElement[str]:
    """*columns* as one text. Thousands have the same: it is sent as one value, and read once (see :func:`_heard`)."""
    return cast(func.json_build_array(*columns), Text)


# What is said, in the order of its record.
_VIP = (
    Vip.id,
    func.host(Vip.address),
    _said(
        Vip.allowed_sources,
        Vip.new_connections_per_source,
        Vip.when_no_backend,
        Vip.communities + AddressPool.communities,
    ),
)
_POOL = _said(
    Pool.monitor,
    Pool.scheduler,
    Pool.forwarding,
    Pool.encapsulation,
    Pool.gue_port,
    Pool.hash_ports,
    Pool.persistence_s,
    Pool.persistence_prefix_v4,
    Pool.persistence_prefix_v6,
    Pool.one_packet,
    Pool.drain_deadline_s,
    Pool.quorum,
    Pool.local,
)


def _vips_of_cluster() -> Select[Any]:
    """One row a listener, its pool's members as a column of each field; one for a VIP that has none.

    One query, because each costs more than what it finds; columns, because rows would cost ten times as much.
    """
    members = _members()
    listener = _attached()
    return (
        select(
            *_VIP,
            Mark.mark,
            _said(
                listener.c.ports,
                listener.c.all_ports,
                listener.c.protocol,
                listener.c.allowed_sources,
                listener.c.dual,
            ),
            _POOL,
            cast(listener.c.id, Text),
            *members.c,
        )
        .select_from(Vip)
        .join(AddressPool, AddressPool.id == Vip.address_pool_id)
        .outerjoin(listener, listener.c.vip_id == Vip.id)
        .outerjoin(Mark, Mark.listener_id == listener.c.id)
        .outerjoin(Pool, Pool.id == listener.c.pool_id)
        .outerjoin(members, true())
        .where(Vip.cluster_id == bindparam("cluster", type_=Uuid()), served())
    )


def _members() -> LateralFromClause:
    """In the order of MemberRow."""
    columns = (
        Member.id,
        func.host(Member.address),
        Member.weight,
        cast(func.extract("epoch", Member.drained_at), BigInteger),
        Member.node,
    )
    arrays = (func.array_agg(column).label(f"m{place}") for place, column in enumerate(columns))
    return select(*arrays).where(Member.pool_id == Pool.id).lateral()


def _attached() -> Subquery:
    """Listeners, once for each VIP that they serve. Two halves, each of which is found by an index."""
    columns = (
        Listener.id,
        Listener.protocol,
        Listener.ports,
        Listener.all_ports,
        Listener.allowed_sources,
        Listener.pool_id,
        Listener.dual_vip_id.is_not(None).label("dual"),
    )
    first = select(*columns, Listener.vip_id.label("vip_id"))
    second = select(*columns, Listener.dual_vip_id).where(Listener.dual_vip_id.is_not(None))
    return union_all(first, second).subquery()


def _chosen() -> CompoundSelect[Any]:
    vips, pools = (bindparam(name, type_=ARRAY(Uuid())) for name in ("vips", "pools"))
    using = select(func.unnest(array([Listener.vip_id, Listener.dual_vip_id])))
    return union(select(func.unnest(vips)), using.where(Listener.pool_id == any_(pools)))


_VIPS = Prepared(_vips_of_cluster().where(Vip.id.in_(_chosen())))
_VIP_IDS = Prepared(select(Vip.id).where(Vip.cluster_id == bindparam("cluster", type_=Uuid())))

# A named tuple from a tuple, without its constructor's own frame: these come by the ten thousand.
_member = partial(tuple.__new__, MemberRow)
_pool = partial(tuple.__new__, PoolRow)
_listener_row = partial(tuple.__new__, ListenerRow)
_vip_row = partial(tuple.__new__, VipRow)


def _vip(vip: UUID, address: str, said: str, listeners: Iterable[ListenerRow]) -> VipRow:
    return _vip_row((vip, address, tuple(listeners), *_heard(said)))


def _listener(mark: int, said: str, pool: str, listener: str, *members: Any) -> ListenerRow:
    """*members* are columns, as long as there are members; None where there is none."""
    ports, settings = _listener_heard(said)
    rows = () if members[0] is None else tuple(map(_member, zip(*members, strict=True)))
    return _listener_row((ports, mark, _pool((rows, *_heard(pool))), *settings, listener))


@lru_cache(maxsize=4096)
def _heard(said: str) -> tuple[Any, ...]:
    """The values of :func:`_said`, for all who have the same: nobody changes them."""
    return tuple(tuple(each) if isinstance(each, list) else each for each in json.loads(said))


@lru_cache(maxsize=4096)
def _listener_heard(said: str) -> tuple[tuple[tuple[int, int], ...], list[Any]]:
    spans, all_ports, *rest = _heard(said)
    ports = (ALL_PORTS,) if all_ports else tuple((span["first"], span["last"]) for span in spans)
    return ports, rest
