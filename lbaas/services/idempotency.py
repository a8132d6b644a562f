"""One POST, one effect: the answer is kept with the work, and a repetition is given it again.

The answer is a row of the transaction that did the work: either both survive a crash, or neither. A request
that was refused has changed nothing and keeps nothing, so it may be repeated with the same key.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete, func, insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from lbaas.errors import InFlight, KeyReused
from lbaas.persistence.models import StoredAnswer
from lbaas.services.work import Caller, Work

RETENTION = timedelta(hours=24)
NONCE_BYTES = 12
_LOCK = text("SELECT pg_try_advisory_xact_lock(:number)")


@dataclass(frozen=True)
class Claim:
    """A key that is ours until the transaction ends, and the request that it stands for."""

    bearer: str
    key_sha256: bytes
    request_sha256: bytes
    seal_key: bytes


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, as it was or will be given."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def claim_for(caller: Caller, key: str, credential: str, request: bytes) -> Claim:
    """The claim of *caller* to *key* for *request*, all that makes the request what it is.

    A seal needs the credential too, which nobody keeps: a guessed key alone opens nothing.
    """
    return Claim(
        bearer=caller.idempotency_scope,
        key_sha256=hashlib.sha256(key.encode()).digest(),
        request_sha256=hashlib.sha256(request).digest(),
        seal_key=hashlib.sha256(f"seal\0{key}\0{credential}".encode()).digest(),
    )


async def take(work: Work, claim: Claim) -> Answer | None:
    """The answer that the request was given before; None if it is to be done, and the key is held.

    Raises InFlight if another request holds the key, KeyReused if it was used for another request.
    """
    if not await work.session.scalar(_LOCK, {"number": lock_number(claim)}):
        raise InFlight(
            "a request with the same Idempotency-Key is being worked on: ask again", retry_after_s=1
        )
    row = await work.session.get(StoredAnswer, (claim.bearer, claim.key_sha256))
    if row is None:
        return None
    if row.request_sha256 != claim.request_sha256:
        raise KeyReused(
            "the Idempotency-Key was used for another request: choose a new key for a new request"
        )
    return Answer(row.status, row.headers, _opened(row, claim))


async def keep(work: Work, claim: Claim, answer: Answer) -> None:
    """A repetition of the request gets *answer*, once the transaction is committed."""
    await work.session.execute(
        insert(StoredAnswer).values(
            bearer=claim.bearer,
            key_sha256=claim.key_sha256,
            request_sha256=claim.request_sha256,
            status=answer.status,
            headers=dict(answer.headers),
            body=_sealed(claim, answer.body) if work.confidential else answer.body,
            sealed=work.confidential,
        )
    )


async def forget_old(session: AsyncSession) -> None:
    """Answers older than the retention are gone."""
    old = StoredAnswer.created_at < func.now() - RETENTION
    await session.execute(delete(StoredAnswer).where(old))


def lock_number(claim: Claim) -> int:
    """64 bits for the lock on the key. Two keys that share them are in each other's way for a moment, no more."""
    digest = hashlib.sha256(claim.bearer.encode() + claim.key_sha256).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _sealed(claim: Claim, body: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(claim.seal_key).encrypt(nonce, body, claim.request_sha256)


def _opened(row: StoredAnswer, claim: Claim) -> bytes:
    if not row.sealed:
        return row.body
    nonce, body = row.body[:NONCE_BYTES], row.body[NONCE_BYTES:]
    try:
        return AESGCM(claim.seal_key).decrypt(nonce, body, claim.request_sha256)
    except InvalidTag as error:
        raise KeyReused(
            "the answer holds a secret, and only the credential it was first given to can read it again"
        ) from error
