"""What to change of the table: the content of its sets, or all of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from lbaas.dataplane.steps import Plan

# As nftables lists a set, and what it holds.
_SET = re.compile(r"^\tset (\w+) \{\n(.*?)^\t\}\n", re.MULTILINE | re.DOTALL)
_ELEMENTS = re.compile(r"^\t\telements = \{ (.*) \}\n", re.MULTILINE)
_ADDRESS = re.compile(r"[0-9a-f.:]+")

Sets: TypeAlias = Mapping[str, frozenset[str]]


class Listing(NamedTuple):
    """A table in two parts: its rules and empty sets, and what is in the sets."""

    structure: str
    sets: Sets


@dataclass(frozen=True)
class ReplaceTable:
    """The table is as *declaration* says, replaced in one transaction. What was counted is forgotten."""

    declaration: str

    @property
    def key(self) -> str:
        return "table"


@dataclass(frozen=True)
class ChangeSets:
    """The sets hold *added* and no longer *removed*, in one transaction. The rules count on."""

    added: Sets
    removed: Sets

    @property
    def key(self) -> str:
        return "sets"


GuardStep: TypeAlias = ReplaceTable | ChangeSets


def plan(observed: str | None, expected: str, declaration: str) -> Plan[GuardStep]:
    """One step or none. *observed* and *expected* are listings with elements, None where there is no table."""
    if observed == expected:
        return Plan()
    held, wanted = parted(observed or ""), parted(expected)
    removed = _beyond(held.sets, wanted.sets)
    if held.structure != wanted.structure or not _plain(removed):
        return Plan(establish=(ReplaceTable(declaration),))
    return Plan(establish=(ChangeSets(_beyond(wanted.sets, held.sets), removed),))


def parted(listing: str) -> Listing:
    """The listing's parts; a set without elements is not among its sets."""
    sets = {
        name: frozenset(held[1].split(", "))
        for name, body in _SET.findall(listing)
        if (held := _ELEMENTS.search(body))
    }
    return Listing(_ELEMENTS.sub("", listing), sets)


def _beyond(some: Sets, others: Sets) -> Sets:
    """By set, what is in *some* and not in *others*."""
    beyond = {name: held - others.get(name, frozenset()) for name, held in some.items()}
    return {name: more for name, more in beyond.items() if more}


def _plain(sets: Sets) -> bool:
    """All are addresses. What somebody else put there may have a comment, and can't be named by its words."""
    return all(_ADDRESS.fullmatch(each) for held in sets.values() for each in held)
