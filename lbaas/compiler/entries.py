"""A VIP's row, and all that hangs on it, to its entry: the shape of VipSettings, in JSON's own types.

Plain, and with the keys in order, because models and sorting would take most of a compilation's time. What has
its default is left out: entries come by the ten thousand.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

from lbaas.compiler.snapshot import ListenerRow, MemberRow, PoolRow, VipRow
from lbaas.domain.terms import Encapsulation, ProbeKind, WhenNoBackend

Json = dict[str, Any]

_BY_MARK = attrgetter("mark")

# A word of a vocabulary takes longer to look up than to compare.
_GUE, _GRE, _SEND_TO_ALL = Encapsulation.GUE, Encapsulation.GRE, WhenNoBackend.SEND_TO_ALL

# Of a pool without a word on affinity.
NO_AFFINITY = (True, None, False)

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
    pool = row.pool
    settings: Json = {}
    if (pool.hash_ports, pool.persistence_s, pool.one_packet) != NO_AFFINITY:
        settings["affinity"] = _affinity(pool, family)
    backends = _placed if pool.local else _backends
    settings["backends"] = backends(_members(row, family), pool.drain_deadline_s)
    settings["forwarding"] = pool.forwarding
    if row.id is not None:
        settings["id"] = row.id
    if pool.local:
        settings["local"] = True
    settings["mark"] = row.mark
    if pool.monitor is not None:
        settings["monitor"] = _monitor(pool.monitor, row.ports)
    settings["ports"] = _ports(row.ports)
    settings["protocol"] = row.protocol
    if pool.quorum != 1:
        settings["quorum"] = pool.quorum
    settings["scheduler"] = pool.scheduler
    if row.allowed_sources:
        settings["sources"] = _sources(row.allowed_sources, family)
    if tunnel := tunnel_of(pool.encapsulation, pool.gue_port):
        settings["tunnel"] = tunnel
    return settings


@lru_cache(maxsize=1024)
def _ports(spans: tuple[tuple[int, int], ...]) -> list[Json]:
    """For all who have the same: nobody changes it."""
    return [{"first": first, "last": last} for first, last in sorted(spans)]


def _members(row: ListenerRow, family: int) -> Iterable[MemberRow]:
    """By age: the kernel can only append, so a new member must come last, or nodes would have to take out
    and put back the ones behind it to agree on the order that ``mh`` depends on."""
    if not row.dual:
        return sorted(row.pool.members)  # which begin with their ids
    return sorted(member for member in row.pool.members if _family(member.address) == family)


def _backends(members: Iterable[MemberRow], deadline_s: int | None) -> list[Json]:
    return [
        {"address": address, "weight": weight}
        if drained_at is None
        else _drained(address, drained_at, deadline_s)
        for _, address, weight, drained_at, _ in members
    ]


def _placed(members: Iterable[MemberRow], deadline_s: int | None) -> list[Json]:
    """With the nodes that they are on; only where that makes a difference."""
    members = list(members)
    backends = zip(_backends(members, deadline_s), members, strict=True)
    return [
        backend if member.node is None else dict(sorted((backend | {"node": member.node}).items()))
        for backend, member in backends
    ]


def _drained(address: str, drained_at: int, deadline_s: int | None) -> Json:
    if deadline_s is None:
        return {"address": address, "weight": 0}
    return {"address": address, "drain_until": drained_at + deadline_s, "weight": 0}


def _affinity(pool: PoolRow, family: int) -> Json:
    affinity: Json = {} if pool.hash_ports else {"hash_ports": False}
    if pool.one_packet:
        affinity["one_packet"] = True
    if pool.persistence_s is not None:
        length, whole = (
            (pool.persistence_prefix_v6, 128) if family == 6 else (pool.persistence_prefix_v4, 32)
        )
        if length not in (None, whole):
            affinity["persistence_prefix"] = length
        affinity["persistence_s"] = pool.persistence_s
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
