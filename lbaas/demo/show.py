"""Facts as pictures. Pure; everything fits 80 columns, and reads without colours."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from math import floor

from rich import box
from rich.console import Group, RenderableType
from rich.highlighter import JSONHighlighter
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from lbaas.demo.count import hurt, touched
from lbaas.demo.facts import (
    Attempt,
    Exchanges,
    Fact,
    Json,
    NodeLoss,
    NodeReturn,
    Order,
    Programmed,
    Tables,
    Tally,
    Verdict,
)

INDENT = (0, 0, 0, 2)
BACKENDS_AT = 52  # column of the picture
PANEL_WIDTH = 74
SIGNS_PER_S = 10  # of the strip


def show(fact: Fact, judged: Sequence[Verdict]) -> RenderableType:
    """*fact* as a person wants to see it, and what of it holds."""
    return Padding(Group(*_pictures(fact), *_verdicts(judged)), INDENT, expand=False)


def _pictures(fact: Fact) -> Iterator[RenderableType]:
    match fact:
        case Order():
            yield from _order(fact)
        case Programmed() | NodeReturn():
            pass  # the verdicts say it all
        case Exchanges():
            yield _way(fact)
        case Tables():
            yield from _tables(fact)
        case NodeLoss():
            yield from _node_loss(fact)


def summary(judged: Sequence[Verdict], elapsed_s: float) -> RenderableType:
    """The last word on a run."""
    failed = [verdict for verdict in judged if not verdict.holds]
    if failed:
        return Text(f"{len(failed)} of {len(judged)} claims did not hold.", style="bold red")
    return Text.assemble(
        (f"All {len(judged)} claims hold", "bold green"),
        f", {elapsed_s:.0f} s after the start. Every figure was read from the running system.",
    )


def compact(value: object, width: int, indent: int = 0, taken: int = 0) -> str:
    """JSON with each object and list on one line if it fits into *width*.

    *indent* columns are before each line of it, *taken* more before the first.
    """
    line = json.dumps(value)
    if indent + taken + len(line) < width or not isinstance(value, dict | list) or not value:
        return line
    if isinstance(value, list):
        return _lines("[", [compact(each, width, indent + 2) for each in value], "]", indent)
    keys = {f"{json.dumps(key)}: ": each for key, each in value.items()}
    inside = [key + compact(each, width, indent + 2, len(key)) for key, each in keys.items()]
    return _lines("{", inside, "}", indent)


def _lines(opening: str, inside: Sequence[str], closing: str, indent: int) -> str:
    margin = "\n" + " " * indent
    return opening + ",".join(f"{margin}  {each}" for each in inside) + margin + closing


def _verdicts(judged: Iterable[Verdict]) -> Iterator[RenderableType]:
    """One line each: whether it holds, what is claimed, what was seen."""
    for verdict in judged:
        grid = Table.grid(padding=(0, 2, 0, 0))
        word = Text("holds", style="green") if verdict.holds else Text("FAILS", style="bold red")
        grid.add_row(word, Text.assemble((verdict.claim, "bold"), ": ", verdict.seen))
        yield grid


def _order(fact: Order) -> Iterator[RenderableType]:
    if fact.family == 6:
        yield Text(f"the same with members {' and '.join(fact.members)}: {fact.vip}")
        return
    yield _panel(fact.request, f"POST {fact.path}, as a tenant")
    yield _panel(fact.answer, f"answer, after {fact.elapsed_s * 1000:.0f} ms")


def _way(fact: Exchanges) -> RenderableType:
    """The packet's way, with what was counted on it."""
    back = f"{_counted(fact.replies)} back, {fact.replies_at_nodes.packets} of them by a node"
    picture = Text(no_wrap=True)
    picture.append(f"{fact.client} {fact.client_address} ◄".ljust(BACKENDS_AT + 4, "─") + "┐\n")
    picture.append("   │ ").append(f"{back:^{BACKENDS_AT - 2}}", "green").append(" │\n")
    picture.append("   ▼".ljust(BACKENDS_AT + 4) + "│\n")
    nodes = [
        f"{name:<6}{_counted(node.requests)} in ─► {node.tunnelled.packets} in tunnels "
        for name, node in fact.nodes.items()
    ]
    backends = [f"{name}: {served} answers" for name, served in fact.served.items()]
    for node, backend in zip_longest(nodes, backends, fillvalue=""):
        line = node.ljust(BACKENDS_AT - 2, "─") + "► " if node else " " * BACKENDS_AT
        picture.append(f"{line}{backend}\n")
    picture.rstrip()
    return picture


def _tables(fact: Tables) -> Iterator[RenderableType]:
    routes = _table("the router's routes (ip route)", "VIP", "by, as BGP told it")
    for route in fact.routes:
        routes.add_row(route.vip, ", ".join(route.nodes))
    marks = _table("what nftables marks (nft list table inet lbaas)", "node", "packets to", "mark")
    services = _table(
        *("what IPVS has sent, by mark (ipvsadm -Ln --stats)", "node", "mark", "by", "to"),
        *(">flows", ">packets", ">bytes"),
    )
    for name, node in fact.nodes.items():
        for mark in node.marks:
            marks.add_row(name, f"{mark.vip} {mark.protocol} {mark.ports}", f"{mark.mark:#x}")
        for service in node.services:
            for each in service.destinations:
                services.add_row(
                    *(name, f"{service.mark:#x}", service.scheduler),
                    f"{each.forwarding} {each.address}",
                    *(str(each.connections), str(each.in_packets), str(each.in_bytes)),
                )
    yield from (routes, marks, services)


def _node_loss(fact: NodeLoss) -> Iterator[RenderableType]:
    yield from _strip(fact)
    stall = max((flow.longest_stall_s for flow in fact.flows), default=0)
    slowest = max((a.elapsed_s for a in touched(fact.attempts) if not a.error), default=0)
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_row("BFD is set to notice within", f"{fact.detection_s:.2f} s")
    grid.add_row("longest stall of a held flow", f"{stall:.2f} s")
    grid.add_row("slowest new connection", f"{slowest:.2f} s")
    yield grid


def _strip(fact: NodeLoss) -> Iterator[RenderableType]:
    """New connections by the time at which they were begun, the worst of each bucket as one sign."""
    yield Text(f"new connections, {SIGNS_PER_S} signs a second:   . at once   o waited   x failed")
    buckets: dict[int, str] = {}
    for attempt in fact.attempts:
        bucket = floor(attempt.at_s * SIGNS_PER_S)
        buckets[bucket] = max(buckets.get(bucket, "."), _sign(attempt), key=".ox".index)
    first, last = min(buckets, default=0), max(buckets, default=0)
    styles = {".": "green", "o": "yellow", "x": "bold red"}
    strip = Text(no_wrap=True)
    for bucket in range(first, last + 1):
        sign = buckets.get(bucket, " ")
        strip.append(sign, styles.get(sign, ""))
    yield strip
    yield Text(" " * -first + f"^ {fact.node} dies", no_wrap=True)


def _sign(attempt: Attempt) -> str:
    if attempt.error:
        return "x"
    return "o" if hurt(attempt) else "."


def _table(title: str, *columns: str) -> Table:
    """A column whose name begins with > holds numbers."""
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column.lstrip(">"), justify="right" if column[0] == ">" else "left")
    return table


def _panel(content: Json, title: str) -> RenderableType:
    text = JSONHighlighter()(compact(content, PANEL_WIDTH))
    return Panel(text, title=title, title_align="left", box=box.SQUARE, expand=False)


def _counted(tally: Tally) -> str:
    return f"{tally.packets} packets, {_size(tally.length_bytes)}"


def _size(count: float) -> str:
    """In units of 1000, as networks count."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
