"""What a new VIP depends on, kept in memory: its tenant, and the pool and the range that numbers come from.

It may be out of date. Who writes by it says which versions he has seen, and writes nothing if there are others.
"""

from dataclasses import dataclass
from uuid import UUID

from lbaas.errors import Refused
from lbaas.persistence.database import Database
from lbaas.persistence.extents import Span
from lbaas.persistence.models import AddressPool, Cluster, Tenant
from lbaas.services import address_pools
from lbaas.services.work import Caller, Work
from lbaas.wire import tenants as wire

CACHE_SIZE = 10_000

Key = tuple[UUID | None, UUID | None, int | None]


@dataclass(frozen=True)
class Premises:
    """Rows as they were read."""

    tenant: Tenant
    pool: AddressPool
    marks: Span


class PremisesDirectory:
    """Answers from memory what it was asked before."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[Key, Premises] = {}

    async def of(self, caller: Caller, body: wire.VipCreate) -> Premises | None:
        """Those of a VIP with any address; None if the caller's tenant can't have it just so."""
        if caller.tenant_id is None or body.tenant_id not in (None, caller.tenant_id):
            return None
        if body.address is not None:
            return None
        key = _key(caller, body)
        if key not in self._known:
            found = await self._look_up(caller, caller.tenant_id, body)
            if found is None or len(self._known) >= CACHE_SIZE:
                return found
            self._known[key] = found
        return self._known[key]

    def forget(self, caller: Caller, body: wire.VipCreate) -> None:
        """They may be no longer so: who asks next has them read again."""
        self._known.pop(_key(caller, body), None)

    async def _look_up(
        self, caller: Caller, tenant_id: UUID, body: wire.VipCreate
    ) -> Premises | None:
        async with self._database.autocommit() as session:
            try:
                [pool, *_] = await address_pools.fitting(Work(session, caller), tenant_id, body)
            except Refused:
                return None
            tenant = await session.get(Tenant, tenant_id)
            cluster = await session.get(Cluster, pool.cluster_id)
        if tenant is None or cluster is None:
            return None
        return Premises(tenant, pool, Span(cluster.mark_first, cluster.mark_last))


def _key(caller: Caller, body: wire.VipCreate) -> Key:
    return caller.tenant_id, body.address_pool_id, address_pools.wanted_family(body)
