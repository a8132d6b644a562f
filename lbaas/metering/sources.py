"""What a node counts, and what a backend host counts."""

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol
from uuid import UUID

from lbaas.dataplane.ipvs.netlink import IpvsSocket
from lbaas.dataplane.usage.desired import (
    HOST_TABLE,
    NODE_TABLE,
    USUAL_BITS,
    Bits,
    HostAddresses,
    Meter,
    host_meter,
    node_meter,
)
from lbaas.domain.addresses import Address, address_key
from lbaas.metering.periods import Named
from lbaas.wire.entries import Entries
from lbaas.wire.state import ClusterSettings

_MARK = struct.Struct("=I")  # as nftables keeps it


class Source(Protocol):
    """One kind of agent's counts. *table* is where its kernel keeps them."""

    table: str

    def meter(self, entries: Entries) -> Meter:
        """What to count under the state of *entries*."""
        ...

    def says(self, key: str, value: bytes) -> Iterator[tuple[bytes, Named]]:
        """Whose marks or addresses an entry tells."""
        ...

    def opened(self) -> Mapping[bytes, int] | None:
        """Connections by mark since the kernel has it; None where none are counted. Raises LbaasError or OSError."""
        ...


@dataclass
class NodeSource:
    """Packets by listener and client, connections by listener."""

    bits: Bits = field(default_factory=lambda: USUAL_BITS)
    table: str = NODE_TABLE

    @cached_property
    def _ipvs(self) -> IpvsSocket:
        return IpvsSocket()

    def meter(self, entries: Entries) -> Meter:
        settings = ClusterSettings.model_validate_json(entries.values["cluster"])
        return node_meter(settings.marks, self.bits)

    def says(self, key: str, value: bytes) -> Iterator[tuple[bytes, Named]]:
        kind, _, vip = key.partition("/")
        if kind == "vip":
            for listener in json.loads(value)["listeners"]:
                if named := listener.get("id"):
                    yield _MARK.pack(listener["mark"]), Named(UUID(vip), UUID(named))

    def opened(self) -> Mapping[bytes, int] | None:
        return {
            _MARK.pack(service.mark): service.stats.connections
            for service in self._ipvs.services()
            if service.mark is not None
        }


@dataclass
class HostSource:
    """Packets that came, by VIP, and replies by VIP and client."""

    bits: Bits = field(default_factory=lambda: USUAL_BITS)
    table: str = HOST_TABLE

    def meter(self, entries: Entries) -> Meter:
        located = {
            kind: [
                (address, entry)
                for key, value in entries.values.items()
                if key.startswith(f"{kind}/")
                for entry in (json.loads(value),)
                for address in (ip_address(entry["address"]),)
            ]
            for kind in ("vip", "node")
        }
        return host_meter(
            HostAddresses(
                vips=_sorted(address for address, _ in located["vip"]),
                direct=_sorted(
                    address for address, vip in located["vip"] if not vip.get("tunnels")
                ),
                nodes=_sorted(address for address, _ in located["node"]),
            ),
            self.bits,
        )

    def says(self, key: str, value: bytes) -> Iterator[tuple[bytes, Named]]:
        if key.startswith("vip/"):
            entry = json.loads(value)
            if vip := entry.get("vip"):
                yield ip_address(entry["address"]).packed, Named(UUID(vip))

    def opened(self) -> Mapping[bytes, int] | None:
        return None


def _sorted(addresses: Iterator[Address]) -> tuple[Address, ...]:
    return tuple(sorted(addresses, key=address_key))


def kernel() -> str:
    """Which life of which network namespace this is: its counters began at zero."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {Path('/proc/self/ns/net').stat().st_ino}"
