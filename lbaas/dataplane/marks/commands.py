"""The table's elements as nftables commands."""

from collections.abc import Iterator
from ipaddress import IPv4Address

from lbaas.dataplane.marks.desired import FAMILY, TABLE, Drops, FlowKey, FlowMark
from lbaas.dataplane.marks.policy import Policy
from lbaas.dataplane.nfnetlink import Verb
from lbaas.domain.addresses import Address

OWN = f"{FAMILY} {TABLE}"


def of_vip(verb: Verb, address: Address) -> str:
    return _element(verb, f"vips{address.version}", str(address))


def of_flow(verb: Verb, flow: FlowKey, mark: FlowMark) -> Iterator[str]:
    exact = flow.first == flow.last
    port = str(flow.first) if exact else f"{flow.first}-{flow.last}"
    family = flow.vip.version
    key = f"{flow.vip} . {flow.protocol} . {port}"
    if mark.sources:
        sources = sorted(f"{key} . {span}" for span in mark.sources)
        yield _element(verb, f"sources{family}", ", ".join(sources))
    if mark.packets is not None:
        name = f"flows{family}" if exact else f"ranges{family}"
        yield _element(verb, name, f"{key} : {mark.packets:#x}")
    if mark.errors is not None:
        name = f"errors{family}" if exact else f"error_ranges{family}"
        key = f"{_raw(flow.vip)} . {flow.protocol} . {port}"
        yield _element(verb, name, f"{key} : {mark.errors:#x}")


def of_policy(verb: Verb, mark: int, policy: Policy) -> Iterator[str]:
    if policy.policed:
        yield _element(verb, "policed", f"{mark:#x}")
    if policy.restricted:
        yield _element(verb, "restricted", f"{mark:#x}")
    if policy.per_second is not None:
        yield _element(verb, "rates", f"{mark:#x} : goto rate_{policy.per_second}")


def of_drops(drops: Drops) -> Iterator[str]:
    """Counting goes on from there."""
    for (cause, mark), packets in drops.items():
        counter = f"counter packets {packets} bytes 0"
        yield _element("add", f"dropped_{cause}", f"{mark:#x} {counter}")


def no_drops(cause: str, mark: int) -> str:
    return _element("delete", f"dropped_{cause}", f"{mark:#x}")


def _element(verb: Verb, container: str, content: str) -> str:
    return f"{verb} element {OWN} {container} {{ {content} }}"


def _raw(address: Address) -> str:
    """The address as the integer that a raw payload match compares with."""
    return f"{int(address):#0{10 if isinstance(address, IPv4Address) else 34}x}"
