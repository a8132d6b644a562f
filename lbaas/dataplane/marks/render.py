"""Steps as nftables commands. Pure; the same text is checked by ``nft -c`` in the tests."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address

from lbaas.dataplane.marks.desired import FAMILY, TABLE, FlowKey, FlowMark, MarkTable
from lbaas.dataplane.marks.plan import (
    AddVip,
    MarkStep,
    RemoveFlow,
    RemoveVip,
    ReplaceTable,
    SetFlow,
)
from lbaas.domain.addresses import Address

_OWN = f"{FAMILY} {TABLE}"


def transaction(steps: Iterable[MarkStep], declaration: str) -> str:
    """The commands of all *steps*; *declaration* is what a replaced table is made of."""
    return "".join(f"{line}\n" for step in steps for line in _commands(step, declaration))


def _commands(step: MarkStep, declaration: str) -> Iterator[str]:
    match step:
        case ReplaceTable(content=content):
            yield from _replace(content, declaration)
        case AddVip(address=address):
            yield _vip("add", address)
        case RemoveVip(address=address):
            yield _vip("delete", address)
        case SetFlow(flow=flow, mark=mark, replaced=replaced):
            for old, old_mark in replaced:
                yield from _flow("delete", old, old_mark)
            yield from _flow("add", flow, mark)
        case RemoveFlow(flow=flow, mark=mark):
            yield from _flow("delete", flow, mark)


def _replace(content: MarkTable, declaration: str) -> Iterator[str]:
    # "add" first, so that "delete" finds a table in any case.
    yield f"add table {_OWN}"
    yield f"delete table {_OWN}"
    yield f"table {_OWN} {{\n{declaration}}}"
    for address in content.vips:
        yield _vip("add", address)
    for flow, mark in content.flows.items():
        yield from _flow("add", flow, mark)


def _vip(verb: str, address: Address) -> str:
    return f"{verb} element {_OWN} vips{address.version} {{ {address} }}"


def _flow(verb: str, flow: FlowKey, mark: FlowMark) -> Iterator[str]:
    exact = flow.first == flow.last
    port = str(flow.first) if exact else f"{flow.first}-{flow.last}"
    family = flow.vip.version
    if mark.packets is not None:
        name = f"flows{family}" if exact else f"ranges{family}"
        key = f"{flow.vip} . {flow.protocol} . {port}"
        yield f"{verb} element {_OWN} {name} {{ {key} : {mark.packets:#x} }}"
    if mark.errors is not None:
        name = f"errors{family}" if exact else f"error_ranges{family}"
        key = f"{_raw(flow.vip)} . {flow.protocol} . {port}"
        yield f"{verb} element {_OWN} {name} {{ {key} : {mark.errors:#x} }}"


def _raw(address: Address) -> str:
    """The address as the integer that a raw payload match compares with."""
    return f"{int(address):#0{10 if isinstance(address, IPv4Address) else 34}x}"
