"""When Postgres is away: failing over, restarting, or too busy to answer.

Then nothing is wrong with what was asked, and it may be asked again, if it may be done twice: whether the statement was
carried out nobody can tell.
"""

from collections.abc import Iterator

import asyncpg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoneFree

# By SQLSTATE; the first two characters are a class (PostgreSQL, appendix A).
_CLASSES = frozenset(
    {
        "08",  # the connection is lost
        "53",  # no connections, memory or disk left
    }
)
_STATES = frozenset(
    {
        "25P03",  # idle for too long in a transaction: we or the machine were too busy
        "25006",  # a standby: it was the primary a moment ago, or will be in a moment
        "40001",  # serialisation
        "40P01",  # deadlock
        "55P03",  # a lock was not to be had in time
        "57014",  # the statement took too long
        "57P01",  # shutting down
        "57P02",  # crashed
        "57P03",  # starting up
        "57P05",  # idle for too long
    }
)
_AWAY = (
    OSError,  # nobody listens; time-outs, too
    asyncpg.InterfaceError,  # the connection was closed meanwhile
    # None of the hosts is the primary, for now; or asyncpg has lost count, because the server died between two
    # of its messages.
    asyncpg.InternalClientError,
    NoneFree,
)

# Whatever a call of the database may raise: who works for ever says so, and tries again.
DATABASE_ERRORS = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    SQLAlchemyError,
)


def is_outage(error: BaseException) -> bool:
    """True if *error* says that Postgres is away or busy."""
    return any(_says_so(each) for each in _causes(error))


def _says_so(error: BaseException) -> bool:
    state = getattr(error, "sqlstate", None) or ""
    return isinstance(error, _AWAY) or state in _STATES or state[:2] in _CLASSES


def _causes(error: BaseException) -> Iterator[BaseException]:
    """*error*, and what SQLAlchemy and its dialect have wrapped."""
    yield error
    if isinstance(error, DBAPIError) and error.orig is not None:
        yield error.orig
        if error.orig.__cause__ is not None:
            yield error.orig.__cause__
