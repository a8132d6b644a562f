"""The database is restored to a point in the past: agents keep what they hold until an operator's word."""

import asyncio
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from lbaas.client.agent import AgentClient, Fetched
from lbaas.client.api import ApiClient, ApiProblem
from lbaas.errors import BadState, OtherPast
from lbaas.persistence import migrate, own_postgres
from lbaas.persistence.database import Database

from .conftest import Json, LiveServer, Site, cluster_state, dsn, listener, make_site, start_server
from .test_failover import Instance
from .test_replica import copy

pytestmark = pytest.mark.anyio

PATIENCE_S = 60
RESTORE_POINT = "before the mistake"


async def archive(primary: Instance, log: Path) -> None:
    """From here on *primary* keeps its log in the directory *log*, for whoever restores it."""
    own_postgres._account().own(log)
    await primary.ask("ALTER SYSTEM SET archive_mode = on")
    await primary.ask(f"ALTER SYSTEM SET archive_command = 'cp %p {log}/%f'")
    await primary.stop()
    await primary.start()


async def restore(primary: Instance, backup: Path, log: Path) -> None:
    """*primary* is what it was at the restore point."""
    last = await primary.ask("SELECT pg_walfile_name(pg_switch_wal())")
    kept = "SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver"
    async with asyncio.timeout(PATIENCE_S):
        while str(await primary.ask(kept)) < str(last):  # noqa: ASYNC110 - patience
            await asyncio.sleep(0.05)
    await primary.stop()
    await asyncio.to_thread(_replace, primary.data_dir / "postgres", backup / "postgres", log)
    await primary.start()
    async with asyncio.timeout(PATIENCE_S):
        while await primary.ask("SELECT pg_is_in_recovery()"):  # noqa: ASYNC110 - patience
            await asyncio.sleep(0.05)


def _replace(there: Path, backup: Path, log: Path) -> None:
    shutil.rmtree(there)
    backup.rename(there)
    (there / "standby.signal").unlink()
    settings = {
        "restore_command": f"cp {log}/%f %p",
        "recovery_target_name": RESTORE_POINT,
        "recovery_target_action": "promote",
        "primary_conninfo": "",
        "archive_mode": "off",
    }
    with (there / "postgresql.auto.conf").open("a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
    (there / "recovery.signal").touch()


def make_vip(site: Site, name: str) -> Json:
    body = {"name": name, "tenant_id": site.tenant["id"], "address_pool_id": site.v6["id"]}
    return site.admin.post("/v1/vips", {**body, "listeners": [listener("http", 80, "fd00:20::1")]})


def ask(server: LiveServer, token: str, held: Fetched | None, *, disk: bool = False) -> Fetched:
    """What an agent gets that holds *held*, in memory or on *disk*; asked as an agent asks."""
    with closing(AgentClient(server.url, token)) as client:
        try:
            answer = client.fetch(None, past=held) if disk else client.fetch(held)
        except OtherPast:
            raise
        except BadState:  # a delta from a revision that is another by now
            answer = client.fetch(held, whole=True)
    assert answer is not None
    return answer


def addresses(fetched: Fetched) -> set[str]:
    return {str(vip) for vip in cluster_state(fetched).vips}


async def until_ready(server: LiveServer) -> None:
    """The server has found its database again, and has let go of what it knew before."""
    async with asyncio.timeout(PATIENCE_S), httpx.AsyncClient() as http:
        while not (await http.get(f"{server.url}/readyz")).is_success:  # noqa: ASYNC110 - patience
            await asyncio.sleep(0.05)


async def test_agents_obey_a_restored_database_only_at_an_operators_word(
    short_dir: Callable[[], Path],
) -> None:
    primary, log, backup = Instance(short_dir()), short_dir(), short_dir()
    await primary.start()
    database = Database(dsn(primary.data_dir))
    await migrate.to_head(database)
    await database.close()
    await archive(primary, log)
    url = dsn(primary.data_dir)
    lasting = await asyncio.to_thread(lambda: start_server(short_dir(), LBAAS_DATABASE_URL=url))
    servers = [lasting]
    try:
        with ApiClient(lasting.url, lasting.admin_token) as admin:
            site = await asyncio.to_thread(make_site, lasting, admin)
            bearer = {"node_id": site.nodes[0]["id"], "name": "t", "role": "node"}
            token = admin.post("/v1/tokens", bearer)["token"]
            kept = make_vip(site, "kept")["address"]
            await asyncio.to_thread(copy, primary.data_dir, backup)
            await primary.ask(f"SELECT pg_create_restore_point('{RESTORE_POINT}')")
            lost = make_vip(site, "lost")
            held = await asyncio.to_thread(ask, lasting, token, None)
            assert addresses(held) == {kept, lost["address"]}

            await restore(primary, backup, log)
            new = await asyncio.to_thread(lambda: start_server(short_dir(), LBAAS_DATABASE_URL=url))
            servers.append(new)
            await until_ready(lasting)
            for server in servers:
                with pytest.raises(OtherPast):
                    await asyncio.to_thread(ask, server, token, held)

            # Time goes on, and revisions pass the one that was lost.
            made: set[str] = set()
            while (
                newest := await asyncio.to_thread(ask, new, token, None)
            ).revision <= held.revision:
                made.add(make_vip(site, f"later-{len(made)}")["address"])
            for server in servers:
                for disk in (False, True):
                    with pytest.raises(OtherPast):
                        await asyncio.to_thread(ask, server, token, held, disk=disk)

            present = admin.get("/v1/epoch")["id"]
            renewed = admin.post("/v1/epoch/renew", {"present": present})
            with pytest.raises(ApiProblem):
                admin.post("/v1/epoch/renew", {"present": present})
            (event,) = admin.events(kind="epoch")
            taken = await asyncio.to_thread(ask, lasting, token, held)
    finally:
        for server in servers:
            assert await asyncio.to_thread(server.stop) == 0
        await primary.stop()

    assert renewed["id"] != present
    assert (event.before, event.after) == ({"id": present}, {"id": renewed["id"]})
    assert addresses(taken) == addresses(newest) == {kept} | made
    # By its id: its address may have become another's.
    assert f"vip/{lost['id']}" in held.entries.values
    assert f"vip/{lost['id']}" not in taken.entries.values
