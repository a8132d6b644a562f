"""The node agent's IPVS subsystem at 10,000 services of 4 backends, in the lab's guest.

Its limit in the same run is the same messages sent raw, without plan or types; its peer is ``ipvsadm -R``. Each has
a network namespace of its own, since the kernel keeps deleted destinations for a while and looks through
them at every addition.
"""

import json
import sys
from pathlib import Path

from lbaas.lab.controller import Lab
from tests.bench.figures import Figures

INSIDE = Path(__file__).with_name("agent_inside.py")
SERVICES = 10_000


def main() -> None:
    services = int(sys.argv[1]) if len(sys.argv) > 1 else SERVICES
    with Lab.start() as lab:

        def measure(machine: str, what: str, stdin: str = "") -> dict[str, float | str]:
            argv = [sys.executable, str(INSIDE), what, str(services)]
            ran = lab.run(machine, argv, stdin=stdin, timeout_s=900)
            if ran.status:
                sys.exit(f"{what} ended with status {ran.status}: {ran.stderr}")
            return dict(json.loads(ran.stdout))

        raw = float(measure("backend1", "raw")["raw"])
        ours = measure("backend2", "converge")
        peer = float(measure("backend3", "restore", str(ours.pop("saved")))["restore"])
    full = float(ours["full"])
    figures = Figures()
    figures.shown("agent.raw_batch", raw, "s")
    figures.shown("agent.ipvsadm_restore", peer, "s")
    figures.at_most("agent.empty_to_full_per_raw_batch", full / raw, "ratio", 2)
    figures.at_most(
        "agent.nothing_to_do_per_empty_to_full", float(ours["nothing"]) / full, "ratio", 0.5
    )
    figures.at_most("agent.writes_when_nothing_to_do", float(ours["writes"]), "steps", 0)
    figures.at_most("agent.one_change_applied", float(ours["one"]) * 1000, "ms", 5)
    figures.at_most("agent.rss", float(ours["rss"]), "MB", 120)
    figures.finish()


if __name__ == "__main__":
    main()
