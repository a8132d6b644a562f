"""``lbaas node-agent explain``."""

from pathlib import Path
from typing import Annotated

import typer

from lbaas.agent.explain_command import AsJson, Client, Service, explain_and_end
from lbaas.node_agent.announce import BirdPaths
from lbaas.node_agent.explaining import Explainer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def explain(
    client: Client,
    service: Service,
    state_dir: Annotated[
        Path, typer.Option(envvar="LBAAS_STATE_DIR", help="Where the last good state is kept.")
    ] = Path("/var/lib/lbaas/node-agent"),
    bird_socket: Annotated[
        Path, typer.Option(envvar="LBAAS_BIRD_SOCKET", help="BIRD's control socket.")
    ] = Path("/run/bird/bird.ctl"),
    bird_include: Annotated[
        Path, typer.Option(envvar="LBAAS_BIRD_INCLUDE", help="The file that bird.conf includes.")
    ] = Path("/run/lbaas/bird.conf"),
    as_json: AsJson = False,  # noqa: FBT002  # typer's way of a switch
) -> None:
    """Say what becomes of a client's packets at this node: what should be beside what is.

    Looks at the state on disk, the kernel and BIRD; changes nothing, and needs no server.
    """
    explainer = Explainer(state_dir, BirdPaths(bird_socket, bird_include))
    explain_and_end(client, service, explainer.explain, as_json=as_json)
