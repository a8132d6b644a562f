"""What a TCP check costs the node: our prober beside keepalived, in the lab's guest, in one run.

Both check the same targets at the same pace, each in turn; a check is one that the target accepted. The guest has
one processor and dear system calls, so neither keeps the faster of the two paces: the ratio counts.
"""

import json
import sys
from pathlib import Path

from lbaas.errors import ToolMissing
from lbaas.lab.controller import Lab
from lbaas.lab.machine import find_program
from tests.bench.figures import Figures

# Targets, and seconds between two checks of one. The second is the one that a goal is named for.
PACES = ((1000, 2), (4000, 1))

INSIDE = Path(__file__).with_name("health_inside.py")


def main() -> None:
    keepalived = find_program("keepalived")
    if keepalived is None:
        raise ToolMissing("the peer is missing: apt-get install keepalived")
    figures = Figures()
    for targets, interval_s in PACES:
        with Lab.start() as lab:
            pace = (str(targets), str(interval_s))
            peer = measure(lab, "keepalived", keepalived, *pace)
            ours = measure(lab, "prober", sys.executable, *pace)
        compare(figures, f"health.{targets}_every_{interval_s}_s", peer, ours)
    figures.finish()


def measure(lab: Lab, *what: str) -> dict[str, float]:
    """What *what* did, and what that cost."""
    ran = lab.run("lb1", [sys.executable, str(INSIDE), *what], timeout_s=120)
    if ran.status:
        sys.exit(f"{what[0]} ended with status {ran.status}: {ran.stderr}")
    return dict(json.loads(ran.stdout))


def compare(figures: Figures, pace: str, peer: dict[str, float], ours: dict[str, float]) -> None:
    """Both were shown, and their ratio judged."""
    for name, found in (("keepalived", peer), ("ours", ours)):
        figures.shown(f"{pace}.{name}.checks", found["per_second"], "1/s")
        figures.shown(f"{pace}.{name}.cpu_per_check", found["cpu_ms"], "ms")
    ratio = ours["cpu_ms"] / peer["cpu_ms"]
    figures.at_most(f"{pace}.cpu_per_check_per_keepalived", ratio, "ratio", 1.3)


if __name__ == "__main__":
    main()
