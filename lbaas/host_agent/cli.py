"""``lbaas host-agent``."""

from pathlib import Path
from typing import Annotated

import typer

from lbaas.agent import answering
from lbaas.agent.loop import Agent, AgentSettings
from lbaas.agent.options import Cycle, MetricsFile, ServerUrl, TokenFile, check_option
from lbaas.agent.textfile import Textfile
from lbaas.host_agent.explaining import Explainer
from lbaas.host_agent.reconcile import Host
from lbaas.host_agent.trials import host_trials
from lbaas.wire.reading import Reader
from lbaas.wire.state import HostState

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def host_agent(
    server_url: ServerUrl,
    token_file: TokenFile,
    state_dir: Annotated[
        Path, typer.Option(envvar="LBAAS_STATE_DIR", help="Where the last good state is kept.")
    ] = Path("/var/lib/lbaas/host-agent"),
    cycle_s: Cycle = 5.0,
    metrics_file: MetricsFile = None,
    check: Annotated[bool, check_option(host_trials)] = False,  # noqa: ARG001, FBT002  # ends the command by itself
) -> None:
    """Prepare this backend host to answer as its VIPs, until stopped.

    Stopping it leaves the kernel as it is: the host goes on answering.
    """
    settings = AgentSettings(server_url, token_file, state_dir, cycle_s)
    answering.start(settings, Explainer(state_dir).explain)
    told = Textfile(metrics_file).write
    Agent(settings, Reader(HostState).read, Host().reconcile, told=told).run()
