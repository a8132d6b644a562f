"""Which ports to open and to shut."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeAlias

from lbaas.dataplane.gue.desired import Opening, order
from lbaas.dataplane.steps import Plan


@dataclass(frozen=True)
class _PortStep:
    opening: Opening

    @property
    def key(self) -> str:
        return str(self.opening)


@dataclass(frozen=True)
class OpenPort(_PortStep):
    """GUE is unwrapped there."""


@dataclass(frozen=True)
class ShutPort(_PortStep):
    """The port is nobody's."""


GueStep: TypeAlias = OpenPort | ShutPort


def plan(observed: AbstractSet[Opening], desired: AbstractSet[Opening]) -> Plan[GueStep]:
    """Steps that turn *observed* into *desired*."""
    return Plan(
        establish=tuple(map(OpenPort, sorted(desired - observed, key=order))),
        withdraw=tuple(map(ShutPort, sorted(observed - desired, key=order))),
    )
