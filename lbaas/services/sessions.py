"""The portal's sessions: a cookie that stands for a token, and ends.

The cookie is 256 random bits. Postgres has its hash and the token sealed under it, so who reads the database can
neither take over a session nor read a token; who signs out takes the only key away.
"""

import base64
import hashlib
import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Select, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from lbaas.persistence.database import Database
from lbaas.persistence.models import PortalSession

LASTS = timedelta(hours=12)
IDLE_ENDS = timedelta(hours=1)
# The end of an idle session is moved when it is that much nearer than it could be: no write per page.
IDLE_STEP = timedelta(minutes=5)
NONCE_BYTES = 12


@dataclass(frozen=True)
class Sealed:
    """What is kept of a session: nothing that opens it."""

    cookie_sha256: bytes
    token: bytes


def new_cookie() -> str:
    """One that nobody has seen."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")


def seal(cookie: str, token: str) -> Sealed:
    """*token* so that only who has *cookie* can read it."""
    nonce, name = os.urandom(NONCE_BYTES), _name(cookie)
    return Sealed(name, nonce + AESGCM(_key(cookie)).encrypt(nonce, token.encode(), name))


def unseal(cookie: str, sealed: Sealed) -> str:
    """The token in *sealed*. Raises InvalidTag if *cookie* is another's."""
    nonce, body = sealed.token[:NONCE_BYTES], sealed.token[NONCE_BYTES:]
    return AESGCM(_key(cookie)).decrypt(nonce, body, sealed.cookie_sha256).decode()


async def begin(database: Database, token: str, now: datetime) -> str:
    """The cookie of a new session in which *token* is used."""
    cookie = new_cookie()
    sealed = seal(cookie, token)
    row = PortalSession(
        cookie_sha256=sealed.cookie_sha256,
        sealed_token=sealed.token,
        idle_until=now + IDLE_ENDS,
        expires_at=now + LASTS,
    )
    async with database.session() as session:
        session.add(row)
        await session.commit()
    return cookie


async def token(database: Database, cookie: str, now: datetime, *, active: bool) -> str | None:
    """The token that *cookie* stands for; None if there is no such session any more.

    An *active* visitor's session lasts on; a page that refreshes itself is none.
    """
    async with database.session() as session:
        row = await session.scalar(_lasting(cookie, now))
        if row is None:
            return None
        if active and row.idle_until < now + IDLE_ENDS - IDLE_STEP:
            await session.execute(
                update(PortalSession)
                .where(PortalSession.cookie_sha256 == row.cookie_sha256)
                .values(idle_until=now + IDLE_ENDS)
            )
            await session.commit()
        return unseal(cookie, Sealed(row.cookie_sha256, row.sealed_token))


async def replace(database: Database, cookie: str, token: str) -> None:
    """The session's token is *token* from now on; a session that has ended stays so."""
    sealed = seal(cookie, token)
    async with database.session() as session:
        await session.execute(
            update(PortalSession)
            .where(PortalSession.cookie_sha256 == sealed.cookie_sha256)
            .values(sealed_token=sealed.token)
        )
        await session.commit()


async def end(database: Database, cookie: str) -> None:
    """*cookie* opens nothing any more, on no replica."""
    async with database.session() as session:
        await session.execute(
            delete(PortalSession).where(PortalSession.cookie_sha256 == _name(cookie))
        )
        await session.commit()


async def forget_old(session: AsyncSession) -> None:
    """Sessions that have ended are gone."""
    ended = or_(PortalSession.expires_at < func.now(), PortalSession.idle_until < func.now())
    await session.execute(delete(PortalSession).where(ended))


def _lasting(cookie: str, now: datetime) -> Select[PortalSession]:
    return select(PortalSession).where(
        PortalSession.cookie_sha256 == _name(cookie),
        PortalSession.expires_at > now,
        PortalSession.idle_until > now,
    )


def _name(cookie: str) -> bytes:
    return hashlib.sha256(b"name\0" + cookie.encode()).digest()


def _key(cookie: str) -> bytes:
    return hashlib.sha256(b"seal\0" + cookie.encode()).digest()
