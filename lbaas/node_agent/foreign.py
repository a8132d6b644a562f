"""What others have in the kernel that could disturb us: reported, never touched."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lbaas.wire.state import MarkRange


@dataclass(frozen=True)
class FwmarkRule:
    """A routing rule for packets whose mark, under *mask*, is *mark*."""

    priority: int
    mark: int
    mask: int


@dataclass(frozen=True)
class Surroundings:
    """What was found. *tables* are the nftables tables of others, by name, as text.

    *services* are IPVS services that are not ours, *strict* the devices with a strict rp_filter, *legacy* the
    tables that iptables filters with beside nftables.
    """

    services: int
    tables: dict[str, str]
    rules: tuple[FwmarkRule, ...]
    strict: tuple[str, ...]
    legacy: tuple[str, ...]


def described(found: Surroundings, marks: MarkRange) -> tuple[str, ...]:
    """What of it concerns us, one sentence each."""
    return tuple(_sentences(found, marks))


def _sentences(found: Surroundings, marks: MarkRange) -> Iterator[str]:
    if found.services:
        yield f"IPVS: {found.services} services that are not ours"
    for name, text in sorted(found.tables.items()):
        if _SETS_MARKS.search(text):
            yield f"nftables: table {name} sets packet marks: a packet that loses its mark is refused"
        if _STATEFUL.search(text):
            yield f"nftables: table {name} drops by connection state: a node sees one half of each connection"
    for rule in found.rules:
        if any(_matches(rule, mark) for mark in (marks.first, marks.last)):
            yield f"routing: rule {rule.priority} is for packets with marks of ours"
    if found.strict:
        yield f"rp_filter is strict on {', '.join(found.strict)}: a client reached another way is dropped"
    if found.legacy:
        yield f"iptables (legacy) has tables {', '.join(found.legacy)}: what they do is not known to us"


# Whatever agent made it.
_OURS = "inet lbaas"

_SETS_MARKS = re.compile(r"\bmeta mark set\b|\bMARK\b")
_STATEFUL = re.compile(r"\bct state [^\n]*\binvalid\b[^\n]*\b(drop|reject)\b")


def _matches(rule: FwmarkRule, mark: int) -> bool:
    return mark & rule.mask == rule.mark & rule.mask


def split_tables(ruleset: str) -> dict[str, str]:
    """The tables of a ruleset as ``nft list ruleset`` words it, by family and name, but for ours."""
    pieces = re.split(r"^table (\S+ \S+) \{$", ruleset, flags=re.MULTILINE)
    tables = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    return {name: text for name, text in tables.items() if not name.startswith(_OURS)}
