"""Microseconds a datagram on the loopback: without the nodes' table, marked by it, and policed. Prints JSON."""

import json
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from ipaddress import IPv4Address

from lbaas.dataplane.link.netlink import Held, LinkSocket
from lbaas.dataplane.marks.apply import apply
from lbaas.dataplane.marks.desired import FAMILY, TABLE, FlowKey, FlowMark, MarkTable
from lbaas.dataplane.marks.observe import expected_structure
from lbaas.dataplane.marks.plan import plan
from lbaas.dataplane.marks.policy import Policy, Span
from lbaas.dataplane.marks.rules import declaration
from lbaas.dataplane.nfnetlink import NfSocket
from lbaas.dataplane.nftables import Nft
from lbaas.wire.state import MarkRange

MARKS = MarkRange(first=0x10000000, last=0x1000FFFF)
CLIENT = IPv4Address("10.9.9.9")
SOURCES = frozenset(
    {
        Span(IPv4Address("10.0.0.0"), IPv4Address("10.255.255.255")),
        Span(IPv4Address("192.0.2.0"), IPv4Address("192.0.2.255")),
    }
)
PORT, ROUNDS, ASKED = 5000, 25, 100
# For some time after many elements came the kernel enlarges its hash tables, and looks into two.
SETTLING_S = 3.0


def vip(number: int) -> IPv4Address:
    return IPv4Address("198.18.0.0") + number


def table(structure: str, vips: int, *, policed: bool) -> MarkTable:
    """*vips* VIPs of one listener each; policed, each has two prefixes of sources."""
    sources = SOURCES if policed else frozenset[Span]()
    marks = {number: MARKS.first + number for number in range(vips)}
    return MarkTable(
        structure,
        frozenset(map(vip, marks)),
        {
            FlowKey(vip(number), 17, PORT, PORT): FlowMark(mark, mark, sources)
            for number, mark in marks.items()
        },
        {mark: Policy(restricted=True) for mark in marks.values()} if policed else {},
    )


def best_us(sender: socket.socket, targets: Sequence[tuple[str, int]]) -> float:
    """The quickest of several rounds: others run on this machine, too."""
    spent: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for target in targets:
            sender.sendto(b"x", target)
        spent.append(time.perf_counter() - began)
    return min(spent) / len(targets) * 1e6


def main() -> None:
    vips = int(sys.argv[1])
    asked = range(0, vips, max(1, vips // ASKED))
    with closing(Nft()) as nft, closing(NfSocket()) as netfilter, closing(LinkSocket()) as link:
        link.set_up(1)
        link.add([Held(1, CLIENT), *(Held(1, vip(number)) for number in asked)])
        figures: dict[str, float] = {}
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        ):
            receiver.bind(
                ("", PORT)
            )  # and reads nothing: what is too much is dropped, as cheaply as may be
            sender.bind((str(CLIENT), 0))
            targets = [(str(vip(number)), PORT) for number in asked] * 10
            figures["bare"] = best_us(sender, targets)
            structure = expected_structure(nft, MARKS)
            for kind in ("marked", "policed"):
                wanted = table(structure, vips, policed=kind == "policed")
                made = apply(
                    nft, netfilter, plan(MarkTable(None), wanted).establish, declaration(MARKS)
                )
                if made.failed:
                    sys.exit(str(made.failed[0][1]))
                time.sleep(SETTLING_S)
                figures[kind] = best_us(sender, targets)
                nft.run(f"delete table {FAMILY} {TABLE}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
