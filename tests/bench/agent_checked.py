"""A start with checks, on a machine of the lab: prints what it measured as one JSON document.

From the body of a state until the kernel has its services and all probes have begun; members are asked at their own
addresses, as keepalived asks them, and were in service before.
"""

import json
import os
import sys
import time
from contextlib import closing

from lbaas.dataplane.ipvs.apply import apply
from lbaas.dataplane.ipvs.netlink import IpvsSocket
from lbaas.dataplane.ipvs.plan import plan
from lbaas.health.monitoring import Health
from lbaas.health.prober import Prober
from lbaas.health.roster import Place
from lbaas.node_agent.picture import services
from lbaas.node_agent.reconcile import undisturbed
from lbaas.node_agent.wanted import Wanted
from lbaas.wire.body import decode
from lbaas.wire.canonical import canonical_json
from lbaas.wire.entries import Entries
from lbaas.wire.reading import PartsReader
from tests.bench.agent_inside import BACKENDS
from tests.bench.agent_whole import FIRST_MARK, entries, whole

MONITOR = {"kind": "tcp", "target": "member", "port": 80, "interval_ms": 10_000, "timeout_ms": 2000}
JUDGED = {"rise": 1, "fall": 3}


def checked(vip: bytes, scheduler: str) -> bytes:
    body = json.loads(vip)
    body["listeners"][0] |= {"scheduler": scheduler, "monitor": MONITOR | JUDGED}
    return canonical_json(body)


def body_of(number: int, scheduler: str) -> bytes:
    values = entries(number)
    vips = {key: checked(each, scheduler) for key, each in values.items() if key.startswith("vip/")}
    return whole(values | vips)


def start(body: bytes, in_service: frozenset[Place]) -> dict[str, float]:
    begun = time.monotonic()
    health = Health(lambda: in_service, Prober())
    update = decode(body)
    parts = PartsReader().read(Entries.of({}).after(update.delta), update.revision)
    wanted = Wanted(health.view)
    wanted.turn_to(parts, ())
    read = time.monotonic()
    with closing(IpvsSocket()) as ipvs:
        assert not apply(ipvs, plan({}, services(wanted.picture)).establish).failed
    applied = time.monotonic()
    health.start(lambda _: None)
    begun_checks = health.details().checked
    assert begun_checks == len(in_service)
    return {"full": time.monotonic() - begun, "ipvs": applied - read}


def main() -> None:
    undisturbed()
    number, scheduler = int(sys.argv[1]), sys.argv[2]
    marks = range(FIRST_MARK, FIRST_MARK + number)
    in_service = frozenset((mark, backend) for mark in marks for backend in BACKENDS)
    print(json.dumps(start(body_of(number, scheduler), in_service)), flush=True)
    os._exit(0)  # the prober's thread would go on


if __name__ == "__main__":
    main()
