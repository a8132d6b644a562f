"""Addresses rest after their VIP is gone."""

import asyncio
import time
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, update

from lbaas.client.api import ApiClient, ApiProblem
from lbaas.persistence import extents, resting
from lbaas.persistence.database import Database
from lbaas.persistence.extents import Span
from lbaas.persistence.models import RestingNumber

from .conftest import Json, Site, unique

SPACE, OWNER, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)
REST = timedelta(seconds=60)


def tiny_pool(site: Site, **fields: object) -> Json:
    """Two addresses."""
    body = {"name": unique("tiny"), "cluster_id": site.cluster["id"], "prefix": "203.0.113.0/31"}
    return site.admin.post("/v1/address-pools", {**body, **fields})


def vip(client: ApiClient, pool: Json, **fields: str) -> Json:
    return client.post("/v1/vips", {"name": unique("v"), "address_pool_id": pool["id"], **fields})


def other_member(site: Site) -> ApiClient:
    tenant = site.admin.post("/v1/tenants", {"name": unique("t")})
    return site.client("member", tenant_id=tenant["id"])


def test_an_address_rests_for_others_and_its_tenant_may_ask_for_it(site: Site) -> None:
    pool, member, other = tiny_pool(site), site.member(), other_member(site)
    gone, kept = vip(member, pool), vip(member, pool)
    member.delete(f"/v1/vips/{gone['id']}")

    with pytest.raises(ApiProblem, match="1 rest") as caught:
        vip(other, pool)
    assert caught.value.problem["resting"] == 1
    with pytest.raises(ApiProblem, match="until a moment ago"):
        vip(other, pool, address=gone["address"])
    with pytest.raises(ApiProblem, match="another VIP's"):
        vip(member, pool, address=kept["address"])

    assert vip(member, pool, address=gone["address"])["address"] == gone["address"]


def test_without_quarantine_an_address_is_anybodys_at_once(site: Site) -> None:
    pool, member = tiny_pool(site, quarantine_s=0), site.member()
    gone, _kept = vip(member, pool), vip(member, pool)
    member.delete(f"/v1/vips/{gone['id']}")

    assert vip(other_member(site), pool)["address"] == gone["address"]


def test_who_asks_gets_what_has_rested_without_waiting_for_upkeep(site: Site) -> None:
    pool, member = tiny_pool(site, quarantine_s=1), site.member()
    for made in (vip(member, pool), vip(member, pool)):
        member.delete(f"/v1/vips/{made['id']}")
    with pytest.raises(ApiProblem, match="no address is free"):
        vip(member, pool)

    time.sleep(1.1)

    assert {vip(member, pool)["address"], vip(member, pool)["address"]} == {
        "203.0.113.0",
        "203.0.113.1",
    }


def test_a_pool_with_resting_addresses_can_be_deleted(site: Site) -> None:
    pool, member = tiny_pool(site), site.member()
    member.delete(f"/v1/vips/{vip(member, pool)['id']}")

    site.admin.delete(f"/v1/address-pools/{pool['id']}")


@pytest.mark.anyio
async def test_only_what_is_due_is_reaped_and_by_many_at_once_each_number_once(
    database: Database,
) -> None:
    numbers = range(600)
    async with database.session() as session:
        for number in numbers:
            await resting.lay_down(session, SPACE, number, OWNER, REST)
        await session.execute(
            update(RestingNumber).where(RestingNumber.number < 500).values(due_at=func.now())
        )
        await session.commit()

    async def reap() -> int:
        reaped = 0
        while True:
            async with database.session() as session:
                count = await resting.reap(session)
                await session.commit()
            if not count:
                return reaped
            reaped += count

    assert sum(await asyncio.gather(*(reap() for _ in range(8)))) == 500
    async with database.session() as session:
        assert await resting.count(session, SPACE) == 100
        taken = [await extents.take_any(session, SPACE, 0) for _ in range(500)]
        assert sorted(number for number in taken if number is not None) == list(range(500))
        assert await extents.take_any(session, SPACE, 0) is None


@pytest.mark.anyio
async def test_a_resting_number_is_its_owners_once(database: Database) -> None:
    async with database.session() as session:
        await extents.open_space(session, SPACE, [Span(1, 1)])
        assert await extents.take_given(session, SPACE, 1)
        await resting.lay_down(session, SPACE, 1, OWNER, REST)

        assert not await resting.take_back(session, SPACE, 1, OTHER)
        assert await resting.take_back(session, SPACE, 1, OWNER)
        assert not await resting.take_back(session, SPACE, 1, OWNER)
        assert not await extents.take_given(session, SPACE, 1)
