"""``lbaas ca``: an authority of one's own, for the certificates of agents and of the server."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from lbaas.errors import LbaasError
from lbaas.services.authority import Authority
from lbaas.services.new_authority import new_authority, server_certificate

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)

CaCert = Annotated[Path, typer.Option(envvar="LBAAS_CA_CERT", help="Its certificate, in PEM.")]
CaKey = Annotated[Path, typer.Option(envvar="LBAAS_CA_KEY", help="Its key, in PEM.")]


@app.command()
def init(
    ca_cert: CaCert,
    ca_key: CaKey,
    name: Annotated[str, typer.Option(help="What people call it.")] = "lbaas",
    days: Annotated[int, typer.Option(min=1, help="How long it holds.")] = 3650,
) -> None:
    """Make an authority: two new files, the key's for its owner's eyes alone."""
    certificate, key = new_authority(name, timedelta(days=days), datetime.now(UTC))
    _write(ca_key, key, 0o600)
    _write(ca_cert, certificate, 0o644)


@app.command()
def server(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="DNS names, addresses.")],
    ca_cert: CaCert,
    ca_key: CaKey,
    tls_cert: Annotated[Path, typer.Option(envvar="LBAAS_TLS_CERT", help="The new certificate.")],
    tls_key: Annotated[Path, typer.Option(envvar="LBAAS_TLS_KEY", help="Its new key.")],
    days: Annotated[int, typer.Option(min=1, help="How long it holds.")] = 90,
) -> None:
    """Make the certificate of a server that agents reach by these names: two new files."""
    lifetime = timedelta(days=days)
    authority = Authority.load(ca_cert, ca_key, lifetime)
    certificate, key = server_certificate(authority, names, lifetime, datetime.now(UTC))
    _write(tls_key, key, 0o600)
    _write(tls_cert, certificate, 0o644)


@app.command()
def pin(ca_cert: CaCert, ca_key: CaKey) -> None:
    """Print what agents that trust nobody yet know the server by, a line for each authority in the file."""
    print("\n".join(Authority.load(ca_cert, ca_key, timedelta()).pins))


def _write(path: Path, text: str, mode: int) -> None:
    """A new file; one that is there is somebody's. Raises LbaasError."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
            file.write(text)
    except OSError as error:
        raise LbaasError(f"{path}: {error.strerror}") from error
