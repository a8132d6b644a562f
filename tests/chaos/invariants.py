"""What must hold at every moment, whatever happens: pure, over what a node's kernel lists."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

_FLOW = re.compile(r"([0-9a-f.:]+) \. (?:tcp|6) \. \d+ : 0x([0-9a-f]+)")
_SERVICE = re.compile(r"^-A -f (\d+) ")
_BACKEND = re.compile(r"^-a -f (\d+) .*?-r \[?([^\]\s]+?)\]?:0 .*?-w (\d+)")


class Violation(AssertionError):
    """Something did not hold. Says what."""


@dataclass(frozen=True)
class Forwarding:
    """A node's kernel: the marks of each VIP's flows, and each mark's backends with their weights."""

    marks: Mapping[str, frozenset[int]]
    backends: Mapping[int, Mapping[str, int]]

    def of(self, vip: str) -> Mapping[str, int]:
        """Where packets to the VIP go, and how many by weight."""
        found: dict[str, int] = {}
        for mark in self.marks.get(vip, ()):
            found |= self.backends.get(mark, {})
        return found


def forwarding(flows: str, services: str) -> Forwarding:
    """What ``nft list map`` and ``ipvsadm -Sn`` print."""
    marks: dict[str, frozenset[int]] = {}
    for vip, mark in _FLOW.findall(flows):
        marks[vip] = marks.get(vip, frozenset()) | {int(mark, 16)}
    backends: dict[int, dict[str, int]] = {}
    for line in services.splitlines():
        if made := _SERVICE.match(line):
            backends.setdefault(int(made[1]), {})
        elif has := _BACKEND.match(line):
            backends.setdefault(int(has[1]), {})[has[2]] = int(has[3])
    return Forwarding(marks, backends)


def astray(seen: Forwarding, meant: Mapping[str, AbstractSet[str]]) -> Iterator[str]:
    """Packets of a VIP that go where its owner never wanted them, and marks that two VIPs share."""
    # A listener of both families has one mark, and a VIP of each.
    shared = Counter((mark, ":" in vip) for vip, marks in seen.marks.items() for mark in marks)
    for mark in sorted({mark for (mark, _), vips in shared.items() if vips > 1}):
        yield f"mark {mark:#x} belongs to more than one VIP"
    for vip in sorted(seen.marks.keys() & meant.keys()):
        if strange := seen.of(vip).keys() - meant[vip]:
            yield f"packets to {vip} go to {', '.join(sorted(strange))}, which its owner never named"


def differing(seen: Forwarding, wanted: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """VIPs whose packets do not go where the last order says, now that everything is at rest."""
    for vip, weights in wanted.items():
        if dict(seen.of(vip)) != dict(weights):
            yield f"packets to {vip} go by {dict(seen.of(vip))}, its owner ordered {dict(weights)}"


def twice(addresses: Iterable[str]) -> Iterator[str]:
    """Addresses that two VIPs have."""
    for address, times in Counter(addresses).items():
        if times > 1:
            yield f"{times} VIPs have {address}"
