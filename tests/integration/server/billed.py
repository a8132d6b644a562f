"""A site in the database that meters can speak of, and what they say of it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from lbaas.domain.terms import Role
from lbaas.domain.usage import Retention
from lbaas.persistence.database import Database
from lbaas.services.ledger import Ledger
from lbaas.services.work import Caller
from lbaas.wire.usage import Counted, CountedPrefix, Point, UsageAcknowledged, UsageReport

_SITE = """
WITH t AS (INSERT INTO tenant (id, name, backend_prefixes) VALUES (:tenant, :name, '{}')),
c AS (INSERT INTO cluster (id, name, as_number, mark_first, mark_last) VALUES (:cluster, :name, 65001, 1, 9)),
n AS (INSERT INTO node (id, cluster_id, name, addresses, admin_state)
    SELECT id, :cluster, 'lb' || place, '{}', 'active'
    FROM unnest(CAST(:nodes AS uuid[])) WITH ORDINALITY AS node (id, place)),
h AS (INSERT INTO backend_host (id, name, addresses) VALUES (:host, :name, ARRAY[CAST('10.0.20.1' AS inet)])),
a AS (INSERT INTO address_pool (id, cluster_id, name, prefix, reserved)
    VALUES (:addresses, :cluster, :name, '198.51.100.0/24', '{}')),
p AS (INSERT INTO pool (id, tenant_id, name, scheduler, forwarding)
    VALUES (:pool, :tenant, 'p', 'mh', 'tunnel')),
m AS (INSERT INTO member (id, tenant_id, pool_id, address, weight, admin_state)
    VALUES (:member, :tenant, :pool, '10.0.20.1', 1, 'active')),
v AS (INSERT INTO vip (id, tenant_id, cluster_id, address_pool_id, name, address)
    VALUES (:vip, :tenant, :cluster, :addresses, 'shop', '198.51.100.7'))
INSERT INTO listener (id, tenant_id, vip_id, name, protocol, ports, pool_id)
VALUES (:listener, :tenant, :vip, 'http', 'tcp', '[{"first": 80, "last": 80}]', :pool)
"""


@dataclass(frozen=True)
class Billed:
    """Ids of one tenant's VIP, with a listener, a member on a host, and the nodes that serve it."""

    database: Database
    tenant: UUID = field(default_factory=uuid4)
    cluster: UUID = field(default_factory=uuid4)
    host: UUID = field(default_factory=uuid4)
    addresses: UUID = field(default_factory=uuid4)
    pool: UUID = field(default_factory=uuid4)
    member: UUID = field(default_factory=uuid4)
    vip: UUID = field(default_factory=uuid4)
    listener: UUID = field(default_factory=uuid4)
    nodes: tuple[UUID, UUID] = field(default_factory=lambda: (uuid4(), uuid4()))

    @property
    def node(self) -> Caller:
        return self.bearer(self.nodes[0])

    def bearer(self, node: UUID) -> Caller:
        return Caller(
            bearer="token:n", name="n", role=Role.NODE, node_id=node, cluster_id=self.cluster
        )

    @property
    def at_host(self) -> Caller:
        return Caller(bearer="token:h", name="h", role=Role.HOST, host_id=self.host)

    def ingress(self, packets: int, **other: Any) -> Counted:
        given = {"vip": self.vip, "listener": self.listener, "point": Point.NODE, **other}
        return Counted(packets=packets, bytes=packets * 100, connections=1, **given)

    def egress(self, packets: int, point: Point = Point.REPLY) -> Counted:
        return Counted(point=point, vip=self.vip, packets=packets, bytes=packets * 1000)

    async def run(self, statement: str) -> Any:
        """What *statement* answers first, with the ids in their places; it is committed."""
        given = {
            name: value
            for name, value in vars(self).items()
            if f":{name}" in statement and name != "database"
        }
        async with self.database.session() as session, session.begin():
            result = await (await session.connection()).execute(text(statement), given)
            return result.scalar() if result.returns_rows else None


async def make(database: Database) -> Billed:
    """It is in the database."""
    made = Billed(database)
    given = {name: value for name, value in vars(made).items() if name != "database"}
    given |= {"name": f"x-{uuid4().hex[:8]}", "nodes": list(made.nodes)}
    async with database.session() as session, session.begin():
        await session.execute(text(_SITE), given)
    return made


async def now_s(database: Database) -> int:
    """The begin of the present minute, by the database's clock."""
    async with database.session() as session:
        found = await session.scalar(text("SELECT extract(epoch FROM now())"))
    return int(found or 0) // 60 * 60


@dataclass
class Meter:
    """Numbers reports as an agent's meter does."""

    ledger: Ledger
    caller: Caller
    begun_s: int
    id: UUID = field(default_factory=uuid4)
    sequence: int = 0

    def report(
        self, *totals: Counted, prefixes: tuple[CountedPrefix, ...] = (), **other: Any
    ) -> UsageReport:
        """The next one."""
        self.sequence += 1
        given: Mapping[str, Any] = {
            "begun_s": self.begun_s,
            "ended_s": self.begun_s + 60,
            "sequence": self.sequence,
            **other,
        }
        return UsageReport(meter=self.id, totals=totals, prefixes=prefixes, **given)

    async def send(self, *reports: UsageReport) -> UsageAcknowledged:
        """They are delivered, once more perhaps."""
        return await self.ledger.enter(self.caller, reports)

    async def count(self, *totals: Counted, **other: Any) -> UsageAcknowledged:
        """A report of *totals* is made and delivered."""
        return await self.send(self.report(*totals, **other))


@asynccontextmanager
async def meter(
    billed: Billed, caller: Caller | None = None, retention: Retention | None = None, ago_s: int = 0
) -> AsyncIterator[Meter]:
    """One whose periods began *ago_s* before the present minute."""
    begun_s = await now_s(billed.database) - ago_s
    yield Meter(Ledger(billed.database, retention), caller or billed.node, begun_s)
