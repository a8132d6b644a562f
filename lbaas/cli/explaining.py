"""``lbaas explain``: why a client's packets get there, or where they don't."""

import typer

from lbaas.agent.explain_command import EXIT_CODES
from lbaas.cli import references, render
from lbaas.cli.session import Given, add, argument, option, session
from lbaas.client.kinds import VIPS
from lbaas.explain.shown import lines, summary
from lbaas.explain.spoken import flow_of

CLIENT = argument("client", "CLIENT[:PORT]", "Who asks; with the port, for the one member.")
SERVICE = argument("service", "VIP:PORT[/PROTOCOL]", "What he asks; tcp if not said.")
WAIT = option(
    "timeout", float, "Wait so long for each machine to look, in seconds.", "--timeout", default=5.0
)


def add_to(app: typer.Typer) -> None:
    """The command."""
    text = "Say hop by hop what becomes of a client's packets. Exits 1 where they break, 3 where nobody could look."
    add(app, "explain", explain, text, CLIENT, SERVICE, WAIT)


def explain(given: Given) -> None:
    """What should be beside what is, at every hop, and what to do."""
    flow = flow_of(given["client"], given["service"])
    with session(given) as now:
        vip = references.find(references.collection(now.api, VIPS), str(flow.vip))
        found = now.api.explain(vip, flow, given["timeout"])
        if now.for_people:
            now.print("\n".join([str(flow), *lines(found.hops), summary(found.hops)]))
        else:
            now.print(render.object_text(found, now.output))
        raise typer.Exit(EXIT_CODES[found.verdict])
