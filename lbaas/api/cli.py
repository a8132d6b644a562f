"""``lbaas server``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lbaas.api import serve
from lbaas.config import ServerSettings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def server(
    database_url: Annotated[
        str | None,
        typer.Option(help="postgresql://…; without it the server runs a Postgres of its own."),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where its own Postgres and the first admin token are.")
    ] = None,
) -> None:
    """Serve the API until stopped.

    Every setting is also LBAAS_<NAME> in the environment; an option wins.
    """
    given: dict[str, Any] = {
        "database_url": database_url,
        "host": host,
        "port": port,
        "data_dir": data_dir,
    }
    serve.run(ServerSettings(**{name: value for name, value in given.items() if value is not None}))
