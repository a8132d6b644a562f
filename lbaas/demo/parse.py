"""What ``ip``, ``nft`` and ``ipvsadm`` print, as facts. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from lbaas.dataplane.marks.desired import PROTOCOL_NUMBERS
from lbaas.demo.facts import Destination, Mark, Route, Service

Decoded: TypeAlias = Any  # JSON, as json.loads gives it
Key: TypeAlias = tuple[int, int, str]  # family, mark, destination

PROTOCOL_NAMES = {number: str(protocol) for protocol, number in PROTOCOL_NUMBERS.items()}


def route(vip: str, printed: Decoded, nodes: Mapping[str, str]) -> Route:
    """``ip -j route show VIP``; *nodes* are names by address. No route: by no node."""
    hops = [hop["gateway"] for entry in printed for hop in entry.get("nexthops", [entry])]
    return Route(vip, tuple(nodes.get(hop, hop) for hop in hops))


def marks(printed: Decoded) -> tuple[Mark, ...]:
    """``nft -n -j list table inet lbaas``: the elements of the maps that look up destinations."""
    objects = printed["nftables"]
    maps = [each["map"] for each in objects if "map" in each]
    wanted = [each for each in maps if each["name"].startswith(("flows", "ranges"))]
    return tuple(_mark(key, mark) for each in wanted for key, mark in each.get("elem", []))


def _mark(key: dict[str, Any], mark: int) -> Mark:
    vip, protocol, ports = key["concat"]
    if isinstance(ports, dict):
        ports = "{}-{}".format(*ports["range"])
    return Mark(vip, PROTOCOL_NAMES.get(protocol, str(protocol)), str(ports), mark)


def services(listed: str, counted: str) -> tuple[Service, ...]:
    """``ipvsadm -Ln`` with the counters of ``ipvsadm -Ln --stats --exact``; fwmark services only."""
    counters = dict(_destinations(counted))
    found = {
        (family, mark): Service(family, mark, scheduler, "".join(flags).strip("()"), ())
        for family, mark, (scheduler, *flags) in _services(listed)
    }
    for key, words in _destinations(listed):
        family, mark, address = key
        service = found[family, mark]
        one = _destination(_bare(address), words, counters.get(key, ["0"] * 5))
        found[family, mark] = replace(service, destinations=(*service.destinations, one))
    return tuple(found.values())


def _destination(address: str, words: list[str], counters: list[str]) -> Destination:
    forwarding, weight, *_ = words
    connections, in_packets, out_packets, in_bytes, _ = map(int, counters)
    return Destination(
        address=address,
        forwarding=forwarding.lower(),
        weight=int(weight),
        connections=connections,
        in_packets=in_packets,
        in_bytes=in_bytes,
        out_packets=out_packets,
    )


def _services(printed: str) -> Iterator[tuple[int, int, list[str]]]:
    """Family and mark of each service, and the words behind them."""
    for line in printed.splitlines():
        match line.split():
            case ["FWM", mark, "IPv6", *words]:
                yield 6, int(mark), words
            case ["FWM", mark, *words]:
                yield 4, int(mark), words


def _destinations(printed: str) -> Iterator[tuple[Key, list[str]]]:
    """Each destination of a fwmark service, and the words behind it."""
    service: tuple[int, int] | None = None
    for line in printed.splitlines():
        if not line.startswith(" "):
            service = next(((family, mark) for family, mark, _ in _services(line)), None)
            continue
        match line.split():
            case ["->", address, *words] if service and words:
                yield (*service, address), words


def _bare(address: str) -> str:
    """``fd00::1`` for ``[fd00::1]:0``: a fwmark service has no port."""
    return address.rpartition(":")[0].strip("[]")
