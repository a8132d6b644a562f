"""The node agent at 10,000 services of 4 backends, and at 100,000 marks, in the lab's guest.

IPVS's limit in the same run is the same messages, encoded beforehand as a program in C would have them; its peers are
``ipvsadm -R`` and keepalived, where it is installed. Each has a network namespace of its own, since the kernel keeps
deleted destinations for a while and looks through them at every addition. The whole agent has a guest to itself.
"""

import json
import sys
from operator import itemgetter
from pathlib import Path
from typing import Any

from lbaas.lab.controller import Lab
from tests.bench.figures import Figures

INSIDE = Path(__file__).with_name("agent_inside.py")
CHECKED = Path(__file__).with_name("agent_checked.py")
WHOLE = Path(__file__).with_name("agent_whole.py")
MARKS = Path(__file__).with_name("agent_marks.py")
SERVICES = 10_000
MANY_MARKS = 100_000
# The tables of 10,000 mh services are 350 MB of the kernel's.
MEMORY_MB = 2048
# As the agent's unit has it.
NICE = -10


def run(
    lab: Lab, machine: str, script: Path, *arguments: str, stdin: str = "", nice: int = 0
) -> dict[str, Any]:
    """What *script* printed."""
    argv = ["nice", "-n", str(nice), sys.executable, str(script), *arguments]
    ran = lab.run(machine, argv, stdin=stdin, timeout_s=900)
    if ran.status:
        sys.exit(f"{script.name} {arguments} ended with status {ran.status}: {ran.stderr}")
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def services_alone(figures: Figures, services: int) -> None:
    """The IPVS subsystem beside its limit and its peers."""
    with Lab.start(memory_mb=MEMORY_MB) as lab:
        raw, ours = beside_the_limit(lab, services, "mh")
        given = str(services), "mh"
        peer = run(lab, "backend3", INSIDE, "restore", *given, stdin=ours["saved"])
        kept = run(lab, "client1", INSIDE, "keepalived", *given)
    figures.shown("agent.raw_batch", raw, "s")
    figures.shown("agent.ipvsadm_restore", peer["restore"], "s")
    figures.at_most("agent.empty_to_full_per_raw_batch", ours["full"] / raw, "ratio", 2)
    if kept:
        figures.shown("agent.keepalived_reload_with_one_change", kept["reload"], "s")
        keepalived(figures, "agent", kept["keepalived"], raw, ours["full"])
    figures.shown("agent.nothing_to_do", ours["nothing"], "s")
    figures.at_most("agent.writes_when_nothing_to_do", ours["writes"], "steps", 0)
    figures.at_most("agent.one_step_applied", ours["one"] * 1000, "ms", 5)


def without_tables(figures: Figures, services: int) -> None:
    """The same with ``rr``, for which the kernel makes no table: what is left is what the programs themselves take."""
    with Lab.start(memory_mb=MEMORY_MB) as lab:
        raw, ours = beside_the_limit(lab, services, "rr")
        kept = run(lab, "client1", INSIDE, "keepalived", str(services), "rr")
    figures.shown("agent.rr.raw_batch", raw, "s")
    figures.shown("agent.rr.empty_to_full_per_raw_batch", ours["full"] / raw, "ratio")
    if kept:
        keepalived(figures, "agent.rr", kept["keepalived"], raw, ours["full"])


def beside_the_limit(lab: Lab, services: int, scheduler: str) -> tuple[float, dict[str, Any]]:
    """Seconds of the raw batch, and what ours took.

    By turns, and the quicker of two: others run on this machine, too, and what the host takes to hand out the guest's
    memory for the first time shall be in nobody's figure.
    """
    given = str(services), scheduler
    tried = [
        (run(lab, one, INSIDE, "raw", *given)["raw"], run(lab, other, INSIDE, "converge", *given))
        for one, other in (("lb1", "lb2"), ("backend1", "backend2"))
    ]
    return min(raw for raw, _ in tried), min((ours for _, ours in tried), key=itemgetter("full"))


def keepalived(figures: Figures, name: str, start: float, raw: float, full: float) -> None:
    """Its start beside the raw batch and beside ours."""
    figures.shown(f"{name}.keepalived_start", start, "s")
    figures.shown(f"{name}.keepalived_start_per_raw_batch", start / raw, "ratio")
    figures.at_least(f"{name}.keepalived_start_per_empty_to_full", start / full, "ratio", 30)


def with_checks(figures: Figures, services: int) -> None:
    """The start as people have it: each backend of each service is checked, by keepalived and by us."""
    for scheduler in ("rr", "mh"):
        with Lab.start(memory_mb=MEMORY_MB) as lab:
            given = str(services), scheduler
            ours = run(lab, "lb1", CHECKED, *given)
            kept = run(lab, "client1", INSIDE, "keepalived_checked", *given)
        name = f"agent.checked.{scheduler}"
        figures.shown(f"{name}.body_to_all_probes_begun", ours["full"], "s")
        figures.shown(f"{name}.of_this_ipvs", ours["ipvs"], "s")
        if kept:
            figures.shown(f"{name}.keepalived_start", kept["keepalived"], "s")
            ratio = kept["keepalived"] / ours["full"]
            figures.shown(f"{name}.keepalived_start_per_ours", ratio, "ratio")


def whole_agent(figures: Figures, services: int) -> None:
    """From the body of an answer to the kernel, and what keeps the next body waiting."""
    with Lab.start(memory_mb=MEMORY_MB) as lab:
        bird = (str(lab.bird_socket("lb1")), str(lab.bird_include("lb1")))
        first = run(lab, "lb1", WHOLE, "empty", str(services), *bird, nice=NICE)
        ours = first | run(lab, "lb1", WHOLE, "restart", str(services), *bird, nice=NICE)
    figures.shown("agent.body_to_full_node", ours["full"], "s")
    figures.at_most("agent.one_change", ours["one"] * 1000, "ms", 5)
    figures.shown("agent.one_change_longest", ours["one_longest"] * 1000, "ms")
    figures.shown("agent.one_vip_more_until_announced", ours["one_more"] * 1000, "ms")
    figures.shown("agent.one_change_beside_audits", ours["beside"] * 1000, "ms")
    figures.at_most(
        "agent.one_change_beside_audits_longest", ours["beside_longest"] * 1000, "ms", 20
    )
    waits_beside_audits(figures, ours)
    figures.shown("agent.restart", ours["restart"], "s")
    figures.at_most("agent.restart_writes", ours["restart_writes"], "steps", 0)
    figures.at_most("agent.resident", max(first["resident"], ours["resident"]), "MB", 120)


def waits_beside_audits(figures: Figures, found: dict[str, float]) -> None:
    """What every audit causes, and what the machine does anyway, are shown beside the longest, which is judged."""
    for name in ("anyway", "median", "p99", "of_half", "of_every_audit"):
        figures.shown(f"agent.wait_beside_audits_{name}", found[f"wait_{name}"] * 1000, "ms")
    figures.at_most("agent.longest_wait_beside_audits", found["wait_longest"] * 1000, "ms", 20)
    figures.shown("agent.round_after_an_audit_quickest", found["audit_quickest"] * 1000, "ms")
    figures.at_most("agent.longest_wait_for_an_audits_end", found["audit_longest"] * 1000, "ms", 20)


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
    without_tables(figures, services)
    with_checks(figures, services)
    many_marks(figures)
    whole_agent(figures, services)
    figures.finish()


if __name__ == "__main__":
    main()
