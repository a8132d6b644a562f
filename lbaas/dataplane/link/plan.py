"""Which devices and addresses to add and to remove."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from lbaas.dataplane.link.desired import DEVICE_KINDS, Alias, Kind, LinkTable
from lbaas.dataplane.steps import Plan
from lbaas.domain.addresses import address_key


@dataclass(frozen=True, slots=True)
class AddDevice:
    """The device exists and is up."""

    name: str

    @property
    def key(self) -> str:
        return self.name

    @property
    def kind(self) -> Kind:
        return DEVICE_KINDS[self.name]


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


LinkStep: TypeAlias = AddDevice | RemoveDevice | AddAddress | RemoveAddress


def plan(observed: LinkTable, desired: LinkTable) -> Plan[LinkStep]:
    """Devices before addresses, addresses gone before devices."""
    return Plan(
        establish=(
            *map(AddDevice, sorted(desired.devices - observed.devices)),
            *map(AddAddress, _ordered(desired.aliases - observed.aliases)),
        ),
        withdraw=(
            *map(RemoveAddress, _ordered(observed.aliases - desired.aliases)),
            *map(RemoveDevice, sorted(observed.devices - desired.devices)),
        ),
    )


def _ordered(aliases: Iterable[Alias]) -> list[Alias]:
    return sorted(aliases, key=lambda alias: (alias.device, address_key(alias.address)))
