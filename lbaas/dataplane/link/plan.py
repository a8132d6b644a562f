"""Which devices and addresses to add and to remove."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from lbaas.dataplane.link.desired import Alias, Kind, LinkTable, kind_of
from lbaas.dataplane.steps import Plan
from lbaas.domain.addresses import Address, address_key


@dataclass(frozen=True, slots=True)
class AddDevice:
    """The device exists and is up."""

    name: str

    @property
    def key(self) -> str:
        return self.name

    @property
    def kind(self) -> Kind:
        return kind_of(self.name)


@dataclass(frozen=True, slots=True)
class RemoveDevice:
    """The device is gone, and its addresses with it."""

    name: str

    @property
    def key(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class AddAddress:
    """The device holds the address."""

    alias: Alias

    @property
    def key(self) -> str:
        return str(self.alias)


@dataclass(frozen=True, slots=True)
class RemoveAddress:
    """The device does not hold the address."""

    alias: Alias

    @property
    def key(self) -> str:
        return str(self.alias)


@dataclass(frozen=True, slots=True)
class AcceptAddress:
    """Packets to the address are delivered here."""

    address: Address

    @property
    def key(self) -> str:
        return str(self.address)


@dataclass(frozen=True, slots=True)
class RefuseAddress:
    """Packets to the address go wherever else they may."""

    address: Address

    @property
    def key(self) -> str:
        return str(self.address)


LinkStep: TypeAlias = (
    AddDevice | RemoveDevice | AddAddress | RemoveAddress | AcceptAddress | RefuseAddress
)


def plan(observed: LinkTable, desired: LinkTable) -> Plan[LinkStep]:
    """Devices before addresses and routes, these gone before devices."""
    return Plan(
        establish=(
            *map(AddDevice, sorted(desired.devices - observed.devices)),
            *map(AddAddress, _ordered(desired.aliases - observed.aliases)),
            *map(AcceptAddress, sorted(desired.accepted - observed.accepted, key=address_key)),
        ),
        withdraw=(
            *map(RefuseAddress, sorted(observed.accepted - desired.accepted, key=address_key)),
            *map(RemoveAddress, _ordered(observed.aliases - desired.aliases)),
            *map(RemoveDevice, sorted(observed.devices - desired.devices)),
        ),
    )


def _ordered(aliases: Iterable[Alias]) -> list[Alias]:
    return sorted(aliases, key=lambda alias: (alias.device, address_key(alias.address)))
