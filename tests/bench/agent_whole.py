"""A whole node agent's round at scale, on a node of the lab: prints what it measured as one JSON document.

The states come as bodies, as from the server; BIRD is the node's own.
"""

import json
import resource
import sys
import time
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

from lbaas.agent.rounds import Round
from lbaas.node_agent.announce import BirdPaths
from lbaas.node_agent.reconcile import Node
from lbaas.wire.body import Update, decode, encode
from lbaas.wire.canonical import canonical_json
from lbaas.wire.entries import Delta, Entries
from lbaas.wire.reading import PartsReader

AGENT = UUID(int=7)
FIRST_MARK = 0x10000000
FIRST_VIP = int(IPv4Address("198.18.0.0"))
CHANGES = 50
AUDITING_S = 10.0


def entries(services: int) -> dict[str, bytes]:
    marks = {"first": FIRST_MARK, "last": FIRST_MARK + 0x1FFFF}
    cluster = {"cluster": str(UUID(int=1)), "as_number": 65001, "marks": marks}
    node = {"name": "lb1", "admin_state": "active"}
    values = {"cluster": canonical_json(cluster), f"node/{AGENT}": canonical_json(node)}
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
    """What the loop does with a body, less threads and disk. *entries* is the state that it holds."""

    def __init__(self, bird: BirdPaths, cycle_s: float) -> None:
        self.entries = Entries.of({})
        self._node = Node(bird, cycle_s=cycle_s)
        self._reader = PartsReader()

    def receive(self, body: bytes) -> Round:
        update = decode(body)
        self.entries = self.entries.after(update.delta)
        return self._node.reconcile(self._reader.read(self.entries, update.revision), AGENT)


def timed(agent: Agent, body: bytes) -> tuple[float, Round]:
    begun = time.monotonic()
    round_ = agent.receive(body)
    return time.monotonic() - begun, round_


def changes(first: int) -> Iterator[bytes]:
    """A weight of one VIP after the other goes up."""
    for revision in count(first):
        number = revision % 97
        changed = Delta({_key(number): vip(number, revision)})
        yield encode(Update("cluster", revision - 1, revision, changed))


def whole(values: Mapping[str, bytes]) -> bytes:
    return encode(Update("cluster", None, 1, Delta(values)))


def change_every(
    agent: Agent, bodies: Iterator[bytes], pause_s: float, seconds: float
) -> list[float]:
    """How long each took, while audits go on beside them."""
    took: list[float] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(pause_s)
        took.append(timed(agent, next(bodies))[0])
    return took


def megabytes() -> float:
    """Resident now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / (1 << 20)


def main() -> None:
    services, bird = int(sys.argv[1]), BirdPaths(Path(sys.argv[2]), Path(sys.argv[3]))
    sys.setswitchinterval(0.0005)  # as the agent's
    agent = Agent(bird, cycle_s=3600)
    full, _ = timed(agent, whole(entries(services)))
    bodies = changes(2)
    alone = [timed(agent, next(bodies))[0] for _ in range(CHANGES)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    resident = megabytes()
    held = whole(agent.entries.values)
    del agent
    again = Agent(bird, cycle_s=0)  # an audit follows the other
    restart, round_ = timed(again, held)
    beside = change_every(again, changes(2), pause_s=0.02, seconds=AUDITING_S)
    print(
        json.dumps(
            {
                "full": full,
                "one": sorted(alone)[CHANGES // 2],
                "one_longest": max(alone),
                "restart": restart,
                "restart_writes": round_.changes,
                "failures": [str(failed.error) for failed in round_.failures][:3],
                "beside": sorted(beside)[len(beside) // 2],
                "beside_longest": max(beside),
                "resident": resident,
                "peak": peak,
            }
        )
    )


if __name__ == "__main__":
    main()
