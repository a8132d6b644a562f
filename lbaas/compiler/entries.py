"""A VIP's row, and all that hangs on it, to its entry: the shape of VipSettings, in JSON's own types.

Plain, and with the keys in order, because models and sorting would take most of a compilation's time. What has
its default is left out: entries come by the ten thousand.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, cast

from lbaas.compiler.snapshot import ListenerRow, MemberRow, ServiceRow, VipRow
from lbaas.domain.terms import Encapsulation, ProbeKind, WhenNoBackend

Json = dict[str, Any]

_BY_MARK = attrgetter("mark")

# A word of a vocabulary takes longer to look up than to compare.
_GUE, _GRE, _SEND_TO_ALL = Encapsulation.GUE, Encapsulation.GRE, WhenNoBackend.SEND_TO_ALL

# So much a member has that is neither drained nor on a node's machine: address and weight, as a backend.
_PLAIN = 2

# Values that a probe has anyway, by field.
SILENCE: Mapping[str, Sequence[Any]] = {
    "method": ("GET",),
    "path": ("/",),
    "statuses": ([], [[200, 399]]),
    "payload": ("",),
    "response": ("",),
    "record_type": ("A",),
}


def vip_settings(row: VipRow) -> Json:
    """The VIP's entry."""
    family = _family(row.address)
    settings: Json = {"address": row.address}
    if row.communities:
        settings["communities"] = sorted(set(row.communities))
    listeners = sorted(row.listeners, key=_BY_MARK)
    settings["listeners"] = [_listener(listener, family) for listener in listeners]
    if row.new_connections_per_source is not None:
        settings["new_connections_per_source"] = row.new_connections_per_source
    if row.allowed_sources:
        settings["sources"] = sorted(row.allowed_sources)
    if row.when_no_backend != _SEND_TO_ALL:
        settings["when_no_backend"] = row.when_no_backend
    return settings


def tunnel_of(encapsulation: str | None, gue_port: int | None) -> Json:
    """The shape of Tunnel; empty where it is IP in IP, or none."""
    if encapsulation == _GUE:
        return {"encapsulation": encapsulation, "port": gue_port}
    return {"encapsulation": encapsulation} if encapsulation == _GRE else {}


def _family(address: str) -> int:
    """Of an address or a prefix."""
    return 6 if ":" in address else 4


def _listener(row: ListenerRow, family: int) -> Json:
    """One without members still has its service: its packets are refused by IPVS, not taken by the node."""
    backends = _backends(row.members, row.service, family)
    return _form(row.service, family) | {"backends": backends, "id": row.id, "mark": row.mark}


@lru_cache(maxsize=4096)
def _form(service: ServiceRow, family: int) -> Json:
    """What listeners with *service* say at a VIP of *family*, and an empty place for what each says of itself.

    For all of them: nobody changes it.
    """
    settings: Json = {}
    if affinity := _affinity(service, family):
        settings["affinity"] = affinity
    settings["backends"] = None
    settings["forwarding"] = service.forwarding
    settings["id"] = None
    if service.local:
        settings["local"] = True
    settings["mark"] = None
    if service.monitor is not None:
        settings["monitor"] = _monitor(service.monitor, service.ports)
    settings["ports"] = [{"first": first, "last": last} for first, last in sorted(service.ports)]
    settings["protocol"] = service.protocol
    if service.quorum != 1:
        settings["quorum"] = service.quorum
    settings["scheduler"] = service.scheduler
    if service.allowed_sources:
        settings["sources"] = _sources(service.allowed_sources, family)
    if tunnel := tunnel_of(service.encapsulation, service.gue_port):
        settings["tunnel"] = tunnel
    return settings


def _backends(members: Iterable[MemberRow], service: ServiceRow, family: int) -> list[Json]:
    """By age: the kernel can only append, so a new member must come last, or nodes would have to take out
    and put back the ones behind it to agree on the order that ``mh`` depends on."""
    if service.dual:
        members = (member for member in members if _family(member["address"]) == family)
    return [
        cast("Json", member) if len(member) == _PLAIN else _backend(member, service)
        for member in members
    ]


def _backend(member: MemberRow, service: ServiceRow) -> Json:
    """Where it is, is said only where that makes a difference."""
    backend: Json = {"address": member["address"]}
    drained_at = member.get("drained_at")
    if drained_at is not None and service.drain_deadline_s is not None:
        backend["drain_until"] = drained_at + service.drain_deadline_s
    if service.local and "node" in member:
        backend["node"] = member["node"]
    backend["weight"] = member["weight"] if drained_at is None else 0
    return backend


def _affinity(service: ServiceRow, family: int) -> Json:
    affinity: Json = {} if service.hash_ports else {"hash_ports": False}
    if service.one_packet:
        affinity["one_packet"] = True
    if service.persistence_s is not None:
        length, whole = (
            (service.persistence_prefix_v6, 128)
            if family == 6
            else (service.persistence_prefix_v4, 32)
        )
        if length not in (None, whole):
            affinity["persistence_prefix"] = length
        affinity["persistence_s"] = service.persistence_s
    return affinity


def _sources(prefixes: Iterable[str], family: int) -> list[str]:
    """Those of *family*. A listener of two VIPs names some of each, so that none of them is open to all."""
    return sorted(prefix for prefix in prefixes if _family(prefix) == family)


def _monitor(shown: Mapping[str, Any], ports: Iterable[tuple[int, int]]) -> Json:
    """The shape of Monitor, from the API's."""
    kind, port = shown["kind"], shown["port"]
    if port is None and kind != ProbeKind.ICMP:
        port = min(ports)[0]
    monitor: Json = {} if shown["dns"] is None else {"dns": _said(shown["dns"])}
    monitor["fall"] = shown["fall"]
    if kind in (ProbeKind.HTTP, ProbeKind.HTTPS):
        monitor["http"] = _http(shown["http"] or {})
    monitor["interval_ms"] = round(shown["interval_s"] * 1000)
    monitor |= {"kind": kind, "port": port, "rise": shown["rise"], "target": shown["target"]}
    monitor["timeout_ms"] = round(shown["timeout_s"] * 1000)
    if shown["udp"] is not None:
        monitor["udp"] = _said(shown["udp"])
    return monitor


def _http(shown: Mapping[str, Any]) -> Json:
    statuses = shown.get("statuses", ())
    return _said({**shown, "statuses": sorted(map(_span, statuses))})


def _said(shown: Mapping[str, Any]) -> Json:
    """In order, and without what has its default."""
    return {
        name: value
        for name, value in sorted(shown.items())
        if value not in SILENCE.get(name, (None,))
    }


def _span(text: str) -> list[int]:
    first, _, last = text.partition("-")
    return [int(first), int(last or first)]
