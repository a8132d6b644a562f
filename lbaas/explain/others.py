"""What rules of others in nftables may do to our packets, read from how their tables list."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

# A base chain's head; with numbers, as we list it.
_CHAIN = re.compile(r"^\tchain (\S+) \{\n(.*?)^\t\}", re.MULTILINE | re.DOTALL)
_HOOK = re.compile(r"type \S+ hook (\w+)(?: device \S+)? priority (-?\d+); policy (\w+);")
_VERDICT = re.compile(r"\b(drop|reject)\b")
_SETS_MARK = re.compile(r"\bmeta mark set\b")
_JUMP = re.compile(r"\b(?:jump|goto) (\S+)")

# Where a rule of ours has its last word about a packet's mark, and IPVS takes the packet.
OUR_PRIORITY = -145


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


def mark_setters(tables: Mapping[str, str]) -> Iterator[str]:
    """What may change a packet's mark between our rules and IPVS."""
    for chain, rule in _reached(tables, {"prerouting", "input"}):
        late = chain.hook == "input" or chain.priority > OUR_PRIORITY
        if late and _SETS_MARK.search(rule):
            yield f"{chain}: {rule}"


def droppers(tables: Mapping[str, str], hooks: frozenset[str]) -> Iterator[str]:
    """What may drop a packet at one of *hooks*."""
    for chain in chains(tables):
        if chain.hook in hooks and chain.policy == "drop":
            yield f"{chain}: policy drop"
    for chain, rule in _reached(tables, hooks):
        if _VERDICT.search(rule):
            yield f"{chain}: {rule}"


def _reached(
    tables: Mapping[str, str], hooks: set[str] | frozenset[str]
) -> Iterator[tuple[Chain, str]]:
    """The rules that packets at *hooks* may come to, each with the base chain by which they do."""
    found = list(chains(tables))
    named = {(each.table, each.name): each for each in found}
    for base in found:
        if base.hook in hooks:
            yield from ((base, rule) for rule in _rules(base, named, frozenset()))


def _rules(
    chain: Chain, named: Mapping[tuple[str, str], Chain], above: frozenset[str]
) -> Iterator[str]:
    way = above | {chain.name}
    for rule in chain.rules:
        yield rule
        jump = _JUMP.search(rule)
        target = named.get((chain.table, jump[1])) if jump else None
        if target is not None and target.name not in way:
            yield from _rules(target, named, way)
