"""Reads a running site: its kernels' tables, the packets that pass, what clients see."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lbaas.dataplane.marks.desired import FAMILY, TABLE
from lbaas.demo import count, parse
from lbaas.demo.facts import Exchanges, NodeTables, Route
from lbaas.errors import LabError
from lbaas.lab.controller import Lab
from lbaas.lab.messages import Captured, Fetched
from lbaas.lab.topology import DATA, ROUTER, Role

WEB_PORT = 80
DOWNLOAD_BYTES = 1_000_000
# After the last answer the ends still say good-bye to each other.
SETTLE_S = 0.3


@dataclass
class Watch:
    """Captures of machines, by name; filled in when the watch ends."""

    captured: dict[str, Captured] = field(default_factory=dict)


@contextmanager
def watching(lab: Lab, interfaces: Mapping[str, str]) -> Iterator[Watch]:
    """Everything is recorded that passes *interfaces* (by machine; ``any``: all) meanwhile."""
    watch = Watch()
    captures = {name: lab.capture(name, interface) for name, interface in interfaces.items()}
    yield watch
    time.sleep(SETTLE_S)
    watch.captured.update((name, capture.stop()) for name, capture in captures.items())


def node_names(lab: Lab) -> tuple[str, ...]:
    return tuple(node.name for node in lab.topology.of(Role.NODE))


def exchanges(lab: Lab, vip: str, requests: int) -> Exchanges:
    """The first client made *requests* small requests to *vip* and one large, under watch."""
    client = lab.topology.of(Role.CLIENT)[0]
    nodes = node_names(lab)
    with watching(lab, {client.name: DATA, **dict.fromkeys(nodes, "any")}) as watch:
        small = [lab.fetch(client.name, vip, WEB_PORT) for _ in range(requests)]
        large = lab.fetch(client.name, vip, WEB_PORT, path=f"/bytes/{DOWNLOAD_BYTES}")
    answered = [answer for answer in small if answer.ok]
    at_client = watch.captured[client.name]
    return Exchanges(
        vip=vip,
        client=client.name,
        client_address=str(client.address6 if ":" in vip else client.address4),
        served=dict(sorted(Counter(answer.backend for answer in answered).items())),
        seen=dict(Counter(answer.client for answer in answered)),
        download_bytes=large.length,
        errors=tuple(filter(None, map(_wrong, [*small, large]))),
        nodes={name: count.crossing(watch.captured[name], vip) for name in nodes},
        replies=count.replies(at_client, vip),
        replies_missed=at_client.dropped,
    )


def route(lab: Lab, vip: str) -> Route:
    """The router's route to *vip*."""
    nodes = {
        str(address): node.name
        for node in lab.topology.of(Role.NODE)
        for address in (node.address4, node.address6)
    }
    family = "-6" if ":" in vip else "-4"
    return parse.route(vip, _json(lab, ROUTER, "ip", family, "-j", "route", "show", vip), nodes)


def node_tables(lab: Lab, node: str) -> NodeTables:
    """The node's marks and services. Counters lag behind the packets by up to 2 s."""
    marks = _json(lab, node, "nft", "-n", "-j", "list", "table", FAMILY, TABLE)
    listed = _run(lab, node, "ipvsadm", "-Ln")
    counted = _run(lab, node, "ipvsadm", "-Ln", "--stats", "--exact")
    return NodeTables(parse.marks(marks), parse.services(listed, counted))


def _wrong(answer: Fetched) -> str:
    if answer.error or answer.status == 200:
        return answer.error
    return f"HTTP {answer.status}"


def _json(lab: Lab, machine: str, *argv: str) -> Any:
    printed = _run(lab, machine, *argv)
    try:
        return json.loads(printed)
    except ValueError as error:
        raise LabError(f"{machine}: {' '.join(argv)}: no JSON ({error}): {printed}") from error


def _run(lab: Lab, machine: str, *argv: str) -> str:
    """What the program printed. Raises LabError if it failed."""
    done = lab.run(machine, argv)
    if done.status:
        raise LabError(f"{machine}: {' '.join(argv)}: status {done.status}: {done.stderr.strip()}")
    return done.stdout
