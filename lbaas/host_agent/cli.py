"""``lbaas host-agent``, ``lbaas host-agent check``, ``lbaas host-agent print``."""

import sys
import time
from collections.abc import Callable, Collection
from contextlib import closing
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar
from uuid import UUID

import typer
from rich.console import Console
from typer.core import TyperGroup

from lbaas.agent.answering import answer_forever
from lbaas.agent.details import Details
from lbaas.agent.loop import Agent
from lbaas.agent.once import apply_once, newest
from lbaas.agent.options import Cycle, MetricsFile, ServerUrl, TokenFile, check_option
from lbaas.agent.renewing import certificate_ends_s, renew_forever
from lbaas.agent.rounds import Round
from lbaas.agent.settings import AgentSettings
from lbaas.agent.textfile import Textfile
from lbaas.client.agent import Fetched
from lbaas.dataplane.namespaces import Namespace
from lbaas.dataplane.usage.desired import USUAL_BITS
from lbaas.errors import ToolMissing
from lbaas.host_agent import files
from lbaas.host_agent.claims import Claims
from lbaas.host_agent.commands import command, whole
from lbaas.host_agent.explaining import Explainer
from lbaas.host_agent.inspection import inspect, render
from lbaas.host_agent.places import places_of
from lbaas.host_agent.pods import Pods, namespace_files, take_all_files
from lbaas.host_agent.reconcile import Host
from lbaas.host_agent.trials import host_trials
from lbaas.metering.metering import PERIOD_S, Metering, MeterSettings
from lbaas.metering.options import Metered, MeterPeriod, MeterPrefix4, MeterPrefix6, bits
from lbaas.metering.places import HERE, Place
from lbaas.metering.sources import HostSource
from lbaas.wire.reading import Reader
from lbaas.wire.state import HostState

T = TypeVar("T")

_RUN = "run"
_READ = Reader(HostState).read


class _RunByDefault(TyperGroup):
    """Without a word it runs: ``lbaas host-agent --once`` is ``lbaas host-agent run --once``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] != "--help"):
            args = [_RUN, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_RunByDefault,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Prepares this backend host, or a pod, to answer as its VIPs. Without a command: run.",
)

StateDir = Annotated[
    Path, typer.Option(envvar="LBAAS_STATE_DIR", help="Where the last good state is kept.")
]
_STATE_DIR = Path("/var/lib/lbaas/host-agent")
Netns = Annotated[
    Path | None,
    typer.Option(
        envvar="LBAAS_NETNS",
        help="Work in this network namespace, as /run/netns/NAME or /proc/PID/ns/net. "
        "The server is asked from where the agent runs.",
    ),
]


class Form(StrEnum):
    """What ``print`` writes."""

    COMMANDS = "commands"
    NETWORKD = "networkd"
    IFUPDOWN = "ifupdown"


@app.command(_RUN)
def run(
    server_url: ServerUrl,
    token_file: TokenFile = None,
    state_dir: StateDir = _STATE_DIR,
    cycle_s: Cycle = 5.0,
    metrics_file: MetricsFile = None,
    netns: Netns = None,
    *,
    meter: Metered = True,
    meter_prefix4: MeterPrefix4 = USUAL_BITS[4],
    meter_prefix6: MeterPrefix6 = USUAL_BITS[6],
    meter_period_s: MeterPeriod = PERIOD_S,
    pods: Annotated[
        Path | None,
        typer.Option(
            envvar="LBAAS_PODS",
            help="The members are pods on this machine: work in each of their network namespaces, which have "
            "files in this directory, as in /run/netns; or /proc, to find those of all processes; or the socket of "
            "the container runtime, as in /run/containerd/containerd.sock.",
        ),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Apply the present state, report it, and end.")
    ] = False,
    wait_s: Annotated[
        float, typer.Option(min=0, help="With --once: wait so long for a first VIP.")
    ] = 0.0,
    check: Annotated[bool, check_option(host_trials)] = False,  # noqa: ARG001  # ends the command by itself
) -> None:
    """Prepare this backend host to answer as its VIPs, until stopped.

    Stopping it leaves the kernel as it is: the host goes on answering.
    """
    settings = AgentSettings(server_url, token_file, state_dir, cycle_s)
    if once and pods is None:
        _once(settings, Host(_namespace(netns)), wait_s)
    source = HostSource(bits(meter_prefix4, meter_prefix6))
    places = _counted_first(netns, pods)
    metering = Metering(MeterSettings(source, meter_period_s, meter, places), settings)
    told = Textfile(metrics_file, partial(certificate_ends_s, settings)).write
    explainer = Explainer(state_dir, places_of(netns, pods))
    beside = (
        metering.run,
        partial(answer_forever, settings, explainer.explain),
        partial(renew_forever, settings),
    )
    reconcile = (
        Host(_namespace(netns)).reconcile if pods is None else _pods(settings, pods, metering)
    )

    def details() -> Details:
        return Details(unsent=metering.unsent())

    Agent(settings, metering.hearing(_READ), reconcile, details, told, beside).run()


@app.command("check")
def check_host(
    server_url: ServerUrl,
    token_file: TokenFile = None,
    state_dir: StateDir = _STATE_DIR,
    netns: Netns = None,
) -> None:
    """Say what is wrong on this host, line by line, and how to mend it. Exits 1 if anything is."""
    settings = AgentSettings(server_url, token_file, state_dir, 0)
    with closing(Host(_namespace(netns))) as host:
        lines = list(inspect(settings, host))
    Console(soft_wrap=not sys.stdout.isatty()).print(render(lines))
    raise typer.Exit(1 if any(line.wrong for line in lines) else 0)


@app.command("print")
def print_host(
    server_url: ServerUrl,
    token_file: TokenFile = None,
    form: Annotated[Form, typer.Option("--as", help="Commands, or files that last.")] = (
        Form.COMMANDS
    ),
    netns: Netns = None,
) -> None:
    """Print the commands or files that do by hand, at this moment's state, what the agent does."""
    settings = AgentSettings(server_url, token_file, _STATE_DIR, 0)
    fetched = newest(settings, time.monotonic(), lambda _: True)
    state = _READ(fetched.entries, fetched.revision)
    with closing(Host(_namespace(netns))) as host:
        steps = list(whole(state, host.mtus(state)))
    match form:
        case Form.COMMANDS:
            print("\n".join(map(command, steps)))
        case Form.NETWORKD:
            print(files.shown(files.networkd(steps)), end="")
        case Form.IFUPDOWN:
            print(files.shown(files.ifupdown(steps)), end="")


def _counted_first(netns: Path | None, pods: Path | None) -> Collection[Place]:
    """Where pods are is found round by round."""
    if pods is not None:
        return ()
    return (HERE,) if netns is None else (_opened(netns, Place.at),)


def _pods(
    settings: AgentSettings, where: Path, metering: Metering
) -> Callable[[HostState, UUID], Round]:
    take_all_files()
    claims = Claims(settings.client())
    claims.start()
    return Pods(namespace_files(where), claims.put, metering.attend).reconcile


def _once(settings: AgentSettings, host: Host, wait_s: float) -> NoReturn:
    fetched = newest(settings, time.monotonic() + wait_s, _has_vips if wait_s else lambda _: True)
    failures = apply_once(settings, _READ, host.reconcile, fetched)
    for failed in failures:
        print(f"lbaas host-agent: {failed.error}", file=sys.stderr)
    raise typer.Exit(1 if failures else 0)


def _has_vips(fetched: Fetched) -> bool:
    return bool(_READ(fetched.entries, fetched.revision).vips)


def _namespace(path: Path | None) -> Namespace | None:
    return None if path is None else _opened(path, Namespace.at)


def _opened(path: Path, open_: Callable[[Path], T]) -> T:
    try:
        return open_(path)
    except OSError as error:
        raise ToolMissing(f"--netns {path}: {error.strerror}") from error
