"""Entries read as the state that an agent applies."""

from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Any, Generic, Self, TypeVar, cast
from uuid import UUID

from pydantic import ValidationError

from lbaas.domain.addresses import Address, address_key, host_prefix
from lbaas.errors import BadState
from lbaas.wire.entries import Entries
from lbaas.wire.state import (
    Admission,
    ClusterSettings,
    ClusterState,
    Document,
    Flow,
    HostSettings,
    HostState,
    Located,
    NodeSettings,
    Peer,
    Tunnel,
    VipSettings,
    VirtualService,
)

S = TypeVar("S", ClusterState, HostState)

_CLUSTER: Mapping[str, type[Document]] = {
    "cluster": ClusterSettings,
    "node": NodeSettings,
    "peer": Peer,
    "vip": VipSettings,
}
_HOST: Mapping[str, type[Document]] = {"host": HostSettings, "vip": Located, "node": Located}

# By kind, the part of a key before the slash; then by the part after it.
_Sorted = dict[str, dict[str, Any]]


class Reader(Generic[S]):
    """Reads states of *model*; parses an entry once, however many states hold it."""

    def __init__(self, model: type[S]) -> None:
        self._model: type[S] = model
        self._parsed: dict[str, tuple[bytes, Document]] = {}

    def read(self, entries: Entries, revision: int) -> S:
        """The state of *revision*. Raises BadState if it can't be read. Kinds that we don't know are ignored."""
        kinds = _CLUSTER if self._model is ClusterState else _HOST
        found: _Sorted = {kind: {} for kind in kinds}
        parsed: dict[str, tuple[bytes, Document]] = {}
        try:
            for key, value in entries.values.items():
                kind, _, name = key.partition("/")
                if kind in kinds:
                    parsed[key] = self._parse(kinds[kind], key, value)
                    found[kind][name] = parsed[key][1]
            self._parsed = parsed
            assemble = _cluster if self._model is ClusterState else _host
            return cast("S", assemble(found, revision))
        except (ValidationError, KeyError, ValueError) as error:
            raise BadState(f"not a {self._model.__name__}: {error!r}") from error

    def _parse(self, model: type[Document], key: str, value: bytes) -> tuple[bytes, Document]:
        known = self._parsed.get(key)
        if known is not None and known[0] == value:
            return known
        return value, model.model_validate_json(value)


class ClusterParts:
    """A cluster's state of which parts can be read: what nobody asks for costs its bytes and nothing more.

    *bare* is the state without VIPs, *settings* what it is made of.
    """

    def __init__(self, entries: Entries, revision: int, settings: _Sorted) -> None:
        self.entries = entries
        self.revision = revision
        self.settings = settings
        self.bare = self.part(())

    @classmethod
    def read(cls, entries: Entries, revision: int, before: Self | None = None) -> Self:
        """The parts of *entries*, wherever they differ from *before* proven to be readable.

        Raises BadState where they are not.
        """
        old = {} if before is None else before.entries.values
        differing = entries.differing(old)
        try:
            if before is None or not all(map(_of_vip, differing)):
                parts = cls(entries, revision, _read_settings(entries))
            else:
                parts = cls(entries, revision, before.settings)
            for key in filter(_of_vip, differing):
                parts.vip(key)
        except (ValidationError, KeyError, ValueError) as error:
            raise BadState(f"not a ClusterState: {error!r}") from error
        return parts

    def vips(self) -> Iterator[str]:
        """The keys of all VIPs."""
        return filter(_of_vip, self.entries.values)

    def differing(self, other: Self) -> frozenset[str]:
        """The keys of VIPs at which this state and *other* differ."""
        return frozenset(filter(_of_vip, self.entries.differing(other.entries.values)))

    def vip(self, key: str) -> VipSettings | None:
        """The VIP of *key*, None if there is none."""
        value = self.entries.values.get(key)
        return None if value is None else VipSettings.model_validate_json(value)

    def part(self, vips: Iterable[VipSettings]) -> ClusterState:
        """The state as if it had no other VIPs than *vips*."""
        found = self.settings | {"vip": {str(vip.address): vip for vip in vips}}
        return _cluster(found, self.revision)


def _read_settings(entries: Entries) -> _Sorted:
    found: _Sorted = {kind: {} for kind in _CLUSTER}
    for key, value in entries.values.items():
        if not _of_vip(key):
            kind, _, name = key.partition("/")
            if kind in _CLUSTER:
                found[kind][name] = _CLUSTER[kind].model_validate_json(value)
    return found


class PartsReader:
    """Reads states as parts; what did not change since the last is not looked at again."""

    def __init__(self) -> None:
        self._last: ClusterParts | None = None

    def read(self, entries: Entries, revision: int) -> ClusterParts:
        """The state of *revision*. Raises BadState if it can't be read."""
        self._last = ClusterParts.read(entries, revision, self._last)
        return self._last


def _of_vip(key: str) -> bool:
    return key.startswith("vip/")


def _cluster(found: _Sorted, revision: int) -> ClusterState:
    """A VIP is announced once it has a listener."""
    settings: ClusterSettings = found["cluster"][""]
    vips: list[VipSettings] = sorted(found["vip"].values(), key=_by_address)
    return ClusterState(
        cluster=settings.cluster,
        revision=revision,
        as_number=settings.as_number,
        marks=settings.marks,
        nodes={UUID(name): found["node"][name] for name in sorted(found["node"])},
        peers=tuple(sorted(found["peer"].values(), key=_peer_order)),
        vips=tuple(vip.address for vip in vips),
        announced=tuple(host_prefix(vip.address) for vip in vips if vip.listeners),
        services=tuple(sorted(_services(vips), key=attrgetter("family", "mark"))),
        flows=tuple(sorted(_flows(vips), key=_flow_order)),
        communities={host_prefix(vip.address): vip.communities for vip in vips if vip.communities},
        admissions=tuple(_admissions(vips)),
        timeouts=settings.timeouts,
        removal_guard_percent=settings.removal_guard_percent,
        connection_sync=settings.connection_sync,
    )


def _host(found: _Sorted, revision: int) -> HostState:
    settings: HostSettings = found["host"][""]
    return HostState(
        host=settings.host,
        revision=revision,
        endpoints=settings.endpoints,
        vips=_addresses(found["vip"]),
        nodes=_addresses(found["node"]),
        tunnels=_tunnels(found["vip"].values()),
        arrivals={each.address: each.endpoints for each in found["vip"].values() if each.endpoints},
    )


def _addresses(located: Mapping[str, Located]) -> tuple[Address, ...]:
    return tuple(sorted((each.address for each in located.values()), key=address_key))


def _tunnels(vips: Iterable[Located]) -> tuple[Tunnel, ...]:
    """Each way once. IP in IP is always open: every host has it, and its guard."""
    ways = {Tunnel(), *(tunnel for vip in vips for tunnel in vip.tunnels)}
    return tuple(sorted(ways, key=lambda tunnel: (tunnel.encapsulation, tunnel.port or 0)))


def _by_address(vip: VipSettings) -> tuple[int, int]:
    return address_key(vip.address)


def _peer_order(peer: Peer) -> tuple[int, int, str]:
    return (*address_key(peer.address), peer.name)


def _services(vips: Iterable[VipSettings]) -> Iterator[VirtualService]:
    for vip in vips:
        for listener in vip.listeners:
            yield VirtualService(
                mark=listener.mark,
                family=vip.address.version,
                scheduler=listener.scheduler,
                forwarding=listener.forwarding,
                backends=listener.backends,
                vip=vip.address,
                tunnel=listener.tunnel,
                affinity=listener.affinity,
                monitor=listener.monitor,
                quorum=listener.quorum,
                when_no_backend=vip.when_no_backend,
                local=listener.local,
            )


def _admissions(vips: Iterable[VipSettings]) -> Iterator[Admission]:
    """In order of address, then mark. A listener that anybody may use as often as he likes has none."""
    for vip in vips:
        for listener in sorted(vip.listeners, key=attrgetter("mark")):
            sources = tuple(each for each in (vip.sources, listener.sources) if each)
            if sources or vip.new_connections_per_source:
                yield Admission(
                    vip=vip.address,
                    mark=listener.mark,
                    sources=sources,
                    new_connections_per_source=vip.new_connections_per_source,
                )


def _flows(vips: Iterable[VipSettings]) -> Iterator[Flow]:
    for vip in vips:
        for listener in vip.listeners:
            for ports in listener.ports:
                yield Flow(
                    vip=vip.address, protocol=listener.protocol, ports=ports, mark=listener.mark
                )


def _flow_order(flow: Flow) -> tuple[int, int, str, int]:
    return (*address_key(flow.vip), flow.protocol, flow.ports.first)
