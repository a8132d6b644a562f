"""``lbaas host-agent explain``."""

from pathlib import Path
from typing import Annotated

import typer

from lbaas.agent.explain_command import AsJson, Client, Service, explain_and_end
from lbaas.host_agent.explaining import Explainer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def explain(
    client: Client,
    service: Service,
    state_dir: Annotated[
        Path, typer.Option(envvar="LBAAS_STATE_DIR", help="Where the last good state is kept.")
    ] = Path("/var/lib/lbaas/host-agent"),
    as_json: AsJson = False,  # noqa: FBT002  # typer's way of a switch
) -> None:
    """Say what becomes of a client's packets at this backend host, and of its replies.

    Looks at the state on disk and at the kernel; changes nothing, and needs no server.
    """
    explain_and_end(client, service, Explainer(state_dir).explain, as_json=as_json)
