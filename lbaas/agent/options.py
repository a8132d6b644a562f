"""Command-line options that both agents have."""

from pathlib import Path
from typing import Annotated

import typer

ServerUrl = Annotated[
    str, typer.Option(envvar="LBAAS_SERVER_URL", help="The API, as in https://lbaas.example:8080.")
]
TokenFile = Annotated[
    Path, typer.Option(envvar="LBAAS_TOKEN_FILE", help="A file with this agent's token.")
]
Cycle = Annotated[
    float,
    typer.Option(envvar="LBAAS_CYCLE_S", min=0.1, help="Seconds between two looks for drift."),
]
