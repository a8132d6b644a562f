"""``lbaas node-agent``."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from lbaas.agent import answering
from lbaas.agent.details import Details
from lbaas.agent.loop import Agent, AgentSettings
from lbaas.agent.options import (
    FINDINGS_VARIABLE,
    Cycle,
    MetricsFile,
    ServerUrl,
    TokenFile,
    check_option,
)
from lbaas.agent.textfile import Textfile
from lbaas.domain.addresses import Address
from lbaas.health.kernel import in_service
from lbaas.health.monitoring import Health
from lbaas.health.prober import Prober
from lbaas.node_agent.announce import BirdPaths
from lbaas.node_agent.explaining import Explainer
from lbaas.node_agent.missing import Missing
from lbaas.node_agent.reconcile import Node, undisturbed
from lbaas.node_agent.trials import node_trials
from lbaas.wire.reading import PartsReader
from lbaas.wire.report import NodeFacts

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def node_agent(
    server_url: ServerUrl,
    token_file: TokenFile,
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
            help="What --check found, for an agent without the right to try: it keeps it there.",
        ),
    ] = None,
    metrics_file: MetricsFile = None,
    check: Annotated[bool, check_option(node_trials)] = False,  # noqa: ARG001, FBT002  # ends the command by itself
) -> None:
    """Program this load-balancer node with what the server says, until stopped.

    Stopping it leaves kernel and BIRD as they are: forwarding goes on.
    """
    undisturbed()
    missing = Missing(tuple(node_trials()), findings)
    health = Health(in_service, Prober())
    node = Node(BirdPaths(bird_socket, bird_include), health.view, cycle_s)
    settings = AgentSettings(server_url, token_file, state_dir, cycle_s)

    def details() -> Details:
        return replace(health.details(), dropped=node.dropped, facts=_with(node.facts(), missing))

    told = Textfile(metrics_file).write
    agent = Agent(settings, PartsReader().read, node.reconcile, details, told)
    node.wake_with(agent.wake)

    def changed(vips: Iterable[Address]) -> None:
        node.review(vips)
        agent.wake()

    health.start(changed)
    explainer = Explainer(state_dir, BirdPaths(bird_socket, bird_include))
    answering.start(settings, lambda flow: explainer.explain(flow, health.details().unhealthy))
    agent.run()


def _with(facts: NodeFacts, missing: Missing) -> NodeFacts:
    return facts.model_copy(update={"missing": missing.sentences()})
