"""Which of the database's errors say that it is away, and which that something is wrong."""

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoneFree

from lbaas.persistence.outages import is_outage


def wrapped(cause: Exception) -> DBAPIError:
    """As SQLAlchemy and its dialect raise it."""
    theirs = Exception("dialect")
    theirs.__cause__ = cause
    return DBAPIError("SELECT", {}, theirs)


AWAY = (
    ConnectionRefusedError(),
    TimeoutError(),
    asyncpg.InterfaceError("connection is closed"),
    asyncpg.TargetServerAttributeNotMatched("no primary"),
    asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"),
    asyncpg.ConnectionDoesNotExistError("closed in the middle of operation"),
    asyncpg.AdminShutdownError("terminating"),
    asyncpg.CannotConnectNowError("starting up"),
    asyncpg.ReadOnlySQLTransactionError("a standby"),
    asyncpg.TooManyConnectionsError("too many clients"),
    asyncpg.DeadlockDetectedError("deadlock"),
    asyncpg.QueryCanceledError("statement timeout"),
)


@pytest.mark.parametrize("error", [*AWAY, *map(wrapped, AWAY), NoneFree("no connection free")])
def test_postgres_is_away_or_busy(error: Exception) -> None:
    assert is_outage(error)


@pytest.mark.parametrize(
    "error",
    [asyncpg.UndefinedColumnError("no such column"), asyncpg.UniqueViolationError("twice")],
)
def test_a_defect_is_no_outage(error: Exception) -> None:
    assert not is_outage(error)
    assert not is_outage(wrapped(error))
