"""What the nodes' table costs a packet, by the number of VIPs: on the loopback of one namespace of the lab.

The limit in the same run is the same packet without a table.
"""

import json
import sys
from pathlib import Path

from lbaas.lab.controller import Lab
from tests.bench.figures import Figures

INSIDE = Path(__file__).with_name("packets_inside.py")
FEW, MANY = 100, 10_000


def main() -> None:
    with Lab.start() as lab:

        def measure(vips: int) -> dict[str, float]:
            argv = [sys.executable, str(INSIDE), str(vips)]
            ran = lab.run("backend1", argv, timeout_s=300)
            if ran.status:
                sys.exit(f"{vips} VIPs ended with status {ran.status}: {ran.stderr}")
            return dict(json.loads(ran.stdout))

        few, many = measure(FEW), measure(MANY)
    figures = Figures()
    figures.shown("packets.without_table", many["bare"], "us")
    figures.shown("packets.marked", many["marked"], "us")
    figures.shown("packets.policed", many["policed"], "us")
    for kind in ("marked", "policed"):
        ratio = many[kind] / few[kind]
        figures.at_most(f"packets.{kind}_among_{MANY}_per_among_{FEW}", ratio, "ratio", 2)
    figures.finish()


if __name__ == "__main__":
    main()
