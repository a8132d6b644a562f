"""``lbaas status``, ``lbaas watch`` and ``lbaas events``: what is so, and what becomes of it."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from lbaas.cli import references, render, troubles
from lbaas.cli.completing import names_of
from lbaas.cli.session import Given, Session, add, argument, option, session, switch
from lbaas.cli.waiting import state
from lbaas.client.kinds import VIPS
from lbaas.errors import ServerUnavailable
from lbaas.wire.status import HostStatus, NodeStatus, VipStatus
from lbaas.wire.tenants import Event, Vip

EVERY_S = 2.0
NOT_PROGRAMMED = 7  # see lbaas.cli.failures

ONE_VIP = argument("vip", "VIP", "Name, address or id.", complete=names_of(VIPS))
SOME_VIPS = argument(
    "vips",
    "[VIP]...",
    "Names, addresses or ids; all if none.",
    list[str] | None,
    None,
    names_of(VIPS),
)
SELECTOR = option("labels", str | None, "Only those whose labels fit.", "-l", "--labels")
TIMES = option("times", int | None, "Look so many times, then end.", "--times")
LAST = option("last", int, "So many, the newest.", "-n", "--last", default=20)
OBJECT = option("object", str | None, "Of the object with this id.", "--object")
KIND = option("kind", str | None, "Of this kind: vip, pool, …", "--kind")
REQUEST = option("request", str | None, "Of the request with this X-Request-Id.", "--request-id")
FOLLOW = switch("follow", "Go on with what happens from now on, until Ctrl-C.", "--follow")


def add_to(app: typer.Typer) -> None:
    """The commands."""
    add(
        app,
        "status",
        status,
        "Show which node and host has applied a VIP, which members fail, and what was refused. "
        "Exits 7 if a node or host has not applied it.",
        ONE_VIP,
    )
    add(
        app,
        "watch",
        watch,
        "Show how far and how well VIPs are, until Ctrl-C.",
        SOME_VIPS,
        SELECTOR,
        TIMES,
    )
    add(app, "events", events, "List who changed what.", LAST, OBJECT, KIND, REQUEST, FOLLOW)


def status(given: Given) -> None:
    """One VIP's."""
    with session(given) as now:
        vip = references.find(references.collection(now.api, VIPS), given["vip"])
        found = now.api.status(vip)
        if now.for_people:
            now.print(f"{vip.name} {vip.address} is {_word(found)} at revision {found.revision}")
            now.print(render.aligned(_agents(found)))
            now.print_some(render.aligned(troubles.locked_out(found, datetime.now(UTC))))
            now.print_some(render.aligned(troubles.unhealthy(found, vip.listeners)))
            now.print_some(render.aligned(troubles.silent(found)))
            now.print_some(render.aligned(troubles.unheard(found)))
            now.print_some(render.aligned(troubles.refused(found, vip.listeners)))
        else:
            now.print(render.object_text(found, now.output))
        raise typer.Exit(0 if found.programmed else NOT_PROGRAMMED)


def watch(given: Given) -> None:
    """Several VIPs', again and again: on a terminal in place, else a line when something has changed."""
    with session(given) as now:
        console = Console(highlight=False, markup=False, emoji=False)
        views = islice(_views(now, given), given["times"])
        if console.is_terminal:
            _in_place(console, views)
        else:
            _as_they_change(now, views)


def events(given: Given) -> None:
    """The newest, oldest first, and then what comes."""
    asked = {"object_id": given["object"], "kind": given["kind"], "request_id": given["request"]}
    filters = {name: value for name, value in asked.items() if value is not None}
    with session(given) as now:
        newest = list(islice(now.api.events(sort="-created_at", **filters), given["last"]))
        now.print(render.rows_text("event", newest[::-1], now.output))
        seen = {event.id for event in newest}
        since = newest[0].created_at if newest else datetime.now(UTC)
        while given["follow"]:
            time.sleep(EVERY_S)
            for event in now.api.events(since=since.isoformat(), **filters):
                if event.id not in seen:
                    now.print(_event(event))
                    seen.add(event.id)
                    since = max(since, event.created_at)


View = list[list[str]]


def _views(now: Session, given: Given) -> Iterator[View]:
    while True:
        try:
            yield [_row(now, vip) for vip in _chosen(now, given)]
        except ServerUnavailable as error:
            now.tell(f"lbaas: {error}")
            yield []
        time.sleep(EVERY_S)


def _chosen(now: Session, given: Given) -> list[Vip]:
    if given["vips"]:
        objects = references.collection(now.api, VIPS)
        return [references.find(objects, which) for which in given["vips"]]
    return list(now.api.vips.list(**({"labels": given["labels"]} if given["labels"] else {})))


def _row(now: Session, vip: Vip) -> list[str]:
    found = now.api.status(vip)
    agents: list[NodeStatus | HostStatus] = [*found.nodes, *found.hosts]
    behind = [
        f"{agent.name} {state(agent, found.revision)}" for agent in agents if not agent.programmed
    ]
    quiet = [f"{name} silent to {peers}" for name, peers in troubles.unheard(found)[1:]]
    sick = troubles.sick(found)
    return [vip.name, str(vip.address), _word(found), "; ".join([*behind, *quiet, *sick])]


def _in_place(console: Console, views: Iterator[View]) -> None:
    with Live(console=console, auto_refresh=False) as live:
        for rows in views:
            table = render.aligned([["VIP", "ADDRESS", "STATE", "TROUBLES"], *rows])
            live.update(Text(table), refresh=True)


def _as_they_change(now: Session, views: Iterator[View]) -> None:
    before: dict[str, list[str]] = {}
    for rows in views:
        for row in rows:
            if before.get(row[0]) != row:
                now.print("  ".join([f"{datetime.now(UTC):%H:%M:%S}", *filter(None, row)]))
                before[row[0]] = row


def _agents(found: VipStatus) -> View:
    titles = ["", "NAME", "STATE", "REPORTED"]
    nodes = [
        ["node", each.name, state(each, found.revision), _time(each.reported_at)]
        for each in found.nodes
    ]
    hosts = [["host", each.name, state(each, found.revision), ""] for each in found.hosts]
    return [titles, *nodes, *hosts]


def _time(at: datetime | None) -> str:
    return "-" if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _word(found: VipStatus) -> str:
    return "programmed" if found.programmed else "pending"


def _event(event: Event) -> str:
    who = f"{_time(event.created_at)}  {event.actor_name}"
    return f"{who}  {event.action}  {event.kind} {event.object_name}"
