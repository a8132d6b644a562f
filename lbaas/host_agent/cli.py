"""``lbaas host-agent``."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from lbaas.agent.answering import answer_forever
from lbaas.agent.loop import Agent, AgentSettings
from lbaas.agent.options import Cycle, MetricsFile, ServerUrl, TokenFile, check_option
from lbaas.agent.textfile import Textfile
from lbaas.dataplane.usage.desired import USUAL_BITS
from lbaas.host_agent.explaining import Explainer
from lbaas.host_agent.reconcile import Host
from lbaas.host_agent.trials import host_trials
from lbaas.metering.metering import PERIOD_S, Metering, MeterSettings
from lbaas.metering.options import Metered, MeterPeriod, MeterPrefix4, MeterPrefix6, bits
from lbaas.metering.sources import HostSource
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
    meter: Metered = True,  # noqa: FBT002  # typer makes a flag of it
    meter_prefix4: MeterPrefix4 = USUAL_BITS[4],
    meter_prefix6: MeterPrefix6 = USUAL_BITS[6],
    meter_period_s: MeterPeriod = PERIOD_S,
    check: Annotated[bool, check_option(host_trials)] = False,  # noqa: ARG001, FBT002  # ends the command by itself
) -> None:
    """Prepare this backend host to answer as its VIPs, until stopped.

    Stopping it leaves the kernel as it is: the host goes on answering.
    """
    settings = AgentSettings(server_url, token_file, state_dir, cycle_s)
    counted = MeterSettings(HostSource(bits(meter_prefix4, meter_prefix6)), meter_period_s, meter)
    metering = Metering(counted, settings)
    read = metering.hearing(Reader(HostState).read)
    answer = partial(answer_forever, settings, Explainer(state_dir).explain)
    told = Textfile(metrics_file).write
    Agent(settings, read, Host().reconcile, told=told, beside=(metering.run, answer)).run()
