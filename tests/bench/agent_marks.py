"""The marks' table at scale, on a machine of the lab: prints what it measured as one JSON document.

``ours FLOWS`` is the agent's way, ``nft FLOWS`` the same table from a file.
"""

import json
import subprocess
import sys
import time
from contextlib import closing
from ipaddress import IPv4Address

from lbaas.dataplane.marks.apply import apply
from lbaas.dataplane.marks.desired import FlowKey, FlowMark, MarkTable
from lbaas.dataplane.marks.observe import expected_structure, observe
from lbaas.dataplane.marks.plan import ReplaceTable, plan
from lbaas.dataplane.marks.render import transaction
from lbaas.dataplane.marks.rules import declaration
from lbaas.dataplane.nfnetlink import NfSocket
from lbaas.dataplane.nftables import Nft
from lbaas.node_agent.reconcile import undisturbed
from lbaas.wire.state import MarkRange

MARKS = MarkRange(first=0x10000000, last=0x1001FFFF)
FIRST_VIP = int(IPv4Address("198.18.0.0"))


def table(flows: int, structure: str) -> MarkTable:
    """Ten ports for each VIP."""
    marked = {
        FlowKey(IPv4Address(FIRST_VIP + number // 10), 6, port, port): FlowMark(mark, mark)
        for number in range(flows)
        for port, mark in ((1000 + number % 10, MARKS.first + number),)
    }
    return MarkTable(structure, frozenset(flow.vip for flow in marked), marked)


def ours(flows: int) -> dict[str, float]:
    with closing(Nft()) as nft, closing(NfSocket()) as netfilter:
        wanted = table(flows, expected_structure(nft, MARKS))
        begun = time.monotonic()
        steps = plan(observe(nft, netfilter), wanted).establish
        assert apply(nft, netfilter, steps, declaration(MARKS)).failed == ()
        placed = time.monotonic()
        # A first look may come while the kernel still enlarges its hash tables, and see less.
        observe(nft, netfilter)
        looked = time.monotonic()
        assert observe(nft, netfilter) == wanted
        observed = time.monotonic() - looked
    return {"placed": placed - begun, "observed": observed}


def by_file(flows: int) -> dict[str, float]:
    ruleset = transaction([ReplaceTable(table(flows, ""))], declaration(MARKS))
    begun = time.monotonic()
    subprocess.run(["nft", "-f", "-"], input=ruleset, text=True, check=True)
    return {"by_file": time.monotonic() - begun}


def main() -> None:
    undisturbed()
    what, flows = sys.argv[1:]
    print(json.dumps({"ours": ours, "nft": by_file}[what](int(flows))))


if __name__ == "__main__":
    main()
