"""Which devices and addresses to add and to remove."""

from dataclasses import dataclass
from typing import TypeAlias

from lbaas.dataplane.link.desired import DEVICE_KINDS, Kind, LinkTable
from lbaas.dataplane.steps import Plan
from lbaas.domain.addresses import Address, address_key


@dataclass(frozen=True)
class AddDevice:
    """The device exists and is up."""

    name: str

    @property
    def key(self) -> str:
        return self.name

    @property
    def kind(self) -> Kind:
        return DEVICE_KINDS[self.name]


@dataclass(frozen=True)
class RemoveDevice:
    """The device is gone, and its addresses with it."""

    name: str

    @property
    def key(self) -> str:
        return self.name


@dataclass(frozen=True)
class AddAddress:
    """VIP_DEVICE holds the address."""

    address: Address

    @property
    def key(self) -> str:
        return str(self.address)


@dataclass(frozen=True)
class RemoveAddress:
    """VIP_DEVICE does not hold the address."""

    address: Address

    @property
    def key(self) -> str:
        return str(self.address)


LinkStep: TypeAlias = AddDevice | RemoveDevice | AddAddress | RemoveAddress


def plan(observed: LinkTable, desired: LinkTable) -> Plan[LinkStep]:
    """Devices before addresses, addresses gone before devices."""
    devices = sorted(desired.devices - observed.devices)
    gone = sorted(observed.devices - desired.devices)
    added = sorted(desired.addresses - observed.addresses, key=address_key)
    removed = sorted(observed.addresses - desired.addresses, key=address_key)
    return Plan(
        establish=(*map(AddDevice, devices), *map(AddAddress, added)),
        withdraw=(*map(RemoveAddress, removed), *map(RemoveDevice, gone)),
    )
