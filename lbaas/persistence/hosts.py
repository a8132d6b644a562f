"""All that concerns backend hosts, as the compiler's records: of many at once, in three queries.

A thousand hosts that ask together, after a start of the server, would wait for three thousand.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import Select, Uuid, any_, bindparam, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from lbaas.compiler.snapshot import HostRow, WayRow
from lbaas.domain.addresses import Address
from lbaas.domain.terms import Encapsulation, Forwarding
from lbaas.persistence.models import BackendHost, Listener, Member, Node, Pool, Vip
from lbaas.persistence.prepared import Prepared
from lbaas.persistence.served import SERVES, served


async def load_hosts(driver: asyncpg.Connection, hosts: Collection[UUID]) -> dict[UUID, HostRow]:
    """Those of *hosts* that exist, by id."""
    given = list(hosts)
    ways: dict[UUID, list[Sequence[Any]]] = defaultdict(list)
    for host, *way in await _WAYS.rows(driver, hosts=given):
        ways[host].append(way)
    clusters = {cluster for of_host in ways.values() for cluster, *_ in of_host}
    nodes: dict[UUID, list[Address]] = defaultdict(list)
    for cluster, address in await _NODES.rows(driver, clusters=list(clusters)):
        nodes[cluster].append(address)
    return {
        host: _host(host, addresses, ways[host], nodes, of_pods=of_pods)
        for host, addresses, of_pods in await _HOSTS.rows(driver, hosts=given)
    }


def _host(
    host: UUID,
    addresses: Iterable[Address],
    ways: Sequence[Sequence[Any]],
    nodes: dict[UUID, list[Address]],
    *,
    of_pods: bool,
) -> HostRow:
    clusters = {cluster for cluster, *_ in ways}
    return HostRow(
        id=host,
        addresses=tuple(addresses),
        ways=tuple(_way(vip, *way) for _, vip, _, *way in ways),
        nodes=tuple(address for cluster in clusters for address in nodes[cluster]),
        depends_on=frozenset((host, *(of for way in ways for of in way[:3]))),
        of_pods=of_pods,
    )


def _way(
    vip: UUID,
    address: Address,
    forwarding: str,
    encapsulation: str | None,
    port: int | None,
    endpoint: Address,
) -> WayRow:
    wrapping = None if encapsulation is None else Encapsulation(encapsulation)
    return WayRow(address, Forwarding(forwarding), wrapping, port, vip, endpoint)


def _ways() -> Select[Any]:
    """Host, cluster, VIP and pool of each way to a member on one of the hosts, and how packets come on it."""
    own_family = func.family(Member.address) == func.family(Vip.address)
    at = (
        select(BackendHost.id, func.unnest(BackendHost.addresses).label("address"))
        .where(BackendHost.id == any_(_ids("hosts")))
        .subquery()
    )
    return (
        select(at.c.id, Vip.cluster_id, Vip.id, Pool.id, Vip.address)
        .add_columns(Pool.forwarding, Pool.encapsulation, Pool.gue_port, Member.address)
        .select_from(at)
        .join(Member, Member.address == at.c.address)
        .join(Pool, Pool.id == Member.pool_id)
        .join(Listener, Listener.pool_id == Pool.id)
        .join(Vip, SERVES)
        .where(served(), or_(Listener.dual_vip_id.is_(None), own_family))
        .distinct()
    )


def _ids(name: str) -> Any:
    return bindparam(name, type_=ARRAY(Uuid()))


_WAYS = Prepared(_ways())
_NODES = Prepared(
    select(Node.cluster_id, func.unnest(Node.addresses)).where(
        Node.cluster_id == any_(_ids("clusters"))
    )
)
_HOSTS = Prepared(
    select(BackendHost.id, BackendHost.addresses, func.cardinality(BackendHost.prefixes) > 0).where(
        BackendHost.id == any_(_ids("hosts"))
    )
)
