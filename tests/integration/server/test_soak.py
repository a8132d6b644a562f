"""Writers, tailing agents, and a rough hand: servers restarted at random, Postgres restarted once.

Each writer counts upwards in the weight of a member of its own, and knows by the answer at which revision each
weight was written. So of every state that an agent ever held it can be said whether it had missed anything.

LBAAS_SOAK_S makes it longer, LBAAS_SOAK_SEED repeats a run.
"""

import asyncio
import json
import os
import random
import signal
import socket
from bisect import bisect_right
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from lbaas.client.api import ApiClient
from lbaas.persistence.database import Database
from lbaas.persistence.own_postgres import own_postgres
from lbaas.services import books
from lbaas.services.books import Book
from lbaas.wire.body import Update, decode
from lbaas.wire.entries import Entries

from .conftest import Json, LiveServer, Site, listener, make_site, start_server, unique

pytestmark = pytest.mark.anyio

WRITERS, AGENTS, SERVERS = 32, 20, 2
SOAK_S = float(os.environ.get("LBAAS_SOAK_S", "15"))
CATCH_UP_S = 60
DOWN = (httpx.TransportError, httpx.HTTPStatusError)


@dataclass
class Fleet:
    """Server processes, each on a socket that outlives it: who connects meanwhile waits."""

    stack: AsyncExitStack
    data_dir: Path
    dsn: str
    sockets: list[socket.socket]
    servers: list[LiveServer] = field(default_factory=list)

    def start(self, index: int) -> LiveServer:
        return start_server(self.data_dir, self.sockets[index], LBAAS_DATABASE_URL=self.dsn)

    async def restart(self, index: int, number: signal.Signals) -> None:
        await asyncio.to_thread(self.servers[index].stop, number)
        self.servers[index] = await asyncio.to_thread(self.start, index)

    async def restart_postgres(self) -> None:
        await self.stack.aclose()
        self.dsn = await self.stack.enter_async_context(own_postgres(self.data_dir))


@dataclass
class Writer:
    """Counts in one member's weight; *written* are (revision, weight) of answered writes."""

    vip: str
    member: str
    weight: int = 1
    written: list[tuple[int, int]] = field(default_factory=list)
    ending: bool = False

    async def run(self, urls: list[str], token: str, dice: random.Random, site: Site) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(headers=headers, timeout=10) as http:
            while not self.ending:
                try:
                    await self._write(http, dice.choice(urls), dice, site)
                except DOWN:
                    await asyncio.sleep(0.05)

    async def _write(
        self, http: httpx.AsyncClient, url: str, dice: random.Random, site: Site
    ) -> None:
        if dice.random() < 0.1:
            made = (await http.post(f"{url}/v1/vips", json=vip_body(site))).raise_for_status()
            await http.delete(f"{url}/v1/vips/{made.json()['id']}", params={"cascade": True})
        seen = (await http.get(url + self.member)).raise_for_status()
        self.weight += 1
        # On condition: a write that we gave up may still be under way, and must not come after this one.
        condition = {"If-Match": seen.headers["ETag"]}
        change = {"weight": self.weight}
        answer = await http.patch(url + self.member, json=change, headers=condition)
        answer.raise_for_status()
        self.written.append((int(answer.headers["LBaaS-Revision"]), self.weight))


@dataclass
class Tail:
    """An agent: follows deltas, asks for the whole where the digest differs, changes servers when one fails."""

    token: str
    held: Entries = field(default_factory=lambda: Entries.of({}))
    states: list[tuple[int, dict[str, int]]] = field(default_factory=list)
    wholes: int = 0
    differing: int = 0
    _whole: bool = False

    @property
    def revision(self) -> int:
        return self.states[-1][0] if self.states else -1

    async def run(self, urls: list[str], dice: random.Random) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with httpx.AsyncClient(headers=headers, timeout=10) as http:
            url = dice.choice(urls)
            while True:
                try:
                    await self._poll(http, url)
                except DOWN:
                    url = dice.choice(urls)
                    await asyncio.sleep(dice.random() / 10)

    async def _poll(self, http: httpx.AsyncClient, url: str) -> None:
        since = {"since": self.revision, "whole": self._whole} if self.states else {}
        answer = await http.get(f"{url}/v1/agent/state", params={"timeout_s": 5, **since})
        if answer.status_code == httpx.codes.NOT_MODIFIED:
            return
        update = decode(answer.raise_for_status().content)
        before = Entries.of({}) if update.base is None else self.held
        entries = before.after(update.delta)
        self._whole = entries.digest != answer.headers["LBaaS-Digest"]
        if self._whole:
            self.differing += 1
            return
        self.wholes += update.base is None
        known = {} if update.base is None or not self.states else self.states[-1][1]
        self.states.append((update.revision, known | _weights(update)))
        self.held = entries


def _weights(update: Update) -> dict[str, int]:
    """By VIP, the weight of its backend, where it changed and there is one."""
    vips = ((key, value) for key, value in update.delta.changed.items() if key.startswith("vip/"))
    backends = ((key, json.loads(value)["listeners"][0]["backends"]) for key, value in vips)
    return {key: only["weight"] for key, [only] in filter(itemgetter(1), backends)}


def missed(writer: Writer, tail: Tail) -> int:
    """How many of the agent's states lack a weight that was written at or below their revision."""
    revisions = [revision for revision, _ in writer.written]
    key, lacking = f"vip/{writer.vip}", 0
    for revision, weights in tail.states:
        index = bisect_right(revisions, revision)
        if index and weights.get(key, 0) < writer.written[index - 1][1]:
            lacking += 1
    return lacking


def out_of_order(tail: Tail) -> int:
    """How many of the agent's states are not newer than the one before; the same again after a whole is."""
    revisions = [revision for revision, _ in tail.states]
    return sum(later < earlier for earlier, later in pairwise(revisions))


def vip_body(site: Site, *members: str) -> Json:
    return {
        "name": unique("vip"),
        "tenant_id": site.tenant["id"],
        "address_pool_id": site.v6["id"],
        "listeners": [listener("http", 80, *members)],
    }


def make_writer(site: Site, number: int) -> Writer:
    vip = site.admin.post("/v1/vips", vip_body(site, f"fd00:20::{number + 1:x}"))
    members = f"/v1/pools/{vip['listeners'][0]['pool_id']}/members"
    [member] = site.admin.get(members)["items"]
    return Writer(vip["id"], f"{members}/{member['id']}")


async def disturb(fleet: Fleet, dice: random.Random) -> None:
    """Servers stop, gently or not, and come back; in the middle Postgres does."""
    loop = asyncio.get_running_loop()
    begun, postgres = loop.time(), False
    while loop.time() < begun + SOAK_S:
        await asyncio.sleep(dice.uniform(1.5, 3))
        if not postgres and loop.time() > begun + SOAK_S / 3:
            postgres = True
            await fleet.restart_postgres()
        number = dice.choice((signal.SIGTERM, signal.SIGKILL))
        await fleet.restart(dice.randrange(SERVERS), number)


async def newest_book(dsn: str, cluster: str) -> Book:
    """The database's own word, compiled from scratch."""
    database = Database(dsn)
    try:
        async with database.snapshot() as at:
            return await books.load(at, UUID(cluster), None)
    finally:
        await database.close()


@pytest.mark.timeout(SOAK_S * 3 + 200)
async def test_nothing_is_missed_whatever_is_restarted(short_dir: Callable[[], Path]) -> None:
    seed = int(os.environ.get("LBAAS_SOAK_SEED") or random.randrange(1 << 30))
    print("seed", seed)
    dice = random.Random(seed)
    data_dir = short_dir()
    stack = AsyncExitStack()
    dsn = await stack.enter_async_context(own_postgres(data_dir))
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(SERVERS)]
    fleet = Fleet(stack, data_dir, dsn, sockets)
    urls = [f"http://127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    try:
        fleet.servers = [await asyncio.to_thread(fleet.start, n) for n in range(SERVERS)]
        server = fleet.servers[0]
        with ApiClient(server.url, server.admin_token) as admin:
            site = await asyncio.to_thread(make_site, server, admin)
            writers = [await asyncio.to_thread(make_writer, site, n) for n in range(WRITERS)]
            bearer = {"node_id": site.nodes[0]["id"], "name": "t", "role": "node"}
            tails = [Tail(admin.post("/v1/tokens", bearer)["token"]) for _ in range(AGENTS)]
        tailing = [asyncio.create_task(tail.run(urls, dice)) for tail in tails]
        writing = [
            asyncio.create_task(writer.run(urls, server.admin_token, dice, site))
            for writer in writers
        ]
        await disturb(fleet, dice)
        await all_wrote(writers)
        for writer in writers:
            writer.ending = True
        # To the last answer: a write that is cut off may be committed after we have looked.
        await asyncio.gather(*writing)
        book = await newest_book(fleet.dsn, site.cluster["id"])
        await caught_up(tails, book.revision)
        await stop(tailing)
    finally:
        for running in fleet.servers:
            await asyncio.to_thread(running.stop, signal.SIGKILL)
        for listening in sockets:
            listening.close()
        await stack.aclose()

    print(
        f"{sum(len(w.written) for w in writers)} writes, {sum(len(t.states) for t in tails)} states, "
        f"{sum(t.wholes for t in tails)} whole, {sum(t.differing for t in tails)} digests differed"
    )
    assert sum(missed(writer, tail) for writer in writers for tail in tails) == 0
    assert sum(out_of_order(tail) for tail in tails) == 0
    assert {tail.held.digest for tail in tails} == {book.entries.digest}


async def all_wrote(writers: list[Writer]) -> None:
    """On a busy machine some may have met nothing but servers that were just going."""
    async with asyncio.timeout(CATCH_UP_S):
        while not all(writer.written for writer in writers):  # noqa: ASYNC110 - the test's patience
            await asyncio.sleep(0.1)


async def caught_up(tails: list[Tail], revision: int) -> None:
    async with asyncio.timeout(CATCH_UP_S):
        while any(tail.revision < revision for tail in tails):  # noqa: ASYNC110 - the test's patience
            await asyncio.sleep(0.1)


async def stop(tasks: list[asyncio.Task[None]]) -> None:
    """The tasks are cancelled; what one of them broke off with is raised."""
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result
