"""What an agent shows the server, and whom it trusts: a token, or a certificate that is replaced while it runs."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import httpx

from lbaas.errors import LbaasError

# Of a file: which one, and written when, since a clock ticks seldom; None for one that is not there.
Version: TypeAlias = tuple[int, int] | None


@dataclass(frozen=True)
class Files:
    """Where the certificate of the agent whose state is in *directory* is, and whom it trusts."""

    directory: Path

    @property
    def identity(self) -> Path:
        return self.directory / "identity.pem"

    @property
    def authorities(self) -> Path:
        return self.directory / "authorities.pem"


@dataclass(frozen=True)
class Credentials:
    """A token, a certificate, or both. The files are in PEM, and may come, change and go at any time.

    *identity* is a key and its certificate, in one file so that they are replaced together. If there is a file
    *authorities*, the server's certificate must be by one of those; else by one of the system's.
    """

    token: str | None = None
    identity: Path | None = None
    authorities: Path | None = None

    @property
    def headers(self) -> dict[str, str]:
        """What every request brings."""
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}

    def stamp(self) -> tuple[Version, Version]:
        """Differs once a file does."""
        return _version(self.identity), _version(self.authorities)

    def context(self) -> ssl.SSLContext:
        """TLS as the files are now. Raises LbaasError where they can't be used."""
        while True:
            stamp = self.stamp()
            try:
                return self._context(*stamp)
            except OSError as error:  # of which ssl.SSLError is one
                # A certificate and its key are read one after the other: they may have been replaced in between.
                if stamp == self.stamp():
                    raise LbaasError(f"{self.identity} or {self.authorities}: {error}") from error

    def _context(self, identity: Version, authorities: Version) -> ssl.SSLContext:
        own = self.authorities if authorities else None
        made = httpx.create_ssl_context() if own is None else ssl.create_default_context(cafile=own)
        if self.identity is not None and identity:
            made.load_cert_chain(self.identity)
        return made


def _version(path: Path | None) -> Version:
    try:
        found = None if path is None else path.stat()
    except OSError:
        return None
    return None if found is None else (found.st_ino, found.st_mtime_ns)
