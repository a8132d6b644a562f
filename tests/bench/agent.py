"""The node agent at 10,000 services of 4 backends, and at 100,000 marks, in the lab's guest.

IPVS's limit in the same run is the same messages sent raw, without plan or types; its peers are ``ipvsadm -R`` and
keepalived, where it is installed. Each has a network namespace of its own, since the kernel keeps deleted
destinations for a while and looks through them at every addition. The whole agent has a guest to itself.
"""

import json
import sys
from pathlib import Path
from typing import Any

from lbaas.lab.controller import Lab
from tests.bench.figures import Figures

INSIDE = Path(__file__).with_name("agent_inside.py")
WHOLE = Path(__file__).with_name("agent_whole.py")
MARKS = Path(__file__).with_name("agent_marks.py")
SERVICES = 10_000
MANY_MARKS = 100_000
# The tables of 10,000 mh services are 350 MB of the kernel's.
MEMORY_MB = 2048


def run(lab: Lab, machine: str, script: Path, *arguments: str, stdin: str = "") -> dict[str, Any]:
    """What *script* printed."""
    argv = [sys.executable, str(script), *arguments]
    ran = lab.run(machine, argv, stdin=stdin, timeout_s=900)
    if ran.status:
        sys.exit(f"{script.name} {arguments} ended with status {ran.status}: {ran.stderr}")
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def services_alone(figures: Figures, services: int) -> None:
    """The IPVS subsystem beside its limit and its peers."""
    with Lab.start(memory_mb=MEMORY_MB) as lab:
        # By turns, and the quicker of two: others run on this machine, too, and what the host takes to hand out the
        # guest's memory for the first time shall be in nobody's figure.
        tried = [
            (
                run(lab, one, INSIDE, "raw", str(services))["raw"],
                run(lab, other, INSIDE, "converge", str(services)),
            )
            for one, other in (("lb1", "lb2"), ("backend1", "backend2"))
        ]
        raw, ours = min(each for each, _ in tried), tried[1][1]
        full = min(each["full"] for _, each in tried)
        peer = run(lab, "backend3", INSIDE, "restore", str(services), stdin=ours["saved"])
        kept = run(lab, "client1", INSIDE, "keepalived", str(services))
    figures.shown("agent.raw_batch", raw, "s")
    figures.shown("agent.ipvsadm_restore", peer["restore"], "s")
    figures.at_most("agent.empty_to_full_per_raw_batch", full / raw, "ratio", 2)
    if kept:
        start = kept["keepalived"]
        figures.shown("agent.keepalived_start", start, "s")
        figures.shown("agent.keepalived_reload_with_one_change", kept["reload"], "s")
        figures.shown("agent.keepalived_start_per_raw_batch", start / raw, "ratio")
        figures.at_least("agent.keepalived_start_per_empty_to_full", start / full, "ratio", 30)
    figures.at_most("agent.nothing_to_do_per_empty_to_full", ours["nothing"] / full, "ratio", 0.5)
    figures.at_most("agent.writes_when_nothing_to_do", ours["writes"], "steps", 0)
    figures.at_most("agent.one_step_applied", ours["one"] * 1000, "ms", 5)


def whole_agent(figures: Figures, services: int) -> None:
    """From the body of an answer to the kernel, and what keeps the next body waiting."""
    with Lab.start(memory_mb=MEMORY_MB) as lab:
        bird = (str(lab.bird_socket("lb1")), str(lab.bird_include("lb1")))
        first = run(lab, "lb1", WHOLE, "empty", str(services), *bird)
        ours = first | run(lab, "lb1", WHOLE, "restart", str(services), *bird)
    figures.shown("agent.body_to_full_node", ours["full"], "s")
    figures.at_most("agent.one_change", ours["one"] * 1000, "ms", 5)
    figures.shown("agent.one_change_longest", ours["one_longest"] * 1000, "ms")
    figures.shown("agent.one_change_beside_audits", ours["beside"] * 1000, "ms")
    figures.at_most("agent.longest_wait_beside_audits", ours["beside_longest"] * 1000, "ms", 20)
    figures.shown("agent.audits", ours["audits"], "rounds")
    figures.at_most("agent.longest_wait_for_an_audits_end", ours["audit_longest"] * 1000, "ms", 20)
    figures.shown("agent.restart", ours["restart"], "s")
    figures.at_most("agent.restart_writes", ours["restart_writes"], "steps", 0)
    figures.at_most("agent.resident", max(first["resident"], ours["resident"]), "MB", 120)


def many_marks(figures: Figures) -> None:
    """Elements by netlink, rules by libnftables."""
    with Lab.start(memory_mb=MEMORY_MB) as lab:
        ours = run(lab, "backend1", MARKS, "ours", str(MANY_MARKS))
        peer = run(lab, "backend2", MARKS, "nft", str(MANY_MARKS))
    figures.at_most("agent.100k_marks_placed", ours["placed"], "s", 3)
    figures.shown("agent.100k_marks_observed", ours["observed"], "s")
    figures.shown("agent.100k_marks_by_nft", peer["by_file"], "s")


def main() -> None:
    services = int(sys.argv[1]) if len(sys.argv) > 1 else SERVICES
    figures = Figures()
    services_alone(figures, services)
    many_marks(figures)
    whole_agent(figures, services)
    figures.finish()


if __name__ == "__main__":
    main()
