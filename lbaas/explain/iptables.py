"""Rules of legacy iptables, as iptables-save tells them, put as nftables lists its own: one reader follows both.

A condition that is not known here becomes one that no reader knows, so that its rule may match or not.
"""

import re
import shlex
from collections import deque
from collections.abc import Iterator, Mapping, Sequence

# Where the tables of iptables look at packets: net/ipv4/netfilter/iptable_*.c.
_PRIORITIES = {"raw": -300, "mangle": -150, "nat": -100, "filter": 0, "security": 50}
_HOOKS = {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}

_VERDICTS = {"ACCEPT": "accept", "DROP": "drop", "REJECT": "reject", "RETURN": "return"}
_MARKS = {"--set-mark", "--set-xmark"}
_UNKNOWN = "unreadable"

# Modules that say nothing by themselves: their options do.
_MODULES = {"tcp", "udp", "sctp", "conntrack", "state", "multiport", "comment"}

_CONDITIONS = {
    "-s": "saddr",
    "-d": "daddr",
    "-p": "meta l4proto",
    "-i": "iifname",
    "-o": "oifname",
    "--dport": "th dport",
    "--sport": "th sport",
    "--dports": "th dport",
    "--sports": "th sport",
    "--ctstate": "ct state",
    "--state": "ct state",
}

_POLICY = re.compile(r":(\S+) (\S+)")


def tables(family: str, saved: str) -> Mapping[str, str]:
    """What *saved* tells of *family*, ``ip`` or ``ip6``: listings by family and name."""
    parts = re.findall(r"^\*(\w+)\n(.*?)^COMMIT$", saved, re.MULTILINE | re.DOTALL)
    return {
        f"{family} {name} (legacy iptables)": "".join(_chains(family, name, body.splitlines()))
        for name, body in parts
    }


def _chains(family: str, table: str, lines: Sequence[str]) -> Iterator[str]:
    policies = {found[1]: found[2] for line in lines if (found := _POLICY.match(line))}
    rules = [shlex.split(line) for line in lines if line.startswith("-A ")]
    for chain, policy in policies.items():
        yield f"\tchain {chain} {{\n"
        if chain in _HOOKS:
            yield f"\t\ttype filter hook {chain.lower()} priority {_PRIORITIES.get(table, 0)}; "
            yield f"policy {policy.lower()};\n"
        for _, of, *words in rules:
            if of == chain:
                yield f"\t\t{_rule(family, words, policies)}\n"
        yield "\t}\n"


def _rule(family: str, words: Sequence[str], chains: Mapping[str, str]) -> str:
    left = iter(words)
    told: list[str] = []
    denied = False
    for word in left:
        if word == "!":
            denied = True
            continue
        told += _told(family, word, left, chains, denied=denied)
        denied = False
    return " ".join(told)


def _told(
    family: str, word: str, left: Iterator[str], chains: Mapping[str, str], *, denied: bool
) -> Iterator[str]:
    """What the option *word* says; *left* begins with what belongs to it."""
    if word in _CONDITIONS:
        yield _condition(family, word, next(left), denied=denied)
    elif word in ("-j", "-g"):
        yield from _target(word, next(left), left, chains)
    elif word == "-m":
        if next(left) not in _MODULES:
            yield _UNKNOWN
    elif word == "--comment":
        next(left)
    else:
        yield _UNKNOWN


def _condition(family: str, word: str, value: str, *, denied: bool) -> str:
    what = f"{family} {_CONDITIONS[word]}" if word in ("-s", "-d") else _CONDITIONS[word]
    if word in ("-i", "-o"):
        value = value.replace("+", "*")
    else:
        value = value.lower() if "state" in word else value
        value = value if word in ("-s", "-d") else f"{{ {value.replace(':', '-')} }}"
    return f"{what} {'!= ' if denied else ''}{value}"


def _target(
    word: str, target: str, left: Iterator[str], chains: Mapping[str, str]
) -> Iterator[str]:
    if target in chains:
        yield f"{'goto' if word == '-g' else 'jump'} {target}"
    elif target in _VERDICTS:
        yield _VERDICTS[target]
    elif target == "MARK":
        options = dict(zip(left, left, strict=False))
        yield f"meta mark set {next((options[name] for name in _MARKS if name in options), '?')}"
    # Options of a target come last, and change nothing about whom it concerns.
    deque(left, maxlen=0)
