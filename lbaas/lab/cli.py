"""``lbaas lab``: a datacentre on this machine, to try changes on."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lbaas.errors import LabError
from lbaas.lab import machine, relay
from lbaas.lab.controller import Lab
from lbaas.lab.kernel.build import ensure
from lbaas.lab.machine import Place
from lbaas.lab.messages import Description, Packet
from lbaas.lab.requests import TearDown
from lbaas.lab.site import Site
from lbaas.lab.topology import DATA, MANAGEMENT, ROUTER, Role, Topology

app = typer.Typer(help=__doc__, no_args_is_help=True, rich_markup_mode=None)

WEB_PORT = 80
EXEC_TIMEOUT_S = 3600

Name = Annotated[str, typer.Argument(help="A machine: router, client1, lb1, backend1, …")]


@app.command()
def check() -> None:
    """Say what this machine can do for a lab, and what it lacks."""
    table = Table("needed", "for", "", "if missing", box=None)
    lacking = False
    for finding in machine.findings():
        lacking |= not finding.present
        remedy = "" if finding.present else finding.remedy
        table.add_row(finding.what, finding.why, "yes" if finding.present else "NO", remedy)
    where = machine.place()
    console = Console()
    console.print(table)
    if where is Place.HOST:
        console.print("A lab would run in namespaces of this machine's own kernel.")
    else:
        console.print(
            f"A lab would run in a User-Mode Linux guest: {_why_guest()}.", soft_wrap=True
        )
    raise typer.Exit(1 if lacking else 0)


@app.command()
def kernel() -> None:
    """Make the guest's kernel ready, if this machine needs one; once ready it costs nothing."""
    if machine.place() is Place.HOST:
        typer.echo("This machine's own kernel will do.")
        return
    ready = ensure(_teller())
    typer.echo(f"  lab kernel: {ready.modules or ready.binary}")


@app.command()
def up(
    *,
    nodes: Annotated[int, typer.Option(help="LB nodes")] = 2,
    backends: Annotated[int, typer.Option(help="Backend hosts")] = 3,
    clients: Annotated[int, typer.Option(help="Clients")] = 1,
    bare: Annotated[bool, typer.Option("--bare", help="No server, no agents")] = False,
) -> None:
    """Start a lab and hold it until Ctrl-C or ``lbaas lab down``."""
    topology = Topology(nodes=nodes, backends=backends, clients=clients)
    with ExitStack() as undo:
        lab, description = _start(topology, undo, bare=bare)
        for backend in topology.of(Role.BACKEND):
            lab.web(backend.name, WEB_PORT)
        held = relay.Relay(lab.remote, description)
        undo.callback(held.close)
        _greet(description)
        _wait_for(held.ending.wait)
        typer.echo("taking the lab down")


@app.command()
def status() -> None:
    """Show the machines, what runs on them, and the router's sessions."""
    with _attached() as lab:
        table = Table("machine", "IPv4", "IPv6", "management", "running", box=None)
        running = [row for row in lab.processes() if row.status is None]
        for one in lab.topology.machines:
            names = ", ".join(row.name for row in running if row.namespace == one.name)
            management = str(one.management or "")
            table.add_row(one.name, str(one.address4), str(one.address6), management, names)
        console = Console()
        console.print(table)
        argv = ["birdc", "-s", str(lab.bird_socket(ROUTER)), "show", "protocols"]
        console.print(lab.run(ROUTER, argv).stdout, highlight=False)


@app.command("exec", context_settings={"ignore_unknown_options": True})
def execute(name: Name, command: list[str]) -> None:
    """Run COMMAND on a machine: ``lbaas lab exec lb1 -- ipvsadm -Ln``."""
    with _attached() as lab:
        done = lab.run(name, command, timeout_s=EXEC_TIMEOUT_S)
    typer.echo(done.stdout, nl=False)
    typer.echo(done.stderr, nl=False, err=True)
    raise typer.Exit(done.status if done.status >= 0 else 128 - done.status)


@app.command()
def kill(
    name: Name,
    process: Annotated[str, typer.Argument(help="As status shows it: bird, node-agent, …")],
    number: Annotated[int, typer.Option("--signal")] = signal.SIGKILL,
) -> None:
    """Send a signal, SIGKILL if none is given, to a process of a machine."""
    with _attached() as lab:
        found = [p for p in lab.spawned(name) if p.name == process and p.alive]
        if not found:
            raise LabError(f"no {process} runs on {name}; lbaas lab status shows what does")
        for one in found:
            one.kill(number)


@app.command()
def cut(name: Name, interface: Annotated[str, typer.Option()] = DATA) -> None:
    """Pull a machine's cable: eth0, or mgmt, which leads to the API."""
    with _attached() as lab:
        lab.link(name, interface, up=False)


@app.command()
def mend(name: Name) -> None:
    """Plug in all cables of a machine, and let none of them lose packets."""
    with _attached() as lab:
        for cable in lab.topology.cables:
            if cable.machine == name:
                lab.link(name, cable.interface, up=True)
                lab.loss(name, cable.interface, 0)


@app.command()
def loss(name: Name, percent: float, interface: Annotated[str, typer.Option()] = DATA) -> None:
    """Let a cable lose PERCENT of its packets both ways, silently."""
    with _attached() as lab:
        lab.loss(name, interface, percent)


@app.command()
def capture(
    name: Name,
    interface: Annotated[str, typer.Argument(help="eth0, a tunnel device, or any")] = DATA,
    seconds: Annotated[float, typer.Option(help="0: until Ctrl-C")] = 0,
    pcap: Annotated[Path | None, typer.Option(help="Also write it for wireshark")] = None,
) -> None:
    """Show what passes an interface, tunnels opened."""
    with _attached() as lab:
        recording = lab.capture(name, interface)
        _wait_for(lambda: time.sleep(seconds or EXEC_TIMEOUT_S))
        file = lab.share / f"capture-{os.getpid()}.pcap"
        captured = recording.stop(file)
        if pcap:
            pcap.write_bytes(file.read_bytes())
    for packet in captured.packets:
        typer.echo(_line(packet, captured.packets[0].at_s))
    typer.echo(f"{len(captured.packets)} packets, {captured.dropped} lost to a full buffer")


@app.command()
def down() -> None:
    """End the running lab."""
    with _attached() as lab:
        lab.remote.ask(TearDown())


def _start(topology: Topology, undo: ExitStack, *, bare: bool) -> tuple[Lab, Description]:
    if bare:
        lab = undo.enter_context(Lab.start(topology, _teller()))
        return lab, lab.describe()
    site = undo.enter_context(Site.start(topology, _teller()))
    return site.lab, site.describe()


@contextmanager
def _attached() -> Iterator[Lab]:
    with Lab.attach(relay.connect()) as lab:
        yield lab


def _teller() -> Callable[[str], None]:
    """Progress as lines with the seconds that have passed."""
    begun = time.monotonic()

    def tell(what: str) -> None:
        typer.echo(f"  {time.monotonic() - begun:5.1f} s  {what}")

    return tell


def _wait_for(event: Callable[[], object]) -> None:
    """Returns when *event* does, or at Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        event()
    except KeyboardInterrupt:
        typer.echo()


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def _why_guest() -> str:
    if os.geteuid():
        return "you are not root"
    lacks = machine.kernel_lacks()
    if not lacks:
        return f"{machine.PLACE_VARIABLE} says so"
    return f"this kernel has no module {lacks[0]}, and {len(lacks) - 1} others are not to be found"


def _greet(description: Description) -> None:
    typer.echo("The lab is up. From another terminal:")
    typer.echo("  lbaas lab status                       what there is and what runs")
    typer.echo("  lbaas lab exec lb1 -- ipvsadm -Ln      run something on a machine")
    typer.echo("  lbaas lab cut lb1 / mend lb1           pull its cable, plug it in again")
    typer.echo(f"  lbaas lab cut lb1 --interface {MANAGEMENT}     … only the one to the API")
    typer.echo("  lbaas lab capture backend1 any --seconds 5")
    if description.api_url:
        typer.echo(f"API: {description.api_url}")
        typer.echo(f"  operator's token: {description.admin_token_file}")
        typer.echo(f"  tenant's token:   {description.tenant_token_file}")
    typer.echo("Ctrl-C or lbaas lab down ends it.")


def _line(packet: Packet, begun_s: float) -> str:
    path = " [ ".join(f"{layer.source} > {layer.destination}" for layer in packet.layers)
    ports = f" {packet.source_port} > {packet.destination_port}" if packet.source_port else ""
    return (
        f"{packet.at_s - begun_s:9.6f} {packet.interface} {packet.direction:<3} {path}"
        f"{' ]' * (len(packet.layers) - 1)}{ports} {packet.tcp_flags} {packet.length} bytes"
    )
