"""``lbaas host-agent explain``."""

from pathlib import Path
from typing import Annotated

import typer

from lbaas.agent.explain_command import AsJson, Client, Service, explain_and_end
from lbaas.host_agent.explaining import Explainer
from lbaas.host_agent.places import places_of

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def explain(
    client: Client,
    service: Service,
    state_dir: Annotated[
        Path, typer.Option(envvar="LBAAS_STATE_DIR", help="Where the last good state is kept.")
    ] = Path("/var/lib/lbaas/host-agent"),
    netns: Annotated[
        Path | None, typer.Option(envvar="LBAAS_NETNS", help="As the agent's own option.")
    ] = None,
    pods: Annotated[
        Path | None, typer.Option(envvar="LBAAS_PODS", help="As the agent's own option.")
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002  # typer's way of a switch
) -> None:
    """Say what becomes of a client's packets at this backend host, and of its replies.

    Looks at the state on disk and at the kernel; changes nothing, and needs no server.
    """
    explainer = Explainer(state_dir, places_of(netns, pods))
    explain_and_end(client, service, explainer.explain, as_json=as_json)
