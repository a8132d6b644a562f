"""Writes other than the creation of a whole VIP, one at a time by one client: how long, and what of a server's CPU.

They go through a session, which knows every case; the creation, which does not, stands beside them.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from statistics import median
from uuid import uuid4

from tests.bench.api import Site, post_full
from tests.bench.figures import Figures
from tests.bench.http import Connection
from tests.bench.processes import cpu_s
from tests.integration.server.conftest import Json, start_server

WARM_UP, TIMES = 20, 200
ANY = {"If-Match": "*"}

Write = Callable[[], Awaitable[object]]


class Tenant:
    """One client's writes, each on objects of its own making."""

    def __init__(self, connection: Connection, vips: list[Json], member: str) -> None:
        self._connection = connection
        self._vips = iter(vips)
        self._member = member
        self._numbers = count(1)

    @classmethod
    async def of(cls, connection: Connection) -> "Tenant":
        """With a VIP for each write that uses one up."""
        vips = [await post_full(connection) for _ in range(3 * (WARM_UP + TIMES))]
        members = members_of(await post_full(connection))
        [first, *_] = json.loads(await connection.ask("GET", members))["items"]
        return cls(connection, vips, f"{members}/{first['id']}")

    def writes(self) -> dict[str, Write]:
        """By the name of the figure."""
        return {
            "post_vip": lambda: post_full(self._connection),
            "post_listener": self._post_listener,
            "post_member": self._post_member,
            "patch_member": self._patch_member,
            "put_members": self._put_members,
            "delete_vip": self._delete_vip,
        }

    async def _post_listener(self) -> None:
        vip = next(self._vips)
        ports = [{"first": 443}]
        body = {"vip_id": vip["id"], "name": "tls", "protocol": "tcp", "ports": ports}
        await self._post("/v1/listeners", body | {"pool_id": pool_of(vip)})

    async def _post_member(self) -> None:
        await self._post(members_of(next(self._vips)), {"address": "10.0.20.99"})

    async def _patch_member(self) -> None:
        await self._ask("PATCH", self._member, {"weight": next(self._numbers)})

    async def _put_members(self) -> None:
        """Two stay, two come, two go."""
        first = 2 * next(self._numbers)
        members = [{"address": f"10.0.20.{(first + n) % 250 + 1}"} for n in range(4)]
        await self._ask("PUT", self._member.rpartition("/")[0], {"members": members})

    async def _delete_vip(self) -> None:
        await self._connection.ask(
            "DELETE", f"/v1/vips/{next(self._vips)['id']}?cascade=true", headers=ANY
        )

    async def _post(self, path: str, body: object) -> None:
        key = {"Idempotency-Key": uuid4().hex}
        await self._connection.ask("POST", path, json.dumps(body).encode(), key)

    async def _ask(self, method: str, path: str, body: object) -> None:
        await self._connection.ask(method, path, json.dumps(body).encode(), ANY)


def pool_of(vip: Json) -> str:
    [listener] = vip["listeners"]
    return str(listener["pool_id"])


def members_of(vip: Json) -> str:
    return f"/v1/pools/{pool_of(vip)}/members"


async def measure(site: Site, figures: Figures) -> None:
    async with site.connection() as connection:
        tenant = await Tenant.of(connection)
        for name, write in tenant.writes().items():
            for _ in range(WARM_UP):
                await write()
            used = cpu_s(site.servers[0].process.pid)
            spent = [await timed(write) for _ in range(TIMES)]
            used = cpu_s(site.servers[0].process.pid) - used
            figures.shown(f"writes.{name}_p50", median(spent) * 1e3, "ms")
            figures.shown(f"writes.{name}_cpu", used / TIMES * 1e3, "ms")


async def timed(write: Write) -> float:
    begun = time.perf_counter()
    await write()
    return time.perf_counter() - begun


def main() -> None:
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="lbaas-bench-", dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        server = start_server(Path(directory), LBAAS_RATE_LIMIT="none")
        try:
            asyncio.run(measure(Site([server]), figures))
        finally:
            server.stop()
    figures.finish()


if __name__ == "__main__":
    main()
