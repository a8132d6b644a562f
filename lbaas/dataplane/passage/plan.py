"""Whether the table must be made anew, or go."""

from dataclasses import dataclass
from typing import TypeAlias

from lbaas.dataplane.steps import Plan


@dataclass(frozen=True)
class ReplaceTable:
    """The table is as *declaration* says, replaced in one transaction."""

    declaration: str

    @property
    def key(self) -> str:
        return "table"


@dataclass(frozen=True)
class DeleteTable:
    """There is no such table."""

    @property
    def key(self) -> str:
        return "table"


PassageStep: TypeAlias = ReplaceTable | DeleteTable


def plan(observed: str | None, expected: str | None, declaration: str) -> Plan[PassageStep]:
    """One step or none. *observed* and *expected* are listings, None where there is or shall be no table."""
    if observed == expected:
        return Plan()
    if expected is None:
        return Plan(withdraw=(DeleteTable(),))
    return Plan(establish=(ReplaceTable(declaration),))
