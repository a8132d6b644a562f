"""The marks' table at scale, on a machine of the lab: prints what it measured as one JSON document."""

import json
import sys
import time
from contextlib import closing
from ipaddress import IPv4Address

from lbaas.dataplane.marks.apply import apply
from lbaas.dataplane.marks.desired import FlowKey, FlowMark, MarkTable
from lbaas.dataplane.marks.observe import expected_structure, observe
from lbaas.dataplane.marks.plan import plan
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


def main() -> None:
    undisturbed()
    with closing(Nft()) as nft, closing(NfSocket()) as netfilter:
        wanted = table(int(sys.argv[1]), expected_structure(nft, MARKS))
        begun = time.monotonic()
        steps = plan(observe(nft, netfilter), wanted).establish
        assert apply(nft, netfilter, steps, declaration(MARKS)).failed == ()
        placed = time.monotonic()
        assert observe(nft, netfilter) == wanted
        observed = time.monotonic()
    print(json.dumps({"placed": placed - begun, "observed": observed - placed}))


if __name__ == "__main__":
    main()
