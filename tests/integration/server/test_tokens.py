import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select

from lbaas.client.api import ApiClient
from lbaas.domain.terms import Role
from lbaas.persistence.database import Database
from lbaas.persistence.models import Token
from lbaas.services import tokens
from lbaas.services.work import Caller, Work

from .conftest import LiveServer, start_server


def status(server: LiveServer, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{server.url}/v1/tenants", headers=headers).status_code


def becomes(server: LiveServer, token: str, wanted: int) -> bool:
    deadline = time.monotonic() + 60
    while status(server, token) != wanted:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_a_token_is_shown_once_and_kept_as_a_hash(admin: ApiClient) -> None:
    made = admin.post("/v1/tokens", {"name": "t", "role": "admin"})

    assert made["token"].startswith(f"lbaas_{made['prefix']}_")
    assert "token" not in admin.get(f"/v1/tokens/{made['id']}")
    admin.delete(f"/v1/tokens/{made['id']}")


def test_a_revoked_token_opens_nothing_on_any_replica(
    server: LiveServer, admin: ApiClient, replica: LiveServer
) -> None:
    made = admin.post("/v1/tokens", {"name": "t", "role": "admin"})
    assert status(server, made["token"]) == status(replica, made["token"]) == 200

    admin.delete(f"/v1/tokens/{made['id']}")

    assert status(server, made["token"]) == 401
    assert becomes(replica, made["token"], 401)


@pytest.mark.anyio
async def test_a_revocation_is_heard_though_the_replica_that_made_it_dies_at_once(
    server: LiveServer, admin: ApiClient
) -> None:
    made = admin.post("/v1/tokens", {"name": "t", "role": "admin"})
    assert status(server, made["token"]) == 200

    database = Database(server.dsn)
    async with database.session() as session:
        work = Work(session, Caller("token:dead", "dead", Role.ADMIN))
        await tokens.revoke(work, UUID(made["id"]))
        await work.commit()  # and nobody is left to send what the work owes
    await database.close()

    assert becomes(server, made["token"], 401)


def test_an_expired_token_opens_nothing_though_it_was_known(
    server: LiveServer, admin: ApiClient
) -> None:
    expires = datetime.now(UTC) + timedelta(seconds=5)
    body = {"name": "t", "role": "admin", "expires_at": expires.isoformat()}
    token = admin.post("/v1/tokens", body)["token"]
    assert status(server, token) == 200

    assert becomes(server, token, 401)


def test_the_secret_must_fit_the_prefix(server: LiveServer) -> None:
    good = server.admin_token

    assert status(server, good) == 200
    assert status(server, good[:-1] + ("A" if good[-1] != "A" else "B")) == 401


def test_the_bootstrap_token_is_for_its_reader_only(server: LiveServer) -> None:
    assert (server.data_dir / "admin-token").stat().st_mode & 0o777 == 0o600


def test_a_replica_makes_no_second_bootstrap_token(replica: LiveServer) -> None:
    assert not (replica.data_dir / "admin-token").exists()


@pytest.mark.anyio
async def test_bootstrap_makes_one_token_once(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "token"

    assert await tokens.bootstrap(database, path)
    first = path.read_text()
    assert not await tokens.bootstrap(database, path)

    assert path.read_text() == first
    async with database.session() as session:
        assert await session.scalar(select(func.count()).select_from(Token)) == 1


@pytest.mark.anyio
async def test_a_tokens_last_use_is_noted_and_never_goes_back(
    database: Database, tmp_path: Path
) -> None:
    await tokens.bootstrap(database, tmp_path / "token")
    secret = (tmp_path / "token").read_text().strip()
    directory = tokens.TokenDirectory(database, lambda: True)

    async def last_use() -> datetime | None:
        async with database.session() as session:
            await directory.note_uses(session)
            await session.commit()
            return await session.scalar(select(Token.last_used_at))

    assert await last_use() is None
    await directory.caller(secret)
    first = await last_use()
    assert first is not None
    assert await last_use() == first
    await directory.caller(secret)
    directory._used = dict.fromkeys(directory._used, first - timedelta(hours=1))
    assert await last_use() == first


def test_a_hasty_token_is_answered_429_with_retry_after(
    server: LiveServer, admin: ApiClient, short_dir: Callable[[], Path]
) -> None:
    hasty = admin.post("/v1/tokens", {"name": "t", "role": "admin"})["token"]
    calm = admin.post("/v1/tokens", {"name": "t", "role": "admin"})["token"]
    limited = start_server(short_dir(), LBAAS_DATABASE_URL=server.dsn, LBAAS_RATE_LIMIT="20/hour")
    headers = {"Authorization": f"Bearer {hasty}"}
    answers = [httpx.get(f"{limited.url}/v1/vips", headers=headers) for _ in range(21)]

    assert [answer.status_code for answer in answers] == [200] * 20 + [429]
    assert answers[-1].json()["type"] == "/errors/rate-limited"
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert status(limited, calm) == 200
    assert limited.stop() == 0
