"""Whether the table must be made anew."""

from dataclasses import dataclass

from lbaas.dataplane.steps import Plan


@dataclass(frozen=True)
class ReplaceTable:
    """The table is as *declaration* says, replaced in one transaction."""

    declaration: str

    @property
    def key(self) -> str:
        return "table"


def plan(observed: str | None, expected: str, declaration: str) -> Plan[ReplaceTable]:
    """One step or none. *observed* and *expected* are listings, None where there is no table."""
    return Plan() if observed == expected else Plan(establish=(ReplaceTable(declaration),))
