"""Bearer tokens: made, shown once, found again by prefix, revoked everywhere within a second.

``lbaas_<8 characters>_<43 characters>``: the first part finds the row, the second is 256 random bits in
base64url, of which only the SHA-256 is kept. A fast hash is right here: nobody guesses 256 bits.
"""

import asyncio
import base64
import hashlib
import hmac
import os
import re
import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from lbaas.domain.terms import Role
from lbaas.errors import Unauthenticated
from lbaas.persistence.database import Database
from lbaas.persistence.models import BackendHost, Node, Tenant, Token
from lbaas.services.remembered import Remembered
from lbaas.services.scope import Lock, fetch, referred
from lbaas.services.work import ALL, Caller, Work
from lbaas.wire import operators as wire

TOKEN_START = "lbaas_"  # noqa: S105 - how a token is told from a JWT, no secret
PREFIX_LENGTH = 8
SHAPE = re.compile(r"([0-9A-Za-z]{8})_([0-9A-Za-z_-]{43})")
BOOTSTRAP_LOCK = 0x1BAA6  # any constant, the same in all replicas
_NOTE_USES = text(
    "UPDATE token SET last_used_at = greatest(last_used_at, used.at) FROM unnest("
    "CAST(:prefixes AS text[]), CAST(:times AS timestamptz[])) AS used (prefix, at) "
    "WHERE token.prefix = used.prefix"
)
NO_GOOD = "the token is unknown, expired or revoked"


@dataclass(frozen=True)
class Secret:
    """A token's text, and what is kept of it."""

    prefix: str
    secret: str
    start: str = TOKEN_START

    def __str__(self) -> str:
        return f"{self.start}{self.prefix}_{self.secret}"

    @property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.secret.encode()).digest()


def new_secret(start: str = TOKEN_START) -> Secret:
    """One that nobody has seen, of a text that begins with *start*."""
    alphabet = string.ascii_letters + string.digits
    prefix = "".join(secrets.choice(alphabet) for _ in range(PREFIX_LENGTH))
    secret = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    return Secret(prefix, secret, start)


def parse_secret(token: str, start: str = TOKEN_START) -> Secret:
    """The parts of *token*, which begins with *start*. Raises Unauthenticated."""
    match = SHAPE.fullmatch(token.removeprefix(start)) if token.startswith(start) else None
    if match is None:
        raise Unauthenticated(NO_GOOD)
    prefix, secret = match.groups()
    return Secret(prefix, secret, start)


async def create(work: Work, body: wire.TokenCreate) -> wire.NewToken:
    """A new token; the answer is the only place where it can be read."""
    await _bearer_exists(work, body)
    secret = new_secret()
    token = Token(**body.model_dump(), prefix=secret.prefix, secret_sha256=secret.sha256)
    work.session.add(token)
    await work.session.flush()
    work.shown = str(token.version)
    work.confidential = True
    shown = wire.Token.model_validate(token).model_dump()
    return wire.NewToken(**shown, token=str(secret))


async def revoke(work: Work, token_id: UUID) -> None:
    """The token opens nothing any more: here once the request is answered, elsewhere once a replica hears of it."""
    token = await fetch(work, Token, token_id, lock=Lock.CHANGE)
    await work.session.delete(token)
    await work.revoke(token.prefix)


async def bootstrap(database: Database, path: Path) -> bool:
    """An admin token exists; if there was none, one was made and *path* holds it, readable by us alone.

    True if it was made. The file is written before the commit: a crash between leaves a token in the file
    that opens nothing, and the next start writes another.
    """
    async with database.session() as session:
        await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": BOOTSTRAP_LOCK})
        if await session.scalar(select(Token.id).where(Token.role == Role.ADMIN).limit(1)):
            return False
        secret = new_secret()
        session.add(
            Token(
                name="bootstrap",
                role=Role.ADMIN,
                prefix=secret.prefix,
                secret_sha256=secret.sha256,
            )
        )
        await asyncio.to_thread(_write_private, path, f"{secret}\n")
        await session.commit()
        return True


class TokenDirectory:
    """Who bears a token. Answers from memory as long as revocations are sure to be heard (*hearing*)."""

    def __init__(self, database: Database, hearing: Callable[[], bool]) -> None:
        self._database = database
        self._known = Remembered(self._look_up, hearing)
        self._used: dict[str, datetime] = {}

    async def caller(self, token: str) -> Caller:
        """The bearer of *token*. Raises Unauthenticated."""
        secret = parse_secret(token)
        known = await self._known.get(secret.prefix)
        if known is None:
            raise Unauthenticated(NO_GOOD)
        sha256, caller = known
        if not hmac.compare_digest(sha256, secret.sha256) or caller.expired:
            raise Unauthenticated(NO_GOOD)
        self._used[secret.prefix] = datetime.now(UTC)
        return caller

    async def note_uses(self, session: AsyncSession) -> None:
        """Every token used here since the last time shows when. Late by one upkeep, never a write per request."""
        used, self._used = self._used, {}
        if used:
            prefixes = sorted(
                used
            )  # in one order for all replicas, so that none waits for another in a ring
            await session.execute(
                _NOTE_USES, {"prefixes": prefixes, "times": [used[prefix] for prefix in prefixes]}
            )

    def forget(self, prefix: str) -> None:
        """The next use of the token asks Postgres; of any token if *prefix* is ALL."""
        if prefix == ALL:
            self._known.forget_all()
        self._known.forget(prefix)

    async def _look_up(self, prefix: str) -> tuple[bytes, Caller] | None:
        async with self._database.session() as session:
            return await _find(session, prefix)


async def _find(session: AsyncSession, prefix: str) -> tuple[bytes, Caller] | None:
    query = select(Token, Node.cluster_id).outerjoin(Node, Node.id == Token.node_id)
    found = (await session.execute(query.where(Token.prefix == prefix))).one_or_none()
    if found is None:
        return None
    token, cluster_id = found
    caller = Caller(
        bearer=f"token:{token.id}",
        name=token.name,
        role=token.role,
        tenant_id=token.tenant_id,
        node_id=token.node_id,
        host_id=token.host_id,
        cluster_id=cluster_id,
        expires_at=token.expires_at,
    )
    return token.secret_sha256, caller


async def _bearer_exists(work: Work, body: wire.TokenCreate) -> None:
    if body.tenant_id is not None:
        await referred(work, Tenant, body.tenant_id, "/tenant_id")
    if body.node_id is not None:
        await referred(work, Node, body.node_id, "/node_id")
    if body.host_id is not None:
        await referred(work, BackendHost, body.host_id, "/host_id")


def _write_private(path: Path, content: str) -> None:
    """*path* holds *content*, mode 0600, wholly or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".new")
    unfinished.unlink(missing_ok=True)
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123 - pathlib can't set the mode at creation
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
