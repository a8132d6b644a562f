"""``lbaas explain`` names what is wrong: faults are planted, and one command tells each. docs/explain.md lists them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lbaas.domain.terms import Verdict
from lbaas.explain.spoken import flow_of
from lbaas.lab.site import Site
from lbaas.wire.explanation import Explanation, HopShown
from tests.e2e.balanced import OWN_PORTS, PORT, Balanced, eventually

INSIDE = Path(__file__).with_name("explain_inside.py")
CLIENT_PORT = OWN_PORTS + 100


def client_of(vip: Balanced) -> str:
    return f"{vip.client}:{CLIENT_PORT}" if vip.family == 4 else f"[{vip.client}]:{CLIENT_PORT}"


def service_of(vip: Balanced) -> str:
    return f"{vip.address}:{PORT}/tcp" if vip.family == 4 else f"[{vip.address}]:{PORT}/tcp"


def explained(vip: Balanced, wait_s: float = 30) -> Explanation:
    flow = flow_of(client_of(vip), service_of(vip))
    return vip.site.tenant.explain(vip.vip["id"], flow, wait_s)


def wrong(found: Explanation) -> list[HopShown]:
    return [hop for hop in found.hops if hop.verdict is not Verdict.OK]


@contextmanager
def stopped(site: Site, machine: str) -> Iterator[None]:
    """The machine's agent repairs nothing meanwhile, and says nothing."""
    site.agents[machine].kill(signal.SIGSTOP)
    try:
        yield
    finally:
        site.agents[machine].kill(signal.SIGCONT)


def test_every_hop_of_a_healthy_datacentre_is_well(balanced: Balanced) -> None:
    eventually(lambda: wrong(explained(balanced)) == [])
    found = explained(balanced)
    served = balanced.fetch(source_port=CLIENT_PORT)
    assert {hop.machine for hop in found.hops} == {
        *("control plane", "lb1", "lb2"),
        served.backend,  # the member that the table says is the one that answers
    }
    assert len(found.members) == 1


def test_the_command_line_says_it_in_one_go(balanced4: Balanced) -> None:
    site = balanced4.site
    eventually(lambda: wrong(explained(balanced4)) == [])
    ran = subprocess.run(
        [*(sys.executable, "-m", "lbaas", "explain"), client_of(balanced4), service_of(balanced4)],
        env=os.environ
        | {"LBAAS_SERVER_URL": site.server.url, "LBAAS_TOKEN": site.inventory.tenant_token},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert ran.stdout.endswith("every hop is as it should be\n"), ran.stdout + ran.stderr
    assert ran.returncode == 0


def planted(vip: Balanced, machine: str, role: str) -> dict[str, list[str]]:
    """By fault, the stage that must be named and the one that is named first."""
    lab = vip.site.lab
    marks = sorted(line.split()[1] for line in _kernel(vip.site) if line.startswith("FWM"))
    told = {
        "role": role,
        "vip": vip.address,
        "client": client_of(vip),
        "state_dir": str(lab.directory(machine) / "state"),
        "bird": str(lab.bird_socket(machine)) if role == "node" else "",
        "include": str(lab.bird_include(machine)) if role == "node" else "",
        "mark": _mark(vip),
        "other_mark": next(
            f"0x{mark.lower()}" for mark in marks if f"0x{mark.lower()}" != _mark(vip)
        ),
    }
    with stopped(vip.site, machine):
        ran = lab.run(machine, [sys.executable, str(INSIDE), json.dumps(told)], timeout_s=240)
    assert ran.status == 0, ran.stdout + ran.stderr
    found: dict[str, list[str]] = {}
    for line in ran.stdout.splitlines():
        found |= json.loads(line)
    return found


def _kernel(site: Site) -> list[str]:
    return site.lab.run("lb1", ["cat", "/proc/net/ip_vs"]).stdout.splitlines()


def _mark(vip: Balanced) -> str:
    """The mark of the VIP's TCP listener, as nftables lists it."""
    listed = vip.site.lab.run("lb1", ["nft", "-n", "list", "map", "inet", "lbaas", "flows4"]).stdout
    (_, _, after) = listed.partition(f"{vip.address} . 6 . {PORT} : ")
    return after.split()[0].rstrip(",")


def test_what_goes_wrong_on_a_node_is_named(balanced4: Balanced) -> None:
    found = planted(balanced4, "lb1", "node")
    assert {name: stage for name, (_, stage) in found.items()} == {
        name: stage for name, (stage, _) in found.items()
    }
    assert len(found) == 20
    balanced4.wait_programmed()


def test_what_goes_wrong_on_a_backend_host_is_named(balanced4: Balanced) -> None:
    found = planted(balanced4, "backend1", "host")
    assert {name: stage for name, (_, stage) in found.items()} == {
        name: stage for name, (stage, _) in found.items()
    }
    assert len(found) == 8


def test_a_stopped_agent_and_a_small_mtu_show_where_all_answers_meet(balanced4: Balanced) -> None:
    site = balanced4.site
    with stopped(site, "lb1"):
        silent = wrong(explained(balanced4, wait_s=1))
    assert ("lb1", "answer") in {(hop.machine, hop.stage) for hop in silent}
    site.lab.run("lb1", ["ip", "link", "set", "eth0", "mtu", "1400"])
    try:
        eventually(lambda: [hop.stage for hop in wrong(explained(balanced4))] == ["mtu"])
    finally:
        site.lab.run("lb1", ["ip", "link", "set", "eth0", "mtu", "1500"])
    eventually(lambda: wrong(explained(balanced4)) == [])
