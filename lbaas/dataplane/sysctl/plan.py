"""Which settings to write."""

from collections.abc import Mapping
from dataclasses import dataclass

from lbaas.dataplane.steps import Plan


@dataclass(frozen=True)
class SetSysctl:
    """The setting has *value*."""

    name: str
    value: str

    @property
    def key(self) -> str:
        return self.name


def plan(observed: Mapping[str, str | None], desired: Mapping[str, str]) -> Plan[SetSysctl]:
    """Writes for the settings that differ. Settings are never withdrawn: others may rely on them now."""
    return Plan(
        tuple(
            SetSysctl(name, value) for name, value in desired.items() if observed.get(name) != value
        )
    )
