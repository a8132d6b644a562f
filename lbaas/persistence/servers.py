"""The servers of Postgres that a DSN names, of which one is the primary: now this one, then another."""

import os
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

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
        said = WANTED in Parts.of(dsn).parameters or "PGTARGETSESSIONATTRS" in os.environ
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


class Parts(NamedTuple):
    """A DSN in libpq's URL form. Some versions of ``urllib`` refuse brackets among several hosts."""

    scheme: str
    hosts: str
    path: str
    query: str

    @classmethod
    def of(cls, dsn: str) -> "Parts":
        """What *dsn* says; nothing but a path if it has another form."""
        found = _URL.fullmatch(dsn)
        return cls(*found.groups()) if found else cls("", "", dsn, "")

    def __str__(self) -> str:
        return f"{self.scheme}{self.hosts}{self.path}" + (f"?{self.query}" if self.query else "")

    @property
    def parameters(self) -> dict[str, str]:
        return dict(parse_qsl(self.query))


_URL = re.compile(r"([^:/?]+://)([^/?]*)([^?]*)\??(.*)")


def each_alone(dsn: str) -> list[str]:
    """For each server that *dsn* names, in libpq's URL form, a DSN that names it alone."""
    parts = Parts.of(dsn)
    account, at, hosts = parts.hosts.rpartition("@")
    if "," in hosts:
        return [str(parts._replace(hosts=f"{account}{at}{host}")) for host in hosts.split(",")]
    query = parts.parameters
    if hosts or "," not in query.get("host", ""):
        return [dsn]
    named = query["host"].split(",")
    ports = query.get("port", "").split(",")
    if len(ports) == 1:
        ports *= len(named)
    alone = (query | {"host": host, "port": port} for host, port in zip(named, ports, strict=True))
    return [
        str(parts._replace(query=urlencode({k: v for k, v in one.items() if v}, quote_via=quote)))
        for one in alone
    ]
