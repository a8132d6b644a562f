"""``lbaas node-agent explain`` and ``lbaas host-agent explain``: this machine's hops, without a server."""

from collections.abc import Callable
from typing import Annotated

import typer

from lbaas.domain.terms import Verdict
from lbaas.explain.hops import worst
from lbaas.explain.shown import lines, summary
from lbaas.explain.spoken import flow_of
from lbaas.wire.explanation import Answer, FiveTuple

Client = Annotated[str, typer.Argument(metavar="CLIENT[:PORT]", help="Who asks.")]
Service = Annotated[str, typer.Argument(metavar="VIP:PORT/PROTOCOL", help="What it asks.")]
AsJson = Annotated[bool, typer.Option("--json", help="The hops as JSON.")]

# What a script sees: 0 all is well, 1 something is broken or suspect, 3 something could not be looked at.
EXIT_CODES = {Verdict.OK: 0, Verdict.BROKEN: 1, Verdict.SUSPECT: 1, Verdict.UNKNOWN: 3}


def explain_and_end(
    client: str, service: str, explain: Callable[[FiveTuple], Answer], *, as_json: bool
) -> None:
    """Prints what *explain* says of the flow; the process ends with one of EXIT_CODES."""
    wanted = flow_of(client, service)
    answer = explain(wanted)
    if as_json:
        print(answer.model_dump_json(indent=2))
    else:
        print("\n".join([str(wanted), *lines(answer.hops), summary(answer.hops)]))
    raise typer.Exit(EXIT_CODES[worst(answer.hops)])
