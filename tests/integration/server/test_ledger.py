"""Each report is in the ledger once, whatever the wire does; what is lost or refused is counted."""

import asyncio
import random
from datetime import timedelta
from ipaddress import ip_network
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from lbaas.domain.usage import DAY, HOUR, Retention
from lbaas.errors import Gone, Invalid
from lbaas.persistence.database import Database
from lbaas.persistence.ledger.tables import usage_meter, usage_minute
from lbaas.services.ledger import Ledger
from lbaas.services.work import Caller
from lbaas.wire.usage import Counted, CountedPrefix, Point

from . import billed
from .billed import Billed, Meter

pytestmark = pytest.mark.anyio

PACKETS = "SELECT coalesce(sum(packets), 0)::bigint FROM"


@pytest.fixture
async def shop(database: Database) -> Billed:
    return await billed.make(database)


@pytest.fixture
async def meter(shop: Billed) -> Meter:
    return Meter(Ledger(shop.database), shop.node, await billed.now_s(shop.database))


async def kept(shop: Billed, table: str = "usage_hour") -> int:
    return int(await shop.run(f"{PACKETS} {table}"))


async def noted(shop: Billed, column: str) -> int:
    async with shop.database.session() as session:
        return int(await session.scalar(select(func.sum(usage_meter.c[column]))) or 0)


async def test_a_report_that_comes_again_is_acknowledged_and_not_entered_again(
    shop: Billed, meter: Meter
) -> None:
    reports = [meter.report(shop.ingress(packets)) for packets in (1, 10, 100)]

    answers = [await meter.send(*reports) for _ in range(3)]
    late = await meter.send(reports[0])

    assert {answer.sequence for answer in [*answers, late]} == {3}
    assert await kept(shop) == await kept(shop, "usage_minute") == 111


async def test_of_a_batch_that_overlaps_what_is_entered_only_the_rest_is_entered(
    shop: Billed, meter: Meter
) -> None:
    reports = [meter.report(shop.ingress(packets)) for packets in (1, 10, 100)]
    await meter.send(*reports[:2])

    assert (await meter.send(*reports[1:])).sequence == 3
    assert await kept(shop) == 111


async def test_one_report_delivered_by_many_requests_at_once_is_entered_once(
    shop: Billed, meter: Meter
) -> None:
    report = meter.report(shop.ingress(7))

    await asyncio.gather(*(meter.send(report) for _ in range(8)))

    assert await kept(shop) == 7


async def test_agents_that_count_the_same_vips_at_once_do_not_lose_each_others_counts(
    shop: Billed, meter: Meter
) -> None:
    """Each replica has a ledger of its own; every agent reports the same keys, in an order of its own."""
    dice = random.Random(3)

    async def agent(node: UUID) -> None:
        own = Meter(Ledger(shop.database), shop.bearer(node), meter.begun_s)
        for _ in range(5):
            counts = [shop.ingress(1, listener=each) for each in (shop.listener, None)] * 3
            await own.count(*dice.sample(counts, len(counts)))

    await asyncio.gather(*(agent(node) for node in shop.nodes * 3))

    assert await kept(shop) == await kept(shop, "usage_minute") == 6 * 5 * 6


async def test_what_is_missing_between_reports_is_recorded(shop: Billed, meter: Meter) -> None:
    meter.sequence = 2
    await meter.count(shop.ingress(1))
    meter.sequence = 9
    assert (await meter.count(shop.ingress(1))).sequence == 10

    found = await shop.run(
        "SELECT string_agg(first || '-' || last, ',' ORDER BY first) FROM usage_gap"
    )
    assert found == "1-2,4-9"
    assert await noted(shop, "missing") == 8


async def test_a_new_meter_of_an_agent_begins_at_one(shop: Billed, meter: Meter) -> None:
    await meter.count(shop.ingress(1))
    await Meter(meter.ledger, shop.node, meter.begun_s).count(shop.ingress(1))

    assert await kept(shop) == 2
    assert await noted(shop, "missing") == 0


async def test_an_agent_reports_only_what_is_its_own_and_the_rest_of_its_report_counts(
    shop: Billed, meter: Meter
) -> None:
    other = await billed.make(shop.database)
    foreign = [
        other.ingress(1),  # another cluster's
        shop.ingress(1, vip=uuid4()),  # nobody's
        shop.ingress(1, listener=other.listener),  # another VIP's listener
        shop.egress(1),  # nodes see no replies
    ]
    prefix = CountedPrefix(point=Point.NODE, vip=other.vip, prefix=None, packets=1)
    await meter.count(shop.ingress(5), *foreign, prefixes=(prefix,))

    assert await kept(shop) == 5
    assert await kept(shop, "usage_prefix") == 0
    assert await noted(shop, "refused") == 5


async def test_a_host_reports_the_vips_of_members_at_its_addresses(shop: Billed) -> None:
    other = await billed.make(shop.database)
    await other.run("UPDATE member SET address = '10.0.20.2' WHERE id = :member")
    await other.run("DELETE FROM departed_way WHERE vip_id = :vip")
    async with billed.meter(shop, shop.at_host) as meter:
        await meter.count(shop.egress(3), shop.egress(2, Point.TUNNEL), other.egress(1))

    assert await kept(shop) == 5
    assert await noted(shop, "refused") == 1


@pytest.mark.parametrize("gone", [False, True])
async def test_a_machine_reports_what_its_pods_counted_that_have_gone(
    shop: Billed, gone: bool
) -> None:
    """Its agent claims their addresses no more; those that other machines may have are not its own."""
    await shop.run("UPDATE backend_host SET addresses = '{192.0.2.1}' WHERE id = :host")
    if gone:
        await shop.run("DELETE FROM member WHERE id = :member")
    async with billed.meter(shop, shop.at_host) as meter:
        await shop.run("UPDATE backend_host SET prefixes = '{10.0.21.0/24}' WHERE id = :host")
        await meter.count(shop.egress(1))
        await shop.run("UPDATE backend_host SET prefixes = '{10.0.20.0/24}' WHERE id = :host")
        await meter.count(shop.egress(3))

    assert await kept(shop) == 3
    assert await noted(shop, "refused") == 1


@pytest.mark.parametrize("first", ["listener", "member"])
async def test_what_was_deleted_before_its_last_report_came_is_billed(
    shop: Billed, meter: Meter, first: str
) -> None:
    statements = [
        "DELETE FROM listener WHERE id = :listener",
        "DELETE FROM member WHERE id = :member",
    ]
    for statement in sorted(statements, key=lambda each: first not in each):
        await shop.run(statement)
    await shop.run("DELETE FROM vip WHERE id = :vip")
    at_host = Meter(meter.ledger, shop.at_host, meter.begun_s)

    await meter.count(shop.ingress(1))
    await at_host.count(shop.egress(10))

    assert await kept(shop) == 11
    assert await shop.run("SELECT tenant_id FROM usage_hour LIMIT 1") == shop.tenant


async def test_a_listener_that_left_a_vip_is_still_counted_there(
    shop: Billed, meter: Meter
) -> None:
    await shop.run(
        "INSERT INTO vip (id, tenant_id, cluster_id, address_pool_id, name, address) "
        "VALUES (:pool, :tenant, :cluster, :addresses, 'other', '198.51.100.8')"
    )
    await shop.run("UPDATE listener SET vip_id = :pool WHERE id = :listener")

    await meter.count(shop.ingress(1), shop.ingress(10, vip=shop.pool))

    assert await kept(shop) == 11


async def test_a_deleted_nodes_report_is_refused(shop: Billed, meter: Meter) -> None:
    meter.caller = Caller(bearer="token:n", name="n", role=shop.node.role)

    with pytest.raises(Gone):
        await meter.count(shop.ingress(1))


async def test_reports_of_several_meters_or_out_of_order_are_refused(
    shop: Billed, meter: Meter
) -> None:
    other = Meter(meter.ledger, shop.node, meter.begun_s)
    first, second = meter.report(), meter.report()

    for wrong in ((first, other.report()), (second, first), (first, first)):
        with pytest.raises(Invalid):
            await meter.send(*wrong)
    assert await shop.run("SELECT count(*) FROM usage_meter") == 0


async def test_clients_are_counted_by_prefix_and_the_others_together(
    shop: Billed, meter: Meter
) -> None:
    def seen(prefix: str | None, packets: int) -> CountedPrefix:
        network = None if prefix is None else ip_network(prefix)
        return CountedPrefix(point=Point.NODE, vip=shop.vip, prefix=network, packets=packets)

    for _ in range(2):
        prefixes = (seen("192.0.2.0/24", 1), seen("2001:db8::/48", 10), seen(None, 100))
        await meter.count(prefixes=prefixes)

    found = await shop.run(
        "SELECT string_agg(coalesce(prefix::text, '-') || ' ' || packets, ',' ORDER BY packets)"
        " FROM usage_prefix"
    )
    assert found == "192.0.2.0/24 2,2001:db8::/48 20,- 200"


async def test_late_reports_are_booked_when_they_were_counted(shop: Billed, meter: Meter) -> None:
    now_s = meter.begun_s
    for ago in (timedelta(), HOUR, 25 * HOUR, 60 * DAY, 399 * DAY):
        meter.begun_s = now_s - int(ago.total_seconds())
        await meter.count(shop.ingress(1))

    assert await kept(shop) == 5
    assert await shop.run("SELECT count(DISTINCT hour) FROM usage_hour") == 5
    assert await kept(shop, "usage_minute") == 3
    assert await noted(shop, "misdated") == 0


@pytest.mark.parametrize("begun_s", [0, 1 << 40])
async def test_a_clock_that_is_wrong_loses_no_count(
    shop: Billed, meter: Meter, begun_s: int
) -> None:
    await meter.count(shop.ingress(3), begun_s=begun_s, ended_s=begun_s)

    assert await kept(shop) == 3
    assert await noted(shop, "misdated") == 1


async def test_minutes_and_hours_agree_whatever_the_history(shop: Billed) -> None:
    """Reports of random periods, sizes and agents, some again, some late: one truth in both tables."""
    dice = random.Random(7)
    now_s = await billed.now_s(shop.database)
    ledger = Ledger(shop.database)
    meters = [Meter(ledger, shop.bearer(node), now_s) for node in shop.nodes]
    counted = 0
    for _ in range(40):
        meter = dice.choice(meters)
        meter.begun_s = now_s - dice.randrange(24 * 3600)
        counts = [shop.ingress(dice.randrange(1000)) for _ in range(dice.randrange(4))]
        report = meter.report(*counts)
        for _ in range(dice.choice((1, 1, 2))):
            await meter.send(report)
        counted += sum(each.packets for each in counts)

    assert await kept(shop) == await kept(shop, "usage_minute") == counted
    assert not await shop.run(
        "SELECT count(*) FROM (SELECT hour, sum(packets) AS packets FROM usage_hour GROUP BY 1) AS h"
        " FULL JOIN (SELECT date_trunc('hour', minute, 'UTC') AS hour, sum(packets) AS packets"
        " FROM usage_minute GROUP BY 1) AS m USING (hour) WHERE h.packets IS DISTINCT FROM m.packets"
    )


async def test_what_is_old_is_dropped_by_partition_and_the_present_has_room(shop: Billed) -> None:
    long, short = Retention(), Retention(2 * HOUR, 40 * DAY, 2 * DAY)
    for ago in (timedelta(), HOUR, 6 * HOUR, 5 * DAY, 99 * DAY):
        async with billed.meter(shop, retention=long, ago_s=int(ago.total_seconds())) as meter:
            prefix = CountedPrefix(point=Point.NODE, vip=shop.vip, prefix=None, packets=1)
            await meter.count(shop.ingress(1), prefixes=(prefix,))
    assert [await kept(shop, table) for table in TABLES] == [3, 5, 5]

    async with shop.database.session() as session:
        assert await Ledger(shop.database, short).tend(session) > 0
        await session.commit()
        assert await Ledger(shop.database, short).tend(session) == 0

    minutes, hours, prefixes = [await kept(shop, table) for table in TABLES]
    assert (minutes, hours) == (2, 4)
    assert prefixes == 3


TABLES = ("usage_minute", "usage_hour", "usage_prefix")


async def test_two_replicas_may_make_and_drop_partitions_at_once(shop: Billed) -> None:
    async def tend() -> None:
        async with shop.database.session() as session:
            await Ledger(shop.database).tend(session)
            await session.commit()

    await asyncio.gather(*(tend() for _ in range(6)))
    async with billed.meter(shop) as meter:
        await meter.count(shop.ingress(1))

    assert await kept(shop) == 1


async def test_a_long_query_keeps_an_old_partition_and_nobody_waits_for_it(shop: Billed) -> None:
    short = Ledger(shop.database, Retention(2 * HOUR))
    async with billed.meter(shop, ago_s=6 * 3600) as meter:
        await meter.count(shop.ingress(1))

    async with shop.database.session() as reader, shop.database.session() as session:
        await reader.execute(select(usage_minute).limit(1))
        with pytest.raises(DBAPIError, match="lock timeout"):
            await short.tend(session)

    async with shop.database.session() as session:
        assert await short.tend(session) == 1


async def test_counts_that_can_not_be_added_up_are_no_counts() -> None:
    with pytest.raises(ValueError, match="less than or equal"):
        Counted(point=Point.NODE, vip=uuid4(), packets=1 << 60)
