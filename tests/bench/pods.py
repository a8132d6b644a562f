"""What the host agent of a machine costs on which many pods are behind a VIP: its rounds, its meter, its memory.

In the lab's guest, where system calls are dear.
"""

import json
import sys
from pathlib import Path

from lbaas.lab.controller import Lab
from tests.bench.figures import Figures

INSIDE = Path(__file__).with_name("pods_inside.py")
PODS = 100
# As deploy/kubernetes has it.
CYCLE_S, MEMORY_MB = 2.0, 256


def main() -> None:
    with Lab.start() as lab:
        ran = lab.run("backend1", [sys.executable, str(INSIDE), str(PODS)], timeout_s=500)
    if ran.status:
        sys.exit(f"ended with status {ran.status}: {ran.stderr}")
    found: dict[str, float] = json.loads(ran.stdout)
    figures = Figures()
    figures.shown(f"pods.first_round_of_{PODS}", found["first"], "cpu-s")
    figures.shown(f"pods.quiet_round_of_{PODS}", found["quiet"], "cpu-s")
    figures.shown(f"pods.look_at_{PODS}_meters", found["look"], "cpu-s")
    figures.shown(f"pods.period_of_{PODS}_meters", found["period"], "cpu-s")
    core = (found["quiet"] + found["look"]) / CYCLE_S + found["period"] / 60
    figures.at_most(f"pods.agent_with_{PODS}", core, "core", 0.5)
    figures.at_most(f"pods.agents_memory_with_{PODS}", found["memory"], "MB", MEMORY_MB)
    figures.finish()


if __name__ == "__main__":
    main()
