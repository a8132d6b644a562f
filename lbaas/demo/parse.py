"""What ``ip``, ``nft`` and ``ipvsadm`` print, as facts. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from lbaas.dataplane.marks.desired import PROTOCOL_NUMBERS
from lbaas.demo.facts import Destination, Mark, Route, Service

Key: TypeAlias = tuple[int, int, str]  # family, mark, destination

PROTOCOL_NAMES = {number: str(protocol) for protocol, number in PROTOCOL_NUMBERS.items()}


def route(vip: str, printed: str, nodes: Mapping[str, str]) -> Route:
    """``ip -j route show VIP``; *nodes* are names by address. No route: by no node."""
    hops = [
        hop["gateway"] for entry in json.loads(printed) for hop in entry.get("nexthops", [entry])
    ]
    return Route(vip, tuple(nodes.get(hop, hop) for hop in hops))


def marks(printed: str) -> tuple[Mark, ...]:
    """``nft -n -j list table inet lbaas``: the elements of the maps that look up destinations."""
    objects = json.loads(printed)["nftables"]
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
    counters = {key: [int(word) for word in words] for key, words in _destinations(counted)}
    found: dict[tuple[int, int], Service] = {}
    for family, mark, words in _services(listed):
        flags = words[1].strip("()") if len(words) > 1 else ""
        found[family, mark] = Service(family, mark, words[0], flags, ())
    for (family, mark, address), words in _destinations(listed):
        service = found[family, mark]
        connections, in_packets, out_packets, in_bytes, _ = counters.get(
            (family, mark, address), (0,) * 5
        )
        destination = Destination(
            address=_bare(address),
            forwarding=words[0].lower(),
            weight=int(words[1]),
            connections=connections,
            in_packets=in_packets,
            in_bytes=in_bytes,
            out_packets=out_packets,
        )
        found[family, mark] = replace(service, destinations=(*service.destinations, destination))
    return tuple(found.values())


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
