"""What rules of others in nftables do to a packet, read from how their tables list.

They are followed as the kernel does, with one difference: of a condition that we can't read, both is possible.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from lbaas.explain.packets import Packet, matches

# A base chain's head; with numbers, as we list it.
_CHAIN = re.compile(r"^\tchain (\S+) \{\n(.*?)^\t\}", re.MULTILINE | re.DOTALL)
_HOOK = re.compile(r"type \S+ hook (\w+)(?: device \S+)? priority (-?\d+); policy (\w+);")
_VERDICT = re.compile(r"\b(accept|drop|reject|return)\b|\b(jump|goto) (\S+)")
_SETS_MARK = re.compile(r"\bmeta mark set\b")

# Tables of these families see packets of one protocol; those of others both.
_FAMILIES = {"ip": 4, "ip6": 6}

# Where a rule of ours has its last word about a packet's mark, and IPVS takes the packet.
OUR_PRIORITY = -145

INCOMING = frozenset({"prerouting", "input"})
OUTGOING = frozenset({"output", "postrouting"})


@dataclass(frozen=True)
class Chain:
    """*hook* is empty for a chain that others jump to."""

    table: str
    name: str
    hook: str
    priority: int
    policy: str
    rules: tuple[str, ...]

    def __str__(self) -> str:
        return f"table {self.table} chain {self.name}"


@dataclass(frozen=True)
class Finding:
    """What a rule does to the packet, if *certain*; what it may do, if not."""

    what: str
    certain: bool


def chains(tables: Mapping[str, str]) -> Iterator[Chain]:
    """The chains of *tables*, which are listings by family and name."""
    for table, text in sorted(tables.items()):
        if "\tflags dormant" in text:
            continue
        for name, body in _CHAIN.findall(text):
            lines = tuple(line.strip() for line in body.splitlines() if line.strip())
            head = _HOOK.search(lines[0]) if lines else None
            if head is None:
                yield Chain(table, name, "", 0, "accept", lines)
            else:
                yield Chain(table, name, head[1], int(head[2]), head[3], lines[1:])


def mark_setters(tables: Mapping[str, str], packet: Packet) -> Iterator[Finding]:
    """What changes the packet's mark between our rules and IPVS."""
    for base, way in _ways(tables, packet, INCOMING):
        if base.hook == "input" or base.priority > OUR_PRIORITY:
            for rule, certain in way.passed:
                if _SETS_MARK.search(rule):
                    yield Finding(f"{base}: {rule}", certain)


def droppers(tables: Mapping[str, str], packet: Packet, hooks: frozenset[str]) -> Iterator[Finding]:
    """What drops the packet at one of *hooks*."""
    for base, way in _ways(tables, packet, hooks):
        yield from (Finding(f"{base}: {rule}", certain) for rule, certain in way.drops)
        if not way.over and base.policy == "drop":
            yield Finding(f"{base}: policy drop", not way.doubt)


@dataclass(frozen=True)
class _Way:
    """How far a packet has come in a base chain.

    *passed* and *drops* are rules, each with whether the packet surely meets it. *over*: it goes no further. *doubt*:
    it may have been accepted, or taken another turn, earlier.
    """

    passed: tuple[tuple[str, bool], ...] = ()
    drops: tuple[tuple[str, bool], ...] = ()
    over: bool = False
    doubt: bool = False


def _ways(
    tables: Mapping[str, str], packet: Packet, hooks: frozenset[str]
) -> Iterator[tuple[Chain, _Way]]:
    found = list(chains(tables))
    named = {(each.table, each.name): each for each in found}
    for base in found:
        if base.hook in hooks and _sees(base, packet):
            yield base, _walk(base, packet, named, _Way(), frozenset())


def _sees(chain: Chain, packet: Packet) -> bool:
    family, _, _ = chain.table.partition(" ")
    return _FAMILIES.get(family, packet.family) == packet.family


def _walk(
    chain: Chain,
    packet: Packet,
    named: Mapping[tuple[str, str], Chain],
    way: _Way,
    above: frozenset[str],
) -> _Way:
    for rule in chain.rules:
        met = matches(rule, packet)
        if met is False:
            continue
        certain = met is True and not way.doubt
        way = replace(way, passed=(*way.passed, (rule, certain)))
        verdict, turn, name = next(iter(_VERDICT.findall(rule)), ("", "", ""))
        if turn:
            target = named.get((chain.table, name))
            if target is not None and name not in above:
                inner = replace(way, doubt=not certain)
                after = _walk(target, packet, named, inner, above | {chain.name, name})
                over = after.over and met is True
                way = replace(after, over=over, doubt=after.doubt or (after.over and not over))
            if way.over or (turn == "goto" and met is True):
                return way
        elif verdict in ("drop", "reject"):
            way = replace(way, drops=(*way.drops, (rule, certain)))
            if met is True:
                return replace(way, over=True)
        elif verdict:
            if met is True:
                return replace(way, over=verdict == "accept")
            way = replace(way, doubt=True)
    return way


def described(findings: Iterable[Finding]) -> tuple[str, bool]:
    """All in one line, and whether any is certain; those that are come first, each once."""
    found = sorted(set(findings), key=lambda each: (not each.certain, each.what))
    return "; ".join(dict.fromkeys(each.what for each in found)), any(
        each.certain for each in found
    )
