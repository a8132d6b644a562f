"""What others have in the kernel that could disturb us: reported, never touched."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lbaas.node_agent import known
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
    tables that iptables filters with beside nftables, *devices* the names of all devices.
    """

    services: int
    tables: dict[str, str]
    rules: tuple[FwmarkRule, ...]
    strict: tuple[str, ...]
    legacy: tuple[str, ...]
    devices: tuple[str, ...] = ()


def described(found: Surroundings, marks: MarkRange) -> tuple[str, ...]:
    """What of it concerns us, one sentence each."""
    return tuple(_sentences(found, marks))


def _sentences(found: Surroundings, marks: MarkRange) -> Iterator[str]:
    software = known.of_devices(found.devices)
    if found.services:
        owners = known.named(known.of_services(software))
        yield f"IPVS: {found.services} services that are not ours{owners}"
    for name, text in sorted(found.tables.items()):
        yield from _of_table(name, text)
    for rule in found.rules:
        if concerns(rule, marks):
            owner = known.named(known.of_rule(rule.mark, rule.mask))
            yield f"routing: rule {rule.priority}{owner} is for packets with marks of ours"
    for each in software:
        yield f"devices: {each} is at work on this machine"
    if found.strict:
        yield f"rp_filter is strict on {', '.join(found.strict)}: a client reached another way is dropped"
    if found.legacy:
        yield f"iptables (legacy) has tables {', '.join(found.legacy)}: lbaas explain says what they do to a flow"


def _of_table(name: str, text: str) -> Iterator[str]:
    table = f"nftables: table {name}{known.named(known.of_table(name, text))}"
    if _SETS_MARKS.search(text):
        yield f"{table} sets packet marks: a packet that loses its mark is refused"
    if _STATEFUL.search(text):
        yield f"{table} drops by connection state: a node sees one half of each connection"


_SETS_MARKS = re.compile(r"\bmeta mark set\b|\bMARK\b")
# "invalid" is bit 1, which a listing with numbers shows.
_STATEFUL = re.compile(r"\bct state [^\n]*\b(?:invalid|0x0*1)\b[^\n]*\b(?:drop|reject)\b")


def concerns(rule: FwmarkRule, marks: MarkRange) -> bool:
    """True if packets with our marks may be routed by *rule*."""
    return any(mark & rule.mask == rule.mark & rule.mask for mark in (marks.first, marks.last))
