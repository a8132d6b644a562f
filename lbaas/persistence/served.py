"""The VIPs that a cluster serves, with all that hangs on them, as the compiler's records."""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import fields
from functools import lru_cache, partial
from itertools import chain, groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

import asyncpg
from pydantic_core import from_json
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
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by, array
from sqlalchemy.sql.selectable import LateralFromClause

from lbaas.compiler.snapshot import ListenerRow, ServiceRow, VipRow
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
) -> Iterator[VipRow]:
    """Of the cluster's VIPs *vips* and those that use one of *pools*, with all that hangs on them.

    One at a time: a thousand would leave the processor's cache before they are compiled.
    """
    given = {"cluster": cluster, "vips": list(vips), "pools": list(pools)}
    rows = await _VIPS.rows(driver, **given)
    return (_vip(head, of) for head, of in groupby(rows, _HEAD))


def _said(*columns: SQLColumnExpression[Any]) -> ColumnElement[str]:
    """*columns* as one text. Thousands have the same: it is sent as one value, and read once (see :func:`_heard`)."""
    return cast(func.json_build_array(*columns), Text)


# What is said, in the order of its record.
_VIP = (
    cast(Vip.id, Text),
    func.host(Vip.address),
    _said(
        Vip.allowed_sources,
        Vip.new_connections_per_source,
        Vip.when_no_backend,
        Vip.communities + AddressPool.communities,
    ),
)
_POOL = (
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
    """One row a listener, with its pool's members; one for a VIP that has none.

    One query, because each costs more than what it finds.
    """
    members = _members()
    listener = _attached()
    service = _said(
        listener.c.ports,
        listener.c.all_ports,
        listener.c.protocol,
        listener.c.allowed_sources,
        listener.c.dual,
        *_POOL,
    )
    return (
        select(*_VIP, cast(listener.c.id, Text), Mark.mark, service, members.c.members)
        .select_from(Vip)
        .join(AddressPool, AddressPool.id == Vip.address_pool_id)
        .outerjoin(listener, listener.c.vip_id == Vip.id)
        .outerjoin(Mark, Mark.listener_id == listener.c.id)
        .outerjoin(Pool, Pool.id == listener.c.pool_id)
        .outerjoin(members, true())
        .where(Vip.cluster_id == bindparam("cluster", type_=Uuid()), served())
    )


def _members() -> LateralFromClause:
    """As one text: a row each, or an array of each column, takes several times as long to read."""
    columns = {
        "address": func.host(Member.address),
        "drained_at": cast(func.extract("epoch", Member.drained_at), BigInteger),
        "node": Member.node,
        "weight": Member.weight,
    }
    member = func.json_build_object(*chain.from_iterable(columns.items()))
    by_age = func.json_agg(aggregate_order_by(member, Member.id))  # which is a UUIDv7
    members = cast(func.json_strip_nulls(by_age), Text).label("members")
    return select(members).where(Member.pool_id == Pool.id).lateral()


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


# Sorted, they come all at once, where rows as they are found would wake the reader for every few of them; and the
# listeners of a VIP stand together.
_VIPS = Prepared(_vips_of_cluster().where(Vip.id.in_(_chosen())).order_by(Vip.id))
_VIP_IDS = Prepared(select(Vip.id).where(Vip.cluster_id == bindparam("cluster", type_=Uuid())))

# What the rows of one VIP have alike.
_HEAD = itemgetter(*range(len(_VIP)))

# A named tuple from a tuple, without its constructor's own frame: these come by the ten thousand.
_listener_row = partial(tuple.__new__, ListenerRow)
_vip_row = partial(tuple.__new__, VipRow)


def _vip(head: tuple[str, str, str], rows: Iterable[asyncpg.Record]) -> VipRow:
    vip, address, said = head
    listeners = [_listener(*row[len(_VIP) :]) for row in rows if row["mark"] is not None]
    return _vip_row((vip, address, tuple(listeners), *_heard(said)))


def _listener(listener: str, mark: int, said: str, members: str | None) -> ListenerRow:
    rows = () if members is None else from_json(members, cache_strings="keys")
    return _listener_row((listener, mark, _service(said), rows))


def _values(said: str) -> tuple[Any, ...]:
    """Those of :func:`_said`."""
    return tuple(tuple(each) if isinstance(each, list) else each for each in json.loads(said))


# For all who say the same: nobody changes them.
_heard = lru_cache(maxsize=4096)(_values)


@lru_cache(maxsize=4096)
def _service(said: str) -> ServiceRow:
    spans, all_ports, *settings = _values(said)
    ports = (ALL_PORTS,) if all_ports else tuple((span["first"], span["last"]) for span in spans)
    return ServiceRow(**dict(zip(_SERVICE, (ports, *settings), strict=True)))


_SERVICE = [field.name for field in fields(ServiceRow)]
