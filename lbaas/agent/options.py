"""Command-line options that both agents have."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from lbaas.agent.capabilities import Trial
from lbaas.agent.check import check

FINDINGS_VARIABLE = "LBAAS_FINDINGS"

ServerUrl = Annotated[
    str, typer.Option(envvar="LBAAS_SERVER_URL", help="The API, as in https://lbaas.example:8080.")
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        envvar="LBAAS_TOKEN_FILE",
        help="A file with this agent's token. Not needed once the machine is enrolled.",
    ),
]
Cycle = Annotated[
    float,
    typer.Option(envvar="LBAAS_CYCLE_S", min=0.1, help="Seconds between two looks for drift."),
]

MetricsFile = Annotated[
    Path | None,
    typer.Option(
        envvar="LBAAS_METRICS_FILE",
        help="Where figures are written for node_exporter's textfile collector, as in …/lbaas.prom.",
    ),
]


def check_option(trials: Callable[[], Iterable[Trial]]) -> Any:
    """``--check``: tries *trials*, says what is missing, and ends; nothing else of the command runs.

    The file that FINDINGS_VARIABLE names then holds what was found.
    """

    def check_and_end(wanted: bool) -> None:  # noqa: FBT001  # typer calls it so
        if wanted:
            keep = os.environ.get(FINDINGS_VARIABLE)
            check(tuple(trials()), Path(keep) if keep else None)

    return typer.Option(
        "--check",
        is_eager=True,
        callback=check_and_end,
        help="Try what the kernel can, in a namespace apart, say what is missing, and end.",
    )
