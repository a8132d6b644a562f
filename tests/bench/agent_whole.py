"""A whole node agent's round at scale, on a node of the lab: prints what it measured as one JSON document.

The states come as bodies, as from the server; BIRD is the node's own.
"""

import json
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from ipaddress import IPv4Address
from itertools import chain, count, islice
from pathlib import Path
from typing import Any
from uuid import UUID

from lbaas.agent.rounds import Round
from lbaas.lab.topology import NODES_AS, ROUTER_AS, SEGMENTS, Role
from lbaas.node_agent.announce import BirdPaths
from lbaas.node_agent.reconcile import Node, undisturbed
from lbaas.wire.body import Update, decode, encode
from lbaas.wire.canonical import canonical_json
from lbaas.wire.entries import Delta, Entries
from lbaas.wire.reading import ClusterParts, PartsReader

AGENT = UUID(int=7)
ROUTER = SEGMENTS[Role.NODE].gateway4
FIRST_MARK = 0x10000000
FIRST_VIP = int(IPv4Address("198.18.0.0"))
CHANGES, MORE = 50, 5
AUDITING_S, PAUSE_S = 10.0, 0.02
AUDITS, SHORT_S = 25, 0.001
# The guest's one processor has to carry the routes to routers and back first.
SETTLING_S = 8.0


def entries(services: int) -> dict[str, bytes]:
    marks = {"first": FIRST_MARK, "last": FIRST_MARK + 0x1FFFF}
    cluster = {"cluster": str(UUID(int=1)), "as_number": NODES_AS, "marks": marks}
    node = {"name": "lb1", "admin_state": "active"}
    router = {"name": "router", "address": str(ROUTER), "as_number": ROUTER_AS, "password": None}
    router |= {"bfd": True, "multihop": False}
    values = {
        "cluster": canonical_json(cluster),
        f"node/{AGENT}": canonical_json(node),
        "peer/router": canonical_json(router),
    }
    return values | {_key(number): vip(number, 1) for number in range(services)}


def _key(number: int) -> str:
    return f"vip/{UUID(int=number + 1000)}"


def vip(number: int, weight: int) -> bytes:
    weights = {11: weight, 12: 1, 13: 1, 14: 1}
    backends = [{"address": f"10.0.20.{last}", "weight": each} for last, each in weights.items()]
    listener: dict[str, Any] = {
        "mark": FIRST_MARK + number,
        "protocol": "tcp",
        "ports": [{"first": 80, "last": 80}],
        "scheduler": "mh",
        "forwarding": "tunnel",
        "backends": backends,
    }
    return canonical_json(
        {"address": str(IPv4Address(FIRST_VIP + number)), "listeners": [listener]}
    )


class Agent:
    """What the loop does with a body, less threads and disk. *entries* is the state that it holds.

    *woken* is set when an audit has something to say, to which the loop gives a round of its own.
    """

    def __init__(self, bird: BirdPaths, cycle_s: float) -> None:
        self.entries = Entries.of({})
        self.woken = threading.Event()
        self._node = Node(bird, cycle_s=cycle_s)
        self._node.wake_with(self.woken.set)
        self._reader = PartsReader()
        self._held: ClusterParts | None = None

    def receive(self, body: bytes) -> Round:
        update = decode(body)
        self.entries = self.entries.after(update.delta)
        self._held = self._reader.read(self.entries, update.revision)
        return self._node.reconcile(self._held, AGENT)

    def round_without_news(self) -> Round:
        self.woken.clear()
        assert self._held is not None
        return self._node.reconcile(self._held, AGENT)


def timed(round_: Callable[[], Round]) -> tuple[float, Round]:
    begun = time.monotonic()
    done = round_()
    return time.monotonic() - begun, done


def changes(first: int) -> Iterator[bytes]:
    """A weight of one VIP after the other goes up."""
    for revision in count(first):
        number = revision % 97
        changed = Delta({_key(number): vip(number, revision)})
        yield encode(Update("cluster", revision - 1, revision, changed))


def additions(first: int, services: int) -> Iterator[bytes]:
    """One VIP more after the other."""
    for revision, number in enumerate(range(services, services + MORE), first):
        added = Delta({_key(number): vip(number, 1)})
        yield encode(Update("cluster", revision - 1, revision, added))


def whole(values: Mapping[str, bytes]) -> bytes:
    return encode(Update("cluster", None, 1, Delta(values)))


def change_every(
    agent: Agent, bodies: Iterator[bytes], pause_s: float, seconds: float
) -> tuple[list[float], list[float]]:
    """How long each change took while audits went on beside them, and each round that took what one found."""
    changed: list[float] = []
    audited: list[float] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if agent.woken.wait(pause_s):
            audited.append(timed(agent.round_without_news)[0])
        body = next(bodies)
        changed.append(timed(lambda: agent.receive(body))[0])  # noqa: B023  # called at once
    return changed, audited


def waits(goes_on: Callable[[], bool]) -> list[float]:
    """How much longer than SHORT_S each pause of it took, one after the other."""
    found: list[float] = []
    while goes_on():
        begun = time.monotonic()
        time.sleep(SHORT_S)
        found.append(time.monotonic() - begun - SHORT_S)
    return found


def waits_by_audit(agent: Agent) -> list[list[float]]:
    """The main thread's, beside one audit after the other, each from its beginning to its end."""
    found = []
    for _ in range(AUDITS):
        agent.woken.wait()  # the one before is over
        agent.round_without_news()
        found.append(waits(lambda: not agent.woken.is_set()))
    return found


def waits_beside_another(seconds: float) -> list[float]:
    """Those beside a process that only counts: they are the guest's and its host's, since no agent could be quicker."""
    counting = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        deadline = time.monotonic() + seconds
        return waits(lambda: time.monotonic() < deadline)
    finally:
        counting.kill()
        counting.wait()


def megabytes() -> float:
    """Resident now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / (1 << 20)


def from_empty(bird: BirdPaths, services: int) -> dict[str, float]:
    """An agent's first state, and changes one by one."""
    agent = Agent(bird, cycle_s=3600)
    full, _ = timed(lambda: agent.receive(whole(entries(services))))
    time.sleep(SETTLING_S)
    alone = [timed(partial(agent.receive, body))[0] for body in islice(changes(2), CHANGES)]
    more = [timed(partial(agent.receive, body))[0] for body in additions(CHANGES + 2, services)]
    return {
        "full": full,
        "one": sorted(alone)[CHANGES // 2],
        "one_longest": max(alone),
        "one_more": sorted(more)[MORE // 2],
    }


def left_behind(services: int) -> bytes:
    """The state that the agent of ``from_empty`` ended with."""
    values = entries(services)
    for body in chain(islice(changes(2), CHANGES), additions(CHANGES + 2, services)):
        values |= decode(body).delta.changed
    return whole(values)


def restarted(bird: BirdPaths, services: int) -> dict[str, float]:
    """An agent that finds all in place; then changes beside audits, of which one follows the other."""
    anyway = waits_beside_another(AUDITING_S)
    agent = Agent(bird, cycle_s=0)
    held = left_behind(services)
    restart, round_ = timed(lambda: agent.receive(held))
    beside, audited = change_every(agent, changes(2), pause_s=PAUSE_S, seconds=AUDITING_S)
    by_audit = waits_by_audit(agent)
    waited = sorted(each for audit in by_audit for each in audit)
    return {
        "wait_anyway": max(anyway),
        "wait_median": waited[len(waited) // 2],
        "wait_p99": waited[len(waited) * 99 // 100],
        "wait_longest": waited[-1],
        "wait_of_half": sorted(map(max, by_audit))[AUDITS // 2],
        "wait_of_every_audit": min(map(max, by_audit)),
        "restart": restart,
        "restart_writes": round_.changes,
        "beside": sorted(beside)[len(beside) // 2],
        "beside_longest": max(beside),
        "audits": len(audited),
        "audit_longest": max(audited),
        "audit_quickest": min(audited),
    }


def main() -> None:
    what, services = sys.argv[1], int(sys.argv[2])
    bird = BirdPaths(Path(sys.argv[3]), Path(sys.argv[4]))
    undisturbed()
    measure = {"empty": from_empty, "restart": restarted}[what]
    found = measure(bird, services)
    print(json.dumps({"resident": megabytes(), **found}))


if __name__ == "__main__":
    main()
