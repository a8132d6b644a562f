"""What a TCP check costs the node: our prober beside keepalived, in the lab's guest, in one run.

Both check the same thousand targets at the same pace, each in turn; a check is one that the target accepted.
The guest has one processor and dear system calls, so the pace is lower than a node's: the ratio counts.
"""

import json
import sys
from pathlib import Path

from lbaas.errors import ToolMissing
from lbaas.lab.controller import Lab
from lbaas.lab.machine import find_program
from tests.bench.figures import Figures

INSIDE = Path(__file__).with_name("health_inside.py")


def main() -> None:
    keepalived = find_program("keepalived")
    if keepalived is None:
        raise ToolMissing("the peer is missing: apt-get install keepalived")
    with Lab.start() as lab:

        def measure(*what: str) -> dict[str, float]:
            ran = lab.run("lb1", [sys.executable, str(INSIDE), *what], timeout_s=120)
            if ran.status:
                sys.exit(f"{what[0]} ended with status {ran.status}: {ran.stderr}")
            return dict(json.loads(ran.stdout))

        peer = measure("keepalived", keepalived)
        ours = measure("prober", sys.executable)
    figures = Figures()
    for name, found in (("keepalived", peer), ("ours", ours)):
        figures.shown(f"health.{name}.checks", found["per_second"], "1/s")
        figures.shown(f"health.{name}.cpu_per_check", found["cpu_ms"], "ms")
    ratio = ours["cpu_ms"] / peer["cpu_ms"]
    figures.at_most("health.cpu_per_check_per_keepalived", ratio, "ratio", 1.3)
    figures.finish()


if __name__ == "__main__":
    main()
