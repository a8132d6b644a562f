"""The servers of Postgres that a DSN names, of which one is the primary: now this one, then another."""

import os
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from lbaas.persistence.outages import DATABASE_ERRORS

# A server whose machine is gone answers nothing at all, and the next one must be asked.
PATIENCE_S = 3.0

WANTED = "target_session_attrs"


class Servers:
    """Connects to the first server that is as *wanted*, unless the DSN itself says what is wanted.

    asyncpg's own way through several hosts gives all of them one time to answer in, which a host that is silent
    uses up.
    """

    def __init__(self, dsn: str, wanted: str) -> None:
        self._alone = each_alone(dsn)
        said = (
            WANTED in dict(parse_qsl(urlsplit(dsn).query)) or "PGTARGETSESSIONATTRS" in os.environ
        )
        self._wanted = None if said else SessionAttribute(wanted)

    async def connect(self, settings: Mapping[str, str], patience_s: float) -> asyncpg.Connection:
        """A new connection with *settings*. Raises one of DATABASE_ERRORS if no server is as wanted.

        A server may take *patience_s* if it is the only one, else no more than PATIENCE_S.
        """
        if len(self._alone) > 1:
            patience_s = min(patience_s, PATIENCE_S)
        last: Exception | None = None
        for dsn in tuple(self._alone):
            try:
                connection: asyncpg.Connection = await asyncpg.connect(
                    dsn,
                    server_settings=dict(settings),
                    timeout=patience_s,
                    target_session_attrs=self._wanted,
                )
            except DATABASE_ERRORS as error:
                last = error
            else:
                self._prefer(dsn)
                return connection
        raise last or asyncpg.InterfaceError("the DSN names no server")

    def _prefer(self, dsn: str) -> None:
        """The next connection is tried there first."""
        if self._alone[0] != dsn:
            self._alone = [dsn, *(other for other in self._alone if other != dsn)]


def each_alone(dsn: str) -> list[str]:
    """For each server that *dsn* names, in libpq's URL form, a DSN that names it alone."""
    parts = urlsplit(dsn)
    account, at, hosts = parts.netloc.rpartition("@")
    if "," in hosts:
        return [parts._replace(netloc=f"{account}{at}{host}").geturl() for host in hosts.split(",")]
    query = dict(parse_qsl(parts.query))
    if hosts or "," not in query.get("host", ""):
        return [dsn]
    named = query["host"].split(",")
    ports = query.get("port", "").split(",")
    if len(ports) == 1:
        ports *= len(named)
    alone = (query | {"host": host, "port": port} for host, port in zip(named, ports, strict=True))
    return [
        parts._replace(
            query=urlencode({k: v for k, v in one.items() if v}, quote_via=quote)
        ).geturl()
        for one in alone
    ]
