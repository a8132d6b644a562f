"""What it costs to compute the kernel's tables, and how long a whole explanation takes in the lab."""

import time
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address
from statistics import median

from lbaas.explain.candidates import Candidate
from lbaas.explain.maglev import MaglevTable
from lbaas.explain.spoken import flow_of
from lbaas.lab.site import Site
from tests.bench.figures import Figures
from tests.e2e.balanced import PORT, Balanced

CLIENT = IPv4Address("192.0.2.7")
ASKED = 10


def took_ms(work: Callable[[], object], times: int) -> float:
    """The median of some runs."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return 1000 * median(found)


def tables(figures: Figures) -> None:
    for number, goal_ms in ((3, 50), (1000, 200)):
        members = [Candidate.of(IPv4Address(0x0A000000 + each), 1) for each in range(number)]
        filled_ms = took_ms(partial(MaglevTable.of, 4, members), 9)
        figures.at_most(f"mh_table_of_{number}", filled_ms, "ms", goal_ms)
    table = MaglevTable.of(4, members)
    each_us = took_ms(lambda: [table.choose(CLIENT, port) for port in range(1000)], 9)
    figures.at_most("mh_flow", each_us, "us", 100)


def whole(figures: Figures) -> None:
    """Two nodes and a backend host answer."""
    with Site.start() as site:
        site.lab.web("backend1", PORT)
        vip = Balanced.create(site, 4)
        flow = flow_of(f"{vip.client}:40000", f"{vip.address}:{PORT}")
        asked_ms = took_ms(lambda: site.tenant.explain(vip.vip["id"], flow, 30), ASKED)
    figures.at_most("explanation", asked_ms, "ms", 5000)


def main() -> None:
    figures = Figures()
    tables(figures)
    whole(figures)
    figures.finish()


if __name__ == "__main__":
    main()
