"""Inside a machine of the lab: COUNT pods that are namespaces, an agent's rounds, its meter's periods. Tells JSON."""

import json
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from statistics import median
from uuid import UUID

from lbaas.dataplane.usage.desired import HOST_TABLE
from lbaas.host_agent.pods import Pods, take_all_files
from lbaas.metering.buffer import Buffer
from lbaas.metering.counter import Counter
from lbaas.metering.sources import HostSource
from lbaas.metering.table import Table
from lbaas.wire.entries import Entries
from lbaas.wire.state import HostState
from tests.kernel.answering import Pod

AGENT = UUID(int=1)
VIP, FIRST = IPv4Address("198.51.100.77"), IPv4Address("10.244.0.1")
ENTRIES = Entries.of(
    {"vip/1": json.dumps({"address": str(VIP), "vip": str(AGENT), "tunnels": [{}]}).encode()}
)
TIMES = 5


def cpu_s(work: Callable[[], object]) -> float:
    """The processor's time that *work* takes."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def usually(work: Callable[[], object]) -> float:
    return median(cpu_s(work) for _ in range(TIMES))


def main() -> None:
    take_all_files()
    pods = [Pod(str(FIRST + number)) for number in range(int(sys.argv[1]))]
    endpoints = tuple(IPv4Address(pod.address) for pod in pods)
    state = HostState(
        host=AGENT,
        revision=1,
        endpoints=endpoints,
        vips=(VIP,),
        nodes=(),
        arrivals={VIP: endpoints},
    )
    with (
        tempfile.TemporaryDirectory() as directory,
        closing(Buffer(Path(directory) / "usage.db")) as buffer,
    ):
        counter = Counter(HostSource(), buffer, partial(Table.at, HOST_TABLE))
        counter.hear(ENTRIES)
        agent = Pods(partial(_files, pods), lambda _: None, counter.attend)
        turn = partial(agent.reconcile, state, AGENT)
        found = {
            "first": cpu_s(turn),
            "quiet": usually(turn),
            "look": usually(counter.mend),
            "period": usually(counter.close),
        }
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**found, "memory": memory}))


def _files(pods: list[Pod]) -> Iterator[Path]:
    return (pod.place.file for pod in pods if pod.place.file)


if __name__ == "__main__":
    main()
