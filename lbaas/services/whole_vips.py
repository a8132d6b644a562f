"""A whole VIP in one statement: the way that most creations take.

The rows are made, and every rule is asked, by the same functions as ever, over what :mod:`premises` remembers. Where
they need to ask the database, where a rule says no, or where the statement finds that something is no longer so,
there is no answer here: the request then takes the way through a session, which knows every case and every reason.
"""

import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, NoReturn, cast

import asyncpg
from pydantic_core import to_json
from sqlalchemy import inspect
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from lbaas.domain.terms import TenantAdminState
from lbaas.errors import Refused
from lbaas.persistence import whole_vip
from lbaas.persistence.database import Database
from lbaas.persistence.extents import Span
from lbaas.persistence.models import Resource, Tenant
from lbaas.persistence.notices import Notice, Sender
from lbaas.services import quotas, settling, trail, vips
from lbaas.services.address_pools import Allocation, span
from lbaas.services.idempotency import Claim, lock_number
from lbaas.services.premises import Premises, PremisesDirectory
from lbaas.services.work import CHANGE, HOSTS, Caller, Work
from lbaas.wire import tenants as wire

# Another's write was first, or holds what we need: whoever waits in a session can tell which.
CONFLICTS = (
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
)
LARGEST_POOL = 2**64


class NotSoSimple(Exception):
    """The rows can't be made without asking the database."""


@dataclass(frozen=True)
class Made:
    """A new VIP, durable: its JSON, its version, and the revision that has it."""

    text: bytes
    version: int
    revision: int


class Gathering:
    """Stands in for a session while rows are made: keeps what is added, and knows nothing."""

    def __init__(self) -> None:
        self.rows: list[Resource] = []

    def add(self, row: Resource) -> None:
        _complete(row)
        self.rows.append(row)

    def add_all(self, rows: Iterable[Resource]) -> None:
        for row in rows:
            self.add(row)

    async def flush(self) -> None:
        """Rows are complete when they are added."""

    def __getattr__(self, name: str) -> NoReturn:
        raise NotSoSimple(name)


class Draft(Work):
    """The work of making rows that no session writes, and so no session tells of."""

    def __post_init__(self) -> None:
        """No trail."""


class WholeVips:
    """Makes VIPs for tenants, with all that a POST says of them."""

    def __init__(self, database: Database, sender: Sender) -> None:
        self._hot = database.hot
        self._sender = sender
        self._premises = PremisesDirectory(database)

    async def create(
        self, caller: Caller, request_id: str, claim: Claim | None, body: wire.VipCreate
    ) -> Made | None:
        """The VIP is made, and the answer kept for *claim*; None if nothing was done, whatever the reason."""
        premises = await self._premises.of(caller, body)
        if premises is None or not _simple(premises):
            return None
        made = Gathering()
        draft = Draft(cast("AsyncSession", made), caller, request_id=request_id)
        try:
            vip = await vips.describe(draft, premises.tenant, _any_address(premises), body)
            values = {
                **_from_premises(premises),
                **_from_claim(claim),
                **_from_rows(made.rows, draft),
                **draft.provenance.columns,
                "listeners": to_json([listener.id for listener in vip.listeners]).decode(),
            }
            row = await self._write(premises.tenant, _count(made.rows), values)
        except NotSoSimple:
            return None
        except (Refused, *CONFLICTS):
            row = None
        if row is None:
            self._premises.forget(caller, body)
            return None
        revision = row["revision"]
        self._sender.send(
            Notice(CHANGE, str(subject), revision) for subject in (vip.cluster_id, HOSTS)
        )
        return Made(row["text"].encode(), row["version"], revision)

    async def _write(
        self, tenant: Tenant, made: Mapping[str, int], values: dict[str, object]
    ) -> asyncpg.Record | None:
        limited = sorted(made.keys() & tenant.quotas.keys())
        statement = whole_vip.statement(wire.Vip, limited=bool(limited))
        if not limited:
            return await self._hot.row(statement, **values)
        turns = [quotas.turn(tenant.id, resource) for resource in limited]
        room = {
            f"{table}_room": tenant.quotas[resource] - made[resource]
            if resource in limited
            else None
            for table, resource in quotas.RESOURCES.items()
        }
        return await self._hot.row_in_turn(turns, statement, **values, **room)


def _simple(premises: Premises) -> bool:
    active = premises.tenant.admin_state is TenantAdminState.ACTIVE
    return active and premises.pool.prefix.num_addresses <= LARGEST_POOL


def _any_address(premises: Premises) -> Allocation:
    """Of the right family; which one it is, the statement says."""
    return Allocation(premises.pool, premises.pool.prefix.network_address)


def _complete(row: Resource) -> None:
    """*row* has a value for every column that is not Postgres's own to say, as if it had been written."""
    held = row.__dict__  # no session will ask what has changed in it
    for name, column in _columns(type(row)):
        if name in held:
            continue
        if column.default is not None:
            held[name] = column.default.arg(None)
        elif column.server_default is None:
            held[name] = None
        else:
            raise NotSoSimple(name)


@cache
def _columns(model: type[Resource]) -> list[tuple[str, Any]]:
    mapped = inspect(model).columns
    return [(name, mapped[name]) for name in whole_vip.columns(model)]


def _count(rows: Sequence[Resource]) -> Counter[str]:
    """How many rows of each resource that has a quota."""
    return Counter(quotas.RESOURCES[row.__tablename__] for row in rows)


def _from_premises(premises: Premises) -> dict[str, object]:
    pool = premises.pool
    return {
        "tenant": premises.tenant.id,
        "tenant_version": premises.tenant.version,
        "address_space": pool.id,
        "pool_version": pool.version,
        "address_start": _somewhere(span(pool.prefix)),
        "network": pool.prefix.network_address,
        "network_number": Decimal(int(pool.prefix.network_address)),
        "mark_space": pool.cluster_id,
        "mark_start": _somewhere(premises.marks),
    }


def _somewhere(whole: Span) -> Decimal:
    return Decimal(whole.first + secrets.randbelow(whole.last - whole.first + 1))


def _from_claim(claim: Claim | None) -> dict[str, object]:
    if claim is None:
        return dict.fromkeys(("bearer", "key", "request", "key_number"))
    return {
        "bearer": claim.bearer,
        "key": claim.key_sha256,
        "request": claim.request_sha256,
        "key_number": lock_number(claim),
    }


def _from_rows(rows: Sequence[Resource], draft: Work) -> dict[str, object]:
    """The events that tell of *rows*, and of each all that it holds, as JSON."""
    events = [{"id": uuid7(), **settling.told(trail.creation(row), draft)} for row in rows]
    return {"event_rows": to_json(events).decode()}
