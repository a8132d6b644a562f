"""The table as the kernel has it."""

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from lbaas.dataplane.marks.desired import (
    FAMILY,
    TABLE,
    Drops,
    FlowKey,
    FlowMark,
    MarkTable,
)
from lbaas.dataplane.marks.elements import (
    ERRORS,
    FLOWS,
    SOURCES,
    VIPS,
    address_of,
    flow_of,
    limit_of,
    mark_of,
    source_of,
)
from lbaas.dataplane.marks.policy import Policy, Span
from lbaas.dataplane.marks.rules import DROPS, declaration
from lbaas.dataplane.nfnetlink import INET, Element, NfSocket
from lbaas.dataplane.nftables import Nft, learn_structure
from lbaas.dataplane.turns import by_turns
from lbaas.wire.state import MarkRange


def expected_structure(nft: Nft, marks: MarkRange, scratch: str = TABLE) -> str:
    """How a table of ours lists on this machine: what ``mark_table`` wants as *structure*.

    Two that learn it at the same time must not use one *scratch*.
    """
    return _canonical(learn_structure(nft, FAMILY, scratch, declaration(marks), elements=False))


def structure(nft: Nft) -> str | None:
    """The table's sets, chains and rules, None if there is no table."""
    found = nft.structure(FAMILY, TABLE)
    return None if found is None else _canonical(found)


def observe(nft: Nft, netfilter: NfSocket) -> MarkTable:
    """The table with its elements; a table that is not there has no structure.

    A table whose structure is not ours may hold anything: what does not look like an element of ours is not
    shown.
    """
    found = structure(nft)
    if found is None:
        return MarkTable(None)
    vips = frozenset(
        address_of(each)
        for family in (4, 6)
        for each in _elements(netfilter, (VIPS[family],))
        if len(each.key) in (4, 16)
    )
    return MarkTable(found, vips, _flows(netfilter), _policies(netfilter), drops(nft))


def drops(nft: Nft) -> Drops:
    """How many packets were refused, by cause and mark."""
    counters = nft.elements_of(FAMILY, TABLE, [f"set dropped_{cause}" for cause in DROPS])
    return {
        (name.removeprefix("dropped_"), each["elem"]["val"]): each["elem"]["counter"]["packets"]
        for name, elements in counters.items()
        for each in elements
    }


# The sets and the chain of one limit; they look alike but for the limit itself.
_OF_LIMIT = re.compile(r"\t(?:set opened[46]|chain rate)_(\d+) \{")


def _canonical(structure: str) -> str:
    """The listing's sets and chains in an order that does not vary; those of limits once, without the number.

    A table has them for the limits that its listeners have, or had. One that does not look as it should shows
    as a part that no declaration has.
    """
    parts = structure.removesuffix("}\n").split("\n\n")
    return "\n\n".join(sorted({_numberless(part.strip("\n")) for part in parts}))


def _numberless(part: str) -> str:
    head = _OF_LIMIT.match(part)
    if head is None:
        return part
    number = head[1]
    return re.sub(rf"_{number}\b|\b{number}/second burst {number} packets", "N", part)


def _flows(netfilter: NfSocket) -> dict[FlowKey, FlowMark]:
    packets, errors = _marks(netfilter, FLOWS), _marks(netfilter, ERRORS)
    sources = _sources(netfilter)
    return {flow_of(*flow): mark for flow, mark in by_turns(_taken_from(packets, errors, sources))}


# A flow as the bytes of its first and last key.
_Raw: TypeAlias = tuple[bytes, bytes]


def _taken_from(
    packets: dict[_Raw, int], errors: dict[_Raw, int], sources: dict[_Raw, set[Span]]
) -> Iterator[tuple[_Raw, FlowMark]]:
    """What the three say of each flow; they are empty then. To let all go at once would keep other threads waiting.

    The first two nearly always say the same of the same flows, so each is decoded once.
    """

    def admitted(flow: _Raw) -> frozenset[Span]:
        return frozenset(sources.pop(flow, ()))

    while packets:
        flow, mark = packets.popitem()
        yield flow, FlowMark(mark, errors.pop(flow, None), admitted(flow))
    while errors:
        flow, mark = errors.popitem()
        yield flow, FlowMark(None, mark, admitted(flow))
    while sources:
        flow, spans = sources.popitem()
        yield flow, FlowMark(None, None, frozenset(spans))


def _sources(netfilter: NfSocket) -> dict[_Raw, set[Span]]:
    sources: dict[_Raw, set[Span]] = {}
    for name in SOURCES.values():
        for each in _elements(netfilter, (name,)):
            if len(each.key) in (16, 40):
                flow, span = source_of(each)
                sources.setdefault(flow, set()).add(span)
    return sources


def _policies(netfilter: NfSocket) -> dict[int, Policy]:
    policed, restricted = (
        {mark_of(each.key) for each in _elements(netfilter, (name,)) if len(each.key) == 4}
        for name in ("policed", "restricted")
    )
    rates = dict(limit_of(each) for each in _elements(netfilter, ("rates",)) if len(each.key) == 4)
    return {
        mark: Policy(mark in policed, mark in restricted, rates.get(mark))
        for mark in policed | restricted | rates.keys()
    }


def _marks(netfilter: NfSocket, maps: Mapping[int, tuple[str, str]]) -> dict[_Raw, int]:
    return {
        (key, end or key): mark_of(value)
        for names in maps.values()
        for key, value, end, _ in _elements(netfilter, names)
        if len(key) in (12, 24) and value is not None and len(value) == 4
    }


def _elements(netfilter: NfSocket, names: tuple[str, ...]) -> Iterator[Element]:
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            yield from by_turns(netfilter.elements(INET, TABLE, name))
