"""TLS that ends at the server itself: its own certificate, and those that agents present."""

import asyncio
import hashlib
import ssl
from pathlib import Path
from typing import ClassVar

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lbaas.api.presented import CONNECTION, Connection, Networks, is_within
from lbaas.config import ServerSettings
from lbaas.errors import LbaasError

# Who renews the server's certificate does so days before it ends.
LOOK_EVERY_S = 2.0

log = structlog.get_logger()


class Protocol(HttpToolsProtocol):
    """HTTP whose requests know who is at the other end, which uvicorn does not tell."""

    trusted: ClassVar[Networks] = ()
    _connection: Connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        peer = None if self.client is None else self.client[0]
        self._connection = Connection(is_within(peer, self.trusted), _presented(transport))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"][CONNECTION] = self._connection


def protocol(trusted: Networks) -> type[Protocol]:
    """HTTP that takes the word of proxies in these networks for who is behind them."""
    return type("TrustingProtocol", (Protocol,), {"trusted": trusted})


def _presented(transport: asyncio.Transport) -> bytes | None:
    tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    der = None if tls is None else tls.getpeercert(binary_form=True)
    return None if der is None else hashlib.sha256(der).digest()


def context(settings: ServerSettings) -> ssl.SSLContext | None:
    """With the server's certificate, and trust in agents' ones; None if HTTP is spoken. Raises LbaasError.

    People come without a certificate, so none is demanded; one that is presented must hold.
    """
    if settings.tls_cert is None:
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.ca_cert is not None:
        made.verify_mode = ssl.CERT_OPTIONAL
    try:
        _load(made, settings)
    except OSError as error:  # of which ssl.SSLError is one
        raise LbaasError(f"TLS with {settings.tls_cert}: {error}") from error
    return made


async def keep_current(made: ssl.SSLContext, settings: ServerSettings) -> None:
    """New connections get what is in the files; never returns. Files that are garbled change nothing.

    An authority that is in the file no more is trusted until the server is started anew.
    """
    seen = _written(settings)
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        found = _written(settings)
        if found != seen:
            seen = found
            _try_to_load(made, settings)


def _try_to_load(made: ssl.SSLContext, settings: ServerSettings) -> None:
    try:
        _load(made, settings)
        log.info("read the TLS certificate anew", file=str(settings.tls_cert))
    except OSError as error:
        log.warning("the TLS certificate is not read anew", error=str(error))


def _load(made: ssl.SSLContext, settings: ServerSettings) -> None:
    if settings.tls_cert is not None:
        made.load_cert_chain(settings.tls_cert, settings.tls_key)
    if settings.ca_cert is not None:
        made.load_verify_locations(settings.ca_cert)


def _written(settings: ServerSettings) -> tuple[int, ...]:
    """When; 0 for a file that is not there at this moment."""
    files = (settings.tls_cert, settings.tls_key, settings.ca_cert)
    return tuple(_mtime_ns(each) for each in files if each is not None)


def _mtime_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
