"""What counting costs a node: packets a second on the whole path through it, and the agent's CPU per minute.

A client in a namespace of its own, 256 listeners and as many prefixes of clients; packets go through the nodes' table,
IPVS and the tunnel, and end there. The limit in the same run is the same path without the meter.
"""

import json
import sys
from pathlib import Path

from lbaas.lab.controller import Lab
from tests.bench.figures import Figures

INSIDE = Path(__file__).with_name("metering_inside.py")
LISTENERS = 10_000
GOAL_CORE = 0.1


def main() -> None:
    with Lab.start() as lab:
        ran = lab.run("lb1", [sys.executable, str(INSIDE), str(LISTENERS)], timeout_s=500)
    if ran.status:
        sys.exit(f"ended with status {ran.status}: {ran.stderr}")
    found: dict[str, float] = json.loads(ran.stdout)
    figures = Figures()
    figures.shown("metering.packet_uncounted", found["uncounted"], "us")
    figures.at_least("metering.packets_that_ipvs_took", found["taken"], "ratio", 0.99)
    figures.shown("metering.packet_counted", found["counted"], "us")
    lost = 1 - found["uncounted"] / found["counted"]
    figures.at_most("metering.packets_lost_to_counting", 100 * lost, "percent", 3)
    figures.shown(f"metering.turn_with_{LISTENERS}_listeners", found["turn"] * 1000, "ms")
    core = found["minute"] / 60
    figures.at_most(f"metering.agent_with_{LISTENERS}_listeners", core, "core", GOAL_CORE)
    figures.shown("metering.report_on_disk", found["size"] / 1000, "kB")
    figures.finish()


if __name__ == "__main__":
    main()
