"""``lbaas demo``: the main job from end to end, on this machine, and nothing left of it afterwards."""

import json
import signal
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from lbaas.demo.run import run
from lbaas.lab.topology import Topology

app = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)

INTERRUPTED = 130  # what a shell makes of SIGINT


@app.command()
def demo(
    *,
    stay: Annotated[bool, typer.Option("--stay", help="Keep it all up until Ctrl-C")] = False,
    nodes: Annotated[int, typer.Option(min=2, max=20, help="LB nodes")] = 2,
    backends: Annotated[int, typer.Option(min=2, max=20, help="Backend hosts")] = 2,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was found as JSON, and the story to stderr")
    ] = False,
) -> None:
    """Start a datacentre on this machine, ask for a virtual IP, watch its packets, kill a node.

    Exits 1 at the first claim that does not hold.
    """
    console = Console(stderr=as_json, highlight=False, markup=False, emoji=False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        record = run(console, Topology(nodes=nodes, backends=backends), stay=stay)
    except KeyboardInterrupt:
        console.print("interrupted: everything was taken down")
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        typer.echo(json.dumps(record.document()))
    raise typer.Exit(0 if record.holds else 1)


def _interrupt(_: int, __: FrameType | None) -> None:
    """Once: an impatient second Ctrl-C must not stop the taking down."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
