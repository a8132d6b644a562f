"""``lbaas node-agent``."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from lbaas.agent.answering import answer_forever
from lbaas.agent.details import Details
from lbaas.agent.loop import Agent
from lbaas.agent.options import (
    FINDINGS_VARIABLE,
    Cycle,
    MetricsFile,
    ServerUrl,
    TokenFile,
    check_option,
)
from lbaas.agent.renewing import certificate_ends_s, renew_forever
from lbaas.agent.settings import AgentSettings
from lbaas.agent.textfile import Textfile
from lbaas.dataplane.usage.desired import USUAL_BITS
from lbaas.domain.addresses import Address
from lbaas.health.kernel import in_service
from lbaas.health.monitoring import Health
from lbaas.health.prober import Prober
from lbaas.metering.metering import PERIOD_S, Metering, MeterSettings
from lbaas.metering.options import Metered, MeterPeriod, MeterPrefix4, MeterPrefix6, bits
from lbaas.metering.sources import NodeSource
from lbaas.node_agent.announce import BirdPaths
from lbaas.node_agent.explaining import Explainer
from lbaas.node_agent.missing import missing
from lbaas.node_agent.reconcile import Node, undisturbed
from lbaas.node_agent.table_watch import TableWatch
from lbaas.node_agent.trials import node_trials
from lbaas.wire.explanation import Answer, FiveTuple
from lbaas.wire.reading import PartsReader
from lbaas.wire.report import NodeFacts

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def node_agent(
    server_url: ServerUrl,
    token_file: TokenFile = None,
    state_dir: Annotated[
        Path, typer.Option(envvar="LBAAS_STATE_DIR", help="Where the last good state is kept.")
    ] = Path("/var/lib/lbaas/node-agent"),
    bird_socket: Annotated[
        Path, typer.Option(envvar="LBAAS_BIRD_SOCKET", help="BIRD's control socket.")
    ] = Path("/run/bird/bird.ctl"),
    bird_include: Annotated[
        Path,
        typer.Option(
            envvar="LBAAS_BIRD_INCLUDE", help="The file that bird.conf includes; ours alone."
        ),
    ] = Path("/run/lbaas/bird.conf"),
    cycle_s: Cycle = 5.0,
    findings: Annotated[
        Path | None,
        typer.Option(
            envvar=FINDINGS_VARIABLE,
            help="What --check found, which keeps it there: reported with the node's facts.",
        ),
    ] = None,
    metrics_file: MetricsFile = None,
    meter: Metered = True,  # noqa: FBT002  # typer makes a flag of it
    meter_prefix4: MeterPrefix4 = USUAL_BITS[4],
    meter_prefix6: MeterPrefix6 = USUAL_BITS[6],
    meter_period_s: MeterPeriod = PERIOD_S,
    check: Annotated[bool, check_option(node_trials)] = False,  # noqa: ARG001, FBT002  # ends the command by itself
) -> None:
    """Program this load-balancer node with what the server says, until stopped.

    Stopping it leaves kernel and BIRD as they are: forwarding goes on.
    """
    undisturbed()
    lacking = missing(findings)
    health = Health(in_service, Prober())
    node = Node(BirdPaths(bird_socket, bird_include), health.view, cycle_s)
    settings = AgentSettings(server_url, token_file, state_dir, cycle_s)

    def details() -> Details:
        facts = _with(node.facts(), lacking)
        unsent = metering.unsent()
        return replace(health.details(), dropped=node.dropped, facts=facts, unsent=unsent)

    counted = MeterSettings(NodeSource(bits(meter_prefix4, meter_prefix6)), meter_period_s, meter)
    metering = Metering(counted, settings)
    read = metering.hearing(PartsReader().read)
    explainer = Explainer(state_dir, BirdPaths(bird_socket, bird_include))

    def explain(flow: FiveTuple) -> Answer:
        return explainer.explain(flow, health.details().unhealthy)

    watch = TableWatch(lambda: node.structure, node.mend)
    renewing = partial(renew_forever, settings)
    beside = (metering.run, partial(answer_forever, settings, explain), watch.run, renewing)
    told = Textfile(metrics_file, partial(certificate_ends_s, settings)).write
    agent = Agent(settings, read, node.reconcile, details, told, beside)
    node.wake_with(agent.wake)

    def changed(vips: Iterable[Address]) -> None:
        node.review(vips)
        agent.wake()

    health.start(changed)
    agent.run()


def _with(facts: NodeFacts, lacking: tuple[str, ...]) -> NodeFacts:
    return facts.model_copy(update={"missing": lacking})
