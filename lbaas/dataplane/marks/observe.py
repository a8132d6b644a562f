"""The table as the kernel has it."""

import contextlib
from collections.abc import Iterator, Mapping

from lbaas.dataplane.marks.desired import (
    FAMILY,
    TABLE,
    FlowKey,
    FlowMark,
    MarkTable,
    declaration,
)
from lbaas.dataplane.marks.elements import ERRORS, FLOWS, VIPS, address_of, flow_of
from lbaas.dataplane.nfnetlink import INET, Element, NfSocket
from lbaas.dataplane.nftables import Nft, learn_structure
from lbaas.wire.state import MarkRange


def expected_structure(nft: Nft, marks: MarkRange) -> str:
    """How a table of ours lists on this machine: what ``mark_table`` wants as *structure*."""
    return learn_structure(nft, FAMILY, TABLE, declaration(marks), elements=False)


def observe(nft: Nft, netfilter: NfSocket) -> MarkTable:
    """The table with its elements; a table that is not there has no structure.

    A table whose structure is not ours may hold anything: what does not look like an element of ours is not
    shown.
    """
    structure = nft.structure(FAMILY, TABLE)
    if structure is None:
        return MarkTable(None)
    vips = frozenset(
        address_of(each)
        for family in (4, 6)
        for each in _elements(netfilter, (VIPS[family],))
        if len(each.key) in (4, 16)
    )
    return MarkTable(structure, vips, _flows(netfilter))


def _flows(netfilter: NfSocket) -> dict[FlowKey, FlowMark]:
    packets, errors = _marks(netfilter, FLOWS), _marks(netfilter, ERRORS)
    # Both nearly always say the same, of the same flows in the same order.
    return {
        flow: FlowMark(packets.get(flow), errors.get(flow))
        for flow in (packets if packets.keys() == errors.keys() else {**packets, **errors})
    }


def _marks(netfilter: NfSocket, maps: Mapping[int, tuple[str, str]]) -> dict[FlowKey, int]:
    return dict(
        flow_of(each)
        for names in maps.values()
        for each in _elements(netfilter, names)
        if len(each.key) in (12, 24) and len(each.value or b"") == 4
    )


def _elements(netfilter: NfSocket, names: tuple[str, ...]) -> Iterator[Element]:
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            yield from netfilter.elements(INET, TABLE, name)
